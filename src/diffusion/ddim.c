/* ddim.c: the sampler "ddim" (Song, Meng, Ermon 2021, equations 12 and 16) on any chain.  For i = K-1, ...,
   0, with a = alpha_bar_i and b = alpha_bar_{i-1} (1 at the end):

     x_{i-1} = sqrt(b) x0 + sqrt(1 - b - sigma^2) eps + sigma z,   z ~ N(0, I)   (equation 12)
     sigma   = eta sqrt((1 - b) / (1 - a)) sqrt(1 - a / b)                       (equation 16)

   x0 is what the network predicts, clipped.  eta = 0 adds no noise; eta = 1 is "ddpm" with the variance
   beta-tilde.

   "ddim" takes the eps that leads from this x0 to x_i, as improved-diffusion does.  (ermongroup's program
   neither clips nor derives eps again.)

   "ddim-diffusers" keeps the network's own eps beside the clipped x0, as diffusers does.  Near t = T an
   error of a network's eps makes an error of x0 that is 1 / sqrt(a) times as large.  There the step
   multiplies x0 by almost 0, so the error harms less than in "ddim", where eps is derived from this x0.

   Encoding goes towards noise, from i to i + 1.  It is the same step with b = alpha_bar_{i+1} and eta = 0
   (section 4.3); the image stands for the state at position 0.

   The variance "analytic" is Analytic-DDIM (Bao et al. 2022).  The noise becomes sigma* z, where
   optimal_variance.c gives sigma*^2 with lambda = sigma; it is not 0 with eta = 0 either.  The last step
   takes the mean only.  x0 is clipped, and eps stays the network's. */
#include "diffusion/marginal.h"
#include "diffusion/optimal_variance.h"
#include "diffusion/sampler.h"
#include <math.h>
#include <string.h>

/* Returns sigma* for the step from alpha_bar `here` to `before`; 0 at the end. */
static double analytic_sigma(const ddpm_sampler *s, double here, double before, double lambda, int i)
{
    enum { GREY = 1 };

    double sigma2 = dd_optimal_variance(here, before, lambda * lambda, 1 - s->posterior.gamma[i]);
    return i ? sqrt(dd_optimal_variance_seen(sigma2, s->tables, i, GREY)) : 0;
}

/* A step to the place where alpha_bar is b.  eps is DERIVED from the clipped x0, or the network's OWN.
   lambda is the sigma of equation 12.  sigma is the noise that is added; only the variance "analytic" makes
   it differ from lambda. */
struct move {
    enum eps { DERIVED, OWN } eps;

    double b, lambda, sigma;
};

/* Takes every live image from position i along the step. */
static int take(ddpm_sampler *s, int i, struct move m, ddpm_error *err)
{
    double a = s->tables->alpha_bar[i], b = m.b, lambda = m.lambda, sigma = m.sigma;
    double of_x0 = sqrt(b), of_eps = sqrt(fmax(0, 1 - b - lambda * lambda));

    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *x0 = dd_sampler_x0(s, x, k, i), *z = NULL;
        /* x becomes eps first, then the next x. */
        if (m.eps == OWN)
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

/* Goes down from position i to i - 1. */
static int descend(ddpm_sampler *s, enum eps eps, int i, ddpm_error *err)
{
    int analytic = !strcmp(s->options.variance, "analytic");
    double a = s->tables->alpha_bar[i], b = i ? s->tables->alpha_bar[i - 1] : 1;
    double lambda = s->options.eta * sqrt((1 - b) / (1 - a)) * sqrt(1 - a / b);

    if (analytic)
        return take(s, i, (struct move){ OWN, b, lambda, analytic_sigma(s, a, b, lambda, i) }, err);
    /* Otherwise the noise is the sigma of equation 16. */
    return take(s, i, (struct move){ eps, b, lambda, lambda }, err);
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
    return take(s, i, (struct move){ DERIVED, s->tables->alpha_bar[i + 1], 0, 0 }, err);
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
