/* Group norm (Wu and He 2018) and RMS norm.

   Group norm of x [n, h, w, c], group g being c / groups neighbouring channels over all pixels, N values:
     y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then y * (1 + s) + b,
   leaves as scale = rstd gamma (1 + s) and shift = (beta - mean rstd gamma) (1 + s) + b.  Float sums of x - p and (x - p)^2 over chunks
   of 64 pixels, p the channel's value at the first pixel; from there on double, in order:
     mean = sum over c of (P p_c + S_c) / N,  var = sum over c of (Q_c - 2 d_c S_c + P d_c^2) / N,  d_c = mean - p_c, P pixels.
   Scratch: [n, chunks, 2, c]. */
#include "layer/norm.h"
#include <math.h>
#include "layer/parallel.h"

enum { CHUNK = 64 };

size_t dd_norm_scratch(int n, int h, int w, int c)
{
    return sizeof(float) * (size_t)n * dd_blocks((size_t)h * (size_t)w, CHUNK) * 2 * (size_t)c;
}

struct moments { double mean, rstd; };

/* Of channels first .. first + width; pivot, sums as of channel 0 of the image. */
static struct moments group_moments(const float *pivot, const float *sums, size_t chunks, size_t pixels, size_t channels, size_t first,
                                    size_t width, double eps)
{
    double count = (double)pixels, total = count * (double)width, mean = 0, var = 0;
    for (size_t c = first; c < first + width; c++) {
        double s = 0;
        for (size_t i = 0; i < chunks; i++)
            s += sums[i * 2 * channels + c];
        mean += count * pivot[c] + s;
    }
    mean /= total;
    for (size_t c = first; c < first + width; c++) {
        double s = 0, q = 0, d = mean - pivot[c];
        for (size_t i = 0; i < chunks; i++) {
            s += sums[i * 2 * channels + c];
            q += sums[(i * 2 + 1) * channels + c];
        }
        var += q - 2 * d * s + count * d * d;
    }
    /* Rounding can leave a constant group a little below 0; a NaN passes. */
    var /= total;
    return (struct moments){ mean, 1 / sqrt((var < 0 ? 0 : var) + eps) };
}

void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments, const struct dd_map *x, int groups,
                     double eps, const float *gamma, const float *beta, const float *emb, size_t emb_stride)
{
    size_t pixels = (size_t)x->h * x->w, chunks = dd_blocks(pixels, CHUNK), channels = (size_t)x->c, width = channels / (size_t)groups;
    float *sums = ctx->scratch;
    DD_PARALLEL(ctx->threads)
    for (size_t task = 0; task < (size_t)x->n * chunks; task++) {
        const float *image = x->data + task / chunks * pixels * x->stride;
        size_t first = task % chunks * CHUNK;
        ctx->k->moments(sums + task * 2 * channels, sums + (task * 2 + 1) * channels, image + first * x->stride, x->stride, image,
                        dd_min(CHUNK, pixels - first), channels);
    }
    DD_PARALLEL(ctx->threads)
    for (size_t task = 0; task < (size_t)x->n * (size_t)groups; task++) {
        size_t image = task / (size_t)groups, first = task % (size_t)groups * width;
        struct moments m = group_moments(x->data + image * pixels * x->stride, sums + image * chunks * 2 * channels, chunks, pixels,
                                         channels, first, width, eps);
        if (moments) {
            moments[2 * task] = (float)m.mean;
            moments[2 * task + 1] = (float)m.rstd;
        }
        for (size_t c = first; c < first + width; c++) {
            double s = emb ? 1 + (double)emb[image * emb_stride + c] : 1, b = emb ? emb[image * emb_stride + channels + c] : 0;
            scale[image * channels + c] = (float)(m.rstd * gamma[c] * s);
            shift[image * channels + c] = (float)((beta[c] - m.mean * m.rstd * gamma[c]) * s + b);
        }
    }
}

void dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const float *gain,
                         const float *emb, size_t emb_stride, const struct dd_map *residual, enum dd_act act)
{
    size_t pixels = (size_t)x->h * x->w, blocks = dd_blocks(pixels, CHUNK), channels = (size_t)x->c;
    DD_PARALLEL(ctx->threads)
    for (size_t task = 0; task < (size_t)x->n * blocks; task++) {
        size_t image = task / blocks, first = task % blocks * CHUNK, at = image * pixels + first;
        const float *scale = emb ? emb + image * emb_stride : NULL;
        ctx->k->rms(y->data + at * y->stride, y->stride, x->data + at * x->stride, x->stride, gain, scale, scale ? scale + channels : NULL,
                    residual ? residual->data + at * residual->stride : NULL, residual ? residual->stride : 0,
                    dd_min(CHUNK, pixels - first), channels, act);
    }
}
