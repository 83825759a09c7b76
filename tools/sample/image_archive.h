/* Images as a .npz that evaluators read, such as that of OpenAI's guided-diffusion: arr_0 holds the images as
   uint8 [n, h, w, c], arr_1 their classes as int64 [n]. */
#ifndef DDPM_IMAGE_ARCHIVE_H
#define DDPM_IMAGE_ARCHIVE_H
#include <stdbool.h>
#include <stdio.h>
#include "ddpm.h"

struct image_archive {
    size_t shape[4];        /* n, h, w, c; n counts the images that were added */
    unsigned char *image;   /* room for a head and for the images */
    unsigned char *classes; /* room for a head and for their classes; NULL: they have none */
};

/* Makes room for at most n images of the model a.  classes: they have classes. */
int image_archive_open(struct image_archive *p, size_t n, const ddpm_about *a, bool classes, ddpm_error *err);
/* Adds an image x [h, w, c] in [-1, 1], and its class. */
void image_archive_add(struct image_archive *p, const double *x, int class);
/* Writes the archive into f, which is empty and can be sought in. */
int image_archive_write(struct image_archive *p, FILE *f, ddpm_error *err);
void image_archive_free(struct image_archive *p);
#endif
