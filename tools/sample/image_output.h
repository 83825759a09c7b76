/* One file of finished images: a picture (a grid when there are several) or an array. */
#ifndef DDPM_IMAGE_OUTPUT_H
#define DDPM_IMAGE_OUTPUT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "image/picture.h"
#include "sample/recipe.h"

/* The places of n images in one picture: a near-square grid, or a row for each image when
   there are several states of it to show. */
struct layout {
    int columns, rows, frames;
    int height, width; /* of a tile */
};

/* The least width of a picture of several tiles where nobody says its scale. */
enum { WIDTH_LEAST = 512 };

/* Returns the scale of a picture: `asked`, or where that is 0 the least one by which several tiles are
   WIDTH_LEAST wide; a single tile then stays as it is. */
int layout_scale(const struct layout *l, int asked);
/* Lays out n images of `frames` states each. */
struct layout layout_of(const ddpm_about *a, int n, int frames);
/* Makes a black picture of all tiles. */
int layout_picture(struct picture *p, const struct layout *l, const ddpm_about *a, ddpm_error *err);
/* Puts the image of a place into its tiles.  frame [frames, h, w, c];  NULL: there is none, its tiles are
   crossed out. */
void layout_put(struct picture *p, const struct layout *l, int place, const double *frame);

struct image_output {
    const ddpm_about *about;
    const struct recipe *recipe;
    const uint32_t *index;
    int n;
    bool array, single, force; /* single: an array of the one image, not of n */
    struct layout layout;
    struct picture picture; /* at scale 1 */
    struct picture large;   /* at the recipe's scale, where that is above 1 */
    struct dd_output output;
    double *nan; /* [frames, d]: what stands in an array for a lost image */
};

/* Opens the file; the fields from about to force are set by the caller.  It does not exist, or force;
   everything is there to be written to. */
int image_output_open(struct image_output *g, const char *file, ddpm_error *err);
/* Adds the image at a place of index; those of an array come in order.  frame as in layout_put. */
int image_output_add(struct image_output *g, int place, const double *frame, ddpm_error *err);
/* Writes every byte into output.temporary. */
int image_output_finish(struct image_output *g, ddpm_error *err);
/* Renames the finished file. */
int image_output_commit(struct image_output *g, ddpm_error *err);
/* Frees g; what is not committed leaves no trace. */
void image_output_free(struct image_output *g);
#endif
