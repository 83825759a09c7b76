/* Pictures: 8-bit pixels, PNG files that carry a text, and arrays in numpy's format. */
#ifndef DDPM_PICTURE_H
#define DDPM_PICTURE_H
#include <stdio.h>
#include "ddpm.h"

struct picture {
    int width, height, channels;
    unsigned char *pixel;
}; /* pixel [height, width, channels]; 1 to 4 channels */

/* A black one.  Refused: a picture of more than 2^28 bytes or of a channel count that PNG does not have. */
int picture_create(struct picture *p, int width, int height, int channels, ddpm_error *err);
void picture_free(struct picture *p);
/* Tile number i of a picture of columns tiles a row: x [height, width, channels] in [-1, 1]. */
void picture_tile(struct picture *p, int i, int columns, const double *x, int height, int width);
/* The same tile crossed out: there is no image. */
void picture_cross(struct picture *p, int i, int columns, int height, int width);
/* The file as a tEXt chunk `ddpm` would hold it: text is ASCII. */
int picture_write(FILE *f, const struct picture *p, const char *text, ddpm_error *err);
/* Pixels and the text, which the caller frees.  DDPM_EDATA: not a PNG, or one without our text. */
int picture_read(struct picture *p, char **text, const char *path, ddpm_error *err);
int picture_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size,
                        const char *path, ddpm_error *err);

/* The head of a .npy file in C order of type "<f4" (float32) or "|u1" (bytes); the values follow it. */
int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err);
int array_values(FILE *f, const double *x, size_t n, ddpm_error *err);
#endif
