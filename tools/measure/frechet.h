/* The Frechet distance between two sets of points: of images, by what a network says of each (ddpm_net_features).  It is no FID: that has
   the activations of one certain network for photographs. */
#ifndef DDPM_FRECHET_H
#define DDPM_FRECHET_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

enum { FRECHET_ROUNDS = 200 };

/* plain: of the samples; distance: corrected for their size, with its 95 % interval; below, above: how far it
   reaches from the distance where nothing ends it at 0. */
struct frechet {
    double plain, distance, low, high, below, above;
};

/* *distance of a [n, d] and b [m, d] as they are; n, m at least 2. */
int frechet_plain(double *distance, const double *a, size_t n, const double *b, size_t m, size_t d,
                  ddpm_error *err);
/* The same draws for the same seed. */
int frechet_distance(struct frechet *f, const double *a, size_t n, const double *b, size_t m, size_t d,
                     uint64_t seed, ddpm_error *err);
#endif
