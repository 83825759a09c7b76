/* Writes films with libwebp.  The file is a RIFF container: the size of the picture, how often the film is
   shown, and a chunk for each frame with its duration and its pixels as VP8L, which loses nothing.  Every
   frame is a whole picture and replaces the one before it, so that each can be taken out alone.

   GIF has 256 colours, and no library of Debian writes animated PNG. */
#include "image/film.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include "base/error.h"

/* 0 to 9: libwebp's effort for a smaller file. */
enum { EFFORT = 6 };

int film_begin(struct film *m, double rate, int loop, ddpm_error *err)
{
    const WebPMuxAnimParams shown = { .bgcolor = 0, .loop_count = loop };
    *m = (struct film){ .rate = rate, .mux = WebPMuxNew() };
    if (!m->mux || WebPMuxSetAnimationParams(m->mux, &shown) != WEBP_MUX_OK)
        return dd_error_memory(err, "a film");
    return DDPM_OK;
}

/* Returns the pixels of a frame as RGB or RGBA, allocated.  NULL: out of memory. */
static unsigned char *colours(const struct picture *p, size_t channels)
{
    size_t pixels = (size_t)p->width * (size_t)p->height, own = (size_t)p->channels;
    bool gray = own < 3;
    unsigned char *to = malloc(pixels * channels);
    for (size_t i = 0; to && i < pixels; i++)
        for (size_t c = 0; c < channels; c++) {
            /* Gray is R, G and B; alpha is the last channel. */
            size_t from = gray ? c / 3 : c;
            to[i * channels + c] = p->pixel[i * own + from];
        }
    return to;
}

/* Compresses a frame. */
static bool compress(WebPMemoryWriter *to, const struct picture *p)
{
    WebPConfig c;
    WebPPicture w;
    size_t channels = p->channels % 2 ? 3 : 4;
    if (!WebPConfigInit(&c) || !WebPConfigLosslessPreset(&c, EFFORT) || !WebPPictureInit(&w))
        return false;

    /* exact keeps the colours of pixels that cannot be seen. */
    c.exact = 1;
    w.use_argb = 1;
    w.width = p->width;
    w.height = p->height;
    w.writer = WebPMemoryWrite;
    w.custom_ptr = to;
    unsigned char *pixel = colours(p, channels);
    int stride = p->width * (int)channels;
    bool done = pixel && (channels == 3 ? WebPPictureImportRGB(&w, pixel, stride)
                                        : WebPPictureImportRGBA(&w, pixel, stride));
    done = done && WebPEncode(&c, &w);
    free(pixel);
    WebPPictureFree(&w);
    return done;
}

int film_add(struct film *m, const struct picture *frame, ddpm_error *err)
{
    /* Durations are whole milliseconds whose sums are those of the rate. */
    double begun = rint(1000 * m->frames / m->rate), ended = rint(1000 * (m->frames + 1) / m->rate);
    WebPMemoryWriter bytes;
    WebPMemoryWriterInit(&bytes);
    bool done = compress(&bytes, frame);
    const WebPMuxFrameInfo info = {
        .bitstream = { bytes.mem, bytes.size },
        .duration = (int)(ended - begun),
        .id = WEBP_CHUNK_ANMF,
        .dispose_method = WEBP_MUX_DISPOSE_NONE,
        .blend_method = WEBP_MUX_NO_BLEND,
    };

    if (!m->frames && done) {
        m->width = frame->width;
        m->height = frame->height;
        done = WebPMuxSetCanvasSize(m->mux, m->width, m->height) == WEBP_MUX_OK;
    }
    done = done && WebPMuxPushFrame(m->mux, &info, 1) == WEBP_MUX_OK;
    WebPMemoryWriterClear(&bytes);
    m->frames += done;
    return done ? DDPM_OK : dd_error_memory(err, "a frame of a film");
}

int film_write(const struct film *m, FILE *f, const char *text, ddpm_error *err)
{
    const WebPData chunk = { (const uint8_t *)text, strlen(text) };
    WebPData file = { NULL, 0 };
    if (WebPMuxSetChunk(m->mux, "ddpm", &chunk, 1) != WEBP_MUX_OK ||
        WebPMuxAssemble(m->mux, &file) != WEBP_MUX_OK)
        return dd_error_memory(err, "the file of a film");

    bool written = fwrite(file.bytes, 1, file.size, f) == file.size;
    int number = errno;
    WebPDataClear(&file);
    return written ? DDPM_OK : dd_error(err, DDPM_EIO, "cannot write the film: %s", strerror(number));
}

void film_end(struct film *m)
{
    WebPMuxDelete(m->mux);
    *m = (struct film){ .frames = 0 };
}
