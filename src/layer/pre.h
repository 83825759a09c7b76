/* The backward pass of what a layer does to a map while it loads it, u = act(x scale + shift), and while it
   stores its own, y = act((z + add + residual) scale).  d<name> is the gradient of the loss by <name>. */
#ifndef DD_PRE_H
#define DD_PRE_H
#include <stdbool.h>
#include "layer/map.h"

/* With g = du act'(x scale + shift): makes dx = g scale, or with `add` adds it.  With pre->scale it also
   fills, for dd_norm_backward on the same x,

     dscale [n, c] = sum over pixels of g (x - p), p the channel's value at the image's first pixel,
     dshift [n, c] = sum over pixels of g.

   Without, both are NULL and dx = g.  du may be dx where `add` is false; x overlaps neither. */
void dd_pre_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add, float *dscale,
                     float *dshift, const struct dd_map *du, const struct dd_map *x,
                     const struct dd_pre *pre);
/* Returns the bytes of scratch; 0 will do where neither the sums nor dadd are asked for. */
size_t dd_pre_scratch(int n, int h, int w, int c);
/* Makes dz = dy act'(v) scale; dz may be dy.  v [n, h, w, c] is what the activation was applied to, NULL
   with DD_ACT_NONE.  dresidual (NULL: none) = dz, or with residual_add += dz.  dadd [n, 1, 1, c] (NULL:
   none) = the sum over pixels of dz, or with dadd_add += it. */
void dd_pre_store_backward(const struct dd_context *ctx, const struct dd_map *dz,
                           const struct dd_map *dresidual, bool residual_add, const struct dd_map *dadd,
                           bool dadd_add, const struct dd_map *dy, const struct dd_map *v, float scale,
                           enum dd_act act);
#endif
