/* PNG through stb, with one chunk of our own put in behind the header; numpy's .npy, version 1.0.

   A pixel is clamp(rint(127.5 (x + 1)), 0, 255), half to even, for every model.  The chunk (PNG, third edition, 11.3.4.3): length, "tEXt",
   keyword "ddpm", zero, text, CRC-32 of all but the length; numbers are big-endian. */
#include "picture.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/error.h"
#include "base/file.h"
#include "config.h"
#include "unchecked.h"
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_PNM
#define STBI_NO_STDIO
/* Zeroed: a JPEG may name Huffman tables that it does not hold, and stb then goes by what lies where they would be. */
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(p, size) realloc(p, size)
#define STBI_FREE(p) free(p)
#include STB_IMAGE_H
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBIW_MALLOC(size) unchecked_realloc(NULL, size)
#define STBIW_REALLOC(p, size) unchecked_realloc(p, size)
#define STBIW_FREE(p) unchecked_free(p)
#define STBI_WRITE_NO_STDIO
#include STB_IMAGE_WRITE_H
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { SIGNATURE = 8, HEADER_END = SIGNATURE + 12 + 13 };    /* IHDR is 13 bytes; 12 are length, type and CRC of any chunk */
static const char keyword[] = "ddpm";

int picture_create(struct picture *p, int width, int height, int channels, ddpm_error *err)
{
    if (channels < 1 || channels > 4)
        return dd_error(err, DDPM_EUSAGE, "PNG has 1 to 4 channels and the model %d: use --format npy", channels);
    if ((double)width * height * channels > 0x1p28)
        return dd_error(err, DDPM_EUSAGE, "a picture of %d x %d pixels is too large: use --outdir", width, height);
    *p = (struct picture){ width, height, channels, calloc((size_t)width * (size_t)height, (size_t)channels) };
    return p->pixel ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for a picture of %d x %d", width, height);
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
    size_t row = (size_t)(i / columns) * (size_t)height + (size_t)y, column = (size_t)(i % columns) * (size_t)width;
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
            memset(row + k * p->channels, (k + y) % 8 == 0 || (k - y) % 8 == 0 ? 255 : 0, (size_t)p->channels);
    }
}

static void put_u32(unsigned char *out, size_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(v >> (24 - 8 * i));
}

static size_t get_u32(const unsigned char *in)
{
    return (size_t)in[0] << 24 | (size_t)in[1] << 16 | (size_t)in[2] << 8 | in[3];
}

/* stb hands over the whole file in one piece. */
struct splice { FILE *file; const char *text; int wrong; const struct picture *picture; int made; };
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
    s->wrong = fwrite(data, 1, HEADER_END, s->file) != HEADER_END || fwrite(head, 1, sizeof head, s->file) != sizeof head ||
               fwrite(s->text, 1, length, s->file) != length || fwrite(tail, 1, 4, s->file) != 4 ||
               fwrite((char *)data + HEADER_END, 1, (size_t)size - HEADER_END, s->file) != (size_t)size - HEADER_END;
}

static void write_all(void *user)
{
    struct splice *s = user;
    const struct picture *p = s->picture;
    s->made = stbi_write_png_to_func(write_spliced, s, p->width, p->height, p->channels, p->pixel, p->width * p->channels);
}

int picture_write(FILE *f, const struct picture *p, const char *text, ddpm_error *err)
{
    struct splice s = { .file = f, .text = text, .picture = p };
    if (unchecked_run(write_all, &s) || !s.made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the file of a picture of %d x %d", p->width, p->height);
    return s.wrong ? dd_error(err, DDPM_EIO, "cannot write the picture: %s", strerror(errno)) : DDPM_OK;
}

static int check_head(const unsigned char *data, size_t size, const char *path, ddpm_error *err)
{
    static const unsigned char signature[SIGNATURE] = { 137, 'P', 'N', 'G', 13, 10, 26, 10 };
    if (size < HEADER_END || memcmp(data, signature, SIGNATURE) || memcmp(data + SIGNATURE + 4, "IHDR", 4))
        return dd_error(err, DDPM_EDATA, "%s is not a PNG file", path);
    /* Deflate makes at most 1032 bytes of one. */
    if ((double)get_u32(data + 16) * (double)get_u32(data + 20) > 1032.0 * (double)size)
        return dd_error(err, DDPM_EDATA, "%s claims %zu x %zu pixels in %zu bytes", path, get_u32(data + 16), get_u32(data + 20), size);
    return size > 0x7FFFFFFF ? dd_error(err, DDPM_EDATA, "%s is too large", path) : DDPM_OK;
}

/* Walks over the chunks up to the pixels'. */
static int find_text(char **text, const unsigned char *data, size_t size, const char *path, ddpm_error *err)
{
    for (size_t at = SIGNATURE; at + 12 <= size;) {
        size_t length = get_u32(data + at);
        const unsigned char *type = data + at + 4, *body = type + 4;
        if (length > size - at - 12)
            return dd_error(err, DDPM_EDATA, "%s is cut off: a chunk of %zu bytes at byte %zu of %zu", path, length, at, size);
        if (!memcmp(type, "tEXt", 4) && length > sizeof keyword && !memcmp(body, keyword, sizeof keyword)) {
            if (get_u32(body + length) != (crc32(0, type, (uInt)(4 + length)) & 0xFFFFFFFF))
                return dd_error(err, DDPM_EDATA, "%s: the checksum of its text is wrong: the file is damaged", path);
            *text = strndup((const char *)body + sizeof keyword, length - sizeof keyword);
            return *text ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the text of %s", path);
        }
        if (!memcmp(type, "IDAT", 4))
            break;
        at += 12 + length;
    }
    return dd_error(err, DDPM_EDATA, "%s holds no settings of ddpm: it was not made by ddpm sample, or another program rewrote it", path);
}

/* A PNG that ends before its pixels has a chunk of four zeros as stb sees it, whose name is its reason. */
static int undecoded(const char *path, ddpm_error *err)
{
    const char *why = stbi_failure_reason();
    return dd_error(err, !strcmp(why, "outofmem") ? DDPM_ENOMEM : DDPM_EDATA, "%s: its pixels cannot be read: %s", path, *why ? why : "it is cut off");
}

/* A PNG whose first IDAT holds nothing, which stb would copy to a null pointer. */
static bool begins_with_nothing(const unsigned char *d, size_t size)
{
    bool is_png = size >= 8 && !memcmp(d, "\x89PNG\r\n\x1a\n", 8);
    for (size_t at = 8; is_png && at + 8 <= size; at += 12 + get_u32(d + at))
        if (!memcmp(d + at + 4, "IDAT", 4))
            return get_u32(d + at) == 0;
    return false;
}

static int decode(struct picture *p, const unsigned char *data, size_t size, const char *path, ddpm_error *err)
{
    if (begins_with_nothing(data, size))
        return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: its first IDAT is empty", path);
    p->pixel = stbi_load_from_memory(data, (int)size, &p->width, &p->height, &p->channels, 0);
    return p->pixel ? DDPM_OK : undecoded(path, err);
}

int picture_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size, const char *path, ddpm_error *err)
{
    p->pixel = NULL;
    *text = NULL;
    int code = check_head(data, size, path, err);
    if (code || (code = find_text(text, data, size, path, err)) || !(code = decode(p, data, size, path, err)))
        return code;
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

/* The codes of every table in a JPEG's segment DHT (ITU-T T.81, B.2.4.2), from d to end: at most 256 each, or stb writes past its own.  A
   table that begins before end is read though it goes on behind it, as far as the file does. */
static bool tables_fit(const unsigned char *d, const unsigned char *end, const unsigned char *file_end)
{
    while (d < end) {
        int codes = 0;
        for (int i = 1; i <= 16 && i < file_end - d; i++)
            codes += d[i];
        if (codes > 256)
            return false;
        d += 17 + codes < end - d ? 17 + codes : end - d;
    }
    return true;
}

/* Goes from marker to marker as stb does, over what lies between them. */
static bool jpeg_tables_fit(const unsigned char *d, size_t size)
{
    enum { FILL = 0xFF, TEM = 0x01, RST0 = 0xD0, EOI = 0xD9, DHT = 0xC4 };
    for (size_t at = 0; at + 4 <= size;) {
        unsigned char marker = d[at + 1];
        if (d[at] != FILL || marker == FILL) {
            at++;
            continue;
        }
        at += 2;
        if (marker <= TEM || (marker >= RST0 && marker <= EOI))
            continue;
        size_t length = (size_t)d[at] << 8 | d[at + 1], left = size - at;
        if (marker == DHT && !tables_fit(d + at + 2, d + (length < left ? at + length : size), d + size))
            return false;
        at += length < left ? length : left;
    }
    return true;
}

/* The three numbers of a PGM's or PPM's head have few enough digits for stb's int. */
static bool pnm_numbers_fit(const unsigned char *d, size_t size)
{
    size_t at = 2;
    for (int k = 0; k < 3; k++) {
        int digits = 0;
        for (bool comment = false; at < size && (comment || d[at] < '0' || d[at] > '9'); at++)
            comment = d[at] == '#' || (comment && d[at] != '\n' && d[at] != '\r');
        for (; at < size && d[at] >= '0' && d[at] <= '9'; at++)
            digits++;
        if (digits > 9)
            return false;
    }
    return true;
}

static size_t get_u32_low_first(const unsigned char *in)
{
    return (size_t)in[3] << 24 | (size_t)in[2] << 16 | (size_t)in[1] << 8 | in[0];
}

/* Every pixel of a BMP with a palette names a colour that is there; stb looks for the others where it has put nothing. */
static bool bmp_colours_fit(const unsigned char *d, size_t size)
{
    enum { FILE_HEAD = 14, OLD_HEAD = 12 };
    size_t head = get_u32_low_first(d + FILE_HEAD), first = get_u32_low_first(d + 10), bits = d[head == OLD_HEAD ? 24 : 28];
    if (bits != 1 && bits != 4 && bits != 8)
        return true;
    size_t colours = first < FILE_HEAD + head ? 0 : (first - FILE_HEAD - head) / (head == OLD_HEAD ? 3 : 4);
    for (size_t at = first; colours >> bits == 0 && at < size; at++)
        for (size_t shift = 0; shift < 8; shift += bits)
            if ((size_t)(d[at] >> shift & ((1 << bits) - 1)) >= colours)
                return false;
    return colours > 0;
}

/* The head alone tells the size: a file of few bytes must not ask for much.  Eight pixels a bit-packed byte, which deflate makes 1032 of. */
static int load(struct picture *p, const struct dd_file *f, const char *path, ddpm_error *err)
{
    int size = f->size > 0x7FFFFFFF ? 0 : (int)f->size;
    if (size > 2 && f->data[0] == 0xFF && !jpeg_tables_fit(f->data, (size_t)size))               /* a JPEG: any number of FF, then D8 */
        return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: a Huffman table of more than 256 codes", path);
    if (size > 25 && !memcmp(f->data, "BM", 2) && !memcmp(f->data + 22, "\0\0\0\x80", 4))        /* a height that has no absolute value */
        return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: a BMP of height -2147483648", path);
    if (size > 28 && !memcmp(f->data, "BM", 2) && !bmp_colours_fit(f->data, (size_t)size))
        return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: some are of a colour that its palette does not have", path);
    if (size > 2 && *f->data == 'P' && !pnm_numbers_fit(f->data, (size_t)size))
        return dd_error(err, DDPM_EDATA, "%s: its pixels cannot be read: a number of more than 9 digits", path);
    if (!size || !stbi_info_from_memory(f->data, size, &p->width, &p->height, &p->channels))
        return dd_error(err, DDPM_EDATA, "%s is no image that can be read: expected PNG, JPEG, BMP, PGM or PPM", path);
    if (p->width < 1 || p->height < 1)                               /* PGM, PPM: stb lets them pass */
        return dd_error(err, DDPM_EDATA, "%s has %d x %d pixels", path, p->width, p->height);
    if ((double)p->width * p->height > 8 * 1032.0 * size)
        return dd_error(err, DDPM_EDATA, "%s claims %d x %d pixels in %d bytes", path, p->width, p->height, size);
    if (*f->data == 'P' && (double)p->width * p->height * p->channels > size)        /* PGM, PPM: stb would not notice */
        return dd_error(err, DDPM_EDATA, "%s is cut off: %d x %d pixels of %d channels in %d bytes", path, p->width, p->height, p->channels, size);
    return decode(p, f->data, (size_t)size, path, err);
}

int picture_pixels(struct picture *p, const char *path, ddpm_error *err)
{
    struct dd_file f;
    p->pixel = NULL;
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = load(p, &f, path, err);
    dd_file_unmap(&f);
    return code;
}

int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err)
{
    char text[256], shape[128] = "";
    size_t n = 0;
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%zu%s", dim[i], i + 1 < rank || rank == 1 ? ", " : "");
    n = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    size_t padding = 63 - (10 + n) % 64, length = n + padding + 1;
    const unsigned char start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8) };
    if (fwrite(start, 1, sizeof start, f) != sizeof start || fprintf(f, "%s%*s\n", text, (int)padding, "") < 0)
        return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    return DDPM_OK;
}

int array_values(FILE *f, const double *x, size_t n, ddpm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        float v = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        const unsigned char bytes[4] = { (unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16), (unsigned char)(bits >> 24) };
        if (fwrite(bytes, 1, 4, f) != 4)
            return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    }
    return DDPM_OK;
}
