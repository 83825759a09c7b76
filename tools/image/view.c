/* Reads an image as one of the model's size and channels (view.h).

   Scaling turns H x W pixels into round(s H) x round(s W) with s = max(h / H, w / W).  These cover h x w, and
   the middle is taken.  The filter is a triangle as wide as two output pixels, or two input pixels where that
   is more: bilinear, without aliases.  It works on the values as they are stored. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"
#include "base/error.h"
#include "config.h"
#include "image/view.h"
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#include STB_IMAGE_RESIZE_H
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* ---- values ---- */

const struct view_number view_byte = { 'u', 1, false, 127.5 };

double view_number_at(const unsigned char *p, const struct view_number *n)
{
    uint64_t bits = 0;
    float single;
    double value;

    for (int i = 0; i < n->bytes; i++)
        bits |= (uint64_t)p[i] << 8 * (n->big_endian ? n->bytes - 1 - i : i);

    /* The sign bit of a negative integer is extended to 64 bits. */
    if (n->kind == 'i' && n->bytes < 8 && bits >> (8 * n->bytes - 1))
        bits |= UINT64_MAX << 8 * n->bytes;
    if (n->kind == 'i')
        return (double)(int64_t)bits;
    if (n->kind != 'f')
        return (double)bits;

    if (n->bytes == 8) {
        memcpy(&value, &bits, sizeof value);
        return value;
    }

    const unsigned char low_first[4] = { (unsigned char)bits, (unsigned char)(bits >> 8),
                                         (unsigned char)(bits >> 16), (unsigned char)(bits >> 24) };
    dd_dtype_to_float(&single, low_first, n->bytes == 2 ? DD_F16 : DD_F32, 1);
    return (double)single;
}

/* Returns where channel c of pixel (y, x) is stored. */
static const unsigned char *place_of(const struct view *v, int y, int x, int c)
{
    return v->data + ((size_t)y * v->step[0] + (size_t)x * v->step[1] + (size_t)c * v->step[2]) *
                         (size_t)v->number.bytes;
}

static bool is_byte(const struct view_number *n)
{
    return n->kind == 'u' && n->bytes == 1;
}

/* Returns channel c of pixel (y, x), scaled to [-1, 1]. */
static double value_at(const struct view *v, int y, int x, int c)
{
    const unsigned char *p = place_of(v, y, x, c);
    double number = is_byte(&v->number) ? *p : view_number_at(p, &v->number);
    return v->number.half > 0 ? number / v->number.half - 1 : number;
}

/* ---- channels ---- */

/* Returns how many of the channels are not alpha. */
static int colours(int channels)
{
    return channels <= 2 ? 1 : 3;
}

static bool has_alpha(int channels)
{
    return channels % 2 == 0;
}

/* Returns pixel (y, x), in colour, as gray with the weights of ITU-R BT.601. */
static double gray_at(const struct view *v, int y, int x)
{
    if (!is_byte(&v->number))
        return 0.299 * value_at(v, y, x, 0) + 0.587 * value_at(v, y, x, 1) + 0.114 * value_at(v, y, x, 2);

    /* Bytes are rounded as Pillow rounds them: the weights have units of 2^-16, and 0x8000 is one half. */
    unsigned sum = 19595u * *place_of(v, y, x, 0) + 38470u * *place_of(v, y, x, 1) +
                   7471u * *place_of(v, y, x, 2) + 0x8000;
    return (sum >> 16) / v->number.half - 1;
}

/* Returns channel c of pixel (y, x) after its conversion to `channels` channels, the model's. */
static double channel_at(const struct view *v, int y, int x, int c, int channels)
{
    if (!v->picture || v->channels == channels)
        return value_at(v, y, x, c);

    /* Alpha is the last channel.  A picture without alpha is opaque. */
    if (c == colours(channels))
        return has_alpha(v->channels) ? value_at(v, y, x, colours(v->channels)) : 1;
    if (colours(channels) == colours(v->channels))
        return value_at(v, y, x, c);
    return colours(v->channels) == 1 ? value_at(v, y, x, 0) : gray_at(v, y, x);
}

/* ---- sizes ---- */

/* Returns whether the fit accepts an image that is h rows higher and w columns wider than the model's;
   negative numbers mean smaller. */
static bool fits_by(enum view_fit fit, int h, int w)
{
    switch (fit) {
    case VIEW_PAD: return h <= 0 && w <= 0;
    case VIEW_CROP: return h >= 0 && w >= 0;
    case VIEW_RESIZE: return true;
    default: return !h && !w;
    }
}

/* Writes what to do about an image of another size: what the model's training did, if that is known and
   works. */
static void advise(char *text, size_t size, const struct view *v, const ddpm_about *a)
{
    cJSON *root = a->json ? cJSON_Parse(a->json) : NULL;
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(root, "source");
    const char *trained = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, "fit"));
    int h = v->height - a->height, w = v->width - a->width, known = 0;
    const char *const *fits = view_fit_names();
    while (trained && fits[known] && strcmp(fits[known], trained))
        known++;

    if (trained && fits[known] && fits_by((enum view_fit)(VIEW_PAD + known), h, w))
        snprintf(text, size, "--fit %.16s treats it as the model's training did", trained);
    else if (h <= 0 && w <= 0)
        snprintf(text, size, "--fit pad puts it on black");
    else
        snprintf(text, size, h >= 0 && w >= 0 ? "--fit crop takes its middle" : "--fit resize scales it");
    cJSON_Delete(root);
}

/* Returns what converts an array with `has` channels for a model that has `wants`. */
static const char *convert_by(int has, int wants)
{
    if (has > 4 || wants > 4)
        return "convert the images first";
    return colours(wants) == 1 ? "--gray takes them as pictures and makes them gray"
                               : "--color takes them as pictures and gives gray ones three channels";
}

/* Refuses an image whose channels or size cannot become the model's. */
static int check_size(const struct view *v, const ddpm_about *a, const struct view_how *how, const char *name,
                      ddpm_error *err)
{
    int h = v->height - a->height, w = v->width - a->width;
    char advice[80];

    if (v->channels != a->channels && (!v->picture || a->channels > 4 || v->channels > 4))
        return dd_error(err, DDPM_EDATA, "%s: %d channel%s, but the model has %d; %s", name, v->channels,
                        v->channels == 1 ? "" : "s", a->channels, convert_by(v->channels, a->channels));
    if (fits_by(how->fit, h, w))
        return DDPM_OK;

    advise(advice, sizeof advice, v, a);
    return dd_error(err, DDPM_EDATA,
                    "%s: %d x %d pixels (width x height), but the model's images have %d x %d; %s", name,
                    v->width, v->height, a->width, a->height, advice);
}

/* ---- placing and scaling ---- */

/* Fills out with the middle of the image.  A smaller image is put in the middle of black. */
static int place(double *out, const struct view *v, const ddpm_about *a, const char *name, ddpm_error *err)
{
    int top = (v->height - a->height) / 2, left = (v->width - a->width) / 2;
    for (int y = top; y < top + a->height; y++)
        for (int x = left; x < left + a->width; x++)
            for (int c = 0; c < a->channels; c++) {
                bool inside = y >= 0 && x >= 0 && y < v->height && x < v->width;
                double value = inside ? channel_at(v, y, x, c, a->channels) : -1, half = v->number.half;

                /* This refuses NaN too. */
                if (!(value >= -1 && value <= 1))
                    return dd_error(err, DDPM_EDATA,
                                    "%s: a value of %g; floats of which some are negative lie in [-1, 1]",
                                    name, half > 0 ? half * (value + 1) : value);
                *out++ = value;
            }
    return DDPM_OK;
}

/* Scales channel c of v into its plane of `to`.  plane: room for one channel of v. */
static bool scale_channel(const struct view *to, const struct view *v, int c, void *plane)
{
    bool bytes = is_byte(&v->number);
    unsigned char *byte = plane, *out = (unsigned char *)(uintptr_t)place_of(to, 0, 0, c);
    float *value = plane, *f = (float *)(void *)out;

    for (int y = 0; y < v->height; y++)
        for (int x = 0; x < v->width; x++)
            if (bytes)
                *byte++ = *place_of(v, y, x, c);
            else
                *value++ = (float)value_at(v, y, x, c);

    bool done = stbir_resize(plane, v->width, v->height, 0, out, to->width, to->height, 0,
                             bytes ? STBIR_TYPE_UINT8 : STBIR_TYPE_FLOAT, 1, STBIR_ALPHA_CHANNEL_NONE, 0,
                             STBIR_EDGE_CLAMP, STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE, STBIR_FILTER_TRIANGLE,
                             STBIR_COLORSPACE_LINEAR, NULL);

    /* The weights of the filter sum to 1 up to rounding, so a result may exceed 1 slightly. */
    for (size_t i = 0; !bytes && i < (size_t)to->height * (size_t)to->width; i++)
        if (fabsf(f[i]) > 1 && fabsf(f[i]) < 1.00001f)
            f[i] = copysignf(1, f[i]);
    return done;
}

/* Fills out with the middle of the scaled image. */
static int scaled(double *out, const struct view *v, const ddpm_about *a, const char *name, ddpm_error *err)
{
    double sy = (double)a->height / v->height, sx = (double)a->width / v->width, s = sy > sx ? sy : sx;
    size_t size = is_byte(&v->number) ? 1 : sizeof(float);

    /* The scaled image is stored [c, h, w], in bytes or float32. */
    struct view to = {
        .height = (int)fmax(a->height, rint(s * v->height)),
        .width = (int)fmax(a->width, rint(s * v->width)),
        .channels = v->channels,
        .number = is_byte(&v->number) ? v->number : (struct view_number){ 'f', 4, false, 0 },
        .picture = v->picture,
    };
    to.step[0] = (size_t)to.width;
    to.step[1] = 1;
    to.step[2] = (size_t)to.height * (size_t)to.width;

    /* One channel at a time is copied to plane and scaled from there. */
    unsigned char *room = malloc((size_t)to.height * (size_t)to.width * (size_t)v->channels * size);
    void *plane = malloc((size_t)v->height * (size_t)v->width * size);
    bool done = room && plane;
    to.data = room;
    for (int c = 0; done && c < v->channels; c++)
        done = scale_channel(&to, v, c, plane);

    int code;
    if (done)
        code = place(out, &to, a, name, err);
    else
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory to scale %d x %d pixels", name, v->height,
                        v->width);
    free(plane);
    free(room);
    return code;
}

/* Refuses a picture that is transparent in places where the model has no alpha. */
static int check_opaque(const struct view *v, const ddpm_about *a, const struct view_how *how,
                        const char *name, ddpm_error *err)
{
    if (!v->picture || !has_alpha(v->channels) || has_alpha(a->channels))
        return DDPM_OK;

    bool opaque = true;
    for (int y = 0; y < v->height && opaque; y++)
        for (int x = 0; x < v->width && opaque; x++)
            opaque = value_at(v, y, x, v->channels - 1) >= 1;
    if (opaque)
        return DDPM_OK;

    char advice[60] = "";
    if (how->trained)
        snprintf(advice, sizeof advice, ", or train with net.channels=%d", v->channels);
    return dd_error(err, DDPM_EDATA,
                    "%s: it is transparent in places, which %d channel%s cannot show: flatten it first%s",
                    name, a->channels, a->channels == 1 ? "" : "s", advice);
}

int view_read(double *x, const struct view *v, const ddpm_about *a, const struct view_how *how,
              const char *name, ddpm_error *err)
{
    int code = check_size(v, a, how, name, err);
    if (!code)
        code = check_opaque(v, a, how, name, err);
    if (code)
        return code;

    bool same = v->height == a->height && v->width == a->width;
    return how->fit == VIEW_RESIZE && !same ? scaled(x, v, a, name, err) : place(x, v, a, name, err);
}

/* ---- files of pictures ---- */

int view_picture(double *x, struct image_file *was, const char *path, const ddpm_about *a,
                 const struct view_how *how, ddpm_error *err)
{
    int code = image_file_read(was, path, err);
    if (code)
        return code;

    size_t channels = (size_t)was->channels;
    struct view v = {
        .data = was->value,
        .height = was->height,
        .width = was->width,
        .channels = was->channels,
        .step = { channels * (size_t)was->width, channels, 1 },
        .number = view_byte,
        .picture = true,
    };

    /* Values of 16 bits go from 0 to 65535. */
    if (was->bytes == 2)
        v.number = (struct view_number){ 'u', 2, false, 32767.5 };

    code = view_read(x, &v, a, how, path, err);
    image_file_free(was);
    return code;
}
