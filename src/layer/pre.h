/* The backward pass of what a layer does to a map while it loads it, u = act(x scale + shift), and while
   it stores its own map, y = act((z + add + residual) scale).  d<name> is the gradient of the loss by
   <name>. */
#ifndef DD_PRE_H
#define DD_PRE_H
#include <stdbool.h>
#include "layer/map.h"

/* Computes dx = g scale, or with `add` adds it, where g = du act'(x scale + shift).  With pre->scale it also
   fills, for dd_norm_backward on the same x,

     dscale [n, c] = sum over pixels of g (x - p), p the channel's value at the image's first pixel,
     dshift [n, c] = sum over pixels of g.

   Without pre->scale both are NULL and dx = g.  du may be dx unless `add` is set; x overlaps neither. */
void dd_pre_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add, float *dscale,
                     float *dshift, const struct dd_map *du, const struct dd_map *x,
                     const struct dd_pre *pre);
/* Returns the bytes of scratch.  Calls that ask for neither the sums nor dadd need none. */
size_t dd_pre_scratch(int n, int h, int w, int c);
/* Computes dz = dy act'(v) scale; dz may be dy.  v [n, h, w, c] is the argument of the activation, or NULL
   with DD_ACT_NONE.  Unless they are NULL, dresidual receives dz, or with residual_add is added to, and
   dadd [n, 1, 1, c] receives the sum over pixels of dz, or with dadd_add is added to. */
void dd_pre_store_backward(const struct dd_context *ctx, const struct dd_map *dz,
                           const struct dd_map *dresidual, bool residual_add, const struct dd_map *dadd,
                           bool dadd_add, const struct dd_map *dy, const struct dd_map *v, float scale,
                           enum dd_act act);
#endif
