/* alpha_bar between the whole steps of a model, see fractional.c. */
#ifndef DD_FRACTIONAL_H
#define DD_FRACTIONAL_H

/* Returns alpha_bar at step t, 0 <= t <= T - 1, from alpha_bar [T] of the whole steps.  Unless slope is
   NULL, *slope is the derivative of ln(alpha_bar / (1 - alpha_bar)) by t; at a whole t it is the derivative
   towards t + 1. */
double dd_fractional_alpha_bar(const double *alpha_bar, int T, double t, double *slope);
#endif
