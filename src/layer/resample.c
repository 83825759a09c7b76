/* Changes the resolution without weights.  A task is a row of the output.

     up:         y(i, j) = x(i/2, j/2)
     mean:       y(i, j) = mean of x(2i..2i+1, 2j..2j+1)
     unshuffle:  pixel (2i + p1, 2j + p2) becomes channel c * 4 + p1 * 2 + p2 of pixel (i, j)

   Backward, dx is the sum of four dy (up), a quarter of one dy (mean), or the dy of the same value
   (unshuffle). A task is a row or a pair of rows of dx.

   With a pre, x is act(x * scale + shift).  A task computes its row or two rows of it in scratch [n, h, w,
   c]. */
#include "layer/resample.h"
#include "layer/parallel.h"

size_t dd_resample_scratch(int n, int h, int w, int c)
{
    return sizeof(float) * (size_t)n * (size_t)h * (size_t)w * (size_t)c;
}

/* Returns rows first .. first + count - 1 of all images' rows, after pre. */
static struct dd_in load(const struct dd_context *ctx, const struct dd_map *x, const struct dd_pre *pre,
                         size_t first, size_t count)
{
    size_t w = (size_t)x->w, c = (size_t)x->c;
    struct dd_in rows = dd_map_in(x, first * w);
    if (!pre)
        return rows;

    float *y = ctx->scratch + first * w * c;
    struct dd_affine_terms terms = dd_pre_terms(pre, first / (size_t)x->h, c);
    ctx->k->affine(dd_out(y, c), rows, &terms, count * w, c);
    return dd_in(y, c);
}

void dd_resample_up_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                            const struct dd_pre *pre)
{
    DD_TASKS(ctx->worker, row, (size_t)x->n * (size_t)x->h) {
        struct dd_in r = load(ctx, x, pre, row, 1);
        ctx->k->upsample(dd_map_out(y, row * 2 * (size_t)y->w), r, 1, (size_t)x->w, (size_t)x->c);
    }
}

void dd_resample_up_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                             const struct dd_map *dy)
{
    DD_TASKS(ctx->worker, row, (size_t)dx->n * (size_t)dx->h)
        ctx->k->upsample_backward(dd_grad_map_out((struct dd_grad_map){ dx, add }, row * (size_t)dx->w),
                                  dd_map_in(dy, row * 2 * (size_t)dy->w), 1, (size_t)dx->w, (size_t)dx->c);
}

/* Returns the row of x at which row `row` of the output begins; both are counted over all images.  An odd
   last row of an image is left out. */
static size_t pair(const struct dd_map *y, const struct dd_map *x, size_t row)
{
    return row / (size_t)y->h * (size_t)x->h + row % (size_t)y->h * 2;
}

void dd_resample_mean_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre)
{
    DD_TASKS(ctx->worker, row, (size_t)y->n * (size_t)y->h) {
        struct dd_in r = load(ctx, x, pre, pair(y, x, row), 2);
        ctx->k->avgpool(dd_map_out(y, row * (size_t)y->w), r, 2, (size_t)x->w, (size_t)x->c);
    }
}

typedef void pairs_backward(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels);

/* Applies f to the pairs of rows of dx.  The last pair of an image may be a single row, which forward has
   left out. */
static void each_pair(const struct dd_context *ctx, pairs_backward *f, const struct dd_map *dx, bool add,
                      const struct dd_map *dy)
{
    size_t h = (size_t)dx->h, pairs = dd_blocks(h, 2);
    DD_TASKS(ctx->worker, task, (size_t)dx->n * pairs) {
        size_t image = task / pairs, row = task % pairs;
        f(dd_grad_map_out((struct dd_grad_map){ dx, add }, (image * h + 2 * row) * (size_t)dx->w),
          dd_map_in(dy, (image * (size_t)dy->h + row) * (size_t)dy->w), dd_min(2, h - 2 * row), (size_t)dx->w,
          (size_t)dx->c);
    }
}

void dd_resample_mean_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy)
{
    each_pair(ctx, ctx->k->avgpool_backward, dx, add, dy);
}

void dd_resample_unshuffle_forward(const struct dd_context *ctx, const struct dd_map *y,
                                   const struct dd_map *x)
{
    DD_TASKS(ctx->worker, row, (size_t)y->n * (size_t)y->h)
        ctx->k->unshuffle(dd_map_out(y, row * (size_t)y->w), dd_map_in(x, pair(y, x, row) * (size_t)x->w), 2,
                          (size_t)x->w, (size_t)x->c);
}

void dd_resample_unshuffle_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                                    const struct dd_map *dy)
{
    each_pair(ctx, ctx->k->unshuffle_backward, dx, add, dy);
}

void dd_resample_copy_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre, float a, float b)
{
    size_t c = (size_t)x->c;

    DD_TASKS(ctx->worker, row, (size_t)x->n * (size_t)x->h) {
        struct dd_in from = dd_map_in(x, row * (size_t)x->w);
        struct dd_out to = dd_map_out(y, row * (size_t)x->w);
        struct dd_affine_terms terms = dd_pre_terms(pre, row / (size_t)x->h, c);

        if (a == 1 && b == 0)
            ctx->k->affine(to, from, &terms, (size_t)x->w, c);
        else
            for (size_t i = 0; i < (size_t)x->w; i++)
                for (size_t j = 0; j < c; j++)
                    to.at[i * to.stride + j] = a * from.at[i * from.stride + j] + b;
    }
}

void dd_resample_copy_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy, float a)
{
    size_t w = (size_t)dx->w, c = (size_t)dx->c;

    DD_TASKS(ctx->worker, row, (size_t)dx->n * (size_t)dx->h) {
        struct dd_in from = dd_map_in(dy, row * w);
        struct dd_out to = dd_map_out(dx, row * w);
        struct dd_post_terms terms = { .residual = dd_in(add ? to.at : NULL, to.stride), .scale = a };
        if (a == 1 || !add)
            ctx->k->post(to, from, &terms, w, c);
        else
            for (size_t i = 0; i < w; i++)
                for (size_t j = 0; j < c; j++)
                    to.at[i * to.stride + j] += a * from.at[i * from.stride + j];
    }
}
