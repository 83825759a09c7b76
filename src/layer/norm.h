/* Group norm (Wu and He 2018), which leaves two vectors for its consumer, and RMS norm (Zhang and Sennrich
   2019). */
#ifndef DD_NORM_H
#define DD_NORM_H
#include <stdbool.h>
#include "layer/map.h"

/* s [c], then b [c] of each image, `stride` floats apart; data NULL: none. */
struct dd_norm_emb {
    const float *data;
    size_t stride;
};

struct dd_norm {
    int groups;
    double eps;                /* of forward */
    const float *gamma, *beta; /* [c] */
    struct dd_norm_emb emb;
};

/* The gradients by the parameters of a norm, or by g of an RMS norm, which has no beta. */
struct dd_norm_gradients {
    float *dgamma, *dbeta; /* [c], added to */
    float *demb;           /* like emb, NULL with it; written, or with demb_add added to */
    size_t demb_stride;
    bool demb_add;
};

/* What the passes before leave for the backward pass of a norm. */
struct dd_norm_sums {
    const float *dscale, *dshift; /* [n, c], by dd_pre_backward of the consumer */
    const float *moments;         /* [n, groups, 2], by dd_norm_forward */
};

/* Computes y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then y * (1 + s) + b, in the form x * scale
   + shift: fills scale and shift [n, c].  moments [n, groups, 2] receives mean and 1 / sqrt(var + eps);
   NULL: no backward pass follows. */
void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments,
                     const struct dd_map *x, const struct dd_norm *norm);
/* Return the bytes of scratch that forward and backward need. */
size_t dd_norm_scratch(int n, int h, int w, int c);
size_t dd_norm_backward_scratch(int n, int c);
/* ADDS to dx what x contributes through mean and variance; dd_pre_backward of the consumer has begun dx.
   Fills d. */
void dd_norm_backward(const struct dd_context *ctx, const struct dd_map *dx,
                      const struct dd_norm_gradients *d, const struct dd_norm_sums *sums,
                      const struct dd_map *x, const struct dd_norm *norm);

struct dd_norm_rms {
    const float *gain; /* [c], g sqrt(c) */
    struct dd_norm_emb emb;
    enum dd_act act;
};

/* Computes y = act(x / max(||x||, 1e-12) * gain * (1 + s) + b) + residual; residual may be NULL. */
void dd_norm_rms_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                         const struct dd_norm_rms *rms, const struct dd_map *residual);

/* The gradient by the residual is dy itself: `map`, or NULL, is written, or with `add` added to. */
struct dd_norm_residual {
    const struct dd_map *map;
    bool add;
};

/* Writes dx, or with `add` adds to it; dx may be dy where `add` is false.  Fills d, where d->dgamma is the
   gradient by g, which is not that by gain. */
void dd_norm_rms_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                          const struct dd_norm_gradients *d, struct dd_norm_residual dresidual,
                          const struct dd_map *dy, const struct dd_map *x, const struct dd_norm_rms *rms);
/* Returns the bytes of scratch that it needs; forward needs none. */
size_t dd_norm_rms_backward_scratch(int n, int h, int w, int c, int threads);
#endif
