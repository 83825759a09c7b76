/* The readers of PNG, JPEG, WebP and TIFF, and the functions that they share. */
#ifndef DDPM_IMAGE_CODEC_H
#define DDPM_IMAGE_CODEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "image/image_file.h"

struct image_source {
    const unsigned char *data;
    size_t size;
    const char *path;
};

/* Reads a picture of one format: fills the sizes of p, its Exif orientation, and with pixels its values
   too, which the caller frees even after an error.  DDPM_EDATA: it is damaged. */
typedef int image_codec(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
                        ddpm_error *err);
image_codec image_png, image_jpeg, image_webp;
/* Is there where libtiff is. */
image_codec image_tiff;

/* Returns DDPM_EDATA: the pixels cannot be read, and why. */
int image_codec_refuse(const struct image_source *s, const char *why, ddpm_error *err);
/* Refuses sizes that the file cannot have, before memory is asked for.  With pixels, allocates p->value
   for p's width and height and this number of channels. */
int image_codec_room(struct image_file *p, const struct image_source *s, int channels, bool pixels,
                     ddpm_error *err);
/* Reduces decoded R, G, B, A to the channels that the picture has, in place. */
void image_codec_squeeze(struct image_file *p);
/* Return and set value i of [height, width, channels]. */
uint32_t image_codec_value(const struct image_file *p, size_t i);
void image_codec_set(struct image_file *p, size_t i, uint32_t v);
/* Returns the orientation in Exif data d [size], 1 to 8; 1: the data have none that can be read. */
int image_codec_orientation(const unsigned char *d, size_t size);
#endif
