/* Computes a convolution in the plainest C, with sums in double.  Every other engine is tested against it.

     y[p, o] = b[o] + sum over taps (kh, kw) and i < cin of
               x[p * stride + (kh, kw) - (top, left), i] * w[o, kh, kw, i],

   where pixels outside of the image are 0.  Packed: w [cout, kernel, kernel, cin], then b [cout]. */
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

static int open_ref(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    (void)setup;
    (void)err;
    c->packed_size = sizeof(float) * (size_t)s->cout * ((size_t)s->kernel * s->kernel * s->cin + 1);
    return DDPM_OK;
}

static void pack_ref(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    size_t taps = (size_t)c->shape.kernel * c->shape.kernel, cin = (size_t)c->shape.cin,
           cout = (size_t)c->shape.cout;
    for (size_t o = 0; o < cout; o++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < cin; i++)
                c->packed[(o * taps + tap) * cin + i] =
                    w->at[o * w->out + i * w->in + (w->flipped ? taps - 1 - tap : tap)];
    for (size_t o = 0; o < cout; o++)
        c->packed[cout * taps * cin + o] = bias ? bias[o] : 0;
}

static double product(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Computes all channels of output pixel (oy, ox) of one image. */
static void ref_pixel(const struct dd_conv *c, float *y, const struct dd_map *x, const float *image, int oy,
                      int ox)
{
    const struct dd_conv_shape *s = &c->shape;
    size_t taps = (size_t)s->kernel * s->kernel, cin = (size_t)s->cin;
    const float *bias = c->packed + (size_t)s->cout * taps * cin;

    for (int o = 0; o < s->cout; o++) {
        const float *w = c->packed + (size_t)o * taps * cin;
        double sum = bias[o];
        for (int kh = 0; kh < s->kernel; kh++)
            for (int kw = 0; kw < s->kernel; kw++, w += cin) {
                int iy = oy * s->stride + kh - s->top, ix = ox * s->stride + kw - s->left;
                if (iy >= 0 && iy < s->h << s->doubled && ix >= 0 && ix < s->w << s->doubled)
                    sum +=
                        product(image + ((size_t)(iy >> s->doubled) * s->w + (ix >> s->doubled)) * x->stride,
                                w, s->cin);
            }
        y[o] = (float)sum;
    }
}

static void forward_ref(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                        const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    int width = dd_conv_width(&c->shape), height = dd_conv_height(&c->shape);
    (void)pre;
    (void)post;

    DD_TASKS(ctx->worker, row, (size_t)x->n * height)
        for (int ox = 0; ox < width; ox++)
            ref_pixel(c, y->data + (row * width + ox) * y->stride, x,
                      x->data + row / height * x->h * x->w * x->stride, (int)(row % height), ox);
}

const struct dd_conv_engine dd_conv_ref = {
    .name = "ref",
    .takes = DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
    .open = open_ref,
    .pack = pack_ref,
    .forward = forward_ref,
};
