/* Reads JPEG with libjpeg-turbo.  A file is a list of segments, each begun by a marker of two
   bytes: sizes and channels, tables, one or more scans of the pixels, and Exif with the orientation
   in segment APP1.

   CMYK becomes RGB as R = (255 - C) (255 - K) / 255; Adobe's programs store it inverted.  A warning
   that pixels are missing or wrong is an error.

   libjpeg reports errors to functions that must not return.  They jump back into image_jpeg. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>
#include "base/error.h"
#include "image/image_codec.h"

/* A progressive picture has about ten scans. */
enum { SCANS_MOST = 100, EXIF = JPEG_APP0 + 1 };

/* One reading of a picture: the state of libjpeg, and where its errors go. */
struct job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;

    jmp_buf back;
    char why[JMSG_LENGTH_MAX]; /* what was wrong */
    bool memory;               /* memory ran out */

    /* The arguments of image_jpeg. */
    struct image_file *p;
    int *orientation;
    const struct image_source *s;
    bool pixels;
    ddpm_error *err;
};

/* Is called by libjpeg for an error.  It keeps the message and jumps back into image_jpeg. */
static void leave(j_common_ptr c)
{
    struct job *j = c->client_data;
    c->err->format_message(c, j->why);
    j->memory = c->err->msg_code == JERR_OUT_OF_MEMORY;
    longjmp(j->back, 1);
}

/* Is called by libjpeg for a message; level -1 is a warning.  Warnings about missing or wrong pixels are
   errors. */
static void hear(j_common_ptr c, int level)
{
    int what = c->err->msg_code;
    if (level < 0 &&
        (what == JWRN_HIT_MARKER || what == JWRN_HUFF_BAD_CODE || what == JWRN_JPEG_EOF ||
         what == JWRN_MUST_RESYNC || what == JWRN_ARITH_BAD_CODE || what == JWRN_BOGUS_PROGRESSION))
        leave(c);
}

static void be_silent(j_common_ptr c)
{
    (void)c;
}

/* Is called by libjpeg now and then, and bounds the number of scans.  Each scan goes over the whole
   picture, however few bytes it has: a large number could keep a reader busy for hours. */
static void count_scans(j_common_ptr c)
{
    struct job *j = c->client_data;
    if (j->jpeg.input_scan_number <= SCANS_MOST)
        return;

    snprintf(j->why, sizeof j->why, "more than %d scans", SCANS_MOST);
    longjmp(j->back, 1);
}

static void read_orientation(struct job *j)
{
    for (jpeg_saved_marker_ptr m = j->jpeg.marker_list; m; m = m->next)
        if (m->marker == EXIF && m->data_length > 6 && !memcmp(m->data, "Exif\0", 6)) {
            *j->orientation = image_codec_orientation(m->data, m->data_length);
            return;
        }
}

/* Converts CMYK to RGB in place.  Pixel i is written at byte 3 i, never beyond byte 4 i, where it was
   read. */
static void from_cmyk(struct image_file *p, bool inverted)
{
    size_t pixels = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < pixels; i++) {
        const unsigned char *from = p->value + 4 * i;
        unsigned char *to = p->value + 3 * i;
        int black = inverted ? from[3] : 255 - from[3];
        for (int c = 0; c < 3; c++)
            to[c] = (unsigned char)(((inverted ? from[c] : 255 - from[c]) * black + 127) / 255);
    }
}

/* Reads the picture.  Every call of libjpeg in this function may end in leave(). */
static int decode(struct job *j)
{
    struct jpeg_decompress_struct *c = &j->jpeg;

    jpeg_create_decompress(c);
    c->progress = &j->progress;
    jpeg_mem_src(c, j->s->data, j->s->size);
    jpeg_save_markers(c, EXIF, 0xFFFF);
    jpeg_read_header(c, TRUE);
    read_orientation(j);

    bool gray = c->jpeg_color_space == JCS_GRAYSCALE;
    bool cmyk = c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK;
    size_t stored = 3;
    c->out_color_space = JCS_RGB;
    if (gray) {
        stored = 1;
        c->out_color_space = JCS_GRAYSCALE;
    } else if (cmyk) {
        stored = 4;
        c->out_color_space = JCS_CMYK;
    }

    *j->p = (struct image_file){ (int)c->image_width, (int)c->image_height, gray ? 1 : 3, 1, NULL };
    int code = image_codec_room(j->p, j->s, (int)stored, j->pixels, j->err);
    if (code || !j->pixels)
        return code;

    jpeg_start_decompress(c);
    while (c->output_scanline < c->output_height) {
        JSAMPROW row = j->p->value + (size_t)c->output_scanline * (size_t)j->p->width * stored;
        jpeg_read_scanlines(c, &row, 1);
    }

    /* Adobe's programs write this marker, and store CMYK inverted. */
    if (cmyk)
        from_cmyk(j->p, c->saw_Adobe_marker);
    return DDPM_OK;
}

int image_jpeg(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
               ddpm_error *err)
{
    struct job j = { .p = p,
                     .orientation = orientation,
                     .s = s,
                     .pixels = pixels,
                     .err = err,
                     .progress.progress_monitor = count_scans };
    int code;
    j.jpeg.err = jpeg_std_error(&j.error);
    j.error.error_exit = leave;
    j.error.emit_message = hear;
    j.error.output_message = be_silent;
    j.jpeg.client_data = &j;

    /* leave() and count_scans() come back here with 1. */
    if (!setjmp(j.back))
        code = decode(&j);
    else if (j.memory)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for its pixels", s->path);
    else
        code = image_codec_refuse(s, j.why, err);

    jpeg_destroy_decompress(&j.jpeg);
    return code;
}
