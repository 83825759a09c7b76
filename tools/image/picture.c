/* PNG written by stb, with one chunk of our own put in behind the header, and read by libspng; numpy's .npy,
   version 1.0.

   A pixel is clamp(rint(127.5 (x + 1)), 0, 255), half to even, for every model.  The chunk (PNG, third
   edition, 11.3.4.3): length, "tEXt", keyword "ddpm", zero, text, CRC-32 of all but the length; numbers are
   big-endian. */
#include "image/picture.h"
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

enum {
    SIGNATURE = 8,
    HEADER_END = SIGNATURE + 12 + 13
}; /* IHDR is 13 bytes; 12 are length, type and CRC of any chunk */

static const char keyword[] = "ddpm";

int picture_create(struct picture *p, int width, int height, int channels, ddpm_error *err)
{
    if (channels < 1 || channels > 4)
        return dd_error(err, DDPM_EUSAGE, "PNG has 1 to 4 channels and the model %d: use --format npy",
                        channels);
    if ((double)width * height * channels > 0x1p28)
        return dd_error(err, DDPM_EUSAGE, "a picture of %d x %d pixels is too large: use --outdir", width,
                        height);
    *p =
        (struct picture){ width, height, channels, calloc((size_t)width * (size_t)height, (size_t)channels) };
    return p->pixel ? DDPM_OK
                    : dd_error(err, DDPM_ENOMEM, "out of memory for a picture of %d x %d", width, height);
}

void picture_free(struct picture *p)
{
    free(p->pixel);
    p->pixel = NULL;
}

static unsigned char level(double x)
{
    double v = rint(127.5 * (x + 1));
    return v >= 255 ? 255 : v > 0 ? (unsigned char)v : 0;
}

static unsigned char *tile_row(struct picture *p, int i, int columns, int y, int height, int width)
{
    size_t row = (size_t)(i / columns) * (size_t)height + (size_t)y,
           column = (size_t)(i % columns) * (size_t)width;
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
            memset(row + k * p->channels, (k + y) % 8 == 0 || (k - y) % 8 == 0 ? 255 : 0,
                   (size_t)p->channels);
    }
}

static void put_u32(unsigned char *out, size_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* stb hands over the whole file in one piece. */
struct splice {
    FILE *file;
    const char *text;
    int wrong;
    const struct picture *picture;
    int made;
};

static void write_spliced(void *user, void *data, int size)
{
    struct splice *s = user;
    unsigned char head[8 + sizeof keyword] = { 0 }, tail[4];
    size_t length = strlen(s->text);
    put_u32(head, sizeof keyword + length);
    memcpy(head + 4, "tEXt", 4);
    memcpy(head + 8, keyword, sizeof keyword);
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

int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err)
{
    char text[256], shape[128] = "";
    size_t n = 0;
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%zu%s", dim[i],
                              i + 1 < rank || rank == 1 ? ", " : "");
    n = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type,
                         shape);
    size_t padding = 63 - (10 + n) % 64, length = n + padding + 1;
    const unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)
    };
    if (fwrite(start, 1, sizeof start, f) != sizeof start ||
        fprintf(f, "%s%*s\n", text, (int)padding, "") < 0)
        return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    return DDPM_OK;
}

int array_values(FILE *f, const double *x, size_t n, ddpm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        float v = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        const unsigned char bytes[4] = { (unsigned char)bits, (unsigned char)(bits >> 8),
                                         (unsigned char)(bits >> 16), (unsigned char)(bits >> 24) };
        if (fwrite(bytes, 1, 4, f) != 4)
            return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    }
    return DDPM_OK;
}
