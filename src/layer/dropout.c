/* Computes dropout (Srivastava et al. 2014).  Element e of sample s at place q, counted in NHWC order, is
   dropped when w < p 2^32.  The random word w is word e of the Philox stream (seed, index = low word of s,
   t = q, purpose dropout, draw = the next 24 bits of s).  A mask is a function of its place in the network,
   so backward makes it anew instead of keeping it. */
#include "layer/dropout.h"
#include "base/rng.h"
#include "layer/parallel.h"

enum { PIXELS = 64 }; /* how many pixels a task computes */

/* Applies the mask to pixels first .. first + n - 1 of an image. */
static void drop_pixels(const struct dd_kernels *k, const struct dd_map *y, size_t image, size_t first,
                        size_t n, const struct dd_dropout_layer *d)
{
    uint64_t sample = d->masks->first + image;
    uint32_t purpose = (uint32_t)DD_RNG_DROPOUT << 24 | (uint32_t)(sample >> 32 & 0xffffff);
    size_t pixels = (size_t)y->h * (size_t)y->w, c = (size_t)y->c;
    struct dd_dropout_terms terms = {
        .counter = { 0, (uint32_t)sample, d->place, purpose },
        .key = { (uint32_t)d->masks->seed, (uint32_t)(d->masks->seed >> 32) },
        .limit = (uint32_t)(d->p * 0x1p32),
        .scale = (float)(1 / (1 - d->p)),
    };

    for (size_t i = first; i < first + n; i++) {
        /* Philox makes four words at a time, so a pixel may begin inside of a group of four. */
        terms.counter[0] = (uint32_t)(i * c / 4);
        terms.skip = i * c % 4;
        k->dropout(y->data + (image * pixels + i) * y->stride, c, &terms);
    }
}

void dd_dropout_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                        const struct dd_pre *pre, const struct dd_dropout_layer *d)
{
    size_t pixels = (size_t)x->h * (size_t)x->w, blocks = dd_blocks(pixels, PIXELS), c = (size_t)x->c;
    DD_TASKS(ctx->worker, task, (size_t)x->n * blocks) {
        size_t image = task / blocks, first = task % blocks * PIXELS, n = dd_min(PIXELS, pixels - first),
               at = image * pixels + first;
        struct dd_affine_terms terms = dd_pre_terms(pre, image, c);
        if (pre || y->data != x->data)
            ctx->k->affine(dd_map_out(y, at), dd_map_in(x, at), &terms, n, c);
        if (d->masks)
            drop_pixels(ctx->k, y, image, first, n, d);
    }
}

void dd_dropout_backward(const struct dd_context *ctx, const struct dd_map *dy,
                         const struct dd_dropout_layer *d)
{
    size_t pixels = (size_t)dy->h * (size_t)dy->w, blocks = dd_blocks(pixels, PIXELS);
    DD_TASKS(ctx->worker, task, (size_t)dy->n * blocks) {
        size_t first = task % blocks * PIXELS;
        if (d->masks)
            drop_pixels(ctx->k, dy, task / blocks, first, dd_min(PIXELS, pixels - first), d);
    }
}
