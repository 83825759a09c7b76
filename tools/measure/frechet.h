/* The Frechet distance between two sets of points.  For images a point is what a network says of
   one of them (ddpm_net_features).  This is no FID, which takes the activations of one certain
   network for photographs. */
#ifndef DDPM_FRECHET_H
#define DDPM_FRECHET_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

enum { FRECHET_ROUNDS = 200 };

/* Two sets, at least two finite points of each. */
struct frechet_sets {
    const double *a, *b; /* [n, d], [m, d] */
    size_t n, m, d;
};

struct frechet {
    double plain;        /* of the samples as they are */
    double distance;     /* corrected for the size of the samples */
    double low, high;    /* its 95 % interval; nothing is below 0 */
    double below, above; /* how far the interval reaches from the distance where nothing ends it at 0 */
};

/* Fills *distance of the samples as they are.  DDPM_EUSAGE: fewer than two points in a set;
   DDPM_ENAN: points that are not finite. */
int frechet_plain(double *distance, const struct frechet_sets *sets, ddpm_error *err);
/* Fills f by the bootstrap.  The same seed draws the same samples.  Errors as above. */
int frechet_distance(struct frechet *f, const struct frechet_sets *sets, uint64_t seed, ddpm_error *err);
#endif
