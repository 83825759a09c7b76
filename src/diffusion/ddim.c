/* ddim.c: the sampler "ddim" (Song, Meng, Ermon 2021, equations 12, 16) on any chain: for i = K-1..0, with a = alpha_bar_i,
   b = alpha_bar_{i-1} (1 at the end),

     x_{i-1} = sqrt(b) x0 + sqrt(1 - b - sigma^2) eps + sigma z,   sigma = eta sqrt((1 - b) / (1 - a)) sqrt(1 - a / b)

   x0 from the network, clipped; eps is the one that leads from that x0 to x_i (improved-diffusion's rule; ermongroup neither clips nor
   derives again).  "ddim-diffusers" keeps the network's own eps beside the clipped x0, as diffusers does: a network whose eps is a little
   off near t = T then leaves the path less, since its x0, wrong by 1 / sqrt(a) as much, is all but multiplied by 0.  eta = 1 is "ddpm" with beta-tilde.  Towards noise, from i to i + 1, it is the same with b = alpha_bar_{i+1} and eta = 0
   (their section 4.3): there the image stands for the state at position 0.

   The variance "analytic" is Analytic-DDIM (Bao et al. 2022): the noise becomes sigma* z, sigma*^2 of optimal_variance.c with lambda =
   sigma, also where eta = 0; nothing but the mean is taken at the end; x0 is clipped, and eps stays the network's. */
#include "diffusion/marginal.h"
#include "diffusion/optimal_variance.h"
#include "diffusion/sampler.h"
#include <math.h>
#include <string.h>

static double analytic_sigma(const ddpm_sampler *s, double here, double before, double lambda, int i)
{
    enum { GREY = 1 };

    double sigma2 = dd_optimal_variance(here, before, lambda * lambda, 1 - s->posterior.gamma[i]);
    return i ? sqrt(dd_optimal_variance_seen(sigma2, s->tables, i, GREY)) : 0;
}

enum eps { DERIVED, OWN }; /* from the clipped x0, or the network's */

/* From position i to where alpha_bar is b; lambda is the sigma of the formula, sigma the noise that is added. */
static int move(ddpm_sampler *s, enum eps eps, int i, double b, double lambda, double sigma, ddpm_error *err)
{
    double a = s->tables->alpha_bar[i], of_x0 = sqrt(b), of_eps = sqrt(fmax(0, 1 - b - lambda * lambda));
    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *x0 = dd_sampler_x0(s, x, k, i), *z = NULL;
        if (eps == OWN)
            dd_sampler_eps(s, x, x, k, i);
        else
            dd_marginal_eps(x, x, x0, a, s->d);
        if (sigma > 0)
            z = dd_sampler_noise(s, k, i, 0);
        for (size_t e = 0; e < s->d; e++)
            x[e] = of_x0 * x0[e] + of_eps * x[e] + (z ? sigma * z[e] : 0);
    }
    return code;
}

static int descend(ddpm_sampler *s, enum eps eps, int i, ddpm_error *err)
{
    int analytic = !strcmp(s->options.variance, "analytic");
    double a = s->tables->alpha_bar[i], b = i ? s->tables->alpha_bar[i - 1] : 1;
    double lambda = s->options.eta * sqrt((1 - b) / (1 - a)) * sqrt(1 - a / b);
    return move(s, analytic ? OWN : eps, i, b, lambda, analytic ? analytic_sigma(s, a, b, lambda, i) : lambda,
                err);
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    return descend(s, DERIVED, i, err);
}

static int step_diffusers(ddpm_sampler *s, int i, ddpm_error *err)
{
    return descend(s, OWN, i, err);
}

static int encode(ddpm_sampler *s, int i, ddpm_error *err)
{
    return move(s, DERIVED, i, s->tables->alpha_bar[i + 1], 0, 0, err);
}

const struct dd_sampler_kind dd_ddim = {
    .traits = { .takes_eta = 1, .takes_analytic = 1, .encodes = 1, .trusts_x0 = 1 },
    .buffers = 1,
    .step = step,
    .encode = encode,
};
const struct dd_sampler_kind dd_ddim_diffusers = {
    .traits = { .takes_eta = 1, .takes_analytic = 1 },
    .buffers = 1,
    .step = step_diffusers,
};
