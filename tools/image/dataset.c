/* Images in the order of their file, or of their names in a folder. */
#include "image/dataset.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/names.h"

/* The image's first byte in the array that holds it. */
static const unsigned char *find(const struct dataset *d, const struct dataset_array **array, size_t i)
{
    const struct dataset_array *a = d->array;
    for (; i >= a->count; a++)
        i -= a->count;
    *array = a;
    return a->data + i * a->stride;
}

/* The pages of a mapped file that has been cut off are gone, and those that were written to are other images;
   a .gz is in memory. */
static int read_array(const struct dataset *d, double *x, bool *bytes, size_t i, const char *name,
                      ddpm_error *err)
{
    const struct dataset_array *a;
    const unsigned char *data = find(d, &a, i);
    struct view v = { data + a->class_byte, a->height, a->width, a->channels, { 0 }, a->number, false };
    memcpy(v.step, a->step, sizeof v.step);
    int code = dataset_array_unchanged(a, name, err);
    if (code)
        return code;
    *bytes = a->number.bytes == 1 && a->number.kind == 'u';
    return view_read(x, &v, d->about, d->fit, name, err);
}

/* Of image i in the set, for messages; allocated. */
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

/* Reads image i of the set; bytes tells whether x are byte levels.  Other numbers are rounded to float32, as
   they are kept. */
static int read_again(const struct dataset *d, double *x, bool *bytes, struct image_file *was, size_t i,
                      ddpm_error *err)
{
    char *name = name_of(d, i);
    if (!name)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a name in %s", d->path);
    int code = d->folder.files ? view_picture(x, was, name, d->about, d->fit, err)
                               : read_array(d, x, bytes, i, name, err);
    free(name);
    if (!code && d->folder.files)
        *bytes = was->bytes == 1;
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

/* A picture that cannot be read is found later, where it may be left out. */
static int folder_shape(const struct dataset *d, int shape[3], ddpm_error *err)
{
    struct image_file p;
    ddpm_error why, first = { .code = DDPM_OK };
    bool known = false;
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
        if (!known)
            shape[0] = p.height, shape[1] = p.width, shape[2] = 1;
        shape[2] = p.channels > 2 ? 3 : shape[2];
        known = true;
    }
    return known ? DDPM_OK : dd_error(err, first.code, "%s", first.text);
}

int dataset_shape(const struct dataset *d, int shape[3], ddpm_error *err)
{
    if (!d->arrays)
        return folder_shape(d, shape, err);
    shape[0] = d->array->height, shape[1] = d->array->width, shape[2] = d->array->channels;
    return DDPM_OK;
}

int dataset_keep(struct dataset *d, size_t bytes, ddpm_error *err)
{
    d->kept = calloc(d->there, sizeof *d->kept);
    d->room = bytes;
    return d->kept
               ? DDPM_OK
               : dd_error(err, DDPM_ENOMEM, "%s: out of memory for a list of %zu images", d->path, d->there);
}

static int keep(struct dataset *d, const double *x, bool bytes, size_t i, ddpm_error *err)
{
    size_t size = size_of(d), room = size * (bytes ? 1 : sizeof(float));
    if (!d->kept || room > d->room)
        return DDPM_OK;
    struct dataset_kept *k = &d->kept[i];
    *k = bytes ? (struct dataset_kept){ .level = malloc(room) }
               : (struct dataset_kept){ .value = malloc(room) };
    if (!k->level && !k->value)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its images: keep fewer with --cache",
                        d->path);
    for (size_t e = 0; e < size; e++)
        if (bytes)
            k->level[e] = (unsigned char)rint(127.5 * (x[e] + 1));
        else
            k->value[e] = (float)x[e];
    d->room -= room;
    return DDPM_OK;
}

int dataset_class(const struct dataset *d, size_t k)
{
    const struct dataset_array *a;
    size_t i = d->index[k];
    if (d->folder.files)
        return d->folder.class_of[i];
    const unsigned char *data = find(d, &a, i);
    return a->class_byte ? *data : a->classes ? a->classes[(size_t)(data - a->data) / a->stride] : -1;
}

/* A picture above the classes, or a class without pictures, would give wrong numbers or none. */
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
    if (!classes)
        return given < 0 ? DDPM_OK
                         : dd_error(err, DDPM_EUSAGE, "this model has no classes: leave out --class");
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

static bool is_batch(const char *folder, const char *name)
{
    (void)folder;
    return dd_names_end(name, ".bin");
}

static bool is_test(const char *name)
{
    return !strncasecmp(name, "test", strlen("test"));
}

/* Takes the test batches away from a folder with others to train on: they are there to be measured on. */
static void without_test(struct dataset *d, char **name, size_t *names)
{
    size_t kept = 0, others = 0;
    for (size_t i = 0; i < *names; i++)
        others += !is_test(name[i]);
    for (size_t i = 0; i < *names; i++) {
        if (!is_test(name[i]) || !others) {
            name[kept++] = name[i];
            continue;
        }
        if (d->tests++)
            free(name[i]);
        else
            d->test = name[i];
    }
    *names = kept;
}

/* CIFAR-10's folder: its batches, one after the other. */
static int open_batches(struct dataset *d, char **name, size_t names, size_t most, ddpm_error *err)
{
    int code = DDPM_OK;
    d->array = calloc(names, sizeof *d->array);
    if (!d->array)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu files", d->path, names);
    for (size_t i = 0; i < names && !code; i++) {
        size_t n = strlen(d->path) + strlen(name[i]) + 2;
        char *path = malloc(n);
        if (!path)
            return dd_error(err, DDPM_ENOMEM, "%s: out of memory for a name", d->path);
        snprintf(path, n, "%s/%s", d->path, name[i]);
        code = dataset_array_open(&d->array[i], path, most, err);
        if (!code && !d->array[i].class_byte)
            code = dd_error(err, DDPM_EDATA,
                            "%s: the .bin files of a folder are CIFAR-10 batches, this one is not", path);
        d->arrays = i + 1;
        free(path);
    }
    return code;
}

static int part_of(const char *name, size_t length)
{
    static const char *const part[] = { "train", "training", "val",     "valid", "validation",
                                        "dev",   "test",     "testing", "eval" };

    enum { TO_TRAIN = 2, PARTS = sizeof part / sizeof *part };

    for (int i = 0; i < PARTS; i++)
        if (strlen(part[i]) == length && !strncasecmp(name, part[i], length))
            return i < TO_TRAIN ? 1 : 2;
    return 0;
}

/* Folders such as train and test, at any depth, are parts of a set, no classes, and not meant to be taken
   together. */
static int check_parts(const struct dataset *d, ddpm_error *err)
{
    const char *part[3] = { NULL };
    int length[3] = { 0 };
    for (size_t i = 0; i < d->folder.files; i++) {
        const char *file = d->folder.file[i], *from = file;
        for (const char *end = strchr(from, '/'); end; end = strchr(from, '/')) {
            int k = part_of(from, (size_t)(end - from));
            if (!part[k])
                part[k] = file, length[k] = (int)(end - file);
            from = end + 1;
        }
    }
    if (!part[1] || !part[2])
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA,
                    "%s holds the parts %.*s and %.*s of a data set: name one of them, such as %s/%.*s",
                    d->path, length[1], part[1], length[2], part[2], d->path, length[1], part[1]);
}

static int open_folder(struct dataset *d, size_t most, ddpm_error *err)
{
    char **name, left_out[160];
    size_t names;
    int code = image_folder_open(&d->folder, d->path, err);
    if (code || d->folder.files)
        return code ? code : check_parts(d, err);
    code = dd_names_list(&name, &names, d->path, is_batch, err);
    image_folder_left_out(left_out, sizeof left_out, &d->folder);
    if (!code && !names)
        code = dd_error(err, DDPM_EDATA,
                        "%s holds no image: expected .png, .jpg or .webp files, in it or in sub-folders, or "
                        "CIFAR-10's .bin%s%s",
                        d->path, *left_out ? "; found " : "", left_out);
    if (!code)
        without_test(d, name, &names);
    if (!code)
        code = open_batches(d, name, names, most, err);
    dd_names_free(name, names);
    return code;
}

static int open_source(struct dataset *d, size_t most, ddpm_error *err)
{
    struct stat s;
    if (!stat(d->path, &s) && S_ISDIR(s.st_mode))
        return open_folder(d, most, err);
    if (!(d->array = calloc(1, sizeof *d->array)))
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", d->path);
    d->arrays = 1;
    return dataset_array_open(d->array, d->path, most, err);
}

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
    for (size_t i = 0; d->index && i < d->count; i++)
        d->index[i] = (uint32_t)i;
    return d->index
               ? DDPM_OK
               : dd_error(err, DDPM_ENOMEM, "%s: out of memory for a list of %zu images", d->path, d->count);
}

int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, enum view_fit fit, size_t most,
                 ddpm_error *err)
{
    *d = (struct dataset){ .path = path, .about = about, .fit = fit };
    int code = open_source(d, most, err);
    if (!code)
        code = choose(d, most, err);
    if (code)
        dataset_close(d);
    return code;
}

static void see(struct dataset *d, const double *x, const struct image_file *was)
{
    struct dataset_seen *s = &d->seen;
    int channels = d->about->channels;
    bool picture = d->folder.files > 0;
    s->repeated += picture && was->channels <= 2 && channels > 2;
    s->grayed += picture && was->channels > 2 && channels <= 2;
    s->opaque += picture && was->channels % 2 && channels % 2 == 0;
    s->wide += picture && was->bytes == 2;
    for (size_t e = 0; e < size_of(d); e++)
        s->largest = x[e] > s->largest ? x[e] : s->largest;
}

/* One image: kept, left out, or the end. */
static int check_one(struct dataset *d, double *x, size_t k, size_t *good, dataset_bad_fn *bad,
                     dataset_each_fn *each, void *user, ddpm_error *err)
{
    ddpm_error why = { 0 };
    struct image_file was;
    bool bytes;
    int code = read_again(d, x, &bytes, &was, d->index[k], &why);
    if (code && bad && code != DDPM_ENOMEM) {
        bad(user, &why);
        return DDPM_OK;
    }
    if (code) {
        if (err)
            *err = why;
        return code;
    }
    see(d, x, &was);
    if ((code = keep(d, x, bytes, d->index[k], err)))
        return code;
    d->index[(*good)++] = d->index[k];
    return each && each(user, x, k) ? dd_error(err, DDPM_ECALLBACK, "%s: reading was interrupted", d->path)
                                    : DDPM_OK;
}

int dataset_check(struct dataset *d, dataset_bad_fn *bad, dataset_each_fn *each, void *user, ddpm_error *err)
{
    size_t good = 0;
    d->seen = (struct dataset_seen){ .largest = -1 };
    double *x = malloc(size_of(d) * sizeof *x);
    int code = x ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory for an image", d->path);
    for (size_t k = 0; k < d->count && !code; k++)
        code = check_one(d, x, k, &good, bad, each, user, err);
    free(x);
    d->count = code ? d->count : good;
    return code || good ? code : dd_error(err, DDPM_EDATA, "%s: none of its images can be used", d->path);
}

void dataset_close(struct dataset *d)
{
    for (size_t i = 0; i < d->arrays; i++)
        dataset_array_close(&d->array[i]);
    free(d->array);
    image_folder_close(&d->folder);
    for (size_t i = 0; d->kept && i < d->there; i++)
        free(d->kept[i].level), free(d->kept[i].value);
    free(d->index), free(d->kept), free(d->test);
    *d = (struct dataset){ .path = d->path };
}
