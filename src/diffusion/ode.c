/* ode.c: the probability-flow ODE of dx = f(x, t) dt + g(t) dW, whose states have the equation's own
   marginals (Song et al. 2021, equation 13):

     dx/dt = k(x, t) = f(x, t) - 1/2 g(t)^2 s(x, t),   s = grad ln p_t          all [d]
     Euler:   x^ = x + h k(x, t)
     Heun:    x <- (x + x^ + h k(x^, t + h)) / 2,      h of either sign

   The sampler "ode" takes the variance-preserving equation in y = x / sqrt(alpha_bar) and the clock u =
   sqrt((1 - alpha_bar) / alpha_bar) (Song, Meng, Ermon 2021, equation 14; Karras et al. 2022).  There f =
   0, g^2 = 2 u, and the score of y is -eps / u.  So k = eps, which has no singular end: u = 0 is the image.
   eps comes from the clipped x0.

   Order 1 is Euler, which is DDIM with eta = 0.  Order 2, the default, is Heun from position i to i - 1,
   with Euler for the last step; it calls the network 2K - 1 times.  Towards noise the step goes from i to i
   + 1, and the image stands for the state at position 0.

   Stability.  On data N(m, v) the equation is dy/du = u (y - m) / (v + u^2), whose solution goes with
   sqrt(v + u^2).  Heun's step from u to u / r comes out too wide by a factor that is largest near v = 2 (u
   / r)^2: 1.02 at r = 2, 2 at r = 8.6, and about r / 5 beyond.  Data within -1..1 have v <= 1.  The sampler
   warns of a step that may come out more than twice too wide. */
#include "diffusion/sampler.h"
#include "diffusion/sde.h"
#include <math.h>
#include <stdio.h>

/* A step may come out too wide by this factor without a warning. */
static const double WIDE = 2;

void dd_ode_slope(const ddpm_sde *p, double *slope, const double *x, double t, double *f, size_t d)
{
    double g = p->diffusion(p->user, t);
    p->drift(p->user, f, x, t, d);
    for (size_t e = 0; e < d; e++)
        slope[e] = f[e] - g * g / 2 * slope[e];
}

/* work [3, d] holds the slope, f, and x as it was before the step. */
int dd_ode_move(const ddpm_sde *p, const struct dd_move *m, double *x, int order, double *work,
                ddpm_error *err)
{
    size_t d = m->d;
    double h = m->h, *slope = work, *f = work + d, *before = work + 2 * d;
    if (!p->score)
        return dd_error(err, DDPM_EUSAGE, "the equation has no score, which its ODE needs; give one");

    /* Euler's step. */
    if (p->score(p->user, slope, x, m->t, d, err))
        return DDPM_ECALLBACK;
    dd_ode_slope(p, slope, x, m->t, f, d);
    for (size_t e = 0; e < d; e++) {
        before[e] = x[e];
        x[e] += h * slope[e];
    }

    if (order < 2)
        return DDPM_OK;

    /* Heun's step is the mean of Euler's and of a step with the slope at its end. */
    if (p->score(p->user, slope, x, m->t + h, d, err))
        return DDPM_ECALLBACK;
    dd_ode_slope(p, slope, x, m->t + h, f, d);
    for (size_t e = 0; e < d; e++)
        x[e] = (before[e] + x[e] + h * slope[e]) / 2;
    return DDPM_OK;
}

/* Fills f and g of the equation in y and the clock u. */
static void drift(void *user, double *f, const double *y, double u, size_t d)
{
    (void)user;
    (void)y;
    (void)u;
    for (size_t e = 0; e < d; e++)
        f[e] = 0;
}

static double diffusion(void *user, double u)
{
    (void)user;
    return sqrt(2 * u);
}

static const ddpm_sde unscaled = { .drift = drift, .diffusion = diffusion };

/* Returns u at position i; position -1 is the image. */
static double clock_of(const ddpm_tables *t, int i)
{
    return i < 0 ? 0 : sqrt((1 - t->alpha_bar[i]) / t->alpha_bar[i]);
}

/* Returns x / y at position i. */
static double scale_of(const ddpm_tables *t, int i)
{
    return i < 0 ? 1 : sqrt(t->alpha_bar[i]);
}

/* Returns the factor by which Heun's step from u to another clock comes out too wide in the worst case. */
static double widens(double u, double to)
{
    /* The variance for which the step is worst, at most that of images. */
    double v = fmin(1, 2 * to * to), h = to - u, here = u / (v + u * u), there = to / (v + to * to);

    return (1 + h / 2 * (here + there * (1 + h * here))) / sqrt((v + to * to) / (v + u * u));
}

/* Warns of the step that comes out widest, if that is more than WIDE. */
static void warn(const ddpm_sampler *s, char *warning)
{
    const ddpm_tables *t = s->tables;
    double worst = 0;
    int at = 0;

    for (int i = 1; i < t->K; i++) {
        double wide = widens(clock_of(t, i), clock_of(t, i - 1));
        at = wide > worst ? i : at;
        worst = wide > worst ? wide : worst;
    }

    if (s->options.order == 2 && worst > WIDE)
        snprintf(warning, 256,
                 "order 2 is not stable over a step as long as from t = %g to %g: what varies "
                 "little may get %.1f times its contrast; take more steps, or order 1",
                 t->t[at], t->t[at - 1], worst);
}

/* Fills s->x0 [d] with k at (x, position i) for the k-th live image, and returns it. */
static const double *slope_of(ddpm_sampler *s, const double *x, int k, int i)
{
    double u = clock_of(s->tables, i);
    dd_sampler_clipped_eps(s, x, k, i);

    for (size_t e = 0; e < s->d; e++)
        s->x0[e] /= -u;
    dd_ode_slope(&unscaled, s->x0, x, u, s->z, s->d);
    return s->x0;
}

/* Takes every live image from position i to `to` by Euler's step. */
static int euler(ddpm_sampler *s, int i, int to, ddpm_error *err)
{
    double h = clock_of(s->tables, to) - clock_of(s->tables, i);
    double from_scale = scale_of(s->tables, i), to_scale = scale_of(s->tables, to);

    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *slope = slope_of(s, x, k, i);

        for (size_t e = 0; e < s->d; e++)
            x[e] = to_scale * (x[e] / from_scale + h * slope[e]);
    }
    return code;
}

/* Turns Euler's step from i into Heun's.  x is the state to which Euler's step led. */
static int heun(ddpm_sampler *s, int i, int to, ddpm_error *err)
{
    double h = clock_of(s->tables, to) - clock_of(s->tables, i);
    double from_scale = scale_of(s->tables, i), to_scale = scale_of(s->tables, to);

    int code = dd_sampler_predict(s, 0, to, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *begun = dd_sampler_begun(s, 0, k), *slope = slope_of(s, x, k, to);

        /* Heun's step is the mean of Euler's step and of a step with the slope at its end. */
        for (size_t e = 0; e < s->d; e++)
            x[e] = (to_scale * (begun[e] / from_scale + h * slope[e]) + x[e]) / 2;
    }
    return code;
}

static int move(ddpm_sampler *s, int i, int to, ddpm_error *err)
{
    int code = euler(s, i, to, err);
    return code || to < 0 || s->options.order < 2 ? code : heun(s, i, to, err);
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    return move(s, i, i - 1, err);
}

static int encode(ddpm_sampler *s, int i, ddpm_error *err)
{
    return move(s, i, i + 1, err);
}

const struct dd_sampler_kind dd_ode = {
    .traits = { .order = 2, .highest_order = 2, .encodes = 1, .trusts_x0 = 1 },
    .buffers = 1,
    .check = dd_sampler_no_zero,
    .warn = warn,
    .step = step,
    .encode = encode,
};
