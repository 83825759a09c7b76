/* The Frechet distance between two sets of points.  A point is the vector of activations that a network has
   for an image (ddpm_net_features).  This is not the FID, which takes the activations of one particular
   network for photographs. */
#ifndef DDPM_FRECHET_H
#define DDPM_FRECHET_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

enum { FRECHET_ROUNDS = 200 };

/* Two sets, each of at least two finite points. */
struct frechet_sets {
    const double *a, *b; /* [n, d], [m, d] */
    size_t n, m, d;
};

struct frechet {
    double plain;        /* distance between the samples as they are */
    double distance;     /* distance corrected for the size of the samples */
    double low, high;    /* its 95 % interval, cut off at 0 */
    double below, above; /* how far the interval reaches below and above the distance if not cut off */
};

/* Sets *distance to that between the samples as they are.  DDPM_EUSAGE: a set has fewer than two points;
   DDPM_ENAN: a point is not finite. */
int frechet_plain(double *distance, const struct frechet_sets *sets, ddpm_error *err);
/* Fills f by the bootstrap.  The same seed draws the same samples.  The errors are those of frechet_plain. */
int frechet_distance(struct frechet *f, const struct frechet_sets *sets, uint64_t seed, ddpm_error *err);
#endif
