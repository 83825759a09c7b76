/* Changes of resolution without weights, and the copy that is left where a join could not be planned away. */
#ifndef DD_RESAMPLE_H
#define DD_RESAMPLE_H
#include "layer/map.h"

/* Nearest neighbour, y twice x. */
void dd_resample_up_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const struct dd_pre *pre);
/* Means of 2 x 2, y half of x; an odd last row or column of x is left out. */
void dd_resample_mean_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const struct dd_pre *pre);
/* 2 x 2 pixels become channels c*4 + p1*2 + p2 of one. */
void dd_resample_unshuffle_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x);
/* y = a x + b. */
void dd_resample_copy_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, float a, float b);
size_t dd_resample_scratch(int n, int h, int w, int c);    /* of the input; for a pre */
#endif
