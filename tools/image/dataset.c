/* Reads and checks the images of a data set (dataset.h); dataset_open.c finds where they lie. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "image/dataset.h"

/* ---- one image ---- */

/* Returns the first byte of image i of the set, and the array that holds it. */
static const unsigned char *find(const struct dataset *d, const struct dataset_array **array, size_t i)
{
    const struct dataset_array *a = d->array;
    for (; i >= a->count; a++)
        i -= a->count;
    *array = a;
    return a->data + i * a->stride;
}

/* Reads image i of the set.  It checks first that the file has not changed: pages of a mapped file that
   was cut off are gone, and a rewritten file holds other images. */
static int read_array(const struct dataset *d, double *x, bool *bytes, struct image_file *was, size_t i,
                      const char *name, ddpm_error *err)
{
    const struct dataset_array *a;
    const unsigned char *data = find(d, &a, i);
    struct view v = {
        .data = data + a->class_byte,
        .height = a->height,
        .width = a->width,
        .channels = a->channels,
        .number = a->number,
        .picture = d->how.color != VIEW_STORED,
    };
    memcpy(v.step, a->step, sizeof v.step);

    int code = dataset_array_unchanged(a, name, err);
    if (code)
        return code;

    *was = (struct image_file){ a->width, a->height, a->channels, 1, NULL };
    *bytes = a->number.bytes == 1 && a->number.kind == 'u';
    return view_read(x, &v, d->about, &d->how, name, err);
}

/* Returns the name of image i of the set for messages, allocated; NULL when out of memory. */
static char *name_of(const struct dataset *d, size_t i)
{
    size_t n = strlen(d->path) + (d->folder.files ? strlen(d->folder.file[i]) : 0) + 32;
    char *name = malloc(n);
    if (name && d->folder.files)
        snprintf(name, n, "%s/%s", d->path, d->folder.file[i]);
    else if (name)
        snprintf(name, n, "%s, image %zu", d->path, i);
    return name;
}

static size_t size_of(const struct dataset *d)
{
    return (size_t)d->about->height * (size_t)d->about->width * (size_t)d->about->channels;
}

/* Reads image i of the set from its file.  Sets *bytes to whether x are byte levels, and *was to the size
   and type of a picture file or array.  Other numbers are rounded to float32, as dataset_keep stores them, so
   that an image is the same from memory as from its file. */
static int read_again(const struct dataset *d, double *x, bool *bytes, struct image_file *was, size_t i,
                      ddpm_error *err)
{
    char *name = name_of(d, i);
    if (!name)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a name in %s", d->path);

    int code;
    if (d->folder.files) {
        code = view_picture(x, was, name, d->about, &d->how, err);
        *bytes = was->bytes == 1;
    } else {
        code = read_array(d, x, bytes, was, i, name, err);
    }
    free(name);

    for (size_t e = 0; !code && !*bytes && e < size_of(d); e++)
        x[e] = (double)(float)x[e];
    return code;
}

int dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err)
{
    static const struct dataset_kept none;
    size_t i = d->index[k], size = size_of(d);
    const struct dataset_kept *kept = d->kept ? &d->kept[i] : &none;
    struct image_file was;
    bool bytes;
    if (!kept->level && !kept->value)
        return read_again(d, x, &bytes, &was, i, err);

    for (size_t e = 0; e < size; e++)
        x[e] = kept->level ? kept->level[e] / 127.5 - 1 : (double)kept->value[e];
    return DDPM_OK;
}

/* ---- the shape of all ---- */

/* Fills shape from the heads of the pictures.  It skips pictures that cannot be read: dataset_check
   reports them, or leaves them out. */
static int folder_shape(const struct dataset *d, int shape[3], ddpm_error *err)
{
    struct image_file p;
    ddpm_error why, first = { .code = DDPM_OK };
    bool known = false;

    /* Height and width are those of the first picture.  The search ends at a picture with colours. */
    for (size_t i = 0; i < d->folder.files && !(known && shape[2] == 3); i++) {
        char *name = name_of(d, i);
        if (!name)
            return dd_error(err, DDPM_ENOMEM, "out of memory for a name in %s", d->path);
        int code = image_file_head(&p, name, &why);
        free(name);
        if (code && !first.code)
            first = why;
        if (code)
            continue;

        if (!known) {
            shape[0] = p.height;
            shape[1] = p.width;
            shape[2] = 1;
        }
        if (p.channels > 2)
            shape[2] = 3;
        known = true;
    }
    return known ? DDPM_OK : dd_error(err, first.code, "%s", first.text);
}

int dataset_shape(const struct dataset *d, int shape[3], ddpm_error *err)
{
    int code = DDPM_OK;
    if (d->arrays) {
        shape[0] = d->array->height;
        shape[1] = d->array->width;
        shape[2] = d->array->channels;
    } else {
        code = folder_shape(d, shape, err);
    }

    /* An even number of channels includes alpha, which stays. */
    if (!code && d->how.color != VIEW_STORED && shape[2] <= 4)
        shape[2] = (d->how.color == VIEW_GRAY ? 1 : 3) + (shape[2] % 2 == 0);
    return code;
}

/* ---- images in memory ---- */

int dataset_keep(struct dataset *d, size_t bytes, ddpm_error *err)
{
    d->kept = calloc(d->there, sizeof *d->kept);
    d->room = bytes;
    if (!d->kept)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for a list of %zu images", d->path, d->there);
    return DDPM_OK;
}

/* Keeps image i of the set in memory, as byte levels or float32, if there is room for it. */
static int keep(struct dataset *d, const double *x, bool bytes, size_t i, ddpm_error *err)
{
    size_t size = size_of(d), room = size * (bytes ? 1 : sizeof(float));
    if (!d->kept || room > d->room)
        return DDPM_OK;

    struct dataset_kept *k = &d->kept[i];
    void *made = malloc(room);
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its images: keep fewer with --cache",
                        d->path);
    k->level = bytes ? made : NULL;
    k->value = bytes ? NULL : made;

    for (size_t e = 0; e < size; e++)
        if (bytes)
            k->level[e] = (unsigned char)rint(127.5 * (x[e] + 1));
        else
            k->value[e] = (float)x[e];
    d->room -= room;
    return DDPM_OK;
}

/* ---- classes ---- */

int dataset_class(const struct dataset *d, size_t k)
{
    const struct dataset_array *a;
    size_t i = d->index[k];
    if (d->folder.files)
        return d->folder.class_of[i];

    const unsigned char *data = find(d, &a, i);
    if (a->class_byte)
        return *data;
    return a->classes ? a->classes[(size_t)(data - a->data) / a->stride] : -1;
}

/* Refuses a picture outside of the class folders, because it has no class, and a class folder without
   pictures, because its pictures may be files of a format that is not read. */
static int check_classes(const struct dataset *d, ddpm_error *err)
{
    const struct image_folder *f = &d->folder;
    char left_out[160];
    image_folder_left_out(left_out, sizeof left_out, f);

    for (size_t k = 0; k < d->count && f->classes; k++)
        if (f->class_of[d->index[k]] < 0)
            return dd_error(err, DDPM_EDATA,
                            "%s/%s lies in no sub-folder, and the sub-folders are the classes: move it "
                            "into one, or away",
                            d->path, f->file[d->index[k]]);
    for (int i = 0; i < f->classes; i++)
        if (!f->held[i])
            return dd_error(err, DDPM_EDATA,
                            "%s/%s holds no picture, and every sub-folder is a class (left out: %s): "
                            "convert them to PNG, JPEG or WebP, or move the folder away",
                            d->path, f->class_name[i], *left_out ? left_out : "nothing");
    return DDPM_OK;
}

int dataset_check_classes(const struct dataset *d, int given, const char *advice, ddpm_error *err)
{
    int classes = d->about->classes;
    if (!classes && given >= 0)
        return dd_error(err, DDPM_EUSAGE, "this model has no classes: leave out --class");
    if (!classes)
        return DDPM_OK;

    int code = given < 0 ? check_classes(d, err) : DDPM_OK;
    for (size_t k = 0; k < d->count && !code; k++) {
        int class = given >= 0 ? given : dataset_class(d, k);
        if (class < 0)
            code = dd_error(err, DDPM_EUSAGE, "this model has %d classes and the data have none: %s", classes,
                            advice);
        else if (class >= classes)
            code = dd_error(err, DDPM_EUSAGE,
                            "this model has %d classes, from 0, and the data have others, such as %d: %s",
                            classes, class, advice);
    }
    return code;
}

/* ---- opening ---- */

/* Fills d->index with the first `most` images of the set; 0: all. */
static int choose(struct dataset *d, size_t most, ddpm_error *err)
{
    d->there = d->folder.files;
    for (size_t i = 0; i < d->arrays; i++)
        d->there += d->array[i].count;

    if (most > d->there)
        return dd_error(err, DDPM_EUSAGE, "-n %zu: %s holds %zu image%s", most, d->path, d->there,
                        d->there == 1 ? "" : "s");

    d->count = most ? most : d->there;
    d->index = malloc(d->count * sizeof *d->index);
    if (!d->index)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for a list of %zu images", d->path, d->count);
    for (size_t i = 0; i < d->count; i++)
        d->index[i] = (uint32_t)i;
    return DDPM_OK;
}

int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, const struct view_how *how,
                 size_t most, ddpm_error *err)
{
    *d = (struct dataset){ .path = path, .about = about, .how = *how };
    int code = dataset_open_source(d, most, err);
    if (!code)
        code = choose(d, most, err);
    if (code)
        dataset_close(d);
    return code;
}

/* ---- the check ---- */

/* Counts the conversions that an image needed, for dataset_notes. */
static void see(struct dataset *d, const double *x, const struct image_file *was)
{
    struct dataset_seen *s = &d->seen;
    int channels = d->about->channels;
    if (was->channels <= 4 && was->channels != channels) {
        /* An even number of channels includes alpha. */
        s->repeated += was->channels <= 2 && channels > 2;
        s->grayed += was->channels > 2 && channels <= 2;
        s->opaque += was->channels % 2 && channels % 2 == 0;
    }
    s->wide += was->bytes == 2;

    for (size_t e = 0; e < size_of(d); e++)
        s->largest = x[e] > s->largest ? x[e] : s->largest;
}

struct check {
    double *x;   /* room for an image */
    size_t good; /* images accepted so far */
    dataset_bad_fn *bad;
    dataset_each_fn *each;
    void *user;
};

/* Checks image k.  A bad one is left out if c->bad is set, and an error otherwise. */
static int check_one(struct dataset *d, struct check *c, size_t k, ddpm_error *err)
{
    ddpm_error why = { 0 };
    struct image_file was;
    bool bytes;
    int code = read_again(d, c->x, &bytes, &was, d->index[k], &why);

    /* Running out of memory says nothing about the image, so it ends the check. */
    if (code && c->bad && code != DDPM_ENOMEM) {
        c->bad(c->user, &why);
        return DDPM_OK;
    }
    if (code) {
        if (err)
            *err = why;
        return code;
    }

    see(d, c->x, &was);
    code = keep(d, c->x, bytes, d->index[k], err);
    if (code)
        return code;

    /* Good images move forward in the list, over those that are left out. */
    d->index[c->good++] = d->index[k];
    if (c->each && c->each(c->user, c->x, k))
        return dd_error(err, DDPM_ECALLBACK, "%s: reading was interrupted", d->path);
    return DDPM_OK;
}

int dataset_check(struct dataset *d, dataset_bad_fn *bad, dataset_each_fn *each, void *user, ddpm_error *err)
{
    struct check c = { .bad = bad, .each = each, .user = user };
    int code = view_how_check(&d->how, d->about, err);
    if (code)
        return code;

    d->seen = (struct dataset_seen){ .largest = -1 };
    c.x = malloc(size_of(d) * sizeof *c.x);
    if (!c.x)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for an image", d->path);

    for (size_t k = 0; k < d->count && !code; k++)
        code = check_one(d, &c, k, err);
    free(c.x);
    if (code)
        return code;

    d->count = c.good;
    return c.good ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: none of its images can be used", d->path);
}

void dataset_close(struct dataset *d)
{
    for (size_t i = 0; i < d->arrays; i++)
        dataset_array_close(&d->array[i]);
    free(d->array);
    image_folder_close(&d->folder);

    for (size_t i = 0; d->kept && i < d->there; i++) {
        free(d->kept[i].level);
        free(d->kept[i].value);
    }
    free(d->kept);
    free(d->index);
    free(d->test);
    *d = (struct dataset){ .path = d->path };
}
