/* The image that sampling starts from, beside noise: a picture of the model's size and channels. */
#ifndef DDPM_START_IMAGE_H
#define DDPM_START_IMAGE_H
#include "ddpm.h"

struct start_image {
    double *x;
    char sha256[65];
}; /* x [h, w, c] in [-1, 1]; hash of the pixels as a PNG holds them */

int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, ddpm_error *err);
void start_image_close(struct start_image *s);
#endif
