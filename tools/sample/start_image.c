/* A pixel's level 0..255 becomes x = level / 127.5 - 1, the inverse of the map by which a PNG is written.
   Only the picture that was read last is kept in memory. */
#include "sample/start_image.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "base/system.h"
#include "cli/command_model.h"

enum { MOST = 1000000 };

/* ---- the paths ---- */

/* Lists the pictures of a folder; their paths are written one behind the other into s->list. */
static int list_folder(struct start_image *s, const char *folder, ddpm_error *err)
{
    int code = image_folder_open(&s->folder, folder, err);
    size_t n = s->folder.files, size = 1;
    if (!code && (!n || n > MOST))
        code = dd_error(err, DDPM_EDATA, "%s: %zu pictures are below this folder, expected 1 to %d", folder,
                        n, MOST);
    if (code)
        return code;

    for (size_t i = 0; i < n; i++)
        size += strlen(folder) + strlen(s->folder.file[i]) + 2;
    s->list = malloc(size);
    s->path = malloc(n * sizeof *s->path);
    if (!s->list || !s->path)
        return dd_error_memory(err, folder);

    char *at = s->list;
    for (size_t i = 0; i < n; i++) {
        s->path[i] = at;
        at += snprintf(at, size - (size_t)(at - s->list), "%s/%s", folder, s->folder.file[i]) + 1;
    }
    s->count = (int)n;
    return DDPM_OK;
}

/* Cuts "a.png,b.png" into paths.  A file whose own name has a comma is one path. */
static int list_names(struct start_image *s, const char *path, ddpm_error *err)
{
    size_t most = 1;
    for (const char *p = path; *p; p++)
        most += *p == ',';
    s->list = strdup(path);
    s->path = malloc(most * sizeof *s->path);
    if (!s->list || !s->path)
        return dd_error_memory(err, path);

    char *next = s->list;
    while (next) {
        char *comma = dd_system_exists(path) ? NULL : strchr(next, ',');
        if (comma)
            *comma = 0;
        s->path[s->count++] = next;
        next = comma ? comma + 1 : NULL;
    }

    int code = DDPM_OK;
    for (int i = 0; i < s->count && !code; i++)
        code = *s->path[i]
                   ? input_check(s->path[i], err)
                   : dd_error(err, DDPM_EUSAGE, "--from %.200s: name %d of the list is empty", path, i + 1);
    return code;
}

int start_image_list(struct start_image *s, const char *path, ddpm_error *err)
{
    *s = (struct start_image){ .count = 0 };
    return dd_system_is_folder(path) ? list_folder(s, path, err) : list_names(s, path, err);
}

/* ---- the pixels ---- */

/* Hashes the pixels as bytes or, if the picture has 16 bits, as float32. */
static int hash_pixels(char hex[65], const double *x, size_t d, bool bytes)
{
    struct dd_hash h;
    if (dd_hash_begin(&h))
        return DDPM_ENOMEM;

    for (size_t e = 0; e < d; e++) {
        float value = (float)x[e];
        unsigned char level = (unsigned char)rint(127.5 * (x[e] + 1));
        if (bytes)
            dd_hash_add(&h, &level, sizeof level);
        else
            dd_hash_add(&h, &value, sizeof value);
    }

    dd_hash_end(&h, hex);
    return DDPM_OK;
}

/* Checks size and channels of a picture that is to be taken as it is. */
static int check_shape(const struct start_image *s, const struct image_file *p, const char *path,
                       ddpm_error *err)
{
    /* A channel of transparency (the second or the fourth) is left out. */
    const ddpm_about *a = s->about;
    bool same = p->channels == a->channels || (p->channels % 2 == 0 && p->channels - 1 == a->channels);
    bool converted = same || (s->how.color != VIEW_STORED && a->channels <= 4);
    bool sized = p->width == a->width && p->height == a->height;
    if (sized && converted)
        return DDPM_OK;

    const char *advice = a->channels > 2 ? "--color converts it" : "--gray converts it";
    return dd_error(
        err, DDPM_EDATA,
        "%s has %d x %d pixels (width x height) of %d channel%s, the model makes %d x %d of %d: %s", path,
        p->width, p->height, p->channels, p->channels == 1 ? "" : "s", a->width, a->height, a->channels,
        sized ? advice : "--fit resize scales and converts it");
}

/* Reads the picture at place k into s->x, and fills hex with its hash. */
static int read_picture(struct start_image *s, char hex[65], size_t k, ddpm_error *err)
{
    const ddpm_about *a = s->about;
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    struct image_file p;
    int code = image_file_head(&p, s->path[k], err);
    if (!code && s->how.fit == VIEW_EXACT)
        code = check_shape(s, &p, s->path[k], err);
    if (code)
        return code;

    code = view_picture(s->x, &p, s->path[k], a, &s->how, err);
    if (!code)
        code = hash_pixels(hex, s->x, d, p.bytes == 1 && s->how.fit != VIEW_RESIZE);
    s->held = k;
    return code == DDPM_ENOMEM ? dd_error_memory(err, s->path[k]) : code;
}

/* Makes the hash of all pictures. */
static int hash_all(struct start_image *s, ddpm_error *err)
{
    struct dd_hash h;
    if (s->count == 1) {
        memcpy(s->sha256, s->hash[0], sizeof s->sha256);
        return DDPM_OK;
    }

    if (dd_hash_begin(&h))
        return dd_error_memory(err, "a hash");
    dd_hash_add(&h, s->hash, (size_t)s->count * sizeof *s->hash);
    dd_hash_end(&h, s->sha256);
    return DDPM_OK;
}

int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, const struct view_how *how,
                     ddpm_error *err)
{
    int code = start_image_list(s, path, err);
    if (!code)
        code = view_how_check(how, a, err);
    if (code)
        return code;

    s->about = a;
    s->how = *how;
    s->hash = calloc((size_t)s->count, sizeof *s->hash);
    s->x = calloc((size_t)a->height * (size_t)a->width, (size_t)a->channels * sizeof *s->x);
    if (!s->hash || !s->x)
        return dd_error_memory(err, path);
    for (int k = s->count - 1; k >= 0 && !code; k--)
        code = read_picture(s, s->hash[k], (size_t)k, err);
    return code ? code : hash_all(s, err);
}

int start_image_read(struct start_image *s, const double **x, uint32_t index, ddpm_error *err)
{
    char hex[65];
    size_t k = index % (uint32_t)s->count;
    *x = s->x;
    if (s->held == k)
        return DDPM_OK;

    int code = read_picture(s, hex, k, err);
    if (!code && strcmp(hex, s->hash[k]))
        code = dd_error(err, DDPM_EDATA, "%s has changed since the run began", s->path[k]);
    return code;
}

void start_image_close(struct start_image *s)
{
    image_folder_close(&s->folder);
    free(s->list);
    free(s->path);
    free(s->hash);
    free(s->x);
    *s = (struct start_image){ .count = 0 };
}
