/* The variance with the least bound, from stored statistics of the network.  See optimal_variance.c. */
#ifndef DD_OPTIMAL_VARIANCE_H
#define DD_OPTIMAL_VARIANCE_H
#include "base/error.h"

/* Returns sigma^2 of p(x_s | x_r) from alpha_bar at r (here) and s (before), lambda^2, and the mean squared
   error of eps at r, which is 1 - gamma for the optimal variance. */
double dd_optimal_variance(double here, double before, double lambda2, double mse);

/* Returns sigma2, limited for images: the step of a chain that enters t = 0 adds at most so many grey
   values.  For every other step it returns sigma2 itself. */
double dd_optimal_variance_seen(double sigma2, const ddpm_tables *tables, int i, double grey);

/* Returns whether every step of the chain is one of 0, ..., T-1, the steps that have statistics. */
int dd_optimal_variance_known(const ddpm_tables *tables, int T);

/* Fills at [K] with gamma [T] at the chain's steps.  Fails when gamma is NULL or a step is not one of 0,
   ..., T-1. */
int dd_optimal_variance_gamma(double *at, const double *gamma, const ddpm_tables *tables, int T,
                              ddpm_error *err);
#endif
