/* A picture as its file holds it: PNG, JPEG or WebP.  Bytes stay bytes, and 16 bits stay 16 bits. */
#ifndef DDPM_IMAGE_FILE_H
#define DDPM_IMAGE_FILE_H
#include "ddpm.h"

/* value [height, width, channels]; each has 1 byte, or 2 in the machine's order.  Channels: gray, gray and
   alpha, RGB, RGB and alpha. */
struct image_file {
    int width, height, channels, bytes;
    unsigned char *value;
};

/* Reads the picture and turns it upright as its Exif orientation says. */
int image_file_read(struct image_file *p, const char *path, ddpm_error *err);
int image_file_read_memory(struct image_file *p, const unsigned char *data, size_t size, const char *path,
                           ddpm_error *err);
/* Reads the head alone: value is NULL. */
int image_file_head(struct image_file *p, const char *path, ddpm_error *err);
/* Returns the text that a PNG holds under this keyword, allocated; NULL where it holds none.  A wrong
   checksum is an error. */
int image_file_text(char **text, const unsigned char *data, size_t size, const char *keyword,
                    const char *path, ddpm_error *err);
void image_file_free(struct image_file *p);
#endif
