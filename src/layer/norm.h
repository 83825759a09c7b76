/* Group norm (Wu and He 2018) as two vectors for the consumer, and RMS norm. */
#ifndef DD_NORM_H
#define DD_NORM_H
#include "layer/map.h"

/* y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then * (1 + s) + b, written as x * scale + shift; scale, shift [n, c].
   emb: s [c] then b [c] of each image, emb_stride floats apart, or NULL.  Sums constant chunks of pixels, never by threads. */
void   dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, const struct dd_map *x, int groups, double eps,
                       const float *gamma, const float *beta, const float *emb, size_t emb_stride);
size_t dd_norm_scratch(int n, int h, int w, int c);
/* y = act(x / max(||x||, 1e-12) * gain * (1 + s) + b) + residual; gain [c] holds g sqrt(c); emb as above; residual may be NULL. */
void   dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const float *gain,
                           const float *emb, size_t emb_stride, const struct dd_map *residual, enum dd_act act);
#endif
