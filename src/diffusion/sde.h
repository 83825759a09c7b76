/* Steps of dx = f(x, t) dt + g(t) dW, of its reverse, and of its probability-flow ODE. */
#ifndef DD_SDE_H
#define DD_SDE_H
#include "base/error.h"

/* Moves x [d] by one Euler-Maruyama step of length h from t.  h < 0 is the reverse process, which needs
   score [d] at (x, t).  With z [d] NULL it gives the mean alone.  f [d] is work space. */
void dd_sde_step(const ddpm_sde *p, double *x, const double *score, const double *z, double t, double h,
                 double *f, size_t d);

/* Fills slope [d] = f(x, t) - g(t)^2 / 2 score(x, t), the right side of the probability-flow ODE.  slope may
   be score. */
void dd_ode_slope(const ddpm_sde *p, double *slope, const double *x, const double *score, double t, double *f,
                  size_t d);

/* Take a step of the SDE and of the ODE, see ddpm_sde_step and ddpm_ode_step. */
int dd_sde_move(const ddpm_sde *p, double *x, const double *z, double t, double h, double *work, size_t d,
                ddpm_error *err);
int dd_ode_move(const ddpm_sde *p, double *x, double t, double h, int order, double *work, size_t d,
                ddpm_error *err);
#endif
