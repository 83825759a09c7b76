/* The sliced Wasserstein distance between sets of points, squared, and which of two sets is nearer to a
   third.  It tells sets of 1,000 images apart that the Frechet distance does not. */
#ifndef DDPM_SLICED_H
#define DDPM_SLICED_H
#include "measure/bootstrap.h"
#include "measure/point_sets.h"

/* The distance between two sets.  It is compared with what was measured, by the same seed, between another
   first set and the same second one. */
struct sliced {
    double plain;                   /* between the sets as they are */
    double value;                   /* corrected for their sizes; it may be negative */
    double again[BOOTSTRAP_ROUNDS]; /* plain distances of the rounds of the bootstrap */
    size_t least;                   /* points in the smaller set */
};

/* Measures the distance between two sets.  It takes about 900 bytes for each point, and time in proportion
   to the points.  DDPM_EUSAGE: a set has fewer than two points; DDPM_ENAN: a point is not finite;
   DDPM_ENOMEM.  If the user interrupts, f means nothing. */
int sliced_measure(struct sliced *f, const struct point_sets *sets, uint64_t seed, ddpm_error *err);
/* Fills f with the distance and its interval. */
void sliced_distance(struct set_distance *f, const struct sliced *s);

/* The distance of set a less that of set b from the same third set. */
struct sliced_order {
    double difference, low, high; /* its 95 % interval */
    double share;                 /* part of the rounds in which a is nearer, 0 to 1 */
};

/* Compares what was measured for a and b.  If both sets have the same number of points, point i of a and of b
   are drawn together: a pair, which is best made from the same noise. */
void sliced_compare(struct sliced_order *o, const struct sliced *a, const struct sliced *b);
#endif
