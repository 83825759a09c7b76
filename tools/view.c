/* An image of H x W pixels is scaled by s = max(h / H, w / W) to round(s H) x round(s W) with a triangle as wide as two output pixels, or
   two input pixels where that is more (bilinear, and no aliases), on the values as they are stored; then its middle is taken. */
#include "view.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "config.h"
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

static const char *const fits[] = { "pad", "crop", "resize", NULL };

const char *const *view_fit_names(void) { return fits; }

enum view_fit view_fit_named(const char *name)
{
    int i = 0;
    while (name && strcmp(fits[i], name))
        i++;
    return name ? (enum view_fit)(VIEW_PAD + i) : VIEW_EXACT;
}

static size_t place_of(const struct view *v, int y, int x, int c)
{
    size_t pixel = (size_t)y * (size_t)v->width + (size_t)x;
    return v->planar ? (size_t)c * (size_t)v->height * (size_t)v->width + pixel : pixel * (size_t)v->step + (size_t)c;
}

static float float_at(const unsigned char *p)
{
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double value_at(const struct view *v, int y, int x, int c)
{
    size_t at = place_of(v, y, x, c);
    return v->floats ? (double)float_at(v->data + 4 * at) : v->data[at] / 127.5 - 1;
}

static int check_size(const struct view *v, const ddpm_about *a, enum view_fit fit, const char *name, ddpm_error *err)
{
    int h = v->height - a->height, w = v->width - a->width;
    const char *what = h <= 0 && w <= 0 ? "--fit pad puts it on black" : h >= 0 && w >= 0 ? "--fit crop takes its middle" : "--fit resize scales it";
    if (v->channels != a->channels)
        return dd_error(err, DDPM_EDATA, "%s: %d channel%s, but the model has %d; convert the images first", name, v->channels,
                        v->channels == 1 ? "" : "s", a->channels);
    if (fit == VIEW_RESIZE || (fit == VIEW_PAD ? h <= 0 && w <= 0 : fit == VIEW_CROP ? h >= 0 && w >= 0 : !h && !w))
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: %d x %d pixels, but the model's images have %d x %d; %s", name, v->height, v->width, a->height,
                    a->width, what);
}

/* Centred: where the model's image is larger, black; where it is smaller, the middle. */
static int place(double *out, const struct view *v, const ddpm_about *a, const char *name, ddpm_error *err)
{
    int top = (v->height - a->height) / 2, left = (v->width - a->width) / 2;
    for (int y = top; y < top + a->height; y++)
        for (int x = left; x < left + a->width; x++)
            for (int c = 0; c < a->channels; c++) {
                bool inside = y >= 0 && x >= 0 && y < v->height && x < v->width;
                double value = inside ? value_at(v, y, x, c) : -1;
                if (!(value >= -1 && value <= 1))
                    return dd_error(err, DDPM_EDATA, "%s: a value of %g; float32 data lie in [-1, 1], values from 0 to 255 are stored as uint8",
                                    name, value);
                *out++ = value;
            }
    return DDPM_OK;
}

/* plane: room for one channel of v; to is planar. */
static bool scale_channel(const struct view *to, const struct view *v, int c, unsigned char *plane)
{
    size_t size = v->floats ? 4 : 1;
    unsigned char *out = (unsigned char *)(uintptr_t)to->data + (size_t)c * (size_t)to->height * (size_t)to->width * size, *at = plane;
    for (int y = 0; y < v->height; y++)
        for (int x = 0; x < v->width; x++, at += size)
            memcpy(at, v->data + place_of(v, y, x, c) * size, size);
    bool done = stbir_resize(plane, v->width, v->height, 0, out, to->width, to->height, 0, v->floats ? STBIR_TYPE_FLOAT : STBIR_TYPE_UINT8, 1,
                             STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE, STBIR_FILTER_TRIANGLE,
                             STBIR_COLORSPACE_LINEAR, NULL);
    float *f = (float *)(void *)out;
    for (size_t i = 0; v->floats && i < (size_t)to->height * (size_t)to->width; i++)
        f[i] = fabsf(f[i]) > 1 && fabsf(f[i]) < 1.00001f ? copysignf(1, f[i]) : f[i];        /* weights sum to 1 but for rounding */
    return done;
}

static int scaled(double *out, const struct view *v, const ddpm_about *a, const char *name, ddpm_error *err)
{
    double sy = (double)a->height / v->height, sx = (double)a->width / v->width, s = sy > sx ? sy : sx;
    size_t size = v->floats ? 4 : 1;
    struct view to = { NULL, (int)fmax(a->height, rint(s * v->height)), (int)fmax(a->width, rint(s * v->width)), v->channels, 1, v->floats, true };
    unsigned char *room = malloc((size_t)to.height * (size_t)to.width * (size_t)v->channels * size);
    unsigned char *plane = malloc((size_t)v->height * (size_t)v->width * size);
    bool done = room && plane;
    to.data = room;
    for (int c = 0; done && c < v->channels; c++)
        done = scale_channel(&to, v, c, plane);
    int code = done ? place(out, &to, a, name, err) : dd_error(err, DDPM_ENOMEM, "%s: out of memory to scale %d x %d pixels", name, v->height, v->width);
    free(plane);
    free(room);
    return code;
}

int view_read(double *x, const struct view *v, const ddpm_about *a, enum view_fit fit, const char *name, ddpm_error *err)
{
    int code = check_size(v, a, fit, name, err);
    if (code)
        return code;
    bool same = v->height == a->height && v->width == a->width;
    return fit == VIEW_RESIZE && !same ? scaled(x, v, a, name, err) : place(x, v, a, name, err);
}
