/* Images in the order of their file, or of their names in a folder; a byte v is v / 127.5 - 1. */
#include "dataset.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "base/error.h"
#include "picture.h"

/* One image where it lies: of step bytes, or planes, a pixel. */
struct view { const unsigned char *data; int height, width, channels, step; bool floats, planar; };

static double value_at(const struct view *v, int y, int x, int c)
{
    size_t pixel = (size_t)y * (size_t)v->width + (size_t)x;
    size_t at = v->planar ? (size_t)c * (size_t)v->height * (size_t)v->width + pixel : pixel * (size_t)v->step + (size_t)c;
    if (!v->floats)
        return v->data[at] / 127.5 - 1;
    const unsigned char *p = v->data + 4 * at;
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static int check_size(const struct dataset *d, const struct view *v, const char *name, ddpm_error *err)
{
    const ddpm_about *a = d->about;
    int h = v->height - a->height, w = v->width - a->width;
    const char *what = h <= 0 && w <= 0 ? "--fit pad puts it on black" : h >= 0 && w >= 0 ? "--fit crop takes its middle" : "resize it first";
    if (v->channels != a->channels)
        return dd_error(err, DDPM_EDATA, "%s: %d channel%s, but the model has %d; convert the images first", name, v->channels,
                        v->channels == 1 ? "" : "s", a->channels);
    if (d->fit == DATASET_PAD ? h <= 0 && w <= 0 : d->fit == DATASET_CROP ? h >= 0 && w >= 0 : !h && !w)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: %d x %d pixels, but the model's images have %d x %d; %s", name, v->height, v->width, a->height,
                    a->width, what);
}

/* Centred: where the model's image is larger, black; where it is smaller, the middle. */
static int place(const struct dataset *d, double *out, const struct view *v, const char *name, ddpm_error *err)
{
    const ddpm_about *a = d->about;
    int code = check_size(d, v, name, err), top = (v->height - a->height) / 2, left = (v->width - a->width) / 2;
    for (int y = top; !code && y < top + a->height; y++)
        for (int x = left; x < left + a->width; x++)
            for (int c = 0; c < a->channels; c++) {
                bool inside = y >= 0 && x >= 0 && y < v->height && x < v->width;
                double value = inside ? value_at(v, y, x, c) : -1;
                if (!(value >= -1 && value <= 1))
                    return dd_error(err, DDPM_EDATA, "%s: a value of %g; float32 data lie in [-1, 1], values from 0 to 255 are stored as uint8",
                                    name, value);
                *out++ = value;
            }
    return code;
}

/* A picture with transparency is one without it when it is opaque everywhere. */
static int read_picture(const struct dataset *d, double *x, const char *name, ddpm_error *err)
{
    struct picture p;
    int code = picture_pixels(&p, name, err);
    if (code)
        return code;
    int alpha = p.channels % 2 == 0;
    size_t pixels = (size_t)p.width * (size_t)p.height;
    for (size_t i = 0; alpha && i < pixels && !code; i++)
        if (p.pixel[(i + 1) * (size_t)p.channels - 1] != 255)
            code = dd_error(err, DDPM_EDATA, "%s: it is transparent in places; flatten it first", name);
    struct view v = { p.pixel, p.height, p.width, p.channels - alpha, p.channels, false, false };
    if (!code)
        code = place(d, x, &v, name, err);
    picture_free(&p);
    return code;
}

/* The image's first byte in the array that holds it. */
static const unsigned char *find(const struct dataset *d, const struct dataset_array **array, size_t i)
{
    const struct dataset_array *a = d->array;
    for (; i >= a->count; a++)
        i -= a->count;
    *array = a;
    return a->data + i * a->stride;
}

int dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err)
{
    const struct dataset_array *a;
    size_t i = d->index[k], n = strlen(d->path) + 300;
    char *name = malloc(n);
    if (!name)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a name in %s", d->path);
    int code;
    if (d->files) {
        snprintf(name, n, "%s/%s", d->path, d->file[i]);
        code = read_picture(d, x, name, err);
    } else {
        const unsigned char *data = find(d, &a, i);
        struct view v = { data + a->labelled, a->height, a->width, a->channels, a->channels, a->floats, a->planar };
        snprintf(name, n, "%s, image %zu", d->path, i);
        code = place(d, x, &v, name, err);
    }
    free(name);
    return code;
}

int dataset_label(const struct dataset *d, size_t k)
{
    const struct dataset_array *a;
    if (d->files)
        return -1;
    const unsigned char *data = find(d, &a, d->index[k]);
    return a->labelled ? *data : -1;
}

static bool ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && *name != '.' && !strcasecmp(name + n - m, ending);
}

static bool is_picture(const char *name)
{
    return ends(name, ".png") || ends(name, ".jpg") || ends(name, ".jpeg") || ends(name, ".bmp") || ends(name, ".pgm") || ends(name, ".ppm");
}

static bool is_batch(const char *name) { return ends(name, ".bin"); }

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void free_names(char **name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
}

static int list_names(char ***list, size_t *n, const char *path, bool (*wanted)(const char *), ddpm_error *err)
{
    DIR *dir = opendir(path);
    size_t room = 0;
    int code = dir ? DDPM_OK : dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path, strerror(errno));
    *list = NULL, *n = 0;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        if (!wanted(e->d_name))
            continue;
        if (*n == room) {
            char **more = realloc(*list, (room = 2 * room + 64) * sizeof *more);
            *list = more ? more : *list;
            code = more ? DDPM_OK : DDPM_ENOMEM;
        }
        if (!code && ((*list)[*n] = strdup(e->d_name)))
            ++*n;
        else
            code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(*list, *n, sizeof **list, compare);
    return code;
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
        if (!code && (d->array[i].stride != d->array[0].stride || !d->array[i].planar))
            code = dd_error(err, DDPM_EDATA, "%s: the .bin files of a folder are CIFAR-10 batches, this one is not", path);
        d->arrays = i + 1;
        free(path);
    }
    return code;
}

static int open_folder(struct dataset *d, size_t most, ddpm_error *err)
{
    char **name;
    size_t names;
    int code = list_names(&d->file, &d->files, d->path, is_picture, err);
    if (code || d->files)
        return code;
    code = list_names(&name, &names, d->path, is_batch, err);
    if (!code && !names)
        code = dd_error(err, DDPM_EDATA, "%s holds no image: expected .png, .jpg, .bmp, .pgm or .ppm files, or CIFAR-10's .bin", d->path);
    if (!code)
        code = open_batches(d, name, names, most, err);
    free_names(name, names);
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
    size_t there = d->files;
    for (size_t i = 0; i < d->arrays; i++)
        there += d->array[i].count;
    if (most > there)
        return dd_error(err, DDPM_EUSAGE, "-n %zu: %s holds %zu image%s", most, d->path, there, there == 1 ? "" : "s");
    d->count = most ? most : there;
    d->index = malloc(d->count * sizeof *d->index);
    for (size_t i = 0; d->index && i < d->count; i++)
        d->index[i] = (uint32_t)i;
    return d->index ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory for a list of %zu images", d->path, d->count);
}

int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, enum dataset_fit fit, size_t most, ddpm_error *err)
{
    *d = (struct dataset){ .path = path, .about = about, .fit = fit };
    int code = open_source(d, most, err);
    if (!code)
        code = choose(d, most, err);
    if (code)
        dataset_close(d);
    return code;
}

int dataset_check(struct dataset *d, dataset_bad_fn *bad, void *user, ddpm_error *err)
{
    size_t kept = 0, size = (size_t)d->about->height * (size_t)d->about->width * (size_t)d->about->channels;
    double *x = malloc(size * sizeof *x);
    int code = x ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory for an image", d->path);
    for (size_t k = 0; k < d->count && !code; k++) {
        ddpm_error why = { 0 };
        code = dataset_read(d, x, k, &why);
        if (!code)
            d->index[kept++] = d->index[k];
        else if (bad && code != DDPM_ENOMEM)
            bad(user, &why), code = DDPM_OK;
        else if (err)
            *err = why;
    }
    free(x);
    d->count = code ? d->count : kept;
    return code || kept ? code : dd_error(err, DDPM_EDATA, "%s: none of its images can be used", d->path);
}

void dataset_close(struct dataset *d)
{
    for (size_t i = 0; i < d->arrays; i++)
        dataset_array_close(&d->array[i]);
    free(d->array);
    free_names(d->file, d->files);
    free(d->index);
    *d = (struct dataset){ .path = d->path };
}
