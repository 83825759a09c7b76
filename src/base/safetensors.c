/* Reads the safetensors container.  A file is
     u64 N, little-endian;  N bytes of JSON;  the data.
   The JSON is
     {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
      "__metadata__": {"KEY": "VALUE", ...}}
   with offsets from the start of the data.  The tensors cover the data exactly: no hole, no overlap, no rest.

   The reader takes one pass over the header, then two sorts.  It allocates what it returns: a table a few
   times the header's size, and one block for all names, never longer than the header.

   A file may carry a hash of itself.  Its JSON then begins with {"__metadata__":{"sha256":"DIGITS".
   DIGITS is the SHA-256 of the whole file in which these 64 digits are zeros. */
#include "base/safetensors.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/kind.h"
#include "base/memory.h"
#include "base/scan.h"

enum { HEADER_MOST = 100000000 };

/* A header being read.  data [size] follows it; the next name is stored at text. */
struct reader {
    struct dd_safetensors *s;
    struct dd_scan scan;
    const unsigned char *data;
    size_t size;
    char *text;
    const char *file;
    ddpm_error *err;
};

/* Reports the fault that the scanner found. */
static int wrong_header(const struct reader *r)
{
    return dd_error(r->err, DDPM_EDATA, "%s: safetensors header, byte %zu: %s", r->file,
                    (size_t)(r->scan.at - r->scan.start), r->scan.fault);
}

/* Returns the next string of the header, stored with a terminating 0; NULL after a fault. */
static char *keep_string(struct reader *r)
{
    struct dd_scan_text t;
    if (dd_scan_string(&r->scan, &t))
        return NULL;

    char *kept = r->text;
    r->text += dd_scan_unescape(kept, t);
    *r->text++ = 0;

    return kept;
}

/* Reads a whole number without sign, fraction or exponent. */
static int read_size(struct reader *r, uint64_t *v)
{
    struct dd_scan_text t;
    if (dd_scan_number(&r->scan, &t))
        return -1;

    *v = 0;
    for (size_t i = 0; i < t.size; i++) {
        unsigned digit = t.data[i] - (unsigned)'0';
        if (digit > 9 || *v > (UINT64_MAX - digit) / 10) {
            r->scan.at = t.data;

            return dd_scan_fail(&r->scan, "a whole number from 0 to 2^64 - 1 is expected");
        }
        *v = *v * 10 + digit;
    }
    return 0;
}

/* Reads a list of at most `most` whole numbers.  Returns how many there are, or -1. */
static int read_sizes(struct reader *r, uint64_t *v, int most, const char *too_many)
{
    int n = 0;
    if (dd_scan_expect(&r->scan, '[', "a list is expected"))
        return -1;
    if (dd_scan_take(&r->scan, ']'))
        return 0;

    do {
        if (n == most)
            return dd_scan_fail(&r->scan, too_many);
        if (read_size(r, &v[n++]))
            return -1;
    } while (dd_scan_take(&r->scan, ','));

    return dd_scan_expect(&r->scan, ']', "a comma or the closing bracket is expected") ? -1 : n;
}

static bool is(struct dd_scan_text t, const char *name)
{
    return t.size == strlen(name) && !memcmp(t.data, name, t.size);
}

static int read_dtype(struct reader *r, enum dd_dtype *dtype)
{
    struct dd_scan_text t;
    if (dd_scan_string(&r->scan, &t))
        return -1;

    for (int i = 0; i < DD_DTYPES; i++)
        if (is(t, dd_dtype_name((enum dd_dtype)i))) {
            *dtype = (enum dd_dtype)i;
            return 0;
        }

    r->scan.at = t.data;
    return dd_scan_fail(&r->scan, "unknown dtype");
}

/* The fields of a tensor, as bits. */
enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };

static unsigned field_of(struct dd_scan_text key)
{
    if (is(key, "dtype"))
        return DTYPE;
    if (is(key, "shape"))
        return SHAPE;
    return is(key, "data_offsets") ? OFFSETS : 0;
}

/* Reads the object of one tensor.  Fields with other names are skipped, as in the reference
   implementation. */
static int read_fields(struct reader *r, struct dd_entry *e, uint64_t offset[2])
{
    struct dd_scan *s = &r->scan;
    struct dd_scan_text key;
    unsigned seen = 0;
    if (dd_scan_expect(s, '{', "an object with dtype, shape and data_offsets is expected"))
        return -1;

    do {
        if (dd_scan_string(s, &key) || dd_scan_expect(s, ':', "a colon is expected after a key"))
            return -1;
        unsigned field = field_of(key);
        if (seen & field)
            return dd_scan_fail(s, "a field occurs twice");
        seen |= field;

        if (field == DTYPE)
            read_dtype(r, &e->dtype);
        else if (field == SHAPE)
            e->rank = read_sizes(r, e->dim, DD_RANK_MAX, "a shape of more than 8 dimensions");
        else if (field == OFFSETS && read_sizes(r, offset, 2, "more than two data_offsets") != 2)
            dd_scan_fail(s, "two data_offsets are expected");
        else if (!field)
            dd_scan_value(s);
    } while (dd_scan_take(s, ','));

    if (dd_scan_expect(s, '}', "a comma or the closing bracket is expected"))
        return -1;
    if (seen != (DTYPE | SHAPE | OFFSETS))
        return dd_scan_fail(s, "a tensor without dtype, shape or data_offsets");
    return 0;
}

/* Fills e->count and *size from the shape.  Returns -1 when they do not fit into 64 bits or are not whole
   bytes. */
static int measure(struct dd_entry *e, uint64_t *size)
{
    uint64_t bits = dd_dtype_bits(e->dtype);
    e->count = 1;

    for (int i = 0; i < e->rank; i++) {
        if (e->dim[i] && e->count > UINT64_MAX / e->dim[i])
            return -1;
        e->count *= e->dim[i];
    }

    if (e->count > UINT64_MAX / bits || e->count * bits % 8)
        return -1;
    *size = e->count * bits / 8;
    return 0;
}

static int read_entry(struct reader *r, const char *name)
{
    struct dd_entry e = { .name = name };
    uint64_t offset[2] = { 0 }, size;
    if (read_fields(r, &e, offset))
        return wrong_header(r);

    if (offset[0] > offset[1] || offset[1] > r->size)
        return dd_error(r->err, DDPM_EDATA,
                        "%s: tensor %s: data_offsets %" PRIu64 " to %" PRIu64
                        " do not lie in the file's %zu bytes of data",
                        r->file, name, offset[0], offset[1], r->size);

    if (measure(&e, &size))
        return dd_error(r->err, DDPM_EDATA,
                        "%s: tensor %s: its shape is too large, or its bits are no whole bytes", r->file,
                        name);
    if (size != offset[1] - offset[0])
        return dd_error(r->err, DDPM_EDATA,
                        "%s: tensor %s: its shape and dtype %s need %" PRIu64
                        " bytes, its data_offsets span %" PRIu64,
                        r->file, name, dd_dtype_name(e.dtype), size, offset[1] - offset[0]);

    e.data = r->data + offset[0];
    e.size = (size_t)size;

    /* check_cover finds gaps and overlaps once all tensors are read. */
    struct dd_entry *more = dd_memory_more(r->s->entry, r->s->entries, sizeof *more);
    if (!more)
        return dd_error_memory(r->err, r->file);
    r->s->entry = more;
    more[r->s->entries++] = e;
    return DDPM_OK;
}

/* Reads the object of strings "__metadata__". */
static int read_metadata(struct reader *r)
{
    struct dd_scan *s = &r->scan;
    if (dd_scan_expect(s, '{', "__metadata__ must be an object of strings"))
        return wrong_header(r);
    if (dd_scan_take(s, '}'))
        return DDPM_OK;

    do {
        struct dd_meta m = { .key = keep_string(r) };
        if (!m.key || dd_scan_expect(s, ':', "a colon is expected after a key"))
            return wrong_header(r);
        m.value = keep_string(r);
        if (!m.value)
            return wrong_header(r);

        struct dd_meta *more = dd_memory_more(r->s->meta, r->s->metas, sizeof *more);
        if (!more)
            return dd_error_memory(r->err, r->file);
        r->s->meta = more;
        more[r->s->metas++] = m;
    } while (dd_scan_take(s, ','));

    return dd_scan_expect(s, '}', "a comma or the closing bracket is expected") ? wrong_header(r) : DDPM_OK;
}

/* Reads the whole header: an object of tensors, and at most one "__metadata__". */
static int read_header(struct reader *r)
{
    struct dd_scan *s = &r->scan;
    bool metadata = false;
    if (dd_scan_expect(s, '{', "an object is expected"))
        return wrong_header(r);

    if (!dd_scan_take(s, '}')) {
        do {
            char *name = keep_string(r);
            if (!name || dd_scan_expect(s, ':', "a colon is expected after a key"))
                return wrong_header(r);
            bool meta = !strcmp(name, "__metadata__");
            if (meta && metadata)
                return dd_error(r->err, DDPM_EDATA, "%s: the key __metadata__ occurs twice", r->file);
            metadata |= meta;

            int code = meta ? read_metadata(r) : read_entry(r, name);
            if (code)
                return code;
        } while (dd_scan_take(s, ','));
        dd_scan_expect(s, '}', "a comma or the closing bracket is expected");
    }
    /* Only white space may follow. */
    return dd_scan_end(s) ? wrong_header(r) : DDPM_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct dd_entry *x = a, *y = b;
    if (x->data != y->data)
        return x->data > y->data ? 1 : -1;
    return (x->size > y->size) - (x->size < y->size);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct dd_entry *)a)->name, ((const struct dd_entry *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct dd_meta *)a)->key, ((const struct dd_meta *)b)->key);
}

/* Sorts an array, which may be NULL. */
static void sort(void *table, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count)
        qsort(table, count, size, compare);
}

/* Checks that every byte of the data belongs to exactly one tensor. */
static int check_cover(const struct reader *r)
{
    const struct dd_entry *e = r->s->entry;
    const unsigned char *end = r->data;
    sort(r->s->entry, r->s->entries, sizeof *e, by_place);

    for (size_t i = 0; i < r->s->entries; i++) {
        if (e[i].data != end)
            return dd_error(r->err, DDPM_EDATA,
                            "%s: tensor %s: its data begin at byte %zu, the tensor before ends at %zu",
                            r->file, e[i].name, (size_t)(e[i].data - r->data), (size_t)(end - r->data));
        end += e[i].size;
    }

    if (end != r->data + r->size)
        return dd_error(r->err, DDPM_EDATA, "%s: the tensors end at byte %zu of %zu bytes of data", r->file,
                        (size_t)(end - r->data), r->size);
    return DDPM_OK;
}

/* Sorts both tables by name, as dd_safetensors_find needs them, and refuses equal names. */
static int check_names(const struct reader *r)
{
    const struct dd_safetensors *s = r->s;
    sort(s->entry, s->entries, sizeof *s->entry, by_name);
    sort(s->meta, s->metas, sizeof *s->meta, by_key);

    for (size_t i = 1; i < s->entries; i++)
        if (!by_name(&s->entry[i - 1], &s->entry[i]))
            return dd_error(r->err, DDPM_EDATA, "%s: tensor %s occurs twice", r->file, s->entry[i].name);
    for (size_t i = 1; i < s->metas; i++)
        if (!by_key(&s->meta[i - 1], &s->meta[i]))
            return dd_error(r->err, DDPM_EDATA, "%s: the metadata key %s occurs twice", r->file,
                            s->meta[i].key);
    return DDPM_OK;
}

static int too_long(const char *name, uint64_t n, ddpm_error *err)
{
    return dd_error(err, DDPM_EDATA,
                    "%s: its safetensors header would be %" PRIu64 " bytes, at most %d are allowed", name, n,
                    HEADER_MOST);
}

int dd_safetensors_read(struct dd_safetensors *s, const unsigned char *data, size_t size, const char *name,
                        ddpm_error *err)
{
    uint64_t n = 0;
    struct dd_kind kind = dd_kind(data, size);
    *s = (struct dd_safetensors){ 0 };
    if (kind.is)
        return dd_kind_error(err, name, kind, "a safetensors file is expected");
    if (size < 8)
        return dd_error(err, DDPM_EDATA,
                        "%s: %zu bytes are no safetensors file, which begins with 8 bytes of length", name,
                        size);

    /* The length, little-endian. */
    for (int i = 7; i >= 0; i--)
        n = n << 8 | data[i];

    if (n > HEADER_MOST && size > 8 && data[8] == '{')
        return too_long(name, n, err);
    if (n > HEADER_MOST)
        return dd_error(err, DDPM_EDATA, "%s: is no safetensors file: it begins with no length of a header",
                        name);
    if (n > size - 8)
        return dd_error(err, DDPM_EDATA, "%s: cut off: its header is %" PRIu64 " bytes, %zu follow", name, n,
                        size - 8);

    struct reader r = {
        .s = s,
        .data = data + 8 + n,
        .size = size - 8 - (size_t)n,
        .file = name,
        .err = err,
    };

    /* All names together are never longer than the header: each terminating 0 takes the place of a quote. */
    dd_scan_begin(&r.scan, data + 8, (size_t)n);
    s->owned = r.text = malloc((size_t)n + 1);
    int code = r.text ? read_header(&r) : dd_error_memory(err, name);
    if (!code)
        code = check_cover(&r);
    if (!code)
        code = check_names(&r);

    /* A failure leaves nothing behind. */
    if (code)
        dd_safetensors_free(s);
    return code;
}

void dd_safetensors_free(struct dd_safetensors *s)
{
    free(s->entry);
    free(s->meta);
    free(s->owned);
    *s = (struct dd_safetensors){ 0 };
}

const struct dd_entry *dd_safetensors_find(const struct dd_safetensors *s, const char *name)
{
    struct dd_entry key = { .name = name };
    return s->entries ? bsearch(&key, s->entry, s->entries, sizeof key, by_name) : NULL;
}

int dd_safetensors_matrix(void *to, const struct dd_safetensors *s, const char *name,
                          struct dd_matrix_shape shape, const char *path, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(s, name);
    if (!e || e->dtype != shape.dtype || e->rank != 2 || e->dim[0] != shape.rows ||
        e->dim[1] != shape.columns)
        return dd_error(err, DDPM_EDATA, "%s: expected a tensor %s of %s [%llu, %llu]", path, name,
                        dd_dtype_name(shape.dtype), (unsigned long long)shape.rows,
                        (unsigned long long)shape.columns);
    memcpy(to, e->data, e->size);
    return DDPM_OK;
}

const char *dd_safetensors_meta(const struct dd_safetensors *s, const char *key)
{
    struct dd_meta wanted = { .key = key };
    struct dd_meta *m = s->metas ? bsearch(&wanted, s->meta, s->metas, sizeof wanted, by_key) : NULL;
    return m ? m->value : NULL;
}

bool dd_safetensors_has_hash(const unsigned char *data, size_t size)
{
    static const char begin[] = DD_SAFETENSORS_HASHED;
    return size >= 8 + sizeof begin - 1 && !memcmp(data + 8, begin, sizeof begin - 1);
}

int dd_safetensors_check_hash(const unsigned char *data, size_t size, const char *name, ddpm_error *err)
{
    enum { BEFORE = 8 + sizeof DD_SAFETENSORS_HASHED - 1, DIGITS = 64 };

    char zeros[DIGITS], digits[DIGITS + 1];
    struct dd_hash h;
    if (size < BEFORE + DIGITS || !dd_safetensors_has_hash(data, size))
        return dd_error(err, DDPM_EDATA,
                        "%s: is damaged: it does not begin with the hash that such a file carries", name);

    if (dd_hash_begin(&h))
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its hash", name);
    /* The hash was computed with zeros in the place of its digits. */
    memset(zeros, '0', DIGITS);
    dd_hash_add(&h, data, BEFORE);
    dd_hash_add(&h, zeros, DIGITS);
    dd_hash_add(&h, data + BEFORE + DIGITS, size - BEFORE - DIGITS);
    dd_hash_end(&h, digits);

    if (memcmp(digits, data + BEFORE, DIGITS))
        return dd_error(err, DDPM_EDATA, "%s: is damaged: its SHA-256 is %.12s..., but it says %.12s...",
                        name, digits, (const char *)data + BEFORE);
    return DDPM_OK;
}
