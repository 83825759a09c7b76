/* The tokens of attention pooling, which turns an image into one vector; see tokens.c.

   x [n, h, w, c] is the image, y [n, 1, 1 + h w, c] its tokens, position [c, 1 + h w] the learned vectors of
   their positions. */
#ifndef DD_TOKENS_H
#define DD_TOKENS_H
#include "layer/map.h"

/* Fills y with the tokens of x. */
void dd_tokens_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                       const float *position);
/* Overwrites dx, and adds to dposition, the gradient by position. */
void dd_tokens_backward(const struct dd_context *ctx, const struct dd_map *dx, float *dposition,
                        const struct dd_map *dy);
/* Fills y [n, 1, 1, c] with the first pixel of each image of x. */
void dd_tokens_first_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x);
/* Overwrites dx: it is dy at the first pixel and 0 elsewhere. */
void dd_tokens_first_backward(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy);
#endif
