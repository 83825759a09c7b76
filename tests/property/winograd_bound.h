/* How far Winograd's convolution may be from the sum it stands for; see winograd_bound.c. */
#ifndef WINOGRAD_BOUND_H
#define WINOGRAD_BOUND_H
#include "layer/conv.h"

/* bound [h, w, cout] of the output, before any activation, for one image x [h, w, cin] as the convolution reads it (large, where it is
   doubled) and w OIHW; tile 2, 4 or 6.  What bias, add and residual add to it is not in it. */
void winograd_bound(double *bound, const struct dd_conv_shape *s, int tile, const double *x, const float *w);
#endif
