/* dpmpp.c: the sampler "dpmpp", multistep DPM-Solver++ with data prediction (Lu et al. 2022, algorithm 2 and
   appendix, the midpoint form), on any chain.

   The equation.  Many reverse processes have the same marginals; they differ in their noise.  This one adds
   eta^2 times the noise of the model's own reverse process.  With alpha = sqrt(alpha_bar), sigma = sqrt(1 -
   alpha_bar), lambda = ln(alpha / sigma) and h = lambda_{i-1} - lambda_i, its step is (Xue et al. 2023,
   SA-Solver, proposition 4.2 with tau = eta)

     x_{i-1} = sigma_{i-1} / sigma_i e^(-eta^2 h) x_i
               + alpha_{i-1} integral_0^h (1 + eta^2) e^(-(1 + eta^2)(h - u)) x0(lambda_i + u) du
               + sigma_{i-1} sqrt(1 - e^(-2 eta^2 h)) z

   eta = 0 is the ODE, eta = 1 the reverse SDE (Lu et al., SDE-DPM-Solver++).

   The integral.  Let c = (1 + eta^2) h and p1 = e^-c - 1, and let m0, m1, m2 be the x0 predicted at
   positions i, i + 1, i + 2.  The integral is -(p1 m0 + c1 D1 + c2 D2), where

     order 1:  c1 = c2 = 0
     order 2:  c1 = p1 / 2,  c2 = 0,  D1 = (m0 - m1) / r0,              r0 = (lambda_i - lambda_{i+1}) / h
     order 3:  c1 = -(p1 / c + 1),  c2 = (p1 + c) / c^2 - 1/2,
               D1 = d0 + r0 q,  D2 = 2 q,                               r1 = (lambda_{i+1} - lambda_{i+2}) / h
               d0 = (m0 - m1) / r0,  d1 = (m1 - m2) / r1,  q = (d0 - d1) / (r0 + r1)

   If eta is 0 or 1, order 1 is DDIM with the same eta and the same noise.

   "dpmpp-diffusers".  In units of h, D1 and 2 q are the first and second derivative of x0 by lambda, and
   Taylor's expansion of the integral takes c2 times the whole second derivative.  The authors' program and
   diffusers have D2 = q instead, which is of second order only.  The sampler "dpmpp-diffusers" does the same.
   Its default order is 3; in orders 1 and 2 it is "dpmpp" without eta.  (Its SDE of order 3 has
   c2 = (p1 + c) / c^2 + 1/2, which does not vanish with h, and is left out.)

   The ends.  A step that knows too few earlier x0 takes the order that they allow.  The last step has
   sigma_{-1} = 0 and h infinite, and returns x0.  In a chain of fewer than 15 steps the last step but one has
   order 2 at most.  A variance that the network has learned is not used.  At the start of a chain of zero SNR
   lambda is minus infinity, and r0 and r1 become so afterwards: the differences then vanish, as they should.

   Stability.  Late in a chain x0 follows x.  The worst case is m = y = x / alpha, which is nearly so for
   data of little variance.  Then every step is

     y_{i-1} - y_i = s (y_i - y_{i+1}) - p (y_{i+1} - y_{i+2}) + noise

   and with |s| <= 1, |p| <= 1 the differences do not grow, because both roots of z^2 = s z - p lie in the
   unit disc.  This bounds the ratio of a step to the one before it, 1 / r0:

     order 2:  s = (1 - e^-c) / (2 r0),  p = 0,   so 1 / r0 <= 2 / (1 - e^-c)
     order 3:  s = a / r0 + b,  p = b r0 / r1,  b = (a r0 + g) / (r0 (r0 + r1)),
               a = p1 / c + 1,  g = 1 - 2 (p1 + c) / c^2

   A step beyond the bound takes the highest order within it, and creating the sampler gives a warning.
   "dpmpp-diffusers" (with g / 2) keeps its published order and only warns.  Order 2 with eta = 0 needs no
   bound, because its path is smooth: m0 - m1 is short if the step before was short, so the step is off by
   at most a part of the change of x0.  With noise, m0 - m1 has a part that goes with the square root of
   that step, and the bound is needed. */
#include "diffusion/sampler.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* Chains of fewer steps are stabilised at their end. */
enum { FEW = 15 };

/* A step sets x to of_x x - of_m (p1 m0 + c1 D1 + c2 D2) + of_z z.  second is D2 / q, which is 2, or 1 for
   "dpmpp-diffusers". */
struct update {
    int order;
    double of_x, of_m, of_z, p1, c, r0, r1, second;
};

static double lambda_of(const ddpm_tables *t, int i)
{
    return i < 0 ? INFINITY : t->log_snr[i] / 2;
}

/* Returns the order of the step from position i if `history` earlier x0 are known. */
static int order_of(const ddpm_sampler *s, int i, int history)
{
    int order = history < s->options.order ? history + 1 : s->options.order;

    /* The last step returns x0 in every order. */
    if (i == 0)
        return 1;
    return i == 1 && s->tables->K < FEW && order > 2 ? 2 : order;
}

/* Returns the step from position i in this order. */
static struct update update_of(const ddpm_tables *t, int i, double eta, int order, double second)
{
    double here = lambda_of(t, i), h = lambda_of(t, i - 1) - here;
    double to = i ? t->alpha_bar[i - 1] : 1, c = (1 + eta * eta) * h;
    struct update u = {
        .order = order,
        .of_x = sqrt((1 - to) / (1 - t->alpha_bar[i])),
        .of_m = sqrt(to),
        .p1 = expm1(-c),
        .c = c,
        .second = second,
    };

    /* The noise takes the place of a part of x. */
    if (eta > 0) {
        u.of_x *= exp(-eta * eta * h);
        u.of_z = sqrt((1 - to) * -expm1(-2 * eta * eta * h));
    }

    if (order > 1)
        u.r0 = (here - lambda_of(t, i + 1)) / h;
    if (order > 2)
        u.r1 = (lambda_of(t, i + 1) - lambda_of(t, i + 2)) / h;
    return u;
}

/* Returns whether the step is within the bound or needs none, see Stability above.  At zero SNR the numbers
   are NaN and the differences vanish, so NaN counts as stable. */
static bool is_stable(const struct update *u)
{
    if (u->order < 2)
        return true;
    if (u->order == 2)
        return u->of_z == 0 || !(-u->p1 > 2 * u->r0);

    double a = u->p1 / u->c + 1, second = u->second * (0.5 - (u->p1 + u->c) / (u->c * u->c));
    double b = (a * u->r0 + second) / (u->r0 * (u->r0 + u->r1));

    return !(fabs(a / u->r0 + b) > 1 || fabs(b * u->r0 / u->r1) > 1);
}

/* Fills the step from position i if `history` earlier x0 are known.  With `published` it keeps the order
   that is asked for, stable or not. */
static void choose(struct update *u, const ddpm_sampler *s, int i, int history, double second, bool published)
{
    double eta = s->options.eta;
    int order = order_of(s, i, history);
    *u = update_of(s->tables, i, eta, order, second);

    /* Order 1 is always stable. */
    while (!published && i && !is_stable(u))
        *u = update_of(s->tables, i, eta, --order, second);
}

/* Writes a warning if a step of the whole run leaves the bound. */
static void warn(const ddpm_sampler *s, char *warning, double second, bool published)
{
    const ddpm_tables *t = s->tables;
    int lower = 0, kept = 0, at = 0;

    for (int i = t->K - 1; i > 0; i--) {
        struct update u;
        int history = t->K - 1 - i, order = order_of(s, i, history);
        choose(&u, s, i, history, second, published);

        bool beyond = u.order < order || !is_stable(&u);
        at = beyond ? i : at;
        lower += u.order < order;
        kept += beyond && u.order == order;
    }

    if (!lower && !kept)
        return;

    /* The length of the last such step over that of the step before it. */
    double ratio = (t->log_snr[at - 1] - t->log_snr[at]) / (t->log_snr[at] - t->log_snr[at + 1]);
    char does[64] = "images may get too much contrast";
    if (lower)
        snprintf(does, sizeof does, "%d of %d steps take a lower one", lower, t->K);
    snprintf(warning, 256,
             "order %d is not stable over a step as long as from t = %g to %g, %.1f times the "
             "one before; %s; spacing logsnr has the most even steps",
             s->options.order, t->t[at], t->t[at - 1], ratio, does);
}

/* Takes the step with x [d] and m [3, d], which points to m0, m1 and m2.  z [d] is read if of_z is above
   0. */
static void apply(double *x, const struct update *u, const double *const m[3], const double *z, size_t d)
{
    const double *m0 = m[0], *m1 = m[1], *m2 = m[2];
    double second = u->p1 / 2, third = -(u->p1 / u->c + 1), fourth = (u->p1 + u->c) / (u->c * u->c) - 0.5;

    for (size_t e = 0; e < d; e++) {
        double sum = u->p1 * m0[e];
        if (u->order == 2)
            sum += second * (m0[e] - m1[e]) / u->r0;
        if (u->order == 3) {
            double d0 = (m0[e] - m1[e]) / u->r0, d1 = (m1[e] - m2[e]) / u->r1;
            double q = (d0 - d1) / (u->r0 + u->r1);
            sum += third * (d0 + u->r0 * q) + fourth * u->second * q;
        }

        x[e] = u->of_x * x[e] - u->of_m * sum;
        if (u->of_z > 0)
            x[e] += u->of_z * z[e];
    }
}

/* Takes every live image from position i to i - 1.  The buffers 1 and 2 keep m1 and m2. */
static int move(ddpm_sampler *s, int i, double second, bool published, ddpm_error *err)
{
    int code = dd_sampler_predict(s, 0, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k), *m1 = dd_sampler_row(s, 1, k), *m2 = dd_sampler_row(s, 2, k);
        const double *m0 = dd_sampler_x0(s, x, k, i);

        struct update u;
        choose(&u, s, i, dd_sampler_history(m1, m2), second, published);
        const double *z = u.of_z > 0 ? dd_sampler_noise(s, k, i, 0) : NULL;
        apply(x, &u, (const double *const[]){ m0, m1, m2 }, z, s->d);

        for (size_t e = 0; e < s->d; e++) {
            m2[e] = m1[e];
            m1[e] = m0[e];
        }
    }
    return code;
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    return move(s, i, 2, false, err);
}

static int step_diffusers(ddpm_sampler *s, int i, ddpm_error *err)
{
    return move(s, i, 1, true, err);
}

static void warn_own(const ddpm_sampler *s, char *warning)
{
    warn(s, warning, 2, false);
}

static void warn_diffusers(const ddpm_sampler *s, char *warning)
{
    warn(s, warning, 1, true);
}

const struct dd_sampler_kind dd_dpmpp = {
    .traits = { .takes_eta = 1, .order = 2, .highest_order = 3, .corrector = -1, .trusts_x0 = 1 },
    .buffers = 3,
    .warn = warn_own,
    .step = step,
};

const struct dd_sampler_kind dd_dpmpp_diffusers = {
    .traits = { .order = 3, .highest_order = 3, .corrector = -1, .trusts_x0 = 1 },
    .buffers = 3,
    .warn = warn_diffusers,
    .step = step_diffusers,
};
