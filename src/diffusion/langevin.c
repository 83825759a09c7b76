/* langevin.c: Langevin dynamics towards a density p that is known by its gradient, or by an unbiased estimate
   of the gradient from a minibatch (Welling and Teh 2011, equation 4):

     x <- x + delta_t / 2 grad ln p(x) + sqrt(delta_t) z,   z ~ N(0, I)
     delta_t = a (b + t)^-gamma,   t = 0, 1, ...

   gamma = 0 is a constant step.  With 1/2 < gamma <= 1 the steps sum to infinity while their squares do not,
   so that the minibatch's noise dies out and the dynamics still reach every x.

   The sampler "langevin" (Song and Ermon 2019, algorithm 1) takes the score s(x, t) = -eps / sigma_i with
   sigma_i^2 = 1 - alpha_bar_i.  At each noise level of the chain, from the top, it takes N steps, N being the
   option `corrector`, and then multiplies x by sqrt(alpha_bar_{i-1} / alpha_bar_i), which is what their
   unscaled x does from level to level.  The last state is x0.

   As the corrector of another sampler (Song et al. 2021, algorithms 3 and 5) the N steps come before each
   step of the predictor.

   The size of a step is the same in both:

     delta_i = 4 r^2 (1 - alpha_bar_i)
     r = snr = |delta/2 s| / |sqrt(delta) z|,   where |s| = sqrt(d) / sigma_i

   With r^2 = epsilon / (4 sigma_L^2) this is Song and Ermon's epsilon sigma_i^2 / sigma_L^2.  It is also Song
   et al.'s rule (r = 0.16), with expected norms in place of the batch's, so that no image depends on another.

   How much noise "langevin" leaves.  Take the unscaled y = x / sqrt(alpha_bar), of variance v_y, and s = (1
   - alpha_bar) / alpha_bar.  Let e be the excess of y's variance over the right one.  A step reduces e by
   delta / v_y = 4 r^2 s / v_y of it.  From level to level the right variance falls by 2 s for each unit of
   lambda = ln(alpha_bar / (1 - alpha_bar)) / 2.  With K levels over a range L of lambda and N steps at
   each,

     de/dlambda = -4 r^2 s N K / L / v_y e + 2 s,   which stays at   e = v_y L / (2 N K r^2) */
#include "diffusion/langevin.h"
#include "base/rng.h"
#include "diffusion/noise.h"
#include "diffusion/sampler.h"
#include <math.h>
#include <stdio.h>

/* Up to this part of the variance may be left as noise without a warning. */
static const double ALLOWED = 0.05;

void dd_langevin_step(double *x, const double *gradient, const double *z, double step, size_t d)
{
    double root = sqrt(step);
    for (size_t e = 0; e < d; e++)
        x[e] += step / 2 * gradient[e] + root * z[e];
}

static int check_steps(const ddpm_langevin *l, int64_t first, int64_t steps, ddpm_error *err)
{
    const int64_t most = (int64_t)1 << 40; /* the counter of the noise tells this many steps apart */
    if (!l->gradient || !(l->a > 0) || !(l->b + (double)first > 0 || l->gamma == 0))
        return dd_error(err, DDPM_EUSAGE,
                        "Langevin dynamics needs a gradient, a > 0 and b + t > 0; a is %g, b is %g", l->a,
                        l->b);
    if (l->gamma != 0 && !(l->gamma > 0.5 && l->gamma <= 1))
        return dd_error(
            err, DDPM_EUSAGE,
            "gamma is %g; a step a (b + t)^-gamma needs 1/2 < gamma <= 1, a constant step gamma = 0",
            l->gamma);
    if (first < 0 || steps < 0 || steps > most || first > most - steps)
        return dd_error(err, DDPM_EUSAGE, "%lld steps from step %lld on; there are 0 to 2^40",
                        (long long)steps, (long long)first);
    return DDPM_OK;
}

int dd_langevin_run(const ddpm_langevin *l, double *x, double *work, size_t d, int64_t first, int64_t steps,
                    ddpm_error *err)
{
    double *gradient = work, *z = work + d;
    int code = check_steps(l, first, steps, err);

    for (int64_t t = first; !code && t < first + steps; t++) {
        /* The counter of the noise has 16 bits for whole steps; the rest of the step's number goes into the
           draw. */
        double of_t = (double)(t & 0xFFFF);
        int draw = (int)(t >> 16);

        code = l->gradient(l->user, gradient, x, t, d, err);
        if (code)
            return DDPM_ECALLBACK;

        if (l->noise)
            l->noise(l->noise_user, z, d, l->index, of_t, draw);
        else
            dd_noise(z, d, (struct dd_draw){ l->seed, l->index, of_t, DD_RNG_SAMPLE, draw });

        dd_langevin_step(x, gradient, z, l->a * pow(l->b + (double)t, -l->gamma), d);
    }
    return code;
}

int dd_langevin_correct(ddpm_sampler *s, int i, int draw, ddpm_error *err)
{
    /* delta_i = 4 r^2 (1 - alpha_bar_i) */
    double r = s->options.snr, size = 4 * r * r * (1 - s->tables->alpha_bar[i]);

    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *score = dd_sampler_score(s, x, k, i);
        dd_langevin_step(x, score, dd_sampler_noise(s, k, i, draw), size, s->d);
    }
    return code;
}

/* Warns if the last formula above gives more noise than ALLOWED, with v_y = 1. */
static void warn(const ddpm_sampler *s, char *warning)
{
    const ddpm_tables *t = s->tables;
    double r = s->options.snr, range = (t->log_snr[0] - t->log_snr[t->K - 1]) / 2;
    double one = range / (2 * t->K * r * r);
    int N = s->options.corrector;

    if (one / N > ALLOWED)
        snprintf(warning, 256,
                 "%d steps with a corrector of %d leave noise in the images, some %.0f %% of "
                 "their variance; a corrector of %.0f leaves %.0f %%",
                 t->K, N, 100 * one / N, ceil(one / ALLOWED), 100 * ALLOWED);
}

/* Leaves position i after its Langevin steps: scales x, or at the end returns x0. */
static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    int code = i ? DDPM_OK : dd_sampler_predict(s, 0, 0, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        double scale = i ? sqrt(s->tables->alpha_bar[i - 1] / s->tables->alpha_bar[i]) : 1;
        const double *from = i ? x : dd_sampler_x0(s, x, k, 0);

        for (size_t e = 0; e < s->d; e++)
            x[e] = scale * from[e];
    }
    return code;
}

const struct dd_sampler_kind dd_langevin = {
    .traits = { .corrector = 1 },
    .buffers = 1,
    .check = dd_sampler_no_zero,
    .warn = warn,
    .step = step,
};
