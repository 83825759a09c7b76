/* The tokens of attention pooling (Radford et al. 2021, arXiv 2103.00020; Dhariwal and Nichol 2021, arXiv
   2105.05233).  The mean of the P pixels of an image stands before them, and each token has a learned vector
   of its position:

     y_0 = mean_p x_p + e_0,   y_{1+p} = x_p + e_{1+p}

   Backward,

     dx_p = dy_{1+p} + dy_0 / P,   de_j = the sum of dy_j over all images

   Attention then mixes the tokens, and the first of them goes on. */
#include "layer/tokens.h"
#include <string.h>
#include "layer/parallel.h"

static size_t pixels_of(const struct dd_map *m)
{
    return (size_t)m->h * (size_t)m->w;
}

/* Fills y [c] with the mean of the pixels of an image.  It is summed in double, in the order of the pixels.
   */
static void mean(float *y, const struct dd_map *x, size_t image)
{
    size_t pixels = pixels_of(x);
    struct dd_in from = dd_map_in(x, image * pixels);

    for (size_t c = 0; c < (size_t)x->c; c++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++)
            sum += from.at[p * from.stride + c];
        y[c] = (float)(sum / (double)pixels);
    }
}

void dd_tokens_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                       const float *position)
{
    size_t channels = (size_t)x->c, pixels = pixels_of(x), tokens = 1 + pixels;

    DD_TASKS(ctx->worker, task, (size_t)x->n * tokens) {
        size_t image = task / tokens, token = task % tokens;
        float *to = dd_map_out(y, task).at;

        if (token == 0)
            mean(to, x, image);
        else
            memcpy(to, dd_map_in(x, image * pixels + token - 1).at, channels * sizeof *to);
        for (size_t c = 0; c < channels; c++)
            to[c] += position[c * tokens + token];
    }
}

void dd_tokens_backward(const struct dd_context *ctx, const struct dd_map *dx, float *dposition,
                        const struct dd_map *dy)
{
    size_t channels = (size_t)dy->c, tokens = (size_t)dy->w, pixels = tokens - 1;

    DD_TASKS(ctx->worker, task, dx->data ? (size_t)dy->n * pixels : 0) {
        size_t image = task / pixels, first = image * tokens;
        const float *of_mean = dd_map_in(dy, first).at, *own = dd_map_in(dy, first + 1 + task % pixels).at;
        float *to = dd_map_out(dx, task).at;
        for (size_t c = 0; c < channels; c++)
            to[c] = own[c] + of_mean[c] / (float)pixels;
    }

    /* All images share the vectors, so their gradients are summed, in double and in order. */
    DD_TASKS(ctx->worker, token, tokens)
        for (size_t c = 0; c < channels; c++) {
            double sum = 0;
            for (size_t image = 0; image < (size_t)dy->n; image++)
                sum += dd_map_in(dy, image * tokens + token).at[c];
            dposition[c * tokens + token] = (float)(dposition[c * tokens + token] + sum);
        }
}

void dd_tokens_first_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x)
{
    DD_TASKS(ctx->worker, image, (size_t)x->n)
        memcpy(dd_map_out(y, image).at, dd_map_in(x, image * pixels_of(x)).at, (size_t)x->c * sizeof(float));
}

void dd_tokens_first_backward(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy)
{
    size_t pixels = pixels_of(dx), size = (size_t)dx->c * sizeof(float);

    DD_TASKS(ctx->worker, pixel, (size_t)dx->n * pixels) {
        float *to = dd_map_out(dx, pixel).at;
        if (pixel % pixels)
            memset(to, 0, size);
        else
            memcpy(to, dd_map_in(dy, pixel / pixels).at, size);
    }
}
