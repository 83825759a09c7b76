/* Steps of dx = f(x, t) dt + g(t) dW, of its reverse, and of its probability-flow ODE. */
#ifndef DD_SDE_H
#define DD_SDE_H
#include "base/error.h"

/* Takes x [d] one Euler-Maruyama step of length h on from t.  h < 0: the reverse process, which needs score
   [d] at (x, t).  z [d] NULL: the mean alone.  f [d] is work space. */
void dd_sde_step(const ddpm_sde *p, double *x, const double *score, const double *z, double t, double h,
                 double *f, size_t d);

/* Fills slope [d] = f(x, t) - g(t)^2 / 2 score(x, t), the right side of the probability-flow ODE.  slope may
   be score. */
void dd_ode_slope(const ddpm_sde *p, double *slope, const double *x, const double *score, double t, double *f,
                  size_t d);

/* See ddpm_sde_step, ddpm_ode_step. */
int dd_sde_move(const ddpm_sde *p, double *x, const double *z, double t, double h, double *work, size_t d,
                ddpm_error *err);
int dd_ode_move(const ddpm_sde *p, double *x, double t, double h, int order, double *work, size_t d,
                ddpm_error *err);
#endif
