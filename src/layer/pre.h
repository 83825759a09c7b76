/* The backward pass of what a layer does to a map while it loads it, u = act(x scale + shift), and while
   it stores its own map, y = act((z + add + residual) scale).  d<name> is the gradient of the loss by
   <name>. */
#ifndef DD_PRE_H
#define DD_PRE_H
#include <stdbool.h>
#include "layer/map.h"

/* The sums over pixels that dd_pre_backward leaves for dd_norm_backward on the same x.  With g as below and p
   the channel's value at the image's first pixel, dscale [n, c] is the sum of g (x - p), dshift [n, c] that
   of g.  Without pre->scale both are NULL. */
struct dd_pre_sums {
    float *dscale, *dshift;
};

/* Computes dx = g scale, where g = du act'(x scale + shift), and the sums.  Without pre->scale dx = g.  du
   may be dx unless dx.add is set; x overlaps neither. */
void dd_pre_backward(const struct dd_context *ctx, struct dd_grad_map dx, struct dd_pre_sums sums,
                     const struct dd_map *du, const struct dd_map *x, const struct dd_pre *pre);
/* Returns the bytes of scratch.  Calls that ask for neither the sums nor dadd need none. */
size_t dd_pre_scratch(int n, int h, int w, int c);

/* The activation and scale with which a layer stored y = act(v) scale. */
struct dd_pre_store {
    const struct dd_map *v; /* [n, h, w, c]; NULL with DD_ACT_NONE */
    enum dd_act act;
    float scale;
};

/* Computes dz = dy act'(v) scale; dz may be dy.  dresidual receives dz, and dadd [n, 1, 1, c] the sum over
   pixels of dz. */
void dd_pre_store_backward(const struct dd_context *ctx, const struct dd_map *dz,
                           struct dd_grad_map dresidual, struct dd_grad_map dadd, const struct dd_map *dy,
                           const struct dd_pre_store *store);
#endif
