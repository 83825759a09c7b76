/* How far Winograd's convolution may be from the sum it stands for; see winograd_bound.c. */
#ifndef WINOGRAD_BOUND_H
#define WINOGRAD_BOUND_H
#include "layer/conv.h"

/* bound [h, w, cout] of the output, before any activation, for one image x [h, w, cin] as the convolution reads it (large, where it is
   doubled) and w OIHW.  tile 2, 4: outputs of a tile along either side; 6: sixes and fours, as winograd_cut.  What bias, add and residual add to
   it is not in it. */
void winograd_bound(double *bound, const struct dd_conv_shape *s, int tile, const double *x, const float *w);

/* Sixes, then fours, that n outputs in a row are cut into; returns their points.  One or two fours, whichever gives the fewest points, where sixes
   alone would be more than a twentieth above; else none. */
int winograd_cut(int n, int *sixes, int *fours);
#endif
