/* Makes pictures of images, and writes and reads them as PNG (picture.h).

   A pixel is clamp(rint(127.5 (x + 1)), 0, 255), half to even, for every model.  stb compresses the
   pixels.  One chunk is inserted after the header of its file (PNG, third edition, 11.3.4.3): length, "tEXt",
   keyword "ddpm", zero, text, CRC-32 of all but the length.  Numbers are big-endian.  libspng reads it
   (image_png.c). */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/error.h"
#include "base/file.h"
#include "config.h"
#include "image/image_file.h"
#include "image/picture.h"
#include "image/unchecked.h"
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBIW_MALLOC(size) unchecked_realloc(NULL, size)
#define STBIW_REALLOC(p, size) unchecked_realloc(p, size)
#define STBIW_FREE(p) unchecked_free(p)
#define STBI_WRITE_NO_STDIO
#include STB_IMAGE_WRITE_H
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* A chunk has 12 bytes of length, type and CRC; the header, IHDR, has 13 bytes. */
enum { SIGNATURE = 8, HEADER_END = SIGNATURE + 12 + 13 };

static const char keyword[] = "ddpm";

int picture_create(struct picture *p, int width, int height, int channels, ddpm_error *err)
{
    if (channels < 1 || channels > 4)
        return dd_error(err, DDPM_EUSAGE, "PNG has 1 to 4 channels and the model %d: use --format npy",
                        channels);
    if ((double)width * height * channels > PICTURE_MOST)
        return dd_error(err, DDPM_EUSAGE, "a picture of %d x %d pixels is too large: use --outdir", width,
                        height);

    *p =
        (struct picture){ width, height, channels, calloc((size_t)width * (size_t)height, (size_t)channels) };
    if (!p->pixel)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a picture of %d x %d", width, height);
    return DDPM_OK;
}

void picture_free(struct picture *p)
{
    free(p->pixel);
    p->pixel = NULL;
}

/* ---- tiles ---- */

/* Returns the byte level of x; a NaN gives 0. */
static unsigned char level(double x)
{
    double v = rint(127.5 * (x + 1));
    if (v >= 255)
        return 255;
    return v > 0 ? (unsigned char)v : 0;
}

/* Returns the first pixel of row y of tile i, in a picture of `columns` tiles a row. */
static unsigned char *tile_row(struct picture *p, int i, int columns, int y, int height, int width)
{
    size_t row = (size_t)(i / columns) * (size_t)height + (size_t)y;
    size_t column = (size_t)(i % columns) * (size_t)width;
    return p->pixel + (row * (size_t)p->width + column) * (size_t)p->channels;
}

void picture_tile(struct picture *p, int i, int columns, const double *x, int height, int width)
{
    int n = width * p->channels;
    for (int y = 0; y < height; y++) {
        unsigned char *row = tile_row(p, i, columns, y, height, width);
        for (int k = 0; k < n; k++)
            row[k] = level(x[y * n + k]);
    }
}

void picture_cross(struct picture *p, int i, int columns, int height, int width)
{
    for (int y = 0; y < height; y++) {
        unsigned char *row = tile_row(p, i, columns, y, height, width);
        for (int k = 0; k < width; k++)
            /* Diagonal lines in both directions, every eight pixels. */
            memset(row + k * p->channels, (k + y) % 8 == 0 || (k - y) % 8 == 0 ? 255 : 0,
                   (size_t)p->channels);
    }
}

/* ---- writing ---- */

/* Writes v as four bytes, big-endian. */
static void put_u32(unsigned char *out, size_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(v >> (24 - 8 * i));
}

struct splice {
    FILE *file;
    const char *text;
    const struct picture *picture;
    int wrong; /* the file could not be written */
    int made;  /* stb did not run out of memory */
};

/* Writes stb's PNG, given in one piece, with our chunk after the header. */
static void write_spliced(void *user, void *data, int size)
{
    struct splice *s = user;
    unsigned char head[8 + sizeof keyword] = { 0 }, tail[4];
    size_t length = strlen(s->text);

    put_u32(head, sizeof keyword + length);
    memcpy(head + 4, "tEXt", 4);
    memcpy(head + 8, keyword, sizeof keyword);

    /* The checksum covers type, keyword and text. */
    uLong crc = crc32(0, head + 4, 4 + sizeof keyword);
    put_u32(tail, crc32(crc, (const Bytef *)s->text, (uInt)length));

    s->wrong =
        fwrite(data, 1, HEADER_END, s->file) != HEADER_END ||
        fwrite(head, 1, sizeof head, s->file) != sizeof head ||
        fwrite(s->text, 1, length, s->file) != length || fwrite(tail, 1, 4, s->file) != 4 ||
        fwrite((char *)data + HEADER_END, 1, (size_t)size - HEADER_END, s->file) != (size_t)size - HEADER_END;
}

static void write_all(void *user)
{
    struct splice *s = user;
    const struct picture *p = s->picture;
    s->made = stbi_write_png_to_func(write_spliced, s, p->width, p->height, p->channels, p->pixel,
                                     p->width * p->channels);
}

int picture_write(FILE *f, const struct picture *p, const char *text, ddpm_error *err)
{
    struct splice s = { .file = f, .text = text, .picture = p };
    if (unchecked_run(write_all, &s) || !s.made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the file of a picture of %d x %d", p->width,
                        p->height);
    return s.wrong ? dd_error(err, DDPM_EIO, "cannot write the picture: %s", strerror(errno)) : DDPM_OK;
}

/* ---- reading ---- */

int picture_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size,
                        const char *path, ddpm_error *err)
{
    struct image_file file = { .value = NULL };
    p->pixel = NULL;
    *text = NULL;

    if (size < SIGNATURE || memcmp(data, "\x89PNG\r\n\x1a\n", SIGNATURE))
        return dd_error(err, DDPM_EDATA, "%s is not a PNG file", path);
    int code = image_file_text(text, data, size, keyword, path, err);
    if (code)
        return code;
    if (!*text)
        return dd_error(
            err, DDPM_EDATA,
            "%s: is a PNG picture that holds no settings of ddpm: it was not made by ddpm sample, or another "
            "program rewrote it",
            path);

    code = image_file_read_memory(&file, data, size, path, err);
    if (!code && file.bytes != 1)
        code = dd_error(err, DDPM_EDATA, "%s has 16 bits a value, ddpm writes 8: another program rewrote it",
                        path);
    if (!code) {
        *p = (struct picture){ file.width, file.height, file.channels, file.value };
        return DDPM_OK;
    }
    image_file_free(&file);
    free(*text);
    *text = NULL;
    return code;
}

int picture_read(struct picture *p, char **text, const char *path, ddpm_error *err)
{
    struct dd_file f;
    p->pixel = NULL;
    *text = NULL;
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = picture_read_memory(p, text, f.data, f.size, path, err);
    dd_file_unmap(&f);
    return code;
}
