/* Measures what a number of steps buys: how far images are from those of more steps, and which
   pairs of time and distance are worth it. */
#ifndef DDPM_BENCH_QUALITY_H
#define DDPM_BENCH_QUALITY_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Returns the root of the mean squared difference of bytes a, b [n]. */
double quality_rmse(const unsigned char *a, const unsigned char *b, size_t n);
/* Returns the peak signal-to-noise ratio of such an RMSE in decibels; infinite for 0. */
double quality_psnr(double rmse);
/* Fills *ssim with the mean over n images [h, w, c] of their structural similarity; NAN when a
   side is under 11 pixels.  DDPM_ENOMEM is the only error. */
int quality_ssim(double *ssim, const unsigned char *a, const unsigned char *b, size_t n, int h, int w, int c,
                 ddpm_error *err);

/* Returns the median of v [n]; NAN values are left out, and it is NAN when none is left. */
double quality_median(const double *v, int n);
/* Returns (largest - least) / median of v [n], or NAN when fewer than two are left. */
double quality_spread(const double *v, int n);

/* Pairs of time and distance [n].  The 95 % interval of a distance reaches from distance - below
   to distance + above.  NAN: not known. */
struct quality_points {
    const double *seconds, *distance, *below, *above;
    int n;
};

/* Fills front [n]: the points whose whole interval is nearer than those of all points that take
   no longer. Returns how many are on the front; a single one counts as none, since nothing is
   ranked then. */
int quality_front(bool *front, const struct quality_points *p);
/* Returns about how many images a set needs before one point beside the fastest is on the front,
   and in *first which that is.  It takes the width of an interval to fall as 1 / sqrt(images).
   Infinity and -1: no point is nearer than all that are faster. */
double quality_needed(const struct quality_points *p, int images, int *first);
/* Returns the knee: the point of the front farthest below the line from its fastest to its
   slowest point, over log seconds; -1: fewer than three points. */
int quality_knee(const bool *front, const double *seconds, const double *distance, int n);
/* Among points within `limit` seconds, returns the one with the most steps K whose interval,
   from low on, reaches the smallest distance; ties: nearest, then fastest; -1: none.  So more
   steps are preferred unless they can be seen to be worse. */
int quality_best(const int *K, const double *seconds, const double *distance, const double *low, int n,
                 double limit);
#endif
