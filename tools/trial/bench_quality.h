/* What a number of steps buys: how far images are from those of more steps, and which of several pairs of time and distance are worth it. */
#ifndef DDPM_BENCH_QUALITY_H
#define DDPM_BENCH_QUALITY_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Of bytes a, b [n]; in steps of a byte. */
double quality_rmse(const unsigned char *a, const unsigned char *b, size_t n);
double quality_psnr(double rmse); /* decibels; infinite for 0 */
/* *ssim, the mean over n images [h, w, c] of their structural similarity; NAN when a side is under 11 pixels.  Fails for memory only. */
int quality_ssim(double *ssim, const unsigned char *a, const unsigned char *b, size_t n, int h, int w, int c,
                 ddpm_error *err);

/* Median of v [n], of which NAN are left out, and (largest - least) / median; NAN when nothing is left, the spread also of a single one. */
double quality_median(const double *v, int n);
double quality_spread(const double *v, int n);

/* Pairs of time and distance, the 95 % interval of which is from distance - below to distance + above; NAN:
   not known.  */
struct quality_points {
    const double *seconds, *distance, *below, *above;
    int n;
};

/* front [n]: the whole interval is nearer than those of all that take no longer.  Returns how many are on
   the front; a single one is none, since nothing is ranked then.  */
int quality_front(bool *front, const struct quality_points *p);
/* Returns of how many images sets would have to be, about, for one point more than the fastest to be on the
   front, and which that is.  Widths fall as 1 / sqrt(images). Infinity: none is nearer than what is faster.
   */
double quality_needed(const struct quality_points *p, int images, int *first);
/* The point of the front farthest below the line from its fastest to its slowest point, over log seconds; -1: fewer than three points. */
int quality_knee(const bool *front, const double *seconds, const double *distance, int n);
/* Of those that take at most limit seconds: the most steps K of which the interval of the distance, from low on, reaches the least distance of them
   all, since steps never hurt but as far as it can be seen; of equals the nearest, then the fastest.  -1: none is so fast. */
int quality_best(const int *K, const double *seconds, const double *distance, const double *low, int n,
                 double limit);
#endif
