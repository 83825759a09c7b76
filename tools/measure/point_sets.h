/* Sets of points whose distance is measured.  A point is the vector of activations that a network has for an
   image (ddpm_net_features). */
#ifndef DDPM_POINT_SETS_H
#define DDPM_POINT_SETS_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

/* Two sets, each of at least two finite points. */
struct point_sets {
    const double *a, *b; /* [n, d], [m, d] */
    size_t n, m, d;
};

/* A distance between the laws that two sets were drawn from, as far as the sets tell. */
struct set_distance {
    double plain;        /* distance between the sets as they are */
    double distance;     /* distance corrected for the size of the sets, at least 0 */
    double low, high;    /* its 95 % interval, cut off at 0 */
    double below, above; /* how far the interval reaches below and above the distance if not cut off */
};
#endif
