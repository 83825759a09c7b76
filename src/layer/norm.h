/* Group norm (Wu and He 2018) as two vectors for the consumer, and RMS norm. */
#ifndef DD_NORM_H
#define DD_NORM_H
#include <stdbool.h>
#include "layer/map.h"

/* y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then * (1 + s) + b, written as x * scale + shift; scale, shift [n, c].
   emb: s [c] then b [c] of each image, emb_stride floats apart, or NULL.  Sums constant chunks of pixels, never by threads.
   moments [n, groups, 2], NULL when no backward follows: mean and 1 / sqrt(var + eps). */
void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments,
                     const struct dd_map *x, int groups, double eps, const float *gamma, const float *beta,
                     const float *emb, size_t emb_stride);
size_t dd_norm_scratch(int n, int h, int w, int c);
/* What x contributes through mean and variance is ADDED to dx, which dd_pre_backward of the consumer has begun; dscale, dshift are
   the sums it left.  dgamma, dbeta [c] +=.  demb (NULL with emb NULL) like emb: = or, demb_add, +=. */
void dd_norm_backward(const struct dd_context *ctx, const struct dd_map *dx, float *dgamma, float *dbeta,
                      float *demb, size_t demb_stride, bool demb_add, const float *dscale,
                      const float *dshift, const struct dd_map *x, int groups, const float *moments,
                      const float *gamma, const float *beta, const float *emb, size_t emb_stride);
size_t dd_norm_backward_scratch(int n, int c);
/* y = act(x / max(||x||, 1e-12) * gain * (1 + s) + b) + residual; gain [c] holds g sqrt(c); emb as above; residual may be NULL. */
void dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                         const float *gain, const float *emb, size_t emb_stride,
                         const struct dd_map *residual, enum dd_act act);
/* dg [c] += the gradient by g (not by gain); dx = or, add, +=, and may be dy where add is false; demb as above; the residual's gradient
   is dy itself: dresidual (NULL: none) = dy, residual_add: +=. */
void dd_norm_rms_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add, float *dg,
                          float *demb, size_t demb_stride, bool demb_add, const struct dd_map *dresidual,
                          bool residual_add, const struct dd_map *dy, const struct dd_map *x,
                          const float *gain, const float *emb, size_t emb_stride, enum dd_act act);
size_t dd_norm_rms_backward_scratch(int n, int h, int w, int c, int threads);
#endif
