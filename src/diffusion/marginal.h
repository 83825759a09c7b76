/* The jump from x0 to x_t, and the three things that a network may predict about it. */
#ifndef DD_MARGINAL_H
#define DD_MARGINAL_H
#include <stddef.h>

/* Fills xt [d] = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps. */
void dd_marginal_xt(double *xt, const double *x0, const double *eps, double alpha_bar, size_t d);

/* Fills x0 [d] from a prediction p [d] (DDPM_EPS, DDPM_X0 or DDPM_V), clipped to +-clip unless clip is 0. */
void dd_marginal_x0(double *x0, const double *xt, const double *p, int prediction, double clip,
                    double alpha_bar, size_t d);

/* Fills eps [d] from a prediction p [d].  eps may be xt. */
void dd_marginal_net_eps(double *eps, const double *xt, const double *p, int prediction, double alpha_bar,
                         size_t d);

/* Fills eps [d] with the noise that leads from x0 to xt.  eps may be xt. */
void dd_marginal_eps(double *eps, const double *xt, const double *x0, double alpha_bar, size_t d);
#endif
