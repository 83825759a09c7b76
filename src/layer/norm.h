/* Group norm (Wu and He 2018), which leaves two vectors for its consumer, and RMS norm (Zhang and Sennrich
   2019). */
#ifndef DD_NORM_H
#define DD_NORM_H
#include <stdbool.h>
#include "layer/map.h"

/* For each image s [c], then b [c], `stride` floats from image to image.  data is NULL if there is no emb. */
struct dd_norm_emb {
    const float *data;
    size_t stride;
};

struct dd_norm {
    int groups;
    double eps;                /* the eps of the formula */
    const float *gamma, *beta; /* [c] */
    struct dd_norm_emb emb;
};

/* The gradients by the parameters of a norm, or by g of an RMS norm, which has no beta. */
struct dd_norm_gradients {
    float *dgamma, *dbeta; /* [c], the gradients are added to them */
    float *demb;           /* like emb, or NULL; overwritten, or with demb_add added to */
    size_t demb_stride;
    bool demb_add;
};

/* The results of earlier passes that the backward pass of a norm needs. */
struct dd_norm_sums {
    const float *dscale, *dshift; /* [n, c], from the consumer's dd_pre_backward */
    const float *moments;         /* [n, groups, 2], from dd_norm_forward */
};

/* Computes y = (x - mean_g) / sqrt(var_g + eps) * gamma + beta, then y * (1 + s) + b, in the form x * scale
   + shift: it fills scale and shift [n, c].  moments [n, groups, 2] receives mean and 1 / sqrt(var + eps);
   it is NULL if no backward pass follows. */
void dd_norm_forward(const struct dd_context *ctx, float *scale, float *shift, float *moments,
                     const struct dd_map *x, const struct dd_norm *norm);
/* Return the bytes of scratch that forward and backward need. */
size_t dd_norm_scratch(int n, int h, int w, int c);
size_t dd_norm_backward_scratch(int n, int c);
/* Adds to dx what x contributes through mean and variance.  The consumer's dd_pre_backward has written dx
   before.  Fills d. */
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

/* Computes dx, which may be dy unless dx.add is set, and dresidual, which is dy itself.  Fills d; d->dgamma
   is the gradient by g, not by gain. */
void dd_norm_rms_backward(const struct dd_context *ctx, struct dd_grad_map dx,
                          const struct dd_norm_gradients *d, struct dd_grad_map dresidual,
                          const struct dd_map *dy, const struct dd_map *x, const struct dd_norm_rms *rms);
/* Returns the bytes of scratch of dd_norm_rms_backward; forward needs no scratch. */
size_t dd_norm_rms_backward_scratch(int n, int h, int w, int c, int threads);
#endif
