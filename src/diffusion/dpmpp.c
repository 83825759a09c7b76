/* dpmpp.c: the sampler "dpmpp", multistep DPM-Solver++ with data prediction (Lu et al. 2022, algorithm 2 and appendix; the midpoint form), on
   any chain.  Of the processes that have the marginals of the model's own, the one with eta^2 times the noise of its reverse is, with
   alpha = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar), lambda = ln(alpha / sigma) and h = lambda_{i-1} - lambda_i (Xue et al. 2023, SA-Solver,
   proposition 4.2 with tau = eta),

     x_{i-1} = sigma_{i-1} / sigma_i e^(-eta^2 h) x_i + alpha_{i-1} integral_0^h (1 + eta^2) e^(-(1 + eta^2)(h - u)) x0(lambda_i + u) du
               + sigma_{i-1} sqrt(1 - e^(-2 eta^2 h)) z

   eta = 0 is the ODE, eta = 1 the reverse SDE (Lu et al., SDE-DPM-Solver++).  With c = (1 + eta^2) h and m0, m1, m2 the x0 predicted
   at positions i, i + 1, i + 2, the integral is

     -(p1 m0 + c1 D1 + c2 D2),     p1 = e^-c - 1
     order 1:  c1 = c2 = 0;  this is DDIM with eta = 0 where eta = 0, and, noise and all, with eta = 1 where eta = 1
     order 2:  D1 = (m0 - m1) / r0,  c1 = p1 / 2,  c2 = 0,                            r0 = (lambda_i - lambda_{i+1}) / h
     order 3:  with d0 = (m0 - m1) / r0, d1 = (m1 - m2) / r1, q = (d0 - d1) / (r0 + r1),   r1 = (lambda_{i+1} - lambda_{i+2}) / h
               D1 = d0 + r0 q,  D2 = 2 q,  c1 = -(p1 / c + 1),  c2 = (p1 + c) / c^2 - 1/2

   In units of h, D1 and 2 q are the first and second derivative of x0 by lambda, and Taylor's expansion of the integral takes c2 times the
   whole second derivative.  The authors' program, diffusers and everybody after them have D2 = q, which is of second order only: that is
   "dpmpp-diffusers", of order 3 unless told otherwise; in orders 1 and 2 it is "dpmpp" without eta.  (Its SDE of order 3 has c2 = (p1 + c) / c^2
   + 1/2, which does not vanish with h.)

   Steps with too short a history take the order it allows; the last one has sigma_{-1} = 0, h infinite, and is x0; of a chain of fewer than
   15 steps the last but one has order 2 at most.  The variance that a network may have learned is not used.  (At the start of a chain
   of zero SNR lambda is minus infinity, and so are r0 and r1 afterwards: the differences then vanish, as they should.) */
#include "diffusion/sampler.h"
#include <math.h>

enum { FEW = 15 };      /* steps below which the end is stabilised */

struct update { int order; double of_x, of_m, of_z, p1, c, r0, r1, second; };         /* second: D2 / q */

static double lambda_of(const ddpm_tables *t, int i) { return i < 0 ? INFINITY : t->log_snr[i] / 2; }

static int check(const ddpm_sampler *s, ddpm_error *err)
{
    int code = dd_sampler_eta(s, err);
    return code ? code : dd_sampler_no_variance(s, err);
}

static int order_of(const ddpm_sampler *s, int i, const double *m1, const double *m2)
{
    int order = isnan(m1[0]) ? 1 : isnan(m2[0]) ? 2 : 3;
    if (order > s->options.order)
        order = s->options.order;
    if (i == 0)
        return 1;
    return i == 1 && s->tables->K < FEW && order > 2 ? 2 : order;
}

static struct update update_of(const ddpm_tables *t, int i, double eta, int order, double second)
{
    double here = lambda_of(t, i), h = lambda_of(t, i - 1) - here, to = i ? t->alpha_bar[i - 1] : 1, c = (1 + eta * eta) * h;
    struct update u = { order, sqrt((1 - to) / (1 - t->alpha_bar[i])), sqrt(to), 0, expm1(-c), c, 0, 0, second };
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

/* z is read where of_z is above 0. */
static void apply(double *x, const struct update *u, const double *m0, const double *m1, const double *m2, const double *z, size_t d)
{
    double second = u->p1 / 2, third = -(u->p1 / u->c + 1), fourth = (u->p1 + u->c) / (u->c * u->c) - 0.5;
    for (size_t e = 0; e < d; e++) {
        double sum = u->p1 * m0[e];
        if (u->order == 2)
            sum += second * (m0[e] - m1[e]) / u->r0;
        if (u->order == 3) {
            double d0 = (m0[e] - m1[e]) / u->r0, d1 = (m1[e] - m2[e]) / u->r1, q = (d0 - d1) / (u->r0 + u->r1);
            sum += third * (d0 + u->r0 * q) + fourth * u->second * q;
        }
        x[e] = u->of_x * x[e] - u->of_m * sum;
        if (u->of_z > 0)
            x[e] += u->of_z * z[e];
    }
}

static int move(ddpm_sampler *s, int i, double second, ddpm_error *err)
{
    int code = dd_sampler_predict(s, 0, i, err);
    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k), *m1 = dd_sampler_row(s, 1, k), *m2 = dd_sampler_row(s, 2, k);
        const double *m0 = dd_sampler_x0(s, x, k, i);
        struct update u = update_of(s->tables, i, s->options.eta, order_of(s, i, m1, m2), second);
        apply(x, &u, m0, m1, m2, u.of_z > 0 ? dd_sampler_noise(s, k, i, 0) : NULL, s->d);
        for (size_t e = 0; e < s->d; e++) {
            m2[e] = m1[e];
            m1[e] = m0[e];
        }
    }
    return code;
}

static int step(ddpm_sampler *s, int i, ddpm_error *err) { return move(s, i, 2, err); }
static int step_diffusers(ddpm_sampler *s, int i, ddpm_error *err) { return move(s, i, 1, err); }

const struct dd_sampler_kind dd_dpmpp = { .buffers = 3, .check = check, .step = step, .order = 2, .highest = 3, .corrector = -1 };
const struct dd_sampler_kind dd_dpmpp_diffusers = { .buffers = 3, .check = dd_sampler_no_noise, .step = step_diffusers, .order = 3,
                                                    .highest = 3, .corrector = -1 };
