/* Changes of resolution without weights, and the copy that is left where a join could not be planned away. */
#ifndef DD_RESAMPLE_H
#define DD_RESAMPLE_H
#include "layer/map.h"

void dd_upsample_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const struct dd_pre *pre);   /* nearest, x2 */
void dd_avgpool_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, const struct dd_pre *pre);    /* 2x2 means of act(norm(x)) */
void dd_unshuffle_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x);   /* channel c*4 + p1*2 + p2 */
void dd_copy_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x, float a, float b);   /* y = a x + b */
size_t dd_resample_scratch(int n, int h, int w, int c);    /* of the input; for a pre */
#endif
