/* Reads TIFF with libtiff (TIFF 6.0, BigTIFF): the first page of a file, by strips or tiles.

   Gray and RGB of 8 or 16 bits are read as they are, with a channel of transparency where the file says that
   it is one.  Associated alpha, by which colours were multiplied, is divided out.  Everything else that
   libtiff knows, such as palettes, single bits, CMYK and JPEG's YCbCr, becomes gray or RGB of 8 bits by its
   own functions.  Reduced copies of the page are passed over. */
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include "base/error.h"
#include "image/image_codec.h"

enum { SAMPLES_MOST = 8, PART_MOST = 1 << 28 };

/* The file in memory, as libtiff reads it. */
struct stream {
    const struct image_source *source;
    uint64_t at;
    bool ended; /* libtiff asked for bytes behind the end */
};

/* ---- the stream ---- */

static tmsize_t take(thandle_t user, void *to, tmsize_t size)
{
    struct stream *s = user;
    uint64_t rest = s->at < s->source->size ? s->source->size - s->at : 0;
    uint64_t n = (uint64_t)size < rest ? (uint64_t)size : rest;
    s->ended = s->ended || n < (uint64_t)size;
    memcpy(to, s->source->data + (n ? s->at : 0), n);
    s->at += n;
    return (tmsize_t)n;
}

static tmsize_t refuse_write(thandle_t user, void *from, tmsize_t size)
{
    (void)user, (void)from, (void)size;
    return 0;
}

static toff_t move(thandle_t user, toff_t offset, int whence)
{
    struct stream *s = user;
    if (whence == SEEK_CUR)
        offset += s->at;
    else if (whence == SEEK_END)
        offset += s->source->size;
    s->at = offset;
    return offset;
}

static int leave(thandle_t user)
{
    (void)user;
    return 0;
}

static toff_t size_of(thandle_t user)
{
    return ((const struct stream *)user)->source->size;
}

/* Opens the file.  libtiff's own messages are not shown.  Mode "m" makes it read by `take`, which sees where
   the file ends, instead of a mapping. */
static TIFF *open_tiff(struct stream *s)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    return TIFFClientOpen(s->source->path, "rm", s, take, refuse_write, move, leave, size_of, NULL, NULL);
}

/* ---- the head ---- */

/* The layout of a page's values. */
struct page {
    uint16_t bits, samples, format, kind, planar, orientation;
    bool alpha, multiplied; /* there is a channel of transparency; the colours were multiplied by it */
    bool direct;            /* values are taken as they are */
};

static int refuse(const struct stream *s, const char *why, ddpm_error *err)
{
    return image_codec_refuse(s->source, s->ended ? "it is cut off, or its head is damaged" : why, err);
}

/* Reads the layout of the page. */
static void look(struct page *g, TIFF *t)
{
    uint16_t extras = 0, *extra = NULL;
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &g->bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &g->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &g->format);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &g->planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_ORIENTATION, &g->orientation);
    if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &g->kind))
        g->kind = g->samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    TIFFGetFieldDefaulted(t, TIFFTAG_EXTRASAMPLES, &extras, &extra);

    int colours = g->kind == PHOTOMETRIC_RGB ? 3 : 1;
    bool plain =
        g->kind == PHOTOMETRIC_RGB || g->kind == PHOTOMETRIC_MINISBLACK || g->kind == PHOTOMETRIC_MINISWHITE;
    g->direct = plain && (g->bits == 8 || g->bits == 16) && g->samples >= colours;
    g->alpha = g->direct && g->samples > colours && extras > 0 && *extra != EXTRASAMPLE_UNSPECIFIED;
    g->multiplied = g->alpha && *extra == EXTRASAMPLE_ASSOCALPHA;
}

/* Fills the sizes of p, and refuses a page that cannot be read. */
static int read_head(struct image_file *p, struct page *g, TIFF *t, const struct stream *s, ddpm_error *err)
{
    uint32_t width = 0, height = 0;
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
    look(g, t);
    if (width > INT32_MAX || height > INT32_MAX || g->samples > SAMPLES_MOST)
        return refuse(s, "it claims sizes or channels that no picture has", err);
    if (g->format != SAMPLEFORMAT_UINT && g->format != SAMPLEFORMAT_VOID)
        return refuse(s, "its values are no whole numbers from 0: save it with 8 or 16 bits", err);
    if (g->bits > 16)
        return refuse(s, "its values have more than 16 bits: save it with 8 or 16", err);

    bool gray = g->kind == PHOTOMETRIC_MINISBLACK || g->kind == PHOTOMETRIC_MINISWHITE;
    *p = (struct image_file){ (int)width, (int)height, (gray ? 1 : 3) + g->alpha,
                              g->direct && g->bits == 16 ? 2 : 1, NULL };
    return DDPM_OK;
}

/* ---- values as they are ---- */

/* The part of the page, a row or a tile, that libtiff has read. */
struct part {
    unsigned char *data;
    int left, top, width, height; /* places on the page */
    int row;                      /* pixels of a row in data */
    int plane;                    /* the sample that it holds alone; -1: it holds all */
};

/* Copies a part to its place. */
static void copy_part(struct image_file *p, const struct page *g, const struct part *q)
{
    int samples = q->plane < 0 ? g->samples : 1, first = q->plane < 0 ? 0 : q->plane;
    int count = q->plane < 0 ? p->channels : 1;
    size_t bytes = (size_t)p->bytes;

    for (int y = 0; y < q->height && q->top + y < p->height; y++)
        for (int x = 0; x < q->width && q->left + x < p->width; x++) {
            size_t to = (size_t)(q->top + y) * (size_t)p->width + (size_t)(q->left + x);
            size_t from = (size_t)y * (size_t)q->row + (size_t)x;
            memcpy(p->value + (to * (size_t)p->channels + (size_t)first) * bytes,
                   q->data + from * (size_t)samples * bytes, (size_t)count * bytes);
        }
}

static bool read_rows(struct image_file *p, const struct page *g, TIFF *t, struct part *q)
{
    q->width = q->row = p->width;
    q->height = 1;
    for (q->top = 0; q->top < p->height; q->top++) {
        if (TIFFReadScanline(t, q->data, (uint32_t)q->top, (uint16_t)(q->plane < 0 ? 0 : q->plane)) < 0)
            return false;
        copy_part(p, g, q);
    }
    return true;
}

static bool read_tiles(struct image_file *p, const struct page *g, TIFF *t, struct part *q)
{
    uint32_t width = 0, height = 0;
    TIFFGetField(t, TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(t, TIFFTAG_TILELENGTH, &height);
    q->width = q->row = (int)width;
    q->height = (int)height;

    for (q->top = 0; q->top < p->height; q->top += q->height)
        for (q->left = 0; q->left < p->width; q->left += q->width) {
            if (TIFFReadTile(t, q->data, (uint32_t)q->left, (uint32_t)q->top, 0,
                             (uint16_t)(q->plane < 0 ? 0 : q->plane)) < 0)
                return false;
            copy_part(p, g, q);
        }
    return true;
}

/* Turns values where 0 is white, and divides colours by the alpha that they were multiplied by. */
static void correct(struct image_file *p, const struct page *g)
{
    size_t pixels = (size_t)p->width * (size_t)p->height, channels = (size_t)p->channels;
    uint32_t white = p->bytes == 2 ? 65535 : 255;
    size_t colours = channels - g->alpha;
    if (g->kind != PHOTOMETRIC_MINISWHITE && !g->multiplied)
        return;

    for (size_t i = 0; i < pixels; i++) {
        uint32_t alpha = g->alpha ? image_codec_value(p, i * channels + colours) : white;
        for (size_t c = 0; c < colours; c++) {
            uint32_t v = image_codec_value(p, i * channels + c);
            if (g->kind == PHOTOMETRIC_MINISWHITE)
                v = white - v;
            if (g->multiplied && alpha)
                v = (v * white + alpha / 2) / alpha;
            image_codec_set(p, i * channels + c, v < white ? v : white);
        }
    }
}

static int read_direct(struct image_file *p, const struct page *g, TIFF *t, const struct stream *s,
                       ddpm_error *err)
{
    bool tiled = TIFFIsTiled(t), separate = g->planar == PLANARCONFIG_SEPARATE && g->samples > 1;
    uint64_t size = tiled ? TIFFTileSize64(t) : TIFFScanlineSize64(t);
    if (!size || size > PART_MOST)
        return refuse(s, "its tiles are damaged, or larger than any picture's", err);

    /* A row of several planes is read plane by plane, but libtiff may count all of them. */
    struct part q = { .data = calloc(1, (size_t)size), .plane = separate ? 0 : -1 };
    if (!q.data)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its pixels", s->source->path);

    bool done = true;
    for (int plane = 0; plane < (separate ? p->channels : 1) && done; plane++) {
        q.plane = separate ? plane : -1;
        done = (tiled ? read_tiles : read_rows)(p, g, t, &q);
    }
    free(q.data);
    if (!done)
        return refuse(s, "the file is damaged", err);
    correct(p, g);
    return DDPM_OK;
}

/* ---- values by libtiff's conversion ---- */

static int read_converted(struct image_file *p, TIFF *t, const struct stream *s, ddpm_error *err)
{
    char why[1024];
    TIFFRGBAImage image;
    if (!TIFFRGBAImageOK(t, why) || !TIFFRGBAImageBegin(&image, t, 1, why))
        return refuse(s, "it is a kind of TIFF that libtiff does not convert", err);

    /* image_file.c turns the picture. */
    image.req_orientation = image.orientation;

    /* A damaged line of a fax ends early without an error; the rest of it is black. */
    memset(p->value, 0, 4 * (size_t)p->width * (size_t)p->height);
    int done =
        TIFFRGBAImageGet(&image, (uint32_t *)(void *)p->value, (uint32_t)p->width, (uint32_t)p->height);
    TIFFRGBAImageEnd(&image);
    if (!done)
        return refuse(s, "the file is damaged", err);

    /* On a little-endian machine the bytes of a value are R, G, B, A. */
    image_codec_squeeze(p);
    return DDPM_OK;
}

/* Returns whether a page follows that is not a reduced copy of the first. */
static bool has_more_pages(TIFF *t)
{
    uint32_t kind;
    while (TIFFReadDirectory(t)) {
        kind = 0;
        TIFFGetField(t, TIFFTAG_SUBFILETYPE, &kind);
        if (!(kind & FILETYPE_REDUCEDIMAGE))
            return true;
    }
    return false;
}

static int read_page(struct image_file *p, int *orientation, TIFF *t, const struct stream *s, bool pixels,
                     ddpm_error *err)
{
    struct page g = { .orientation = 1 };
    int code = read_head(p, &g, t, s, err);
    if (code)
        return code;

    *orientation = g.orientation >= 1 && g.orientation <= 8 ? g.orientation : 1;
    code = image_codec_room(p, s->source, g.direct ? p->channels : 4, pixels, err);
    if (!code && pixels)
        code = g.direct ? read_direct(p, &g, t, s, err) : read_converted(p, t, s, err);
    if (!code && pixels && has_more_pages(t))
        return image_codec_refuse(s->source, "it has several pages, save one of them", err);

    /* libtiff goes on when the place of the next page is cut off. */
    return !code && pixels && s->ended ? refuse(s, "", err) : code;
}

int image_tiff(struct image_file *p, int *orientation, const struct image_source *source, bool pixels,
               ddpm_error *err)
{
    struct stream s = { .source = source };
    TIFF *t = open_tiff(&s);
    if (!t)
        return refuse(&s, "its head is damaged", err);
    int code = read_page(p, orientation, t, &s, pixels, err);
    TIFFClose(t);
    return code;
}
