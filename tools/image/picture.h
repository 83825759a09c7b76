/* Pictures of 8 or 16 bits a value, and the PNG files that carry the settings of their images. */
#ifndef DDPM_PICTURE_H
#define DDPM_PICTURE_H
#include <stdio.h>
#include "ddpm.h"

struct picture {
    int width, height, channels; /* 1 to 4 channels */
    int bytes;                   /* bytes of a value: 1, or 2 in the order of this machine */
    unsigned char *pixel;        /* [height, width, channels] */
    int frames;                  /* of a film, one below another; 0: it is no film */
};

#define PICTURE_MOST 0x1p28 /* bytes of pixels that a picture may have */

/* Makes a black picture.  DDPM_EUSAGE: it has more than PICTURE_MOST bytes, or a number of channels
   that PNG does not have. */
int picture_create(struct picture *p, int width, int height, int channels, int bytes, ddpm_error *err);
void picture_free(struct picture *p);
/* Fills tile i of a picture with `columns` tiles a row from x [height, width, channels] in [-1, 1]. */
void picture_tile(struct picture *p, int i, int columns, const double *x, int height, int width);
/* Fills tile i with a pattern of crosses, which shows that there is no image. */
void picture_cross(struct picture *p, int i, int columns, int height, int width);
/* Enlarges the rows of a picture from `first` on by the nearest neighbour, until `large` is full: each pixel
   becomes scale x scale of them. */
void picture_enlarge(struct picture *large, const struct picture *p, int first, int scale);
/* Returns the level of x in [-1, 1] where white is `white`; a NaN gives 0. */
unsigned picture_level_of(double x, int white);
/* Returns value i of [height, width, channels], from 0 to 255 or, with two bytes, to 65535. */
int picture_level(const struct picture *p, size_t i);
/* Writes a PNG with `text`, ASCII, in a tEXt chunk `ddpm`.  Where text begins with a brace, as a JSON object
   does, its members are also written under keywords that picture viewers show: Software, and Description for
   all of them. */
int picture_write(FILE *f, const struct picture *p, const char *text, ddpm_error *err);
/* Reads pixels and text, which the caller frees, from a PNG or a film (film.h), which is RGBA.  DDPM_EDATA:
   the file is neither, or has no such text. */
int picture_read(struct picture *p, char **text, const char *path, ddpm_error *err);
int picture_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size,
                        const char *path, ddpm_error *err);
#endif
