/* Writes finished images to one file: a picture (a grid if there are several images) or an array. */
#ifndef DDPM_IMAGE_OUTPUT_H
#define DDPM_IMAGE_OUTPUT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "image/picture.h"
#include "sample/image_archive.h"
#include "sample/image_format.h"
#include "sample/recipe.h"

/* The places of n images in one picture.  They form a near-square grid or, if several states of each are
   shown, a row for each image.  A way between two images is a single row.

   The pictures of a film lie one below another: a near-square grid of all images for each state, or an image
   of a way between two images for each. */
struct layout {
    int columns, rows; /* tiles in the picture */
    int frames;        /* states to show of each image, each in a tile */
    int film;          /* pictures of a film; 0: it is no film */
    int height, width; /* pixels of a tile */
};

/* The least width in pixels of a picture of several tiles whose scale was not asked for. */
enum { WIDTH_LEAST = 512 };

/* Returns the scale of a picture.  It is `asked`, unless that is 0.  Then several tiles get the least scale
   at which they are WIDTH_LEAST wide, and a single tile stays as it is. */
int layout_scale(const struct layout *l, int asked);
/* Lays out n images as their recipe says. */
struct layout layout_of(const ddpm_about *a, const struct recipe *r, int n);
/* Makes a black picture of all tiles, with values of this many bytes. */
int layout_picture(struct picture *p, const struct layout *l, const ddpm_about *a, int bytes,
                   ddpm_error *err);
/* Puts the image of a place into its tiles.  frame [frames, h, w, c]; NULL: the image is lost, and its tiles
   are crossed out. */
void layout_put(struct picture *p, const struct layout *l, int place, const double *frame);

struct image_output {
    const ddpm_about *about;
    int classes; /* how many there are, of the classifier or else of the model */
    const struct recipe *recipe;
    const uint32_t *index; /* [n], the images in the file */
    int n;
    const struct image_format *format;
    bool single, force; /* single: the array has no axis of n; force: replace a file */
    struct layout layout;
    struct picture picture; /* the picture at scale 1 */
    struct picture large;   /* the picture, or one of a film, at the recipe's scale, if that is above 1 */
    struct dd_output output;
    struct image_archive archive; /* the images of an archive */
    double *nan;                  /* [frames, d], NaNs in place of a lost image in an array */
};

/* Opens the file and allocates the picture; the caller has set the fields from about to force.  DDPM_ECREATE:
   the file exists and force is not set, or it cannot be created; other errors are those of
   dd_output_create_any. */
int image_output_open(struct image_output *g, const char *file, ddpm_error *err);
/* Adds the image index[place]; the images of an array must come in order.  frame is as in layout_put.  A lost
   image is left out of an archive. */
int image_output_add(struct image_output *g, int place, const double *frame, ddpm_error *err);
/* Writes every byte into output.temporary.  TRY_LATER: interrupted in a film. */
int image_output_finish(struct image_output *g, ddpm_error *err);
/* Renames the finished file. */
int image_output_commit(struct image_output *g, ddpm_error *err);
/* Frees g and removes a file that was not committed. */
void image_output_free(struct image_output *g);
#endif
