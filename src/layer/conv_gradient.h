/* Gradients of a convolution z = conv(x', w) + b, x' = act(x scale + shift), from dz, the gradient of the
   loss by its output:

     dx'[p, i]         = sum over o, kh, kw and q with q stride + (kh, kw) - (top, left) = p of
                         w[o, i, kh, kw] dz[q, o]
     dw[o, i, kh, kw] += sum over images and output pixels q of
                         dz[q, o] x'[q stride + (kh, kw) - (top, left), i]
     db[o]            += sum over images and output pixels q of dz[q, o]

   The caller has undone dd_conv_forward's post before (layer/pre.h).  No bit depends on the number of
   threads, and none of dx on the batch. */
#ifndef DD_CONV_GRADIENT_H
#define DD_CONV_GRADIENT_H
#include "layer/conv.h"

struct dd_conv_gradient;

/* Returns the engine that forward and backward passes of training ask dd_conv_open for: the user's, or a
   choice if the user named none (NULL or "auto").  Training has batches, so winograd pays from smaller
   images on than in conv.c.  On 4x4 it does not pay, because the weights are packed anew in every step; see
   bench/RESULTS.md, "Training". */
const char *dd_conv_gradient_engine(const struct dd_conv_shape *s, const char *asked);
/* Opens a gradient; s and setup are as for dd_conv_open.  setup->engine computes the gradient by x if that
   is a convolution of stride 1.  The caller closes it with dd_conv_gradient_close. */
int dd_conv_gradient_open(struct dd_conv_gradient **g, const struct dd_conv_shape *s,
                          const struct dd_conv_setup *setup, ddpm_error *err);
/* Returns the bytes of weights packed for dd_conv_gradient_data. */
size_t dd_conv_gradient_packed(const struct dd_conv_gradient *g);
/* Returns the bytes of scratch at setup.batch and threads. */
size_t dd_conv_gradient_scratch(const struct dd_conv_gradient *g);
/* Packs w OIHW into `packed`, dd_conv_gradient_packed bytes that the caller keeps.  It is called again
   whenever w has changed. */
void dd_conv_gradient_pack(struct dd_conv_gradient *g, void *packed, const float *w);
/* Computes dx [n, h, w, cin] from dz [n, oh, ow, cout], n <= batch; all of dx is overwritten. */
void dd_conv_gradient_data(const struct dd_conv_gradient *g, const struct dd_context *ctx,
                           const struct dd_map *dx, const struct dd_map *dz);
/* Adds to dw [cout, cin, k, k] and, unless it is NULL, db [cout].  pre may be NULL.  This needs no packed
   weights. */
void dd_conv_gradient_weights(const struct dd_conv_gradient *g, const struct dd_context *ctx, float *dw,
                              float *db, const struct dd_map *dz, const struct dd_map *x,
                              const struct dd_pre *pre);
void dd_conv_gradient_close(struct dd_conv_gradient *g);
#endif
