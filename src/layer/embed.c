/* Computes the embedding of the timestep and of the class.

   y [n, dim] is [sin(t f) | cos(t f)], or the cosines first, with f [dim / 2].  The product t f is rounded
   to float, as the originals round it.  An odd dim ends in 0.  A class is, or adds, its row of a table
   [classes, c]. */
#include "layer/embed.h"
#include <string.h>
#include "layer/parallel.h"

void dd_embed_forward(const struct dd_context *ctx, const struct dd_map *y, const float *t, const float *f,
                      int cos_first)
{
    size_t half = (size_t)y->c / 2;
    DD_TASKS(ctx->worker, i, (size_t)y->n) {
        float *row = y->data + i * y->stride, *s = cos_first ? row + half : row,
              *c = cos_first ? row : row + half;
        ctx->k->sincos(s, c, f, t[i], half);
        if (y->c % 2)
            row[y->c - 1] = 0;
    }
}

void dd_embed_backward(const struct dd_context *ctx, float *dt, const struct dd_map *dy,
                       const struct dd_map *y, const float *f, int cos_first)
{
    size_t half = (size_t)y->c / 2, s = cos_first ? half : 0, c = cos_first ? 0 : half;

    DD_TASKS(ctx->worker, i, (size_t)y->n) {
        const float *row = y->data + i * y->stride, *grad = dy->data + i * dy->stride;
        double sum = 0;
        for (size_t k = 0; k < half; k++)
            /* d sin(t f) = f cos(t f) dt, d cos(t f) = -f sin(t f) dt. */
            sum += (double)f[k] * ((double)grad[s + k] * row[c + k] - (double)grad[c + k] * row[s + k]);
        dt[i] = (float)sum;
    }
}

void dd_embed_class_forward(const struct dd_context *ctx, const struct dd_map *y, bool add,
                            const float *table, const int32_t *classes)
{
    size_t c = (size_t)y->c;
    DD_TASKS(ctx->worker, i, (size_t)y->n) {
        const float *own = table + (size_t)classes[i] * c;
        const struct dd_post_terms sum = { .bias = own, .scale = 1 };
        if (add)
            ctx->k->post(dd_map_out(y, i), dd_map_in(y, i), &sum, 1, c);
        else
            memcpy(y->data + i * y->stride, own, c * sizeof *own);
    }
}

void dd_embed_class_backward(const struct dd_context *ctx, float *dtable, const struct dd_map *dy,
                             const int32_t *classes)
{
    size_t c = (size_t)dy->c;
    DD_ONCE(ctx->worker)
        for (int i = 0; i < dy->n; i++) {
            float *row = dtable + (size_t)classes[i] * c;
            const struct dd_post_terms sum = { .residual = dd_map_in(dy, (size_t)i), .scale = 1 };
            ctx->k->post(dd_out(row, c), dd_in(row, c), &sum, 1, c);
        }
}
