/* The Frechet distance between two sets of points.  This is not the FID, which takes the activations of one
   particular network for photographs. */
#ifndef DDPM_FRECHET_H
#define DDPM_FRECHET_H
#include "measure/point_sets.h"

/* Sets *distance to that between the samples as they are.  DDPM_EUSAGE: a set has fewer than two points;
   DDPM_ENAN: a point is not finite. */
int frechet_plain(double *distance, const struct point_sets *sets, ddpm_error *err);
/* Fills f by the bootstrap.  The same seed draws the same samples.  The errors are those of frechet_plain. */
int frechet_distance(struct set_distance *f, const struct point_sets *sets, uint64_t seed, ddpm_error *err);
#endif
