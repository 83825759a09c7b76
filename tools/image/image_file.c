/* Chooses the reader of a picture by its first bytes, and turns the picture upright (image_file.h).

   Exif 2.3 lies in a picture as a TIFF file: "MM" or "II" for the order of bytes, then a list of
   entries of 12 bytes, each a tag, a type, a count and a value.  Tag 0x0112 is the orientation: 1
   as it is, 2 mirrored, 3 turned by 180 degrees, 4 upside down, 5 transposed, 6 to be turned right,
   7 transposed about the other diagonal, 8 to be turned left. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "image/image_codec.h"
#include "image/image_file.h"

/* One deflated byte expands to at most 1032, and a byte can be eight pixels.  A picture of one colour
   takes almost no bytes as WebP, so up to 2^24 pixels are believed of any file. */
#define PIXELS_A_BYTE (8 * 1032.0)
#define PIXELS_BELIEVED 0x1p24
#define PIXELS_MOST 0x1p28

#if HAVE_TIFF
#define IMAGE_TIFF image_tiff
#else
#define IMAGE_TIFF NULL
#endif

int image_codec_refuse(const struct image_source *s, const char *why, ddpm_error *err)
{
    return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: %s", s->path, why);
}

int image_codec_room(struct image_file *p, const struct image_source *s, int channels, bool pixels,
                     ddpm_error *err)
{
    /* A product of doubles cannot overflow here, as one of integers could. */
    double count = (double)p->width * p->height;

    if (p->width < 1 || p->height < 1)
        return dd_error(err, DDPM_EDATA, "%s has %d x %d pixels", s->path, p->width, p->height);
    if (count > PIXELS_BELIEVED && count > PIXELS_A_BYTE * (double)s->size)
        return dd_error(err, DDPM_EDATA, "%s claims %d x %d pixels in %zu bytes", s->path, p->width,
                        p->height, s->size);
    if (count > PIXELS_MOST)
        return dd_error(err, DDPM_EDATA, "%s has %d x %d pixels, more than 2^28: scale it down first",
                        s->path, p->width, p->height);
    if (!pixels)
        return DDPM_OK;

    p->value = malloc((size_t)p->width * (size_t)p->height * (size_t)channels * (size_t)p->bytes);
    if (!p->value)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %d x %d pixels", s->path, p->width,
                        p->height);
    return DDPM_OK;
}

void image_codec_squeeze(struct image_file *p)
{
    size_t pixels = (size_t)p->width * (size_t)p->height;
    size_t channels = (size_t)p->channels, bytes = (size_t)p->bytes;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++) {
            /* Gray is R, and G and B are the same. */
            size_t from = channels == 2 && c == 1 ? 3 : c;
            memmove(p->value + (i * channels + c) * bytes, p->value + (4 * i + from) * bytes, bytes);
        }
}

uint32_t image_codec_value(const struct image_file *p, size_t i)
{
    uint16_t wide;
    if (p->bytes == 1)
        return p->value[i];
    memcpy(&wide, p->value + 2 * i, sizeof wide);
    return wide;
}

void image_codec_set(struct image_file *p, size_t i, uint32_t v)
{
    uint16_t wide = (uint16_t)v;
    if (p->bytes == 1)
        p->value[i] = (unsigned char)v;
    else
        memcpy(p->value + 2 * i, &wide, sizeof wide);
}

/* ---- the orientation ---- */

/* Returns the unsigned integer in d [bytes]. */
static uint32_t number(const unsigned char *d, int bytes, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)d[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

int image_codec_orientation(const unsigned char *d, size_t size)
{
    enum { ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };

    /* A JPEG has a prefix before the data, "Exif" and two zero bytes. */
    size_t prefix = size > 6 && !memcmp(d, "Exif\0", 6) ? 6 : 0;
    d += prefix;
    size -= prefix;
    if (size < 8 || (memcmp(d, "MM\0*", 4) && memcmp(d, "II*", 4)))
        return 1;

    bool big = *d == 'M';
    size_t at = number(d + 4, 4, big);
    if (at > size - 2)
        return 1;

    size_t entries = number(d + at, 2, big);
    for (at += 2; entries > 0 && at + ENTRY <= size; entries--, at += ENTRY)
        if (number(d + at, 2, big) == ORIENTATION && number(d + at + 2, 2, big) == SHORT) {
            uint32_t v = number(d + at + 8, 2, big);
            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    return 1;
}

/* Exchanges width and height where the orientation exchanges rows and columns. */
static void turn_sizes(struct image_file *p, int orientation)
{
    int width = p->width;
    if (orientation < 5)
        return;
    p->width = p->height;
    p->height = width;
}

/* Turns the picture upright.  Orientations from 5 on exchange rows and columns.  Some orientations read
   rows or columns backwards, or both. */
static int turn(struct image_file *p, int orientation, const char *path, ddpm_error *err)
{
    bool swap = orientation >= 5;
    bool rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    size_t pixel = (size_t)p->channels * (size_t)p->bytes;
    size_t width = (size_t)p->width, height = (size_t)p->height;
    if (orientation == 1)
        return DDPM_OK;

    unsigned char *to = malloc(width * height * pixel), *old = p->value;
    if (!to)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory to turn it", path);

    turn_sizes(p, orientation);
    p->value = to;
    for (size_t y = 0; y < (size_t)p->height; y++)
        for (size_t x = 0; x < (size_t)p->width; x++, to += pixel) {
            /* Pixel (x, y) of the upright picture is (column, row) of the old one. */
            size_t row = swap ? x : y, column = swap ? y : x;
            row = rows ? height - 1 - row : row;
            column = columns ? width - 1 - column : column;
            memcpy(to, old + (row * width + column) * pixel, pixel);
        }
    free(old);
    return DDPM_OK;
}

/* ---- the format ---- */

/* Returns the name of the format that the first bytes tell, or NULL.  *codec: its reader, or NULL. */
static const char *kind_of(image_codec **codec, const struct image_source *s)
{
    static const struct {
        const char *bytes;
        size_t count, at;
        const char *name;
        image_codec *codec;
    } kind[] = {
        { "\x89PNG\r\n\x1a\n", 8, 0, "PNG", image_png },
        { "\xFF\xD8\xFF", 3, 0, "JPEG", image_jpeg },
        { "WEBP", 4, 8, "WebP", image_webp },
        { "BM", 2, 0, "BMP", NULL },
        { "GIF8", 4, 0, "GIF", NULL },
        { "II*\0", 4, 0, "TIFF", IMAGE_TIFF },
        { "MM\0*", 4, 0, "TIFF", IMAGE_TIFF },
        { "II+\0", 4, 0, "TIFF", IMAGE_TIFF },
        { "MM\0+", 4, 0, "TIFF", IMAGE_TIFF },
        { "P1", 2, 0, "PBM", NULL },
        { "P4", 2, 0, "PBM", NULL },
        { "P2", 2, 0, "PGM", NULL },
        { "P5", 2, 0, "PGM", NULL },
        { "P3", 2, 0, "PPM", NULL },
        { "P6", 2, 0, "PPM", NULL },
        { "ftypavif", 8, 4, "AVIF", NULL },
        { "ftyphei", 7, 4, "HEIF", NULL },
        { "ftypmif1", 8, 4, "HEIF", NULL },
    };

    *codec = NULL;
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        if (s->size >= kind[i].at + kind[i].count &&
            !memcmp(s->data + kind[i].at, kind[i].bytes, kind[i].count)) {
            *codec = kind[i].codec;
            return kind[i].name;
        }
    return NULL;
}

/* Reads the picture, or its head alone, and turns it upright. */
static int read_source(struct image_file *p, const struct image_source *s, bool pixels, ddpm_error *err)
{
    image_codec *codec;
    int orientation = 1;
    const char *name = kind_of(&codec, s);

    if (!codec && name)
        return dd_error(err, DDPM_EDATA,
                        "%s is a %s file, which is not read: convert it to PNG, JPEG or WebP", s->path, name);
    if (!codec)
        return dd_error(err, DDPM_EDATA, "%s is no image that can be read: " IMAGE_FILE_KINDS " are read",
                        s->path);

    int code = codec(p, &orientation, s, pixels, err);
    if (!code && pixels)
        return turn(p, orientation, s->path, err);
    turn_sizes(p, orientation);
    return code;
}

int image_file_read_memory(struct image_file *p, const unsigned char *data, size_t size, const char *path,
                           ddpm_error *err)
{
    *p = (struct image_file){ .value = NULL };
    int code = read_source(p, &(struct image_source){ data, size, path }, true, err);
    if (code)
        image_file_free(p);
    return code;
}

int image_file_read(struct image_file *p, const char *path, ddpm_error *err)
{
    struct dd_file f;
    *p = (struct image_file){ .value = NULL };
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = image_file_read_memory(p, f.data, f.size, path, err);
    dd_file_unmap(&f);
    return code;
}

int image_file_head(struct image_file *p, const char *path, ddpm_error *err)
{
    struct dd_file f;
    *p = (struct image_file){ .value = NULL };
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = read_source(p, &(struct image_source){ f.data, f.size, path }, false, err);
    dd_file_unmap(&f);
    return code;
}

void image_file_free(struct image_file *p)
{
    free(p->value);
    p->value = NULL;
}
