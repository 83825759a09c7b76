/* unipc.c: the sampler "unipc", the unified predictor-corrector UniPC-p (Zhao, Bai, Rao, Zhou, Lu 2023,
   algorithms 7 and 8) with data prediction and B(h) = e^h - 1 ("bh2"), p = 1 or 2, on any chain.

   The notation is that of dpmpp.c: lambda is half of log SNR, and m_i is the x0 predicted at position i.  A
   step goes from position i to j = i - 1, with

     h = lambda_j - lambda_i,   p1 = e^-h - 1

     base      b(x, m) = sigma_j / sigma_i x - alpha_j p1 m
     predict   x_j^ = b(x_i, m_i) - alpha_j p1 / 2 D                (D = 0 at order 1)
               D = (m_{i+1} - m_i) / r,   r = (lambda_{i+1} - lambda_i) / h < 0
     correct   x_j = b(x_i, m_i) - alpha_j p1 (rho_1 D + rho_2 (m_j - m_i))
               order 1:  rho_1 = 0,  rho_2 = 1/2
               order 2:  rho_1 + rho_2 = g_1,  r rho_1 + rho_2 = g_2
               g_1 = (p1 / -h - 1) / p1,   g_2 = 2 ((p1 / -h - 1) / -h - 1/2) / p1

   m_j is predicted at x_j^ and not again at x_j, so a step calls the network once.  The code uses the m_i of
   its own position first to correct x_i, which the step before it has predicted, and then to predict x_{i-1}.

   The last step leads to sigma_{-1} = 0.  It has order 1, returns m_0, and is not corrected.  The predictor
   of order 2 is that of "dpmpp" with eta = 0, and needs no bound on its steps either. */
#include "diffusion/sampler.h"
#include <math.h>

/* The buffers at position i: X is x_i^, LAST is the corrected x_{i+1}, M1 is m_{i+1} and M2 is m_{i+2}. */
enum { X, LAST, M1, M2, BUFFERS };

/* The factors of the step from position i to i - 1.  b(x, m) is of_x x - of_m p1 m. */
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

/* The predictions that a step knows, and the state from which the step before it began: m0 is m_i, m1 is
   m_{i+1}, m2 is m_{i+2} and last is x_{i+1}, all [d]. */
struct known {
    const double *m0, *m1, *m2, *last;
};

/* Corrects x [d] at position i.  The step into i began at i + 1, so the head's indices (i, j) are (i + 1, i)
   here.  m2 is not read at order 1. */
static void correct(double *x, const ddpm_tables *t, int i, struct known n, int order, size_t d)
{
    struct base b = base_of(t, i + 1);
    double r = order > 1 ? (lambda_of(t, i + 2) - lambda_of(t, i + 1)) / b.h : 1;
    double phi = b.p1 / -b.h - 1, g1 = phi / b.p1, g2 = 2 * (phi / -b.h - 0.5) / b.p1;
    double rho1 = order > 1 ? (g2 - g1) / (r - 1) : 0, rho2 = order > 1 ? g1 - rho1 : 0.5;

    /* change is rho_2 (m0 - m1) + rho_1 (m2 - m1) / r. */
    for (size_t e = 0; e < d; e++) {
        double change = rho2 * (n.m0[e] - n.m1[e]) + (order > 1 ? rho1 * (n.m2[e] - n.m1[e]) / r : 0);
        x[e] = b.of_x * n.last[e] - b.of_m * b.p1 * (n.m1[e] + change);
    }
}

/* Takes x [d] from position i to i - 1.  m1 is not read at order 1. */
static void predict(double *x, const ddpm_tables *t, int i, struct known n, int order, size_t d)
{
    struct base b = base_of(t, i);
    double r = order > 1 ? (lambda_of(t, i + 1) - lambda_of(t, i)) / b.h : 1;

    for (size_t e = 0; e < d; e++) {
        double change = order > 1 ? (n.m1[e] - n.m0[e]) / r / 2 : 0;
        x[e] = b.of_x * x[e] - b.of_m * b.p1 * (n.m0[e] + change);
    }
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    int code = dd_sampler_predict(s, X, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, X, k), *last = dd_sampler_row(s, LAST, k);
        double *m1 = dd_sampler_row(s, M1, k), *m2 = dd_sampler_row(s, M2, k);
        const double *m0 = dd_sampler_x0(s, x, k, i);
        struct known known = { .m0 = m0, .m1 = m1, .m2 = m2, .last = last };
        int second_order = s->options.order == 2;

        /* m0 lies in s->x0, so it stays valid while x changes.  M1 and M2 are NAN until steps fill them. */
        if (!isnan(m1[0]))
            correct(x, s->tables, i, known, second_order && !isnan(m2[0]) ? 2 : 1, s->d);
        for (size_t e = 0; e < s->d; e++) {
            last[e] = x[e];
            m2[e] = m1[e];
        }

        predict(x, s->tables, i, known, second_order && i && !isnan(m1[0]) ? 2 : 1, s->d);
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
