/* tuned.c: the sampler "tuned": a multistep solver of data prediction whose times and coefficients were
   learned for one model and one number of steps (tuner.c learns them).  With alpha = sqrt(alpha_bar), sigma =
   sqrt(1 - alpha_bar), lambda = ln(alpha / sigma), h = lambda_{i-1} - lambda_i, p1 = e^-h - 1, and m0, m1, m2
   the x0 predicted at positions i, i + 1, i + 2,

     x_{i-1} = (1 + a) sigma_{i-1} / sigma_i x_i - (1 + b) alpha_{i-1} S
     S = p1 (m0 + (m0 - m1) / (2 r0) + c1 (m1 - m0) + c2 (m2 - m0)),      r0 = (lambda_i - lambda_{i+1}) / h

   The network is told the step `fed` instead of t.  A prediction that does not exist is left out together
   with its coefficient.  A run that begins in the middle of the chain has none before its first.  The last
   step, from position 0, ends at (1 + b) (m0 + c1 (m1 - m0) + c2 (m2 - m0)), clipped as m0 is.

   With fed = t and a = b = c1 = c2 = 0 this is DPM-Solver++(2M) without noise, the sampler "dpmpp" of order
   2, to the bit.  Solvers with learned times and coefficients are compared in arXiv 2510.17699. */
#include "diffusion/tuned.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "diffusion/fractional.h"
#include "diffusion/sampler.h"

static double lambda(const double *log_snr, int i)
{
    return i < 0 ? INFINITY : log_snr[i] / 2;
}

void dd_tuned_step_fill(struct dd_tuned_step *s, const struct dd_tuned_solver *solver, int i, int history)
{
    const double *table = solver->table, *alpha_bar = solver->alpha_bar, *log_snr = solver->log_snr;
    int K = solver->K;
    double here = lambda(log_snr, i), h = lambda(log_snr, i - 1) - here, to = i ? alpha_bar[i - 1] : 1;

    *s = (struct dd_tuned_step){
        .of_x = sqrt((1 - to) / (1 - alpha_bar[i])) * (1 + table[DDPM_TUNED_OF_X * K + i]),
        .of_m = sqrt(to) * (1 + table[DDPM_TUNED_OF_M * K + i]),
        .p1 = expm1(-h),
        .h = h,
        .before1 = history > 0 ? table[DDPM_TUNED_BEFORE1 * K + i] : 0,
        .before2 = history > 1 ? table[DDPM_TUNED_BEFORE2 * K + i] : 0,
        .second = i > 0 && history > 0,
        .last = i == 0,
    };
    if (s->second)
        s->r0 = (here - lambda(log_snr, i + 1)) / h;
}

/* Returns x clipped to +-clip; NaN stays NaN. */
static double clipped(double x, double clip)
{
    if (x > clip)
        return clip;
    return x < -clip ? -clip : x;
}

void dd_tuned_step_apply(const struct dd_tuned_step *s, double *x, const double *const m[3], double clip,
                         size_t d)
{
    const double *m0 = m[0], *m1 = m[1], *m2 = m[2];
    double half = s->p1 / 2, first = s->p1 * s->before1, other = s->p1 * s->before2;

    for (size_t e = 0; e < d; e++) {
        double sum = s->p1 * m0[e];
        if (s->second)
            sum += half * (m0[e] - m1[e]) / s->r0;
        if (first != 0)
            sum += first * (m1[e] - m0[e]);
        if (other != 0)
            sum += other * (m2[e] - m0[e]);

        x[e] = s->of_x * x[e] - s->of_m * sum;
        if (s->last && clip > 0)
            x[e] = clipped(x[e], clip);
    }
}

/* ---- the sampler ---- */

/* Returns the model's solver of K steps, or NULL. */
static const ddpm_tuned *find(const ddpm_tuned *list, int count, int K)
{
    for (int i = 0; i < count; i++)
        if (list[i].K == K)
            return &list[i];
    return NULL;
}

int dd_tuned_chain(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err)
{
    const ddpm_tuned *solver = find(a->tuned, a->tuned_count, K);
    char known[128] = "none";
    size_t used = 0;

    /* The error names the solvers that there are. */
    for (int i = 0; i < a->tuned_count && used < sizeof known - 16; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%d", i ? ", " : "those of ",
                                 a->tuned[i].K);

    if (!solver)
        return dd_error(err, DDPM_EUSAGE,
                        "the model has no tuned solver of %d steps, it has %s: "
                        "`ddpm tune --steps %d -o NEW` makes one",
                        K, known, K);

    double *alpha_bar = malloc((size_t)K * sizeof *alpha_bar);
    if (!alpha_bar)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a chain of %d steps", K);

    /* The learned times lie between whole steps. */
    for (int i = 0; i < K; i++)
        alpha_bar[i] =
            dd_fractional_alpha_bar(a->alpha_bar, a->steps, solver->table[DDPM_TUNED_T * K + i], NULL);

    int code = dd_chain_create(c, K, solver->table + DDPM_TUNED_T * K, alpha_bar, a->beta, err);
    free(alpha_bar);
    return code;
}

/* Keeps a copy of the solver that belongs to the sampler's chain. */
static int begin(ddpm_sampler *s, ddpm_error *err)
{
    int K = s->tables->K;
    const ddpm_tuned *solver = find(s->options.tuned, s->options.tuned_count, K);
    size_t numbers = DDPM_TUNED_ROWS * (size_t)K;
    if (!solver || memcmp(solver->table, s->tables->t, (size_t)K * sizeof *solver->table))
        return dd_error(
            err, DDPM_EUSAGE,
            "sampler tuned takes the steps that were learned for the model: its chain of %d steps is "
            "another one; make it with ddpm_chain_tuned",
            K);

    double *table = dd_arena(&s->arena, numbers, sizeof *table);
    if (!table)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a tuned solver");
    memcpy(table, solver->table, numbers * sizeof *table);
    s->table = table;
    s->told = table + DDPM_TUNED_FED * K;
    return DDPM_OK;
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    const ddpm_tables *t = s->tables;
    struct dd_tuned_solver solver = { t->K, s->table, t->alpha_bar, t->log_snr };
    int code = dd_sampler_predict(s, 0, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k), *m1 = dd_sampler_row(s, 1, k), *m2 = dd_sampler_row(s, 2, k);
        const double *m0 = dd_sampler_x0(s, x, k, i);
        struct dd_tuned_step move;
        dd_tuned_step_fill(&move, &solver, i, dd_sampler_history(m1, m2));
        dd_tuned_step_apply(&move, x, (const double *const[]){ m0, m1, m2 }, s->options.clip, s->d);

        memcpy(m2, m1, s->d * sizeof *m2);
        memcpy(m1, m0, s->d * sizeof *m1);
    }
    return code;
}

/* The trait trusts_x0 is 0, because the factor (1 + b) is learned and gets smaller where x0 is wrong. */
const struct dd_sampler_kind dd_tuned = {
    .traits = { .own_steps = 1, .corrector = -1 },
    .buffers = 3,
    .begin = begin,
    .step = step,
};
