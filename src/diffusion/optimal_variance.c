/* optimal_variance.c: the variance "analytic" (Bao, Li, Zhu, Zhang 2022, "Analytic-DPM", theorems 1 and 2).

   For steps s < r of any chain, let p(x_s | x_r) = N(mu, sigma^2 I), where mu is the mean of
   q(x_s | x_r, x0 = x0_theta(x_r)).  The bound is least for

     sigma*^2 = lambda^2 + m^2 E||x0 - x0_theta||^2 / d
     m = sqrt(ab_s) - sqrt((1 - ab_s - lambda^2) ab_r / (1 - ab_r))
     E||x0 - x0_theta||^2 / d = (1 - ab_r) / ab_r (1 - gamma_r),     gamma_r = E||eps_theta(x_r)||^2 / d

   where ab is alpha_bar and lambda^2 the variance of q(x_s | x_r, x0): beta_tilde for ancestral sampling,
   eta^2 beta_tilde for DDIM.  The last line holds for the perfect network, eps_theta = E[eps | x_r], whose
   mean squared error is 1 - gamma.

   m is computed without cancellation, as

     (ab_s - ab_r + lambda^2 ab_r) / ((1 - ab_r) (sqrt(ab_s) + sqrt((1 - ab_s - lambda^2) ab_r / (1 - ab_r))))

   For lambda^2 = beta_tilde, m is mean_x0 of chain.c.  At the end of a chain ab_s = 1, lambda = 0 and m = 1.
   Then sigma*^2 is the error of x0 itself, which the decoder L_0 needs.

   sigma*^2 is clipped as in the paper.  The data lie in [-1, 1], so the error of x0 lies in 0..1 even if the
   statistics say otherwise, and sigma*^2 lies between lambda^2 and lambda^2 + m^2 (theorem 2).

   For an image, but not for a bound, the step that enters t = 0 is limited, too, because nothing removes its
   noise: E|sigma z| <= grey 2/255, that is sigma <= grey 2/255 sqrt(pi/2), with 2 grey values for ancestral
   sampling and 1 for DDIM (the paper's section F.2). */
#include "diffusion/optimal_variance.h"
#include <math.h>

double dd_optimal_variance(double here, double before, double lambda2, double mse)
{
    double error = here > 0 ? (1 - here) / here * mse : 1;
    double root = sqrt(fmax(0, 1 - before - lambda2) * here / (1 - here));
    double m = (before - here + lambda2 * here) / ((1 - here) * (sqrt(before) + root));
    return lambda2 + m * m * fmin(fmax(error, 0), 1);
}

double dd_optimal_variance_seen(double sigma2, const ddpm_tables *tables, int i, double grey)
{
    double sigma = grey * 2 / 255 * sqrt(acos(-1) / 2);
    return i == 1 && tables->t[0] == 0 ? fmin(sigma2, sigma * sigma) : sigma2;
}

/* Returns whether t is one of 0, ..., T-1. */
static int is_step(double t, int T)
{
    return t < T && t == floor(t);
}

int dd_optimal_variance_known(const ddpm_tables *tables, int T)
{
    for (int i = 0; i < tables->K; i++)
        if (!is_step(tables->t[i], T))
            return 0;
    return 1;
}

int dd_optimal_variance_gamma(double *at, const double *gamma, const ddpm_tables *tables, int T,
                              ddpm_error *err)
{
    if (!gamma)
        return dd_error(
            err, DDPM_EUSAGE,
            "variance \"analytic\" needs statistics that this model does not have; make a model that has "
            "them with `ddpm eval DATA --statistics -o NEW`");

    for (int i = 0; i < tables->K; i++) {
        double t = tables->t[i];
        if (!is_step(t, T))
            return dd_error(
                err, DDPM_EUSAGE,
                "variance \"analytic\" at t = %g: the model's statistics are of the steps 0 to %d", t, T - 1);

        at[i] = gamma[(int)t];
        if (!(at[i] >= 0 && isfinite(at[i])))
            return dd_error(err, DDPM_EDATA, "gamma is %g at t = %g; a mean square is 0 or more", at[i], t);
    }
    return DDPM_OK;
}
