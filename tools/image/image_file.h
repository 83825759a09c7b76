/* A picture as its file holds it, PNG, JPEG, WebP or TIFF.  Bytes stay bytes, and 16 bits stay 16 bits. */
#ifndef DDPM_IMAGE_FILE_H
#define DDPM_IMAGE_FILE_H
#include "config.h"
#include "ddpm.h"

/* The kinds of pictures that are read, for messages. */
#if HAVE_TIFF
#define IMAGE_FILE_KINDS "PNG, JPEG, WebP and TIFF"
#else
#define IMAGE_FILE_KINDS "PNG, JPEG and WebP"
#endif

struct image_file {
    int width, height;
    int channels;         /* 1 to 4: gray, gray and alpha, RGB, RGB and alpha */
    int bytes;            /* bytes of a value: 1, or 2 in the order of this machine */
    unsigned char *value; /* [height, width, channels] */
};

/* Reads a picture and turns it upright as its Exif orientation says.  The caller frees it with
   image_file_free.  DDPM_EDATA: it is damaged, too large, or in a format that is not read. */
int image_file_read(struct image_file *p, const char *path, ddpm_error *err);
int image_file_read_memory(struct image_file *p, const unsigned char *data, size_t size, const char *path,
                           ddpm_error *err);
/* Reads the head alone; value is NULL. */
int image_file_head(struct image_file *p, const char *path, ddpm_error *err);
/* Finds the text that a PNG holds under this keyword; the caller frees it.  NULL: the PNG has no such
   text.  A wrong checksum is an error. */
int image_file_text(char **text, const unsigned char *data, size_t size, const char *keyword,
                    const char *path, ddpm_error *err);
void image_file_free(struct image_file *p);
#endif
