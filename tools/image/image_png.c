/* Reads PNG with libspng (PNG, third edition).  A file is a signature of 8 bytes and chunks, each a
   length, a type, data and a CRC-32: IHDR with sizes, depth and type of colour, PLTE with a
   palette, tRNS with transparent colours, IDAT with the pixels, deflated, eXIf with the
   orientation, tEXt with a keyword and a text.

   Palettes, gray below 8 bits and transparent colours become samples of 8 or 16 bits.  Gamma and
   colour profiles are not applied. */
#include <spng.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "image/image_codec.h"

/* The most bytes that one chunk may have, and all chunks together that libspng keeps. */
enum { CHUNK_MOST = 1 << 26 };

static int refuse(int status, const struct image_source *s, ddpm_error *err)
{
    if (status == SPNG_EMEM || status == SPNG_EZLIB_INIT)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its pixels", s->path);
    if (status == SPNG_IO_EOF)
        return image_codec_refuse(s, "it is cut off", err);
    if (status == SPNG_EOVERFLOW)
        return image_codec_refuse(s, "it claims more of them than any file holds", err);
    if (status == SPNG_ECHUNK_CRC)
        return image_codec_refuse(s, "a checksum is wrong, the file is damaged", err);
    return image_codec_refuse(s, spng_strerror(status), err);
}

/* Returns a reader of the file; NULL when out of memory.  damaged: the action for a chunk that no pixel
   needs and whose checksum is wrong. */
static spng_ctx *open_png(const struct image_source *s, int damaged)
{
    spng_ctx *c = spng_ctx_new(0);
    if (c && (spng_set_crc_action(c, SPNG_CRC_ERROR, damaged) ||
              spng_set_chunk_limits(c, CHUNK_MOST, CHUNK_MOST) || spng_set_png_buffer(c, s->data, s->size))) {
        spng_ctx_free(c);
        return NULL;
    }
    return c;
}

/* Returns the orientation in the chunks that were read so far.  Exif may stand before or after the pixels. */
static int orientation_of(spng_ctx *c)
{
    struct spng_exif exif;
    if (spng_get_exif(c, &exif))
        return 1;
    return image_codec_orientation((const unsigned char *)exif.data, exif.length);
}

/* Reads the sizes of the picture, and with pixels all of the file. */
static int read_png(struct image_file *p, int *orientation, spng_ctx *c, const struct image_source *s,
                    bool pixels, ddpm_error *err)
{
    struct spng_ihdr head;
    struct spng_trns clear;

    int status = spng_get_ihdr(c, &head);
    if (status)
        return refuse(status, s, err);
    status = spng_get_trns(c, &clear);
    if (status && status != SPNG_ECHUNKAVAIL)
        return refuse(status, s, err);

    /* The tRNS chunk gives transparent colours to pictures without alpha. */
    int type = head.color_type;
    bool gray = type == SPNG_COLOR_TYPE_GRAYSCALE || type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    bool alpha =
        type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA || type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA || !status;
    *p = (struct image_file){ (int)head.width, (int)head.height, (gray ? 1 : 3) + alpha,
                              head.bit_depth == 16 ? 2 : 1, NULL };
    *orientation = orientation_of(c);

    int code = image_codec_room(p, s, 4, pixels, err);
    if (code || !pixels)
        return code;

    size_t size = 4 * (size_t)p->width * (size_t)p->height * (size_t)p->bytes;
    status = spng_decode_image(c, p->value, size, p->bytes == 2 ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8,
                               SPNG_DECODE_TRNS);
    /* Chunks behind the pixels are read to the end of the file, so a file that is cut off is found. */
    if (!status)
        status = spng_decode_chunks(c);
    if (status)
        return refuse(status, s, err);

    /* Now the chunks behind the pixels are known too. */
    *orientation = orientation_of(c);
    image_codec_squeeze(p);
    return DDPM_OK;
}

int image_png(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
              ddpm_error *err)
{
    spng_ctx *c = open_png(s, SPNG_CRC_DISCARD);
    int code = c ? read_png(p, orientation, c, s, pixels, err)
                 : dd_error(err, DDPM_ENOMEM, "%s: out of memory for its pixels", s->path);
    spng_ctx_free(c);
    return code;
}

/* Finds the text of the tEXt chunk with this keyword; *text stays NULL when there is none. */
static int find_text(char **text, spng_ctx *c, const char *keyword, const struct image_source *s,
                     ddpm_error *err)
{
    uint32_t n = 0;
    int status = spng_get_text(c, NULL, &n);
    if (status)
        return status == SPNG_ECHUNKAVAIL ? DDPM_OK : refuse(status, s, err);

    struct spng_text *all = calloc(n, sizeof *all);
    if (!all)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its text", s->path);
    status = spng_get_text(c, all, &n);
    uint32_t i = 0;
    while (!status && i < n && (all[i].type != SPNG_TEXT || strcmp(all[i].keyword, keyword)))
        i++;

    bool found = !status && i < n;
    *text = found ? strdup(all[i].text) : NULL;
    free(all);
    if (status)
        return refuse(status, s, err);
    if (found && !*text)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its text", s->path);
    return DDPM_OK;
}

int image_file_text(char **text, const unsigned char *data, size_t size, const char *keyword,
                    const char *path, ddpm_error *err)
{
    const struct image_source s = { data, size, path };
    spng_ctx *c = open_png(&s, SPNG_CRC_ERROR);
    *text = NULL;
    int code = c ? find_text(text, c, keyword, &s, err)
                 : dd_error(err, DDPM_ENOMEM, "%s: out of memory for its text", path);
    spng_ctx_free(c);
    return code;
}
