/* marginal.c: the forward process, q(x_t | x0) = N(a x0, s^2 I) with a = sqrt(alpha_bar_t), s = sqrt(1 -
   alpha_bar_t) (Ho et al. 2020, equation 4).  This is

     x_t = a x0 + s eps,   eps ~ N(0, I)
     v   = a eps - s x0    (Salimans and Ho 2022)

   and, solved for x0 and eps,

     x0  = (x_t - s eps) / a  =  a x_t - s v
     eps = (x_t - a x0) / s   =  s x_t + a v           all [d] */
#include "diffusion/marginal.h"
#include "ddpm.h"
#include <math.h>

void dd_marginal_xt(double *xt, const double *x0, const double *eps, double alpha_bar, size_t d)
{
    double a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    for (size_t e = 0; e < d; e++)
        xt[e] = a * x0[e] + s * eps[e];
}

/* Returns x0 from one element p of a prediction. */
static double x0_of(double p, double xt, double a, double s, int prediction)
{
    switch (prediction) {
    case DDPM_X0: return p;
    case DDPM_V: return a * xt - s * p;
    default: return (xt - s * p) / a;
    }
}

void dd_marginal_x0(double *x0, const double *xt, const double *p, int prediction, double clip,
                    double alpha_bar, size_t d)
{
    double a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    for (size_t e = 0; e < d; e++) {
        x0[e] = x0_of(p[e], xt[e], a, s, prediction);

        /* The comparison is false for NaN, so NaN stays. */
        if (clip > 0 && fabs(x0[e]) > clip)
            x0[e] = copysign(clip, x0[e]);
    }
}

/* Returns eps from one element p of a prediction. */
static double eps_of(double p, double xt, double a, double s, int prediction)
{
    switch (prediction) {
    case DDPM_X0: return (xt - a * p) / s;
    case DDPM_V: return s * xt + a * p;
    default: return p;
    }
}

void dd_marginal_net_eps(double *eps, const double *xt, const double *p, int prediction, double alpha_bar,
                         size_t d)
{
    double a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    for (size_t e = 0; e < d; e++)
        eps[e] = eps_of(p[e], xt[e], a, s, prediction);
}

void dd_marginal_eps(double *eps, const double *xt, const double *x0, double alpha_bar, size_t d)
{
    double a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    for (size_t e = 0; e < d; e++)
        eps[e] = (xt[e] - a * x0[e]) / s;
}
