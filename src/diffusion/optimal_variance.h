/* The variance that serves the bound best, from stored statistics of the network. */
#ifndef DD_OPTIMAL_VARIANCE_H
#define DD_OPTIMAL_VARIANCE_H
#include "base/error.h"

/* sigma^2 of p(x_s | x_r), from alpha_bar at r (here) and s (before), lambda^2 and mse, the mean squared error of eps at r:
   1 - gamma for the optimal variance. */
double dd_optimal_variance(double here, double before, double lambda2, double mse);
/* What the eye may see of it: the step of a chain that enters t = 0 adds at most so many grey values; else sigma2 itself. */
double dd_optimal_variance_seen(double sigma2, const ddpm_tables *tables, int i, double grey);
/* Whether every step of the chain is one of 0..T-1, of which there are statistics. */
int dd_optimal_variance_known(const ddpm_tables *tables, int T);
/* at [K]: gamma [T] at the chain's steps; an error when it is NULL or a step is none of 0..T-1. */
int dd_optimal_variance_gamma(double *at, const double *gamma, const ddpm_tables *tables, int T,
                              ddpm_error *err);
#endif
