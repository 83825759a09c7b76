/* Reads arrays of numpy (NEP 1, numpy.lib.format):

     "\x93NUMPY"   the magic
     2 bytes       the version
     2 or 4 bytes  the length of the head, little-endian; 2 in version 1
     the head      a dict of Python, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 8), }
     the values

   Images are [n, h, w], [n, h, w, c] or [n, c, h, w], in any order of memory and bytes.  The sizes
   tell the last two apart: 1 or 3 channels are likelier than 2 or 4, and these likelier than
   others.  When they tie, the order that makes the image square wins.

   Type and range tell what the numbers mean.  uint8 and whole numbers up to 255 are levels of 255,
   uint16 of 65535.  Floats lie in [-1, 1]; without a negative one, in [0, 1] or up to 255.
   Anything else is refused. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "image/dataset_array.h"

enum { RANK_MOST = 8, HEAD_MOST = 1024 };

struct head {
    char text[HEAD_MOST];      /* the dict */
    struct view_number number; /* from descr */
    bool columns_first;        /* fortran_order */
    uint64_t dim[RANK_MOST];
    int rank;
    size_t size; /* bytes before the values */
};

/* ---- the head ---- */

bool dataset_is_numpy(const unsigned char *p, size_t size)
{
    return size >= 10 && !memcmp(p, "\x93NUMPY", 6);
}

/* Returns the text that follows a key of the dict; "" when it has none. */
static const char *value_of(const char *head, const char *key)
{
    const char *at = strstr(head, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), ": ") : "";
}

/* Reads descr, "'<f4'": byte order, kind and bytes of a number.  Returns whether the type is one that is
   read here. */
static bool read_type(struct head *h)
{
    const char *t = value_of(h->text, "'descr'");
    if (t[0] != '\'' || !strchr("<>|", t[1]) || !strchr("uifb", t[2]) || !isdigit((unsigned char)t[3]) ||
        t[4] != '\'')
        return false;

    h->number = (struct view_number){ t[2], t[3] - '0', t[1] == '>', 0 };
    switch (h->number.bytes) {
    case 1: return t[2] != 'f';
    case 2:
    case 4:
    case 8: return t[2] != 'b';
    default: return false;
    }
}

/* Reads shape, "(2, 8, 8)".  Returns whether it is a tuple of at most RANK_MOST integers. */
static bool read_shape(struct head *h)
{
    const char *at = value_of(h->text, "'shape'");
    if (*at++ != '(')
        return false;

    for (h->rank = 0; h->rank < RANK_MOST && isdigit((unsigned char)*at); h->rank++) {
        char *end;
        h->dim[h->rank] = strtoull(at, &end, 10);
        at = end + strspn(end, ", ");
    }
    return *at == ')';
}

/* Reads the head of p [size].  Its length lies in bytes 8 and 9, from version 2 on in bytes 8 to 11. */
static int read_head(struct head *h, const char *path, const unsigned char *p, size_t size, ddpm_error *err)
{
    size_t start = size > 12 && p[6] > 1 ? 12 : 10, length = 0;
    *h = (struct head){ .rank = 0 };

    for (size_t i = 8; size > start && i < start; i++)
        length |= (size_t)p[i] << (8 * (i - 8));
    if (size <= start || length >= sizeof h->text || length > size - start)
        return dd_error(err, DDPM_EDATA, "%s: the head of this .npy file is cut off or too long", path);

    /* numpy pads the head with blanks, which a message does not need. */
    memcpy(h->text, p + start, length);
    for (size_t n = length; n > 0 && isspace((unsigned char)h->text[n - 1]);)
        h->text[--n] = 0;
    h->size = start + length;

    const char *order = value_of(h->text, "'fortran_order'");
    h->columns_first = !strncmp(order, "True", 4);
    if (!read_type(h) || !read_shape(h) || (!h->columns_first && strncmp(order, "False", 5)))
        return dd_error(err, DDPM_EDATA,
                        "%s: expected an array of integers, floats or truth values; it is %.120s", path,
                        h->text);
    return DDPM_OK;
}

/* ---- the order of its sizes ---- */

/* Returns whether the sizes [n, h, w] may just as well belong to one picture in colour, [h, w, c] or [3,
   h, w]. */
static bool is_one_picture(const uint64_t *d)
{
    bool last = (d[2] == 3 || d[2] == 4) && d[0] > 4 && d[1] > 4;
    return last || (d[0] == 3 && d[1] > 4 && d[2] > 4);
}

/* Returns how likely n is a number of channels: 0 to 2. */
static int likely_channels(uint64_t n)
{
    if (n == 1 || n == 3)
        return 2;
    return n == 2 || n == 4;
}

/* Finds where h, w and c stand among the sizes: place[i] is an index of h->dim.  Index 4, which no image
   of rank 4 uses, stands for a channel count of 1 (dataset_numpy sets it). */
static int find_layout(int place[3], struct dataset_array *a, const struct head *h, const char *path,
                       ddpm_error *err)
{
    const uint64_t *d = h->dim;
    static const int gray[3] = { 1, 2, 4 }, last[3] = { 1, 2, 3 }, first[3] = { 2, 3, 1 };
    if (h->rank == 3 && is_one_picture(d))
        return dd_error(err, DDPM_EDATA,
                        "%s: %.120s can be one image in colour: save it as [1, h, w, c], or gray ones as "
                        "[n, h, w, 1]",
                        path, h->text);
    if (h->rank != 3 && h->rank != 4)
        return dd_error(err, DDPM_EDATA,
                        "%s: expected images [n, h, w], [n, h, w, c] or [n, c, h, w]; it is %.120s", path,
                        h->text);

    /* Channels are first in [n, c, h, w] and last in [n, h, w, c]. */
    int first_likely = likely_channels(d[1]), last_likely = likely_channels(d[3]);
    bool square_first = d[1] == d[2], square_last = d[2] == d[3];
    if (h->rank == 3) {
        memcpy(place, gray, sizeof gray);
    } else if (last_likely > first_likely || (last_likely == first_likely && square_first)) {
        memcpy(place, last, sizeof last);
    } else {
        memcpy(place, first, sizeof first);
        snprintf(a->note, sizeof a->note, "taken as [n, c, h, w]: %llu channels of %llu x %llu",
                 (unsigned long long)d[1], (unsigned long long)d[2], (unsigned long long)d[3]);
    }

    /* Sizes that fit both orders equally well are refused, unless an image is a single number: then both
       orders mean the same. */
    if (h->rank == 4 && first_likely == last_likely && square_first == square_last && d[1] * d[2] * d[3] > 1)
        return dd_error(err, DDPM_EDATA,
                        "%s: %.120s can be [n, h, w, c] or [n, c, h, w]: save it as an IDX file, which is "
                        "[n, h, w, c], or as pictures",
                        path, h->text);
    return DDPM_OK;
}

/* ---- what its numbers mean ---- */

/* Finds the smallest and the largest of n numbers.  A negative one ends the search, because it decides
   what the numbers mean.  Every 2^16 numbers it checks that the mapped file has not changed. */
static int find_range(double range[2], const struct dataset_array *a, size_t n, const char *path,
                      ddpm_error *err)
{
    size_t bytes = (size_t)a->number.bytes;
    range[0] = INFINITY;
    range[1] = -INFINITY;

    for (size_t i = 0; i < n && !(range[0] < 0); i++) {
        int code = i % (1 << 16) ? DDPM_OK : dataset_array_unchanged(a, path, err);
        if (code)
            return code;

        double v = view_number_at(a->data + i * bytes, &a->number);
        range[0] = v < range[0] ? v : range[0];
        range[1] = v > range[1] ? v : range[1];
    }
    return DDPM_OK;
}

static void add_note(struct dataset_array *a, const char *text)
{
    size_t n = strlen(a->note);
    snprintf(a->note + n, sizeof a->note - n, "%s%s", n ? "; " : "", text);
}

/* Sets a->number.half, by which a number means x = number / half - 1 (0: x = number), and notes what was
   guessed. */
static int find_meaning(struct dataset_array *a, const char *path, ddpm_error *err)
{
    struct view_number *v = &a->number;
    double range[2];
    bool whole = v->kind != 'f';

    if (v->kind == 'b' || (v->kind == 'u' && v->bytes == 1)) {
        /* Truth values are black or white, uint8 are levels: the type alone decides. */
        v->half = v->kind == 'b' ? 0.5 : 127.5;
        return DDPM_OK;
    }

    size_t numbers = a->count * (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    int code = find_range(range, a, numbers, path, err);
    if (code)
        return code;
    if (!(range[0] <= range[1]))
        return dd_error(err, DDPM_EDATA, "%s: none of its values is a number", path);

    /* Floats with a largest value in (1, 127] and integers of 0 and 1 alone could be on any scale: they
       are refused. */
    if (!whole && range[0] < 0)
        v->half = 0;
    else if (!whole && range[0] >= 0 && range[1] <= 1) {
        v->half = 0.5;
        add_note(a, "no number is below 0: taken as 0 (black) to 1 (white)");
    } else if (range[0] >= 0 && range[1] <= 255 && range[1] > (whole ? 1 : 127)) {
        v->half = 127.5;
        add_note(a, "taken as levels from 0 to 255");
    } else if (v->kind == 'u' && v->bytes == 2 && range[1] > 255) {
        v->half = 32767.5;
        add_note(a, "taken as levels from 0 to 65535");
    } else {
        return dd_error(
            err, DDPM_EDATA,
            "%s: its numbers go from %s%g to %g: scale them to -1..1 or 0..1 as floats, 0..255 as uint8, or "
            "0..65535 as uint16",
            path, range[0] < 0 ? "below " : "", range[0] < 0 ? 0 : range[0], range[1]);
    }
    return DDPM_OK;
}

/* ---- the whole ---- */

int dataset_numpy(struct dataset_array *a, const char *path, const unsigned char *p, size_t size,
                  ddpm_error *err)
{
    struct head h;
    int place[3] = { 1, 2, 4 }, code = read_head(&h, path, p, size, err);
    if (code || (code = find_layout(place, a, &h, path, err)))
        return code;

    size_t step[5] = { 0 }, rest = size - h.size;

    /* place uses index 4 for the channels of gray images. */
    h.dim[4] = 1;
    a->data = p + h.size;
    a->number = h.number;
    const uint64_t dim[4] = { h.dim[0], h.dim[place[0]], h.dim[place[1]], h.dim[place[2]] };
    code = dataset_array_shape(a, path, dim, rest, err);
    if (code)
        return code;
    if (rest != a->count * a->stride)
        return dd_error(err, DDPM_EDATA, "%s: %zu bytes follow its head, expected %zu", path, rest,
                        a->count * a->stride);

    /* In C order the last size varies fastest, in Fortran order the first. */
    size_t next = 1;
    for (int k = 0; k < h.rank; k++) {
        int i = h.columns_first ? k : h.rank - 1 - k;
        step[i] = next;
        next *= (size_t)h.dim[i];
    }
    a->stride = step[0] * (size_t)h.number.bytes;
    for (int i = 0; i < 3; i++)
        a->step[i] = step[place[i]];
    return find_meaning(a, path, err);
}

int dataset_numpy_classes(int32_t **classes, const char *path, const unsigned char *p, size_t size,
                          size_t count, ddpm_error *err)
{
    struct head h;
    int code = dataset_is_numpy(p, size) ? read_head(&h, path, p, size, err) : DDPM_EDATA;
    if (code)
        return dd_error(err, DDPM_EDATA, "%s: its classes arr_1 are no array of integers", path);

    size_t bytes = (size_t)h.number.bytes;
    if (h.rank != 1 || h.number.kind == 'f' || h.number.kind == 'b' || h.dim[0] != count ||
        (size - h.size) / bytes < count)
        return dd_error(err, DDPM_EDATA, "%s: expected %zu integers as its classes arr_1; it is %.120s", path,
                        count, h.text);

    *classes = malloc(count * sizeof **classes);
    if (!*classes)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu classes", path, count);
    for (size_t i = 0; i < count; i++) {
        double v = view_number_at(p + h.size + i * bytes, &h.number);
        if (v < 0 || v > INT32_MAX)
            return dd_error(err, DDPM_EDATA, "%s: class %zu is %g, expected 0 or more", path, i, v);
        (*classes)[i] = (int32_t)v;
    }
    return DDPM_OK;
}
