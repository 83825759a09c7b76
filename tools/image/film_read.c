/* Reads films as film.c writes them: frames as large as the film, each a whole picture. */
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include "base/error.h"
#include "image/film.h"

/* A film is read as RGBA. */
enum { CHANNELS = 4 };

bool film_fits(double width, double height, double frames)
{
    return width * height * frames * CHANNELS <= PICTURE_MOST;
}

bool film_is(const unsigned char *data, size_t size)
{
    return size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4);
}

/* Finds the settings.  *text is allocated, or NULL if the file holds none. */
static int find_text(char **text, WebPDemuxer *d, const char *path, ddpm_error *err)
{
    WebPChunkIterator chunk;
    *text = NULL;
    if (!WebPDemuxGetChunk(d, "ddpm", 1, &chunk))
        return dd_error(
            err, DDPM_EDATA,
            "%s: is a WebP picture that holds no settings of ddpm: it was not made by ddpm sample, or "
            "another program rewrote it",
            path);

    *text = calloc(chunk.chunk.size + 1, 1);
    if (*text)
        memcpy(*text, chunk.chunk.bytes, chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
    return *text ? DDPM_OK : dd_error_memory(err, path);
}

/* Checks that every frame is a whole picture, and makes room for all. */
static int make_room(struct picture *p, WebPDemuxer *d, const char *path, ddpm_error *err)
{
    uint32_t width = WebPDemuxGetI(d, WEBP_FF_CANVAS_WIDTH), height = WebPDemuxGetI(d, WEBP_FF_CANVAS_HEIGHT),
             frames = WebPDemuxGetI(d, WEBP_FF_FRAME_COUNT);
    WebPIterator i;
    bool whole = true;
    for (int more = WebPDemuxGetFrame(d, 1, &i); more; more = WebPDemuxNextFrame(&i))
        whole = whole && i.complete && !i.x_offset && !i.y_offset && i.width == (int)width &&
                i.height == (int)height;
    WebPDemuxReleaseIterator(&i);

    if (!whole || !frames)
        return dd_error(err, DDPM_EDATA,
                        "%s: its frames are not whole pictures of %u x %u pixels: another program rewrote it",
                        path, width, height);
    if (!film_fits(width, height, frames))
        return dd_error(err, DDPM_EDATA, "%s has %u frames of %u x %u pixels, more than are read", path,
                        frames, width, height);

    int code = picture_create(p, (int)width, (int)(height * frames), CHANNELS, 1, err);
    p->frames = (int)frames;
    return code;
}

/* Decodes every frame into its place. */
static int decode(struct picture *p, WebPDemuxer *d, const char *path, ddpm_error *err)
{
    int stride = p->width * p->channels;
    size_t size = (size_t)stride * (size_t)(p->height / p->frames);
    unsigned char *to = p->pixel;
    bool done = true;
    WebPIterator i;
    for (int more = WebPDemuxGetFrame(d, 1, &i); more && done; more = WebPDemuxNextFrame(&i)) {
        const WebPData data = i.fragment;
        done = WebPDecodeRGBAInto(data.bytes, data.size, to, size, stride) != NULL;
        to += size;
    }
    WebPDemuxReleaseIterator(&i);
    return done ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: a frame of it is damaged", path);
}

int film_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size, const char *path,
                     ddpm_error *err)
{
    p->pixel = NULL;
    *text = NULL;
    WebPDemuxer *d = WebPDemux(&(WebPData){ data, size });
    if (!d)
        return dd_error(err, DDPM_EDATA, "%s: is a damaged WebP file", path);

    int code = find_text(text, d, path, err);
    if (!code)
        code = make_room(p, d, path, err);
    if (!code)
        code = decode(p, d, path, err);
    WebPDemuxDelete(d);
    if (!code)
        return DDPM_OK;

    picture_free(p);
    free(*text);
    *text = NULL;
    return code;
}

/* Returns whether this number of channels holds every colour and transparency of a film. */
static bool fits(const struct picture *p, int channels)
{
    size_t pixels = (size_t)p->width * (size_t)p->height;
    bool gray = channels < 3, opaque = channels % 2;
    for (size_t i = 0; i < pixels; i++) {
        const unsigned char *v = p->pixel + CHANNELS * i;
        if ((gray && (v[0] != v[1] || v[1] != v[2])) || (opaque && v[3] != 255))
            return false;
    }
    return true;
}

bool film_channels(struct picture *p, int channels)
{
    size_t pixels = (size_t)p->width * (size_t)p->height, n = (size_t)channels;
    if (!fits(p, channels))
        return false;

    /* What is written is never beyond what was read. */
    for (size_t i = 0; i < pixels; i++) {
        unsigned char v[CHANNELS];
        memcpy(v, p->pixel + CHANNELS * i, sizeof v);
        memcpy(p->pixel + n * i, v, n);
        if (channels % 2 == 0)
            p->pixel[n * i + n - 1] = v[3];
    }
    p->channels = channels;
    return true;
}
