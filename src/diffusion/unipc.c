/* unipc.c: the sampler "unipc", the unified predictor-corrector UniPC-p (Zhao, Bai, Rao, Zhou, Lu 2023,
   algorithms 7 and 8) with data prediction and B(h) = e^h - 1 ("bh2"), p = 1 or 2, on any chain.

   The notation is that of dpmpp.c.  From position i to j = i - 1, with h = lambda_j - lambda_i and p1 = e^-h
   - 1:

     base      b(x, m) = sigma_j / sigma_i x - alpha_j p1 m
     predict   x_j^ = b(x_i, m_i) - alpha_j p1 / 2 D                (D = 0 at order 1)
               D = (m_{i+1} - m_i) / r,   r = (lambda_{i+1} - lambda_i) / h < 0
     correct   x_j = b(x_i, m_i) - alpha_j p1 (rho_1 D + rho_2 (m_j - m_i))
               order 1:  rho_1 = 0,  rho_2 = 1/2
               order 2:  rho_1 + rho_2 = g_1,  r rho_1 + rho_2 = g_2
               g_1 = (p1 / -h - 1) / p1,   g_2 = 2 ((p1 / -h - 1) / -h - 1/2) / p1

   m_j is the x0 predicted at x_j^, and not again at x_j.  So the prediction that corrects a step is the one
   that the next step needs anyway: a step here first corrects x_i, which the step before predicted, then
   predicts x_{i-1}, with one call of the network in all.

   The last step has sigma_{-1} = 0 and order 1, is x0, and is not corrected.  The predictor of order 2 is
   that of "dpmpp" with eta = 0, which needs no bound on its steps. */
#include "diffusion/sampler.h"
#include <math.h>

/* The buffers: x predicted at i; x corrected at i + 1; x0 predicted at i + 1 and at i + 2. */
enum { X, LAST, M1, M2, BUFFERS };

/* A step from one position to the next one below: x is of_x x - of_m sum. */
struct base {
    double of_x, of_m, h, p1;
};

static double lambda_of(const ddpm_tables *t, int i)
{
    return i < 0 ? INFINITY : t->log_snr[i] / 2;
}

static struct base base_of(const ddpm_tables *t, int i)
{
    double to = i ? t->alpha_bar[i - 1] : 1, h = lambda_of(t, i - 1) - lambda_of(t, i);
    return (struct base){ sqrt((1 - to) / (1 - t->alpha_bar[i])), sqrt(to), h, expm1(-h) };
}

/* Corrects x [d] at position i, from last, m1 and m2 [d] of the positions above. m2 is not read at order
   1. */
static void correct(double *x, const ddpm_tables *t, int i, const double *last, const double *m0,
                    const double *m1, const double *m2, int order, size_t d)
{
    struct base b = base_of(t, i + 1);
    double r = order > 1 ? (lambda_of(t, i + 2) - lambda_of(t, i + 1)) / b.h : 1;
    double phi = b.p1 / -b.h - 1, g1 = phi / b.p1, g2 = 2 * (phi / -b.h - 0.5) / b.p1;
    double rho1 = order > 1 ? (g2 - g1) / (r - 1) : 0, rho2 = order > 1 ? g1 - rho1 : 0.5;

    /* change is rho_1 D + rho_2 (m_j - m_i). */
    for (size_t e = 0; e < d; e++) {
        double change = rho2 * (m0[e] - m1[e]) + (order > 1 ? rho1 * (m2[e] - m1[e]) / r : 0);
        x[e] = b.of_x * last[e] - b.of_m * b.p1 * (m1[e] + change);
    }
}

/* Takes x [d] from position i to i - 1. */
static void predict(double *x, const ddpm_tables *t, int i, const double *m0, const double *m1, int order,
                    size_t d)
{
    struct base b = base_of(t, i);
    double r = order > 1 ? (lambda_of(t, i + 1) - lambda_of(t, i)) / b.h : 1;

    for (size_t e = 0; e < d; e++)
        x[e] = b.of_x * x[e] - b.of_m * b.p1 * (m0[e] + (order > 1 ? (m1[e] - m0[e]) / r / 2 : 0));
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    int code = dd_sampler_predict(s, X, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, X, k), *last = dd_sampler_row(s, LAST, k);
        double *m1 = dd_sampler_row(s, M1, k), *m2 = dd_sampler_row(s, M2, k);
        const double *m0 = dd_sampler_x0(s, x, k, i);
        int two = s->options.order == 2;

        /* A buffer is NAN where nothing is known yet. */
        if (!isnan(m1[0]))
            correct(x, s->tables, i, last, m0, m1, m2, two && !isnan(m2[0]) ? 2 : 1, s->d);
        for (size_t e = 0; e < s->d; e++) {
            last[e] = x[e];
            m2[e] = m1[e];
        }

        predict(x, s->tables, i, m0, m1, two && i && !isnan(m1[0]) ? 2 : 1, s->d);
        for (size_t e = 0; e < s->d; e++)
            m1[e] = m0[e];
    }
    return code;
}

const struct dd_sampler_kind dd_unipc = {
    .traits = { .order = 2, .highest_order = 2, .corrector = -1, .trusts_x0 = 1 },
    .buffers = BUFFERS,
    .step = step,
};
