/* The embedding of the timestep (Ho et al. 2020, after Vaswani et al. 2017) and that of the class. */
#ifndef DD_EMBED_H
#define DD_EMBED_H
#include <stdbool.h>
#include "layer/map.h"

/* Fills y [n, dim] with [sin(t f) | cos(t f)], or the cosines first; the last one is 0 when dim is odd.  t
   [n] is as the network gets it, f is [dim / 2]. */
void dd_embed_forward(const struct dd_context *ctx, const struct dd_map *y, const float *t, const float *f,
                      int cos_first);
/* Fills dt [n], the gradient by t, from dy [n, dim] and y [n, dim] of the forward pass:
   d sin(t f) = f cos(t f) dt, d cos(t f) = -f sin(t f) dt. */
void dd_embed_backward(const struct dd_context *ctx, float *dt, const struct dd_map *dy,
                       const struct dd_map *y, const float *f, int cos_first);
/* Fills y [n, c] with the row classes[n] of table [classes, c], or adds that row to y. */
void dd_embed_class_forward(const struct dd_context *ctx, const struct dd_map *y, bool add,
                            const float *table, const int32_t *classes);
/* Adds dy [n, c] to row classes[n] of dtable, image after image.  dy itself is also the gradient by y
   before the class was added. */
void dd_embed_class_backward(const struct dd_context *ctx, float *dtable, const struct dd_map *dy,
                             const int32_t *classes);
#endif
