/* Computes group norm (Wu and He 2018) and RMS norm (Zhang and Sennrich 2019).

   Group norm of x [n, h, w, c]: group g is c / groups neighbouring channels over all P pixels, N values.

     y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then y * (1 + s) + b

   is x * scale + shift with scale = rstd gamma (1 + s) and shift = (beta - mean rstd gamma) (1 + s) + b.
   Forward leaves these two for the layer that reads x.  Let p be the channel's value at the first pixel, S_c
   the sum of x - p, and Q_c the sum of (x - p)^2.  These sums are float over chunks of 64 pixels; from there
   on everything is double, in order:

     mean = sum over c of (P p_c + S_c) / N,
     var  = sum over c of (Q_c - 2 d_c S_c + P d_c^2) / N,   d_c = mean - p_c.

   Scratch is [n, chunks, 2, c].

   Backward: let n = (x - mean) rstd, g the gradient by y, G the sum over pixels of g, and H the sum of g n.
   The consumer's backward pass leaves dshift = G and dscale = sum of g (x - p), so

     H = rstd (dscale + (p - mean) G),

     db = G,   ds = gamma H + beta G,
     dgamma = sum over images of (1 + s) H,   dbeta = sum over images of (1 + s) G,
     dx = g scale - rstd (m1 + n m2),
          m1 = sum over the group's c of gamma (1 + s) G / N,   m2 = the same of gamma (1 + s) H / N.

   The consumer has written the first term of dx.  This file adds the second as x a + b, with a and b [n, c].
   Everything is double except a and b.

   RMS norm: the kernel rms_backward (kernels.def) gives a sum and a product for each of the same chunks.
   Then ds = gain * product, db = sum, dg = sqrt(c) (1 + s) * product. */
#include "layer/norm.h"
#include <math.h>
#include "layer/parallel.h"

/* how many pixels a partial sum has, and how many channels a task has */
enum { CHUNK = 64, CHANNELS = 16 };

size_t dd_norm_scratch(int n, int h, int w, int c)
{
    return sizeof(float) * (size_t)n * dd_blocks((size_t)h * (size_t)w, CHUNK) * 2 * (size_t)c;
}

struct moments {
    double mean, rstd;
};

/* The sums over the chunks of an image or of a batch. */
struct chunk_sums {
    const float *data; /* [chunks, 2, channels] */
    size_t chunks, channels;
};

/* Returns the moments of channels first .. first + width - 1 of an image of `pixels` pixels.  pivot is its
   first pixel. */
static struct moments group_moments(const struct chunk_sums *sums, const float *pivot, size_t pixels,
                                    size_t first, size_t width, double eps)
{
    size_t channels = sums->channels;
    double count = (double)pixels, total = count * (double)width, mean = 0, var = 0;
    for (size_t c = first; c < first + width; c++) {
        double s = 0;
        for (size_t i = 0; i < sums->chunks; i++)
            s += sums->data[i * 2 * channels + c];
        mean += count * pivot[c] + s;
    }
    mean /= total;

    for (size_t c = first; c < first + width; c++) {
        double s = 0, q = 0, d = mean - pivot[c];
        for (size_t i = 0; i < sums->chunks; i++) {
            s += sums->data[i * 2 * channels + c];
            q += sums->data[(i * 2 + 1) * channels + c];
        }
        var += q - 2 * d * s + count * d * d;
    }
    var /= total;

    /* Rounding can leave a constant group a little below 0; a NaN passes. */
    return (struct moments){ mean, 1 / sqrt((var < 0 ? 0 : var) + eps) };
}

void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments,
                     const struct dd_map *x, const struct dd_norm *norm)
{
    const float *gamma = norm->gamma, *beta = norm->beta, *emb = norm->emb.data;
    size_t pixels = (size_t)x->h * x->w, chunks = dd_blocks(pixels, CHUNK), channels = (size_t)x->c;
    size_t groups = (size_t)norm->groups, width = channels / groups;
    float *sums = ctx->scratch;

    /* S_c and Q_c for each chunk. */
    DD_TASKS(ctx->worker, task, (size_t)x->n * chunks) {
        size_t image = task / chunks * pixels, first = task % chunks * CHUNK;
        ctx->k->moments(sums + task * 2 * channels, sums + (task * 2 + 1) * channels,
                        dd_map_in(x, image + first), x->data + image * x->stride,
                        dd_min(CHUNK, pixels - first), channels);
    }

    /* The moments of each group, then scale and shift for its channels. */
    DD_TASKS(ctx->worker, task, (size_t)x->n * groups) {
        size_t image = task / groups, first = task % groups * width;
        struct chunk_sums its_sums = { sums + image * chunks * 2 * channels, chunks, channels };
        struct moments m =
            group_moments(&its_sums, x->data + image * pixels * x->stride, pixels, first, width, norm->eps);
        if (moments) {
            moments[2 * task] = (float)m.mean;
            moments[2 * task + 1] = (float)m.rstd;
        }

        for (size_t c = first; c < first + width; c++) {
            double s = emb ? 1 + (double)emb[image * norm->emb.stride + c] : 1,
                   b = emb ? emb[image * norm->emb.stride + channels + c] : 0;
            scale[image * channels + c] = (float)(m.rstd * gamma[c] * s);
            shift[image * channels + c] = (float)((beta[c] - m.mean * m.rstd * gamma[c]) * s + b);
        }
    }
}

size_t dd_norm_backward_scratch(int n, int c)
{
    return (2 * sizeof(double) + 2 * sizeof(float)) * (size_t)n * (size_t)c;
}

/* The backward pass of one image. */
struct image_backward {
    const float *dscale, *dshift; /* the sums that the consumer has left */
    const float *pivot;           /* [c] the first pixel */
    const float *gamma, *beta;
    const float *emb;       /* [2, c] s, then b; or NULL */
    float *a, *b;           /* dx += x a + b */
    float *demb;            /* like emb */
    double *dgamma, *dbeta; /* [c] the terms of this image */
    bool demb_add;          /* demb is added to */
    size_t pixels, channels;
};

/* Computes the terms of channels first .. first + width - 1, the group with moments m. */
static void group_backward(const struct image_backward *t, size_t first, size_t width, struct moments m)
{
    double mean = m.mean, rstd = m.rstd, count = (double)t->pixels * (double)width, m1 = 0, m2 = 0;
    for (size_t c = first; c < first + width; c++) {
        double s = t->emb ? 1 + (double)t->emb[c] : 1, g = t->dshift[c],
               h = rstd * (t->dscale[c] + (t->pivot[c] - mean) * g);
        m1 += t->gamma[c] * s * g / count;
        m2 += t->gamma[c] * s * h / count;
        t->dgamma[c] = s * h;
        t->dbeta[c] = s * g;
        if (t->emb) {
            float *ds = &t->demb[c], *db = &t->demb[t->channels + c];
            *ds = (float)((t->demb_add ? *ds : 0) + (t->gamma[c] * h + t->beta[c] * g));
            *db = (float)((t->demb_add ? *db : 0) + g);
        }
    }

    for (size_t c = first; c < first + width; c++) {
        t->a[c] = (float)(-rstd * rstd * m2);
        t->b[c] = (float)(rstd * (mean * rstd * m2 - m1));
    }
}

/* Adds x [n, 2, c], summed over images one after the other, to y [c]. */
static void add_images(float *y, const double *x, size_t n, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[i * 2 * channels + c];
        y[c] = (float)(y[c] + sum);
    }
}

void dd_norm_backward(const struct dd_context *ctx, const struct dd_map *dx,
                      const struct dd_norm_gradients *d, const struct dd_norm_sums *sums,
                      const struct dd_map *x, const struct dd_norm *norm)
{
    size_t pixels = (size_t)x->h * (size_t)x->w, chunks = dd_blocks(pixels, CHUNK);
    size_t n = (size_t)x->n, channels = (size_t)x->c;
    size_t groups = (size_t)norm->groups, width = channels / groups;
    const float *emb = norm->emb.data;
    double *parts = (double *)(void *)ctx->scratch;
    float *affine = ctx->scratch + 2 * n * channels * sizeof(double) / sizeof(float);

    DD_TASKS(ctx->worker, task, n * groups) {
        size_t image = task / groups, at = image * channels;
        struct image_backward t = {
            .dscale = sums->dscale + at,
            .dshift = sums->dshift + at,
            .pivot = x->data + image * pixels * x->stride,
            .gamma = norm->gamma,
            .beta = norm->beta,
            .emb = emb ? emb + image * norm->emb.stride : NULL,
            .a = affine + 2 * at,
            .b = affine + 2 * at + channels,
            .demb = emb ? d->demb + image * d->demb_stride : NULL,
            .dgamma = parts + 2 * at,
            .dbeta = parts + 2 * at + channels,
            .demb_add = d->demb_add,
            .pixels = pixels,
            .channels = channels,
        };
        struct moments m = { sums->moments[2 * task], sums->moments[2 * task + 1] };
        group_backward(&t, task % groups * width, width, m);
    }

    /* Two more tasks sum up the gradients by gamma and beta. */
    DD_TASKS(ctx->worker, task, n * chunks + 2) {
        if (task == n * chunks)
            add_images(d->dgamma, parts, n, channels);
        if (task == n * chunks + 1)
            add_images(d->dbeta, parts + channels, n, channels);
        if (task >= n * chunks)
            continue;

        size_t image = task / chunks, first = task % chunks * CHUNK, at = image * pixels + first;
        const float *a = affine + 2 * image * channels;
        ctx->k->affine_add(dd_map_out(dx, at), dd_map_in(x, at), a, a + channels,
                           dd_min(CHUNK, pixels - first), channels);
    }
}

/* Returns the terms for an image. */
static struct dd_rms_terms rms_terms(const struct dd_norm_rms *rms, size_t image, size_t channels)
{
    const float *emb = rms->emb.data ? rms->emb.data + image * rms->emb.stride : NULL;
    return (struct dd_rms_terms){
        .gain = rms->gain,
        .scale = emb,
        .shift = emb ? emb + channels : NULL,
        .act = rms->act,
    };
}

void dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                         const struct dd_norm_rms *rms, const struct dd_map *residual)
{
    size_t pixels = (size_t)x->h * x->w, blocks = dd_blocks(pixels, CHUNK), channels = (size_t)x->c;

    DD_TASKS(ctx->worker, task, (size_t)x->n * blocks) {
        size_t image = task / blocks, first = task % blocks * CHUNK, at = image * pixels + first;
        const struct dd_rms_terms terms = rms_terms(rms, image, channels);
        ctx->k->rms(dd_map_out(y, at), dd_map_in(x, at), &terms,
                    residual ? dd_map_in(residual, at) : (struct dd_in){ 0 }, dd_min(CHUNK, pixels - first),
                    channels);
    }
}

size_t dd_norm_rms_backward_scratch(int n, int h, int w, int c, int threads)
{
    return dd_norm_scratch(n, h, w, c) + sizeof(float) * (size_t)threads * dd_aligned((size_t)c);
}

/* Computes dg and demb of n images from sums of h, then of h n, for channels first .. first + width - 1.  The
   sums of an image are sums->chunks long, and those of the next image follow. */
static void rms_parameters(const struct dd_norm_gradients *d, const struct dd_norm_rms *rms,
                           const struct chunk_sums *sums, size_t n, size_t first, size_t width)
{
    const float *emb = rms->emb.data;
    size_t chunks = sums->chunks, channels = sums->channels;
    double root = sqrt((double)channels);

    for (size_t c = first; c < first + width; c++) {
        double total = 0;
        for (size_t image = 0; image < n; image++) {
            double h = 0, product = 0;
            for (size_t i = image * chunks; i < (image + 1) * chunks; i++) {
                h += sums->data[i * 2 * channels + c];
                product += sums->data[(i * 2 + 1) * channels + c];
            }

            total += product * (emb ? 1 + (double)emb[image * rms->emb.stride + c] : 1);
            if (emb) {
                float *ds = &d->demb[image * d->demb_stride + c], *db = ds + channels;
                *ds = (float)((d->demb_add ? *ds : 0) + product * rms->gain[c]);
                *db = (float)((d->demb_add ? *db : 0) + h);
            }
        }
        d->dgamma[c] = (float)(d->dgamma[c] + root * total);
    }
}

void dd_norm_rms_backward(const struct dd_context *ctx, struct dd_grad_map dx,
                          const struct dd_norm_gradients *d, struct dd_grad_map dresidual,
                          const struct dd_map *dy, const struct dd_map *x, const struct dd_norm_rms *rms)
{
    size_t pixels = (size_t)x->h * (size_t)x->w, chunks = dd_blocks(pixels, CHUNK);
    size_t n = (size_t)x->n, channels = (size_t)x->c;
    float *sums = ctx->scratch + (size_t)ctx->threads * dd_aligned(channels);

    DD_TASKS(ctx->worker, task, n * chunks) {
        size_t image = task / chunks, first = task % chunks * CHUNK, at = image * pixels + first;
        size_t count = dd_min(CHUNK, pixels - first);
        const struct dd_rms_terms terms = rms_terms(rms, image, channels);
        const struct dd_rms_sums its_sums = {
            .sum = sums + task * 2 * channels,
            .product = sums + (task * 2 + 1) * channels,
            .row = ctx->scratch + dd_thread(ctx->worker) * dd_aligned(channels),
        };

        /* dx may be dy, so the residual gets its gradient first. */
        if (dresidual.map)
            dd_grad_map_store(ctx->k, dresidual, at, dd_map_in(dy, at), count);
        ctx->k->rms_backward(dd_grad_map_out(dx, at), &its_sums, dd_map_in(dy, at), dd_map_in(x, at), &terms,
                             count, channels);
    }

    const struct chunk_sums all = { sums, chunks, channels };
    DD_TASKS(ctx->worker, block, dd_blocks(channels, CHANNELS))
        rms_parameters(d, rms, &all, n, block * CHANNELS, dd_min(CHANNELS, channels - block * CHANNELS));
}
