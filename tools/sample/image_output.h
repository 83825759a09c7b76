/* One file of finished images: a picture (a grid when there are several) or an array. */
#ifndef DDPM_IMAGE_OUTPUT_H
#define DDPM_IMAGE_OUTPUT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "image/picture.h"
#include "sample/recipe.h"

/* n images of frames states each, in one picture: a near-square grid, or a row for each image when there
   are states to show. */
struct layout {
    int columns, rows, frames, height, width;
};

/* The least width of a picture of several tiles where nobody says its scale. */
enum { WIDTH_LEAST = 512 };

/* Returns the scale of a picture: `asked`, or where that is 0 the least one by which several tiles are
   WIDTH_LEAST wide; a single tile then stays as it is. */
int layout_scale(const struct layout *l, int asked);
struct layout layout_of(const ddpm_about *a, int n, int frames);
int layout_picture(struct picture *p, const struct layout *l, const ddpm_about *a, ddpm_error *err);
/* The image at a place; frame [frames, h, w, c], NULL: there is none, its tiles are crossed out. */
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

/* Fields from about to force are set by the caller.  Nothing exists, or force; everything is there to be
   written to. */
int image_output_open(struct image_output *g, const char *file, ddpm_error *err);
/* The image at a place of index, of an array in order; frame as in layout_put. */
int image_output_add(struct image_output *g, int place, const double *frame, ddpm_error *err);
int image_output_finish(struct image_output *g, ddpm_error *err); /* every byte is in output.temporary */
int image_output_commit(struct image_output *g, ddpm_error *err);
void image_output_free(struct image_output *g); /* what is not committed leaves no trace */
#endif
