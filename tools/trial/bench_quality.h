/* Measures the quality that a number of steps gives: how far images are from those of more
   steps, and which pairs of time and distance are on the Pareto front. */
#ifndef DDPM_BENCH_QUALITY_H
#define DDPM_BENCH_QUALITY_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Returns the root of the mean squared difference between bytes a and b [n]. */
double quality_rmse(const unsigned char *a, const unsigned char *b, size_t n);
/* Returns the peak signal-to-noise ratio in decibels for such an RMSE; infinite for 0. */
double quality_psnr(double rmse);

/* Images [n, h, w, c]. */
struct quality_shape {
    size_t n;
    int h, w, c;
};

/* Sets *ssim to the mean structural similarity between the images of a and b; NAN if a side has
   fewer than 11 pixels.  DDPM_ENOMEM is the only error. */
int quality_ssim(double *ssim, const unsigned char *a, const unsigned char *b,
                 const struct quality_shape *shape, ddpm_error *err);

/* Returns the median of v [n] without NAN values; NAN if no value is left. */
double quality_median(const double *v, int n);
/* Returns (largest - least) / median of v [n] without NAN values; NAN if fewer than two are left. */
double quality_spread(const double *v, int n);

/* Pairs of time and distance, each array [n]; NAN: not known.  The 95 % interval of distance[i]
   - distance[k] reaches over[i n + k] above it, over [n, n]: both were measured on pairs of
   images. */
struct quality_points {
    const double *seconds, *distance, *over;
    int n;
};

/* Fills front [n]: a point is on the front if it is surely nearer than all points that take no
   longer: the interval of the difference lies below 0.  Returns how many points are on the
   front.  A single point is taken off it, as nothing is ranked then. */
int quality_front(bool *front, const struct quality_points *p);
/* Estimates how many images a set needs before another point than the fastest is on the front,
   and sets *first to that point.  The width of an interval is assumed to fall as 1 /
   sqrt(images).  Infinity and -1: no point is nearer than all faster ones. */
double quality_needed(const struct quality_points *p, int images, int *first);
/* Returns the knee: the point on the front that is farthest below the line from its fastest to
   its slowest point, over log seconds; -1: the front has fewer than three points. */
int quality_knee(const bool *front, const double *seconds, const double *distance, int n);
/* Returns the nearest of the points that take at most `limit` seconds; -1: there is none. */
int quality_nearest(const struct quality_points *p, double limit);
/* Among points within `limit` seconds that are not surely farther than the nearest of them,
   returns the one with the most steps K; ties: nearest, then fastest; -1: there is no such
   point.  So more steps are preferred unless they are clearly worse. */
int quality_best(const struct quality_points *p, const int *K, double limit);
#endif
