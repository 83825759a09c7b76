/* A file is written under a temporary name and renamed when it is whole.  A picture of n images is a grid
   with ceil(sqrt(n)) columns; if several states are shown, it has a row of them for each image; a way between
   two images is one row. */
#include "sample/image_output.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "image/array_file.h"
#include "image/film.h"

struct layout layout_of(const ddpm_about *a, const struct recipe *r, int n)
{
    struct layout l = { .frames = r->keep_steps, .height = a->height, .width = a->width };

    const struct image_format *format = image_format_named(r->format);

    /* The images in a row, and how many rows they take. */
    bool states = r->keep_steps > 1, film = format && format->film;
    if (film && r->between)
        l.columns = 1;
    else if (states && !film)
        l.columns = r->keep_steps;
    else if (r->between)
        l.columns = n;
    else
        l.columns = (int)ceil(sqrt(n));
    l.rows = states && !film ? n : (n + l.columns - 1) / l.columns;
    if (!film)
        return l;

    l.film = r->between ? n : r->keep_steps;
    l.rows = r->between ? n : l.rows * l.film;
    return l;
}

/* Returns the tile of state f of the image of a place. */
static int tile_of(const struct layout *l, int place, int f)
{
    int tiles = l->columns * l->rows;
    return l->film ? f * (tiles / l->film) + place : place * l->frames + f;
}

int layout_scale(const struct layout *l, int asked)
{
    int width = l->columns * l->width;
    if (asked || l->columns * l->rows == 1 || width >= WIDTH_LEAST)
        return asked ? asked : 1;
    return (WIDTH_LEAST + width - 1) / width;
}

int layout_picture(struct picture *p, const struct layout *l, const ddpm_about *a, int bytes, ddpm_error *err)
{
    if (!l->film && ((double)l->columns * l->width > 1e6 || (double)l->rows * l->height > 1e6))
        return dd_error(err, DDPM_EUSAGE, "%d x %d tiles make too large a picture: use --outdir", l->columns,
                        l->rows);
    if ((double)l->rows * l->height > INT32_MAX)
        return dd_error(err, DDPM_EUSAGE, "%d pictures make too large a film: take fewer", l->film);

    int code = picture_create(p, l->columns * l->width, l->rows * l->height, a->channels, bytes, err);
    p->frames = l->film;
    return code;
}

void layout_put(struct picture *p, const struct layout *l, int place, const double *frame)
{
    size_t d = (size_t)l->height * (size_t)l->width * (size_t)p->channels;
    for (int f = 0; f < l->frames; f++)
        if (frame)
            picture_tile(p, tile_of(l, place, f), l->columns, frame + (size_t)f * d, l->height, l->width);
        else
            picture_cross(p, tile_of(l, place, f), l->columns, l->height, l->width);
}

/* Writes the head of an array [n, frames, h, w, c].  With `single` it has no n; with one frame no frames. */
static int head_of_array(FILE *f, const struct image_output *g, ddpm_error *err)
{
    size_t dim[5];
    int rank = 0;

    if (!g->single)
        dim[rank++] = (size_t)g->n;
    if (g->layout.frames > 1)
        dim[rank++] = (size_t)g->layout.frames;
    dim[rank++] = (size_t)g->about->height;
    dim[rank++] = (size_t)g->about->width;
    dim[rank++] = (size_t)g->about->channels;
    return array_head(f, "<f4", dim, rank, err);
}

static size_t image_size(const struct image_output *g)
{
    return (size_t)g->layout.frames * (size_t)g->about->height * (size_t)g->about->width *
           (size_t)g->about->channels;
}

/* Fills the NaNs that an array has in place of a lost image. */
static int open_array(struct image_output *g, ddpm_error *err)
{
    size_t size = image_size(g);
    if (!(g->nan = malloc(size * sizeof *g->nan)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for an image");
    for (size_t i = 0; i < size; i++)
        g->nan[i] = NAN;
    return DDPM_OK;
}

static int open_archive(struct image_output *g, ddpm_error *err)
{
    return image_archive_open(&g->archive, (size_t)g->n, g->about, g->recipe->class != CLASS_NONE, err);
}

/* Allocates the picture and, for a film or with a scale above 1, the enlarged one. */
static int open_picture(struct image_output *g, ddpm_error *err)
{
    const struct picture *p = &g->picture;
    int scale = g->recipe->scale > 1 ? g->recipe->scale : 1;
    int code = layout_picture(&g->picture, &g->layout, g->about, g->format->bytes, err);
    if (code || (scale == 1 && !p->frames))
        return code;

    int height = p->frames ? p->height / p->frames : p->height;
    if (p->frames && ((double)p->width * scale > FILM_SIDE_MOST || (double)height * scale > FILM_SIDE_MOST))
        return dd_error(
            err, DDPM_EUSAGE,
            "a film has at most %d pixels a side, and this one %.0f x %.0f: take a smaller --scale, "
            "or fewer images",
            FILM_SIDE_MOST, (double)p->width * scale, (double)height * scale);
    if (p->frames && !film_fits((double)p->width * scale, (double)height * scale, p->frames))
        return dd_error(
            err, DDPM_EUSAGE,
            "%d frames of %d x %d pixels are more than ddpm verify reads: take a smaller --scale than "
            "%d, or fewer frames",
            p->frames, p->width * scale, height * scale, scale);
    if ((double)p->width * scale * height * scale * p->channels * p->bytes > PICTURE_MOST)
        return dd_error(
            err, DDPM_EUSAGE,
            "--scale %d makes a picture of %d x %d pixels, which is too large: take a smaller one", scale,
            p->width * scale, height * scale);
    return picture_create(&g->large, p->width * scale, height * scale, p->channels, p->bytes, err);
}

/* Allocates the picture or what the other formats need. */
static int allocate(struct image_output *g, ddpm_error *err)
{
    g->layout = layout_of(g->about, g->recipe, g->n);
    g->picture = g->large = (struct picture){ .pixel = NULL };
    g->output = (struct dd_output){ .stream = NULL };
    g->archive = (struct image_archive){ .image = NULL };
    g->nan = NULL;
    int code;
    if (g->format->picture)
        code = open_picture(g, err);
    else
        code = g->format->archive ? open_archive(g, err) : open_array(g, err);
    if (code)
        image_output_free(g);
    return code;
}

int image_output_open(struct image_output *g, const char *file, ddpm_error *err)
{
    int code = allocate(g, err);
    if (!code)
        code = dd_output_create_any(&g->output, file, g->force, err);
    if (!code && g->format->archive && fseek(g->output.stream, 0, SEEK_CUR))
        code = dd_error(err, DDPM_EUSAGE,
                        "%s: an archive is written into a file, not into a pipe or a device", g->output.path);
    if (!code && !g->format->picture && !g->format->archive)
        code = head_of_array(g->output.stream, g, err);
    if (code)
        image_output_free(g);
    return code;
}

int image_output_add(struct image_output *g, int place, const double *frame, ddpm_error *err)
{
    const struct recipe *r = g->recipe;
    if (g->format->archive) {
        if (frame)
            image_archive_add(&g->archive, frame,
                              recipe_class_of(r->class, r->classes, r->class_count, g->index[place],
                                              g->classes));
        return DDPM_OK;
    }
    if (!g->format->picture)
        return array_values(g->output.stream, frame ? frame : g->nan, image_size(g), err);
    layout_put(&g->picture, &g->layout, place, frame);
    return DDPM_OK;
}

/* Returns the picture to be written, at the recipe's scale. */
static const struct picture *scaled(struct image_output *g)
{
    if (!g->large.pixel)
        return &g->picture;
    picture_enlarge(&g->large, &g->picture, 0, g->recipe->scale);
    return &g->large;
}

/* Writes the pictures one after another, each at the recipe's scale. */
static int write_film(struct image_output *g, const char *text, ddpm_error *err)
{
    const struct picture *p = &g->picture;
    int scale = g->recipe->scale > 1 ? g->recipe->scale : 1;
    struct film film;
    int code = film_begin(&film, g->recipe->fps, g->recipe->loop, err);

    for (int k = 0; k < p->frames && !code; k++) {
        picture_enlarge(&g->large, p, k * (p->height / p->frames), scale);
        code = interrupted ? dd_error(err, TRY_LATER, "interrupted") : film_add(&film, &g->large, err);
    }
    if (!code)
        code = film_write(&film, g->output.stream, text, err);
    film_end(&film);
    return code;
}

static int write_picture(struct image_output *g, ddpm_error *err)
{
    char *text = recipe_text(g->recipe, g->index, g->n);
    if (!text)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the text of a picture");
    int code =
        g->format->film ? write_film(g, text, err) : picture_write(g->output.stream, scaled(g), text, err);
    cJSON_free(text);
    return code;
}

int image_output_finish(struct image_output *g, ddpm_error *err)
{
    int code = g->format->picture ? write_picture(g, err) : DDPM_OK;
    if (g->format->archive)
        code = image_archive_write(&g->archive, g->output.stream, err);
    if (!code && fflush(g->output.stream))
        code = dd_error(err, DDPM_EIO, "%s: cannot be written: %s", g->output.path, strerror(errno));
    return code;
}

int image_output_commit(struct image_output *g, ddpm_error *err)
{
    return dd_output_commit(&g->output, err);
}

void image_output_free(struct image_output *g)
{
    dd_output_abandon(&g->output);
    picture_free(&g->picture);
    picture_free(&g->large);
    image_archive_free(&g->archive);
    free(g->nan);
    g->nan = NULL;
}
