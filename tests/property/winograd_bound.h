/* How far Winograd's convolution may be from the exact sum; see winograd_bound.c. */
#ifndef WINOGRAD_BOUND_H
#define WINOGRAD_BOUND_H
#include "layer/conv.h"

/* Fills bound [h, w, cout] of the output, before any activation, for one image x [h, w, cin] as the
   convolution reads it (enlarged, where it is doubled) and weights w in the order OIHW. tile is the
   outputs along either side, 2 or 4; 6 stands for sixes and fours, as winograd_cut gives them. Errors of
   bias, add and residual are not in it. */
void winograd_bound(double *bound, const struct dd_conv_shape *s, int tile, const double *x, const float *w);

/* Cuts n outputs in a row into sixes, then fours; returns their points. One or two fours are taken,
   whichever gives the fewest points, where sixes alone would be more than a twentieth above; else none. */
int winograd_cut(int n, int *sixes, int *fours);
#endif
