/* Changes of resolution without weights, and the copy that remains where a join could not be planned away.
   The backward functions write dx, or with `add` add to it.  dd_pre_backward follows them when forward had
   a pre. */
#ifndef DD_RESAMPLE_H
#define DD_RESAMPLE_H
#include <stdbool.h>
#include "layer/map.h"

/* Doubles height and width by the nearest neighbour. */
void dd_resample_up_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                            const struct dd_pre *pre);
void dd_resample_up_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                             const struct dd_map *dy);
/* Halves height and width by means of 2 x 2 pixels.  An odd last row or column of x is left out. */
void dd_resample_mean_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre);
void dd_resample_mean_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy);
/* Moves space into channels: pixel (p1, p2) of 2 x 2 becomes the channels c * 4 + p1 * 2 + p2 of one
   pixel. */
void dd_resample_unshuffle_forward(const struct dd_context *ctx, const struct dd_map *y,
                                   const struct dd_map *x);
void dd_resample_unshuffle_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                                    const struct dd_map *dy);
/* Computes y = a x + b; with a pre a is 1 and b 0.  It needs no scratch. */
void dd_resample_copy_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                              const struct dd_pre *pre, float a, float b);
void dd_resample_copy_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                               const struct dd_map *dy, float a);
/* Returns the bytes of scratch of up and mean with a pre; h and w are those of the input. */
size_t dd_resample_scratch(int n, int h, int w, int c);
#endif
