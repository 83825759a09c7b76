/* Steps of dx = f(x, t) dt + g(t) dW, of its reverse, and of its probability-flow ODE. */
#ifndef DD_SDE_H
#define DD_SDE_H
#include "base/error.h"

/* A move of an image of d elements from time t to t + h.  For an SDE, h < 0 is the reverse process. */
struct dd_move {
    double t, h;
    size_t d;
};

/* Moves x [d] by one Euler-Maruyama step.  h < 0 needs score [d] at (x, t).  With z [d] NULL it gives the
   mean alone.  f [d] is work space. */
void dd_sde_step(const ddpm_sde *p, const struct dd_move *m, double *x, const double *score, const double *z,
                 double *f);

/* Turns slope [d], which holds score(x, t), into f(x, t) - g(t)^2 / 2 score(x, t), the right side of the
   probability-flow ODE.  f [d] is work space. */
void dd_ode_slope(const ddpm_sde *p, double *slope, const double *x, double t, double *f, size_t d);

/* Take a step of the SDE and of the ODE, see ddpm_sde_step and ddpm_ode_step. */
int dd_sde_move(const ddpm_sde *p, const struct dd_move *m, double *x, const double *z, double *work,
                ddpm_error *err);
int dd_ode_move(const ddpm_sde *p, const struct dd_move *m, double *x, int order, double *work,
                ddpm_error *err);
#endif
