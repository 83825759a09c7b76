/* Gradients of a convolution, see conv_gradient.h.

   By x: where the stride is 1, a convolution of dz with the weights transposed and turned by half a circle, padded by kernel - 1 less the
   forward padding; it goes through the engines of conv.c. */
#include "layer/conv_gradient.h"
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

struct dd_conv_gradient {
    struct dd_conv_shape shape;
    int batch;
    struct dd_conv *data;                       /* stride 1 */
    const float *packed;                        /* other strides: w */
};

/* The convolution of stride 1 that gives dx. */
static struct dd_conv_shape transposed(const struct dd_conv_shape *s)
{
    int last = s->kernel - 1;
    return (struct dd_conv_shape){ dd_conv_height(s), dd_conv_width(s), s->cout, s->cin, s->kernel, 1,
                                   last - s->top, last - s->left, last - s->bottom, last - s->right };
}

int dd_conv_gradient_open(struct dd_conv_gradient **out, const struct dd_conv_shape *s, const struct dd_conv_setup *setup, ddpm_error *err)
{
    struct dd_conv_gradient *g = calloc(1, sizeof *g);
    struct dd_conv_setup own = *setup;
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the gradient of a convolution of %d to %d channels", s->cin, s->cout);
    g->shape = *s;
    g->batch = setup->batch;
    if (own.engine && !strcmp(own.engine, "dnnl"))
        own.engine = NULL;
    struct dd_conv_shape t = transposed(s);
    int code = s->stride == 1 ? dd_conv_open(&g->data, &t, &own, err) : DDPM_OK;
    if (code) {
        free(g);
        return code;
    }
    *out = g;
    return DDPM_OK;
}

void dd_conv_gradient_close(struct dd_conv_gradient *g)
{
    if (g && g->data)
        dd_conv_close(g->data);
    free(g);
}

static size_t weights(const struct dd_conv_shape *s)
{
    return (size_t)s->cout * (size_t)s->cin * (size_t)s->kernel * (size_t)s->kernel;
}

size_t dd_conv_gradient_packed(const struct dd_conv_gradient *g)
{
    return g->data ? dd_conv_packed(g->data) : sizeof(float) * weights(&g->shape);
}

size_t dd_conv_gradient_scratch(const struct dd_conv_gradient *g)
{
    const struct dd_conv_shape *s = &g->shape;
    size_t data = g->data ? dd_conv_scratch(g->data) : 0, input = sizeof(float) * (size_t)g->batch * (size_t)s->h * (size_t)s->w * (size_t)s->cin;
    return data > input ? data : input;
}

void dd_conv_gradient_pack(struct dd_conv_gradient *g, void *packed, const float *w)
{
    size_t taps = (size_t)g->shape.kernel * (size_t)g->shape.kernel;
    if (g->data)
        dd_conv_pack_weights(g->data, packed, &(struct dd_conv_weights){ w, taps, taps * (size_t)g->shape.cin, 1 }, NULL);
    else
        memcpy(packed, w, sizeof(float) * weights(&g->shape));
    g->packed = packed;
}

/* dx at one pixel. */
static void data_pixel(const struct dd_conv_gradient *g, float *dx, const struct dd_map *dz, const float *image, int iy, int ix)
{
    const struct dd_conv_shape *s = &g->shape;
    for (int i = 0; i < s->cin; i++) {
        double sum = 0;
        for (int kh = 0; kh < s->kernel; kh++)
            for (int kw = 0; kw < s->kernel; kw++) {
                int y = iy + s->top - kh, x = ix + s->left - kw;
                if (y < 0 || x < 0 || y % s->stride || x % s->stride || y / s->stride >= dz->h || x / s->stride >= dz->w)
                    continue;
                const float *at = image + ((size_t)(y / s->stride) * (size_t)dz->w + (size_t)(x / s->stride)) * dz->stride;
                for (int o = 0; o < s->cout; o++)
                    sum += (double)at[o] * g->packed[((o * s->cin + i) * s->kernel + kh) * s->kernel + kw];
            }
        dx[i] = (float)sum;
    }
}

void dd_conv_gradient_data(const struct dd_conv_gradient *g, const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dz)
{
    if (g->data) {
        dd_conv_forward(g->data, ctx, dx, dz, NULL, NULL);
        return;
    }
    DD_PARALLEL(ctx->threads)
    for (int row = 0; row < dx->n * dx->h; row++)
        for (int ix = 0; ix < dx->w; ix++)
            data_pixel(g, dx->data + ((size_t)row * (size_t)dx->w + (size_t)ix) * dx->stride, dz,
                       dz->data + (size_t)(row / dx->h) * (size_t)dz->h * (size_t)dz->w * dz->stride, row % dx->h, ix);
}

/* dw [taps of o, i], and with i = 0 db of o. */
static double weight(const struct dd_conv_shape *s, const struct dd_map *dz, const struct dd_map *x, int o, int i, int kh, int kw)
{
    double sum = 0;
    for (int row = 0; row < dz->n * dz->h; row++)
        for (int ox = 0; ox < dz->w; ox++) {
            int iy = row % dz->h * s->stride + kh - s->top, ix = ox * s->stride + kw - s->left;
            if (iy >= 0 && iy < s->h && ix >= 0 && ix < s->w)
                sum += (double)dz->data[((size_t)row * (size_t)dz->w + (size_t)ox) * dz->stride + (size_t)o] *
                       x->data[(((size_t)(row / dz->h) * (size_t)s->h + (size_t)iy) * (size_t)s->w + (size_t)ix) * x->stride + (size_t)i];
        }
    return sum;
}

static double column(const struct dd_map *dz, int o)
{
    double sum = 0;
    for (size_t p = 0; p < (size_t)dz->n * (size_t)dz->h * (size_t)dz->w; p++)
        sum += dz->data[p * dz->stride + (size_t)o];
    return sum;
}

void dd_conv_gradient_weights(const struct dd_conv_gradient *g, const struct dd_context *ctx, float *dw, float *db, const struct dd_map *dz,
                              const struct dd_map *x, const struct dd_pre *pre)
{
    const struct dd_conv_shape *s = &g->shape;
    struct dd_map in = *x;
    if (pre) {
        in.data = ctx->scratch;
        in.stride = (size_t)in.c;
        dd_conv_load(ctx, &in, x, pre);
    }
    DD_PARALLEL(ctx->threads)
    for (int o = 0; o < s->cout; o++) {
        float *to = dw + o * s->cin * s->kernel * s->kernel;
        for (int i = 0; i < s->cin; i++)
            for (int kh = 0; kh < s->kernel; kh++)
                for (int kw = 0; kw < s->kernel; kw++, to++)
                    *to = (float)(*to + weight(s, dz, &in, o, i, kh, kw));
        if (db)
            db[o] = (float)(db[o] + column(dz, o));
    }
}
