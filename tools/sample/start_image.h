/* A start image is a picture from which sampling starts instead of from noise alone.  It has the model's size
   and channels. */
#ifndef DDPM_START_IMAGE_H
#define DDPM_START_IMAGE_H
#include "ddpm.h"

struct start_image {
    double *x;       /* [h, w, c], values in [-1, 1], owned */
    char sha256[65]; /* hash of the pixels as the picture holds them */
};

/* Reads the picture at path.  DDPM_EDATA: it has another size or other channels than the model's images. */
int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, ddpm_error *err);
void start_image_close(struct start_image *s);
#endif
