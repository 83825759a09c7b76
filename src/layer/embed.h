/* Sinusoidal embedding of the timestep (Ho et al. 2020, after Vaswani et al. 2017): y = [sin(t f) | cos(t f)], or cos first; a last 0 when
   dim is odd.  y [n, dim], t [n] as fed, f [dim / 2]. */
#ifndef DD_EMBED_H
#define DD_EMBED_H
#include "layer/map.h"

void dd_embed_forward(const struct dd_context *ctx, const struct dd_map *y, const float *t, const float *f,
                      int cos_first);
/* Fills dt [n], the gradient by t, from dy [n, dim] and y [n, dim] of the forward pass:
   d sin(t f) = f cos(t f) dt, d cos(t f) = -f sin(t f) dt. */
void dd_embed_backward(const struct dd_context *ctx, float *dt, const struct dd_map *dy,
                       const struct dd_map *y, const float *f, int cos_first);
/* y [n, c] += table[classes[n]] [c]. */
void dd_embed_class_forward(const struct dd_context *ctx, const struct dd_map *y, const float *table,
                            const int32_t *classes);
/* dtable[classes[n]] [c] += dy [n, c], image after image; what y held before the class has the gradient dy as it is. */
void dd_embed_class_backward(const struct dd_context *ctx, float *dtable, const struct dd_map *dy,
                             const int32_t *classes);
#endif
