/* ancestral.c: the sampler "ddpm", ancestral sampling, which is algorithm 2 of Ho, Jain, Abbeel 2020 on any
   chain.  For i = K-1, ..., 0:

     x_{i-1} = mean_x0_i x0 + mean_xt_i x_i + [i > 0] sigma_i z,   z ~ N(0, I)   (equations 7, 11)

   x0 is what the network predicts, clipped.  The last step adds no noise.  posterior.c has the choices of
   sigma.  A classifier moves the mean (condition.c). */
#include "diffusion/condition.h"
#include "diffusion/sampler.h"

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    int code = dd_sampler_predict_alone(s, 0, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k), *sigma = s->x0;
        dd_posterior_mean(&s->posterior, x, dd_sampler_x0(s, x, k, i), x, i, s->d);

        /* x is the mean now; the last step adds no noise. */
        if (s->gradient)
            dd_condition_mean(s, x, k, i);
        if (i == 0)
            continue;
        const double *z = dd_sampler_noise(s, k, i, 0);
        dd_posterior_sigma(&s->posterior, sigma, dd_sampler_v(s, k), i, s->d);
        for (size_t e = 0; e < s->d; e++)
            x[e] += sigma[e] * z[e];
    }
    return code;
}

const struct dd_sampler_kind dd_ancestral = {
    .traits = { .takes_variance = 1, .takes_analytic = 1, .noisy = 1 },
    .buffers = 1,
    .step = step,
};
