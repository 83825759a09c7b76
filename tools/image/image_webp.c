/* Reads WebP with libwebp.  A file is a RIFF container ("RIFF", length, "WEBP") of chunks: the
   pixels as VP8, lossy, or VP8L, lossless, and EXIF with the orientation.  The pixels are always
   RGB, with alpha or without. */
#include <webp/decode.h>
#include <webp/demux.h>
#include "base/error.h"
#include "image/image_codec.h"

static int refuse(VP8StatusCode status, const struct image_source *s, ddpm_error *err)
{
    switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for its pixels", s->path);
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return image_codec_refuse(s, "it is cut off", err);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return image_codec_refuse(s, "it is a kind of WebP that libwebp does not read", err);
    default: return image_codec_refuse(s, "the file is damaged", err);
    }
}

static int orientation_of(const struct image_source *s)
{
    WebPDemuxer *d = WebPDemux(&(WebPData){ s->data, s->size });
    WebPChunkIterator exif;
    int orientation = 1;
    if (d && WebPDemuxGetChunk(d, "EXIF", 1, &exif)) {
        orientation = image_codec_orientation(exif.chunk.bytes, exif.chunk.size);
        WebPDemuxReleaseChunkIterator(&exif);
    }
    WebPDemuxDelete(d);
    return orientation;
}

int image_webp(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
               ddpm_error *err)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c))
        return image_codec_refuse(s, "libwebp is of another version than its header", err);

    VP8StatusCode status = WebPGetFeatures(s->data, s->size, &c.input);
    if (status != VP8_STATUS_OK)
        return refuse(status, s, err);
    if (c.input.has_animation)
        return image_codec_refuse(s, "it is an animation, save one picture of it", err);

    *p = (struct image_file){ c.input.width, c.input.height, 3 + (c.input.has_alpha != 0), 1, NULL };
    *orientation = orientation_of(s);
    int code = image_codec_room(p, s, p->channels, pixels, err);
    if (code || !pixels)
        return code;

    /* libwebp writes into the memory of p. */
    size_t row = (size_t)p->width * (size_t)p->channels;
    c.output.colorspace = p->channels == 4 ? MODE_RGBA : MODE_RGB;
    c.output.is_external_memory = 1;
    c.output.u.RGBA = (WebPRGBABuffer){ p->value, (int)row, row * (size_t)p->height };
    status = WebPDecode(s->data, s->size, &c);
    WebPFreeDecBuffer(&c.output);
    return status == VP8_STATUS_OK ? DDPM_OK : refuse(status, s, err);
}
