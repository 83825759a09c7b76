/* sde.c: the equation dx = f(x, t) dt + g(t) dW and its reverse (Anderson 1982; Song et al. 2021, equations 5
   and 6), by Euler-Maruyama:

     onward, h > 0:    x <- x + f h + g sqrt(h) z
     reverse, h < 0:   x <- x + (f - g^2 s) h + g sqrt(-h) z,   s = grad ln p_t(x)        all [d]

   The sampler "sde" is the reverse of the variance-preserving equation (their equation 11)

     dx = -1/2 beta(t) x dt + sqrt(beta(t)) dW

   in the clock tau = integral of beta dt = -ln alpha_bar, in which f = -x/2 and g = 1.  So step i has the
   length ln(alpha_bar_{i-1} / alpha_bar_i), or beta(t_i) dt if the options give a rate.  The score s comes
   from the clipped x0.  The last step adds no noise. */
#include "diffusion/sde.h"
#include "diffusion/sampler.h"
#include <math.h>
#include <stdio.h>

void dd_sde_step(const ddpm_sde *p, const struct dd_move *m, double *x, const double *score, const double *z,
                 double *f)
{
    double h = m->h, g = p->diffusion(p->user, m->t), pull = h < 0 ? g * g : 0, noise = g * sqrt(fabs(h));
    p->drift(p->user, f, x, m->t, m->d);

    /* With g = 0 the score has no effect, even if it is infinite. */
    for (size_t e = 0; e < m->d; e++)
        x[e] += (pull > 0 ? f[e] - pull * score[e] : f[e]) * h + (z ? noise * z[e] : 0);
}

int dd_sde_move(const ddpm_sde *p, const struct dd_move *m, double *x, const double *z, double *work,
                ddpm_error *err)
{
    double *score = work, *f = work + m->d;
    if (m->h < 0 && !p->score)
        return dd_error(err, DDPM_EUSAGE, "the equation has no score, which a step back needs (h = %g)",
                        m->h);
    if (m->h < 0 && p->score(p->user, score, x, m->t, m->d, err))
        return DDPM_ECALLBACK;

    dd_sde_step(p, m, x, score, z, f);
    return DDPM_OK;
}

/* Fills f and g of the variance-preserving equation in the clock tau. */
static void drift(void *user, double *f, const double *x, double t, size_t d)
{
    (void)user;
    (void)t;
    for (size_t e = 0; e < d; e++)
        f[e] = -x[e] / 2;
}

static double diffusion(void *user, double t)
{
    (void)user;
    (void)t;
    return 1;
}

static const ddpm_sde variance_preserving = { .drift = drift, .diffusion = diffusion };

static int check(const ddpm_sampler *s, ddpm_error *err)
{
    const double *rate = s->options.rate;
    int code = DDPM_OK;
    for (int i = 0; rate && !code && i < s->tables->K; i++)
        if (!(rate[i] > 0 && isfinite(rate[i])))
            code = dd_error(err, DDPM_EUSAGE, "the rate of step t = %g is %g; it is a positive number",
                            s->tables->t[i], rate[i]);
    return code ? code : dd_sampler_no_zero(s, err);
}

/* Warns that Euler's step leaves as much noise as the variance beta does. */
static void warn(const ddpm_sampler *s, char *warning)
{
    int K = s->tables->K, T = s->options.T;
    if (4 * (long)K < T)
        snprintf(warning, 256, "sde leaves noise in the images at %d of %d steps; ddpm does not", K, T);
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    const double *alpha_bar = s->tables->alpha_bar, *rate = s->options.rate;
    double length = rate ? rate[i] : log((i ? alpha_bar[i - 1] : 1) / alpha_bar[i]);
    struct dd_move back = { .t = -log(alpha_bar[i]), .h = -length, .d = s->d };

    int code = dd_sampler_predict(s, 0, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        /* The network has read s->input, which now serves as work space. */
        double *x = dd_sampler_row(s, 0, k), *f = s->input;
        const double *score = dd_sampler_score(s, x, k, i), *z = i ? dd_sampler_noise(s, k, i, 0) : NULL;
        dd_sde_step(&variance_preserving, &back, x, score, z, f);
    }
    return code;
}

const struct dd_sampler_kind dd_sde = {
    .traits = { .noisy = 1 },
    .buffers = 1,
    .check = check,
    .warn = warn,
    .step = step,
};
