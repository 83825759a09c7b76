/* Group norm (Wu and He 2018), which leaves two vectors for its consumer, and RMS norm (Zhang and Sennrich
   2019). */
#ifndef DD_NORM_H
#define DD_NORM_H
#include <stdbool.h>
#include "layer/map.h"

/* Computes y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then y * (1 + s) + b, in the form x * scale
   + shift: fills scale and shift [n, c].  emb holds s [c], then b [c] of each image, emb_stride floats
   apart; NULL: neither.  moments [n, groups, 2] receives mean and 1 / sqrt(var + eps); NULL: no backward
   pass follows. */
void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments,
                     const struct dd_map *x, int groups, double eps, const float *gamma, const float *beta,
                     const float *emb, size_t emb_stride);
/* Return the bytes of scratch that forward and backward need. */
size_t dd_norm_scratch(int n, int h, int w, int c);
size_t dd_norm_backward_scratch(int n, int c);
/* ADDS to dx what x contributes through mean and variance; dd_pre_backward of the consumer has begun dx,
   and has left the sums dscale and dshift [n, c].  Adds to dgamma and dbeta [c].  demb is like emb, NULL
   with it: it is written, or with demb_add added to. */
void dd_norm_backward(const struct dd_context *ctx, const struct dd_map *dx, float *dgamma, float *dbeta,
                      float *demb, size_t demb_stride, bool demb_add, const float *dscale,
                      const float *dshift, const struct dd_map *x, int groups, const float *moments,
                      const float *gamma, const float *beta, const float *emb, size_t emb_stride);
/* Computes y = act(x / max(||x||, 1e-12) * gain * (1 + s) + b) + residual.  gain [c] holds g sqrt(c); emb
   as above; residual may be NULL. */
void dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                         const float *gain, const float *emb, size_t emb_stride,
                         const struct dd_map *residual, enum dd_act act);
/* Adds to dg [c] the gradient by g, which is not that by gain.  dx is written, or with `add` added to; it
   may be dy where `add` is false.  demb as above.  The residual's gradient is dy itself: dresidual, or
   NULL, is written, or with residual_add added to. */
void dd_norm_rms_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add, float *dg,
                          float *demb, size_t demb_stride, bool demb_add, const struct dd_map *dresidual,
                          bool residual_add, const struct dd_map *dy, const struct dd_map *x,
                          const float *gain, const float *emb, size_t emb_stride, enum dd_act act);
/* Returns the bytes of scratch that it needs; forward needs none. */
size_t dd_norm_rms_backward_scratch(int n, int h, int w, int c, int threads);
#endif
