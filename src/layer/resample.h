/* Changes of resolution without weights, and the copy that is left where a join could not be planned away.  Backward: dx = or, add, +=;
   a forward with a pre is followed by dd_pre_backward. */
#ifndef DD_RESAMPLE_H
#define DD_RESAMPLE_H
#include <stdbool.h>
#include "layer/map.h"

/* Nearest neighbour, y twice x. */
void dd_resample_up_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                            const struct dd_pre *pre);
void dd_resample_up_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                             const struct dd_map *dy);
/* Means of 2 x 2, y half of x; an odd last row or column of x is left out. */
void dd_resample_mean_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre);
void dd_resample_mean_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy);
/* 2 x 2 pixels become channels c*4 + p1*2 + p2 of one. */
void dd_resample_unshuffle_forward(const struct dd_context *ctx, const struct dd_map *y,
                                   const struct dd_map *x);
void dd_resample_unshuffle_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                                    const struct dd_map *dy);
/* y = a x + b; with a pre a is 1, b 0, and no scratch wanted. */
void dd_resample_copy_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre, float a, float b);
void dd_resample_copy_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy, float a);
size_t dd_resample_scratch(int n, int h, int w,
                           int c); /* bytes, h and w of the input; for up and mean with a pre */
#endif
