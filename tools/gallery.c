/* Every file is made under a temporary name and renamed when it is whole: a folder's images one by one as they come, a picture or an array
   at the end.  A picture is a grid of ceil(sqrt(n)) columns, or a row of states for each image. */
#include "gallery.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "base/hash.h"

struct layout layout_of(const ddpm_about *a, int n, int frames)
{
    int columns = frames > 1 ? frames : (int)ceil(sqrt(n));
    return (struct layout){ columns, frames > 1 ? n : (n + columns - 1) / columns, frames, a->height, a->width };
}

int layout_picture(struct picture *p, const struct layout *l, const ddpm_about *a, ddpm_error *err)
{
    if ((double)l->columns * l->width > 1e6 || (double)l->rows * l->height > 1e6)
        return dd_error(err, DDPM_EUSAGE, "%d x %d tiles make too large a picture: use --outdir", l->columns, l->rows);
    return picture_create(p, l->columns * l->width, l->rows * l->height, a->channels, err);
}

void layout_put(struct picture *p, const struct layout *l, int place, const double *frame)
{
    size_t d = (size_t)l->height * (size_t)l->width * (size_t)p->channels;
    for (int f = 0; f < l->frames; f++)
        if (frame)
            picture_tile(p, place * l->frames + f, l->columns, frame + (size_t)f * d, l->height, l->width);
        else
            picture_cross(p, place * l->frames + f, l->columns, l->height, l->width);
}

int gallery_check_pattern(const char *pattern, ddpm_error *err)
{
    const char *p = strchr(pattern, '%');
    if (p && p[1] == '0' && isdigit((unsigned char)p[2]) && p[2] != '0')
        p += 2;
    if (!p || p[1] != 'd' || strchr(p + 1, '%') || strchr(pattern, '/') || strlen(pattern) > 200)
        return dd_error(err, DDPM_EUSAGE, "--name %.80s: expected a file name with one %%d or %%06d for the number, such as image-%%06d.png", pattern);
    return DDPM_OK;
}

/* FOLDER/NAME, where NAME is the pattern with the index; returns NAME. */
static const char *image_name(struct gallery *g, uint32_t index)
{
    const char *p = strchr(g->pattern, '%'), *rest = strchr(p, 'd') + 1;
    int width = p[1] == '0' ? p[2] - '0' : 0;
    snprintf(g->path, g->path_size, "%s/%.*s%0*u%s", g->folder, (int)(p - g->pattern), g->pattern, width, index, rest);
    return g->path + strlen(g->folder) + 1;
}

static int make_folder(const char *path, ddpm_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return DDPM_OK;
    int number = errno;
    if (number == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return DDPM_OK;
    return dd_error(err, number == EACCES || number == EPERM ? DDPM_EPERM : number == ENOSPC ? DDPM_EIO : DDPM_ECREATE,
                    "%s cannot be made a folder: %s", path, strerror(number));
}

static int open_folder(struct gallery *g, ddpm_error *err)
{
    int code = make_folder(g->folder, err);
    g->path_size = strlen(g->folder) + strlen(g->pattern) + 32;
    g->path = code ? NULL : malloc(g->path_size);
    if (code || !g->path)
        return code ? code : dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    for (int i = 0; i < g->n && !g->force; i++) {
        image_name(g, g->index[i]);
        if (access(g->path, F_OK) == 0)
            return dd_error(err, DDPM_ECREATE, "%s exists already: choose another folder or --name, or --force to replace it", g->path);
    }
    char *header = recipe_text(g->recipe, NULL, 0);
    code = header ? manifest_create(&g->manifest, g->folder, header, g->force, err) : dd_error(err, DDPM_ENOMEM, "out of memory for a manifest");
    cJSON_free(header);
    return code;
}

static int head_of_array(FILE *f, const struct gallery *g, ddpm_error *err)
{
    size_t dim[5];
    int rank = 0;
    if (!g->folder)
        dim[rank++] = (size_t)g->n;
    if (g->layout.frames > 1)
        dim[rank++] = (size_t)g->layout.frames;
    dim[rank++] = (size_t)g->about->height;
    dim[rank++] = (size_t)g->about->width;
    dim[rank++] = (size_t)g->about->channels;
    return array_head(f, dim, rank, err);
}

static size_t image_size(const struct gallery *g)
{
    return (size_t)g->layout.frames * (size_t)g->about->height * (size_t)g->about->width * (size_t)g->about->channels;
}

static int open_array(struct gallery *g, ddpm_error *err)
{
    size_t size = image_size(g);
    if (!(g->nan = malloc(size * sizeof *g->nan)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for an image");
    for (size_t i = 0; i < size; i++)
        g->nan[i] = NAN;
    return DDPM_OK;
}

int gallery_open(struct gallery *g, const char *file, ddpm_error *err)
{
    g->layout = layout_of(g->about, g->folder ? 1 : g->n, g->recipe->keep_steps);
    g->picture = (struct picture){ .pixel = NULL };
    g->output = (struct dd_output){ .stream = NULL };
    g->manifest = (struct manifest){ .file = NULL };
    g->nan = NULL, g->path = NULL;
    int code = g->array ? open_array(g, err) : layout_picture(&g->picture, &g->layout, g->about, err);
    if (!code)
        code = g->folder ? open_folder(g, err) : dd_output_create(&g->output, file, g->force, err);
    if (!code && g->array && !g->folder)
        code = head_of_array(g->output.stream, g, err);
    if (code)
        gallery_free(g);
    return code;
}

/* The picture so far, with the recipe of the images that are in it. */
static int write_picture(struct gallery *g, FILE *f, const uint32_t *index, int n, ddpm_error *err)
{
    char *text = recipe_text(g->recipe, index, n);
    int code = text ? picture_write(f, &g->picture, text, err) : dd_error(err, DDPM_ENOMEM, "out of memory for the text of a picture");
    cJSON_free(text);
    return code;
}

static int hash_of(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file f;
    struct dd_hash h;
    int code = dd_file_map(&f, path, err);
    if (code)
        return code;
    if (dd_hash_begin(&h))
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a hash");
    else
        dd_hash_add(&h, f.data, f.size), dd_hash_end(&h, hex);
    dd_file_unmap(&f);
    return code;
}

static int write_image(struct gallery *g, int place, const double *frame, ddpm_error *err)
{
    int code = dd_output_create(&g->output, g->path, g->force, err);
    if (code)
        return code;
    if (g->array) {
        code = head_of_array(g->output.stream, g, err);
        code = code ? code : array_values(g->output.stream, frame, image_size(g), err);
    } else {
        layout_put(&g->picture, &g->layout, 0, frame);
        code = write_picture(g, g->output.stream, g->index + place, 1, err);
    }
    return code ? code : dd_output_commit(&g->output, err);
}

static int add_to_folder(struct gallery *g, int place, const double *frame, int step, double seconds, ddpm_error *err)
{
    char hex[65];
    const char *name = image_name(g, g->index[place]);
    int code = frame ? write_image(g, place, frame, err) : DDPM_OK;
    if (!frame && g->force)
        unlink(g->path);                         /* an older image under this name would pass for this one */
    if (!code && frame)
        code = hash_of(hex, g->path, err);
    return code ? code : manifest_add(&g->manifest, g->index[place], name, frame ? hex : NULL, step, seconds, err);
}

int gallery_add(struct gallery *g, int place, const double *frame, int step, double seconds, ddpm_error *err)
{
    if (g->folder)
        return add_to_folder(g, place, frame, step, seconds, err);
    if (g->array)
        return array_values(g->output.stream, frame ? frame : g->nan, image_size(g), err);
    layout_put(&g->picture, &g->layout, place, frame);
    return DDPM_OK;
}

int gallery_commit(struct gallery *g, ddpm_error *err)
{
    if (g->folder)
        return manifest_close(&g->manifest, err);
    int code = g->array ? DDPM_OK : write_picture(g, g->output.stream, g->index, g->n, err);
    return code ? code : dd_output_commit(&g->output, err);
}

void gallery_free(struct gallery *g)
{
    dd_output_abandon(&g->output);
    manifest_close(&g->manifest, NULL);
    picture_free(&g->picture);
    free(g->nan);
    free(g->path);
    g->nan = NULL, g->path = NULL;
}
