/* ddim.c: the sampler "ddim" (Song, Meng, Ermon 2021, equations 12, 16) on any chain: for i = K-1..0, with a = alpha_bar_i,
   b = alpha_bar_{i-1} (1 at the end),

     x_{i-1} = sqrt(b) x0 + sqrt(1 - b - sigma^2) eps + sigma z,   sigma = eta sqrt((1 - b) / (1 - a)) sqrt(1 - a / b)

   x0 from the network, clipped; eps is the one that leads from that x0 to x_i (improved-diffusion's rule; ermongroup neither clips nor
   derives again, Analytic-DPM clips and keeps the network's eps).  eta = 1 is "ddpm" with beta-tilde. */
#include "diffusion/marginal.h"
#include "diffusion/sampler.h"
#include <math.h>
#include <string.h>

static int check(const ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    if (!(o->eta >= 0 && o->eta <= 1))
        return dd_error(err, DDPM_EUSAGE, "eta is %g, but it lies between 0 and 1", o->eta);
    if (strcmp(o->variance, "auto"))
        return dd_error(err, DDPM_EUSAGE, "variance \"%.60s\" is given, but sampler ddim takes its noise from eta; leave it at auto or "
                        "take ddpm", o->variance);
    return DDPM_OK;
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    double a = s->tables->alpha_bar[i], b = i ? s->tables->alpha_bar[i - 1] : 1;
    double sigma = s->options.eta * sqrt((1 - b) / (1 - a)) * sqrt(1 - a / b);
    double of_x0 = sqrt(b), of_eps = sqrt(fmax(0, 1 - b - sigma * sigma));
    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *x0 = dd_sampler_x0(s, x, k, i), *z = NULL;
        dd_marginal_eps(x, x, x0, a, s->d);
        if (sigma > 0)
            z = dd_sampler_noise(s, k, i, 0);
        for (size_t e = 0; e < s->d; e++)
            x[e] = of_x0 * x0[e] + of_eps * x[e] + (z ? sigma * z[e] : 0);
    }
    return code;
}

const struct dd_sampler_kind dd_ddim = { 1, check, step };
