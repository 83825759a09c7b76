/* Backward of what a consumer does to a map while it loads it, u = act(x scale + shift), and while it stores its own,
   y = act((z + add + residual) scale).  d<name> is the gradient of the loss by <name>. */
#ifndef DD_PRE_H
#define DD_PRE_H
#include <stdbool.h>
#include "layer/map.h"

/* With g = du act'(x scale + shift): dx = g scale (add: +=).  With pre->scale, for dd_norm_backward on the same x:
     dscale [n, c] = sum over pixels of g (x - p), p the channel's value at the image's first pixel,  dshift [n, c] = sum of g;
   without, both NULL and dx = g.  du may be dx where add is false; x overlaps neither. */
void dd_pre_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add, float *dscale,
                     float *dshift, const struct dd_map *du, const struct dd_map *x,
                     const struct dd_pre *pre);
size_t dd_pre_scratch(int n, int h, int w,
                      int c); /* bytes; 0 will do where neither sums nor dadd are asked for */
/* dz = dy act'(v) scale, v [n, h, w, c] what the activation was applied to, NULL with DD_ACT_NONE; dz may be dy.
   dresidual (NULL: none) = dz, residual_add: +=.  dadd (NULL: none) [n, 1, 1, c] = sum over pixels of dz, dadd_add: +=. */
void dd_pre_store_backward(const struct dd_context *ctx, const struct dd_map *dz,
                           const struct dd_map *dresidual, bool residual_add, const struct dd_map *dadd,
                           bool dadd_add, const struct dd_map *dy, const struct dd_map *v, float scale,
                           enum dd_act act);
#endif
