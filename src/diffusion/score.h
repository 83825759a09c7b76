/* The score of the forward process, and the two losses that train it. */
#ifndef DD_SCORE_H
#define DD_SCORE_H
#include <stddef.h>

/* Fills s [d] = -eps / sqrt(1 - alpha_bar).  s may be eps. */
void dd_score(double *s, const double *eps, double alpha_bar, size_t d);

/* Returns the loss of denoising score matching: the mean over d of (s + z / sqrt(1 - alpha_bar))^2.  z [d]
   is the noise of x_t. */
double dd_score_matching(const double *s, const double *z, double alpha_bar, size_t d);

/* Returns L_simple, the mean over d of (eps - z)^2. */
double dd_score_simple(const double *eps, const double *z, size_t d);
#endif
