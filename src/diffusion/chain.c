/* chain.c: the tables of a chain i = 0, ..., K-1, from alpha_bar_i at its steps (Ho, Jain, Abbeel 2020,
   equations 4, 6 and 7):

     alpha_i      = alpha_bar_i / alpha_bar_{i-1},  alpha_bar_{-1} = 1,  beta_i = 1 - alpha_i
     rest_i       = 1 - alpha_bar_i
     beta_tilde_i = beta_i rest_{i-1} / rest_i
     log_snr_i    = ln(alpha_bar_i / rest_i)
     q(x_{i-1} | x_i, x0) = N(mean_x0 x0 + mean_xt x_i, beta_tilde_i I)
     mean_x0_i    = beta_i sqrt(alpha_bar_{i-1}) / rest_i
     mean_xt_i    = rest_{i-1} sqrt(alpha_i) / rest_i

   The differences beta_i and rest_i lose the digits that alpha_bar shares with 1.  The schedule's own table
   of beta does not.  If it is given, and a step follows the one before it in the schedule, beta_i is taken
   from the table, and

     rest_i       = rest_{i-1} (1 - beta_i) + beta_i,   rest_{-1} = 0,

   is a sum of positive numbers, which loses nothing.  Otherwise a full chain and a respaced one are treated
   alike. */
#include "diffusion/chain.h"
#include "base/memory.h"
#include "base/rng.h"
#include "diffusion/betas.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Refuses steps and alpha_bar that do not make a chain. */
static int check(int K, const double *t, const double *alpha_bar, ddpm_error *err)
{
    if (K < 1 || K > DD_STEPS_MAX)
        return dd_error(err, DDPM_EUSAGE, "a chain of %d steps is asked for; choose 1 to %d", K,
                        DD_STEPS_MAX);

    for (int i = 0; i < K; i++) {
        if (!(t[i] >= 0 && t[i] <= DD_STEPS_MAX) || (i && t[i] <= t[i - 1]))
            return dd_error(err, DDPM_EUSAGE,
                            "step %d of the chain is t = %g; steps rise strictly within 0 to %d", i, t[i],
                            DD_STEPS_MAX);

        /* The noise of a step depends on its t, rounded (rng.c). */
        if (i && dd_rng_t(t[i]) == dd_rng_t(t[i - 1]))
            return dd_error(err, DDPM_EUSAGE,
                            "steps %d and %d of the chain, t = %.9g and %.9g, would get "
                            "the same noise; it is told apart by t in multiples of 1/65536",
                            i - 1, i, t[i - 1], t[i]);

        if (!(alpha_bar[i] < (i ? alpha_bar[i - 1] : 1) &&
              (alpha_bar[i] > 0 || (alpha_bar[i] == 0 && i == K - 1))))
            return dd_error(
                err, DDPM_EDATA,
                "alpha_bar = %.9g at t = %g; it falls strictly from below 1, and only the last may be 0",
                alpha_bar[i], t[i]);
    }
    return DDPM_OK;
}

/* Returns whether step i of the chain follows step i - 1 in the schedule, too.  The first step follows x0. */
static int follows(const double *t, int i)
{
    return t[i] == floor(t[i]) && t[i] == (i ? t[i - 1] + 1 : 0);
}

/* Fills the tables after t and alpha_bar, which are filled already.  beta_of [steps] is the schedule's beta
   by step, or NULL. */
static void fill(double *block, const double *beta_of, int K)
{
    const double *t = block, *alpha_bar = block + K;
    double *beta = block + 2 * K, *beta_tilde = beta + K;
    double *mean_x0 = beta_tilde + K, *mean_xt = mean_x0 + K, *log_snr = mean_xt + K;
    double rest_before = 0;

    for (int i = 0; i < K; i++) {
        double here = alpha_bar[i], before = i ? alpha_bar[i - 1] : 1, alpha = here / before, rest = 1 - here;
        beta[i] = 1 - alpha;

        /* The schedule's own beta, without cancellation. */
        if (beta_of && follows(t, i)) {
            beta[i] = beta_of[(int)t[i]];
            rest = rest_before * (1 - beta[i]) + beta[i];
        }

        beta_tilde[i] = beta[i] * rest_before / rest;
        mean_x0[i] = beta[i] * sqrt(before) / rest;
        mean_xt[i] = rest_before * sqrt(alpha) / rest;
        log_snr[i] = log(here / rest);

        rest_before = rest;
    }
}

/* Allocates a chain of K steps whose tables are still to be filled. */
static ddpm_chain *allocate(int K, ddpm_error *err)
{
    size_t n = (size_t)K;
    ddpm_chain *c = dd_memory(1, sizeof *c + 7 * n * sizeof *c->block);
    if (!c) {
        dd_error(err, DDPM_ENOMEM, "out of memory for a chain of %d steps", K);
        return NULL;
    }

    double *b = c->block;
    c->tables = (ddpm_tables){ K, b, b + n, b + 2 * n, b + 3 * n, b + 4 * n, b + 5 * n, b + 6 * n, NULL };
    return c;
}

int dd_chain_create(ddpm_chain **chain, int K, const double *t, const double *alpha_bar, const double *beta,
                    ddpm_error *err)
{
    int code = check(K, t, alpha_bar, err);
    if (code)
        return code;

    ddpm_chain *c = allocate(K, err);
    if (!c)
        return DDPM_ENOMEM;

    memcpy(c->block, t, (size_t)K * sizeof *t);
    memcpy(c->block + K, alpha_bar, (size_t)K * sizeof *alpha_bar);
    fill(c->block, beta, K);

    /* Sampling starts from pure noise, so the chain should begin near it. */
    if (alpha_bar[K - 1] > 0.01) {
        snprintf(c->warning, sizeof c->warning,
                 "the list of steps begins at t = %g, where alpha_bar is still %.3g: sampling starts from "
                 "pure noise, so let it begin where alpha_bar is at most 0.01",
                 t[K - 1], alpha_bar[K - 1]);
        c->tables.warning = c->warning;
    }

    *chain = c;
    return DDPM_OK;
}

int dd_chain_copy(ddpm_chain **chain, const ddpm_chain *from, ddpm_error *err)
{
    ddpm_chain *c = allocate(from->tables.K, err);
    if (!c)
        return DDPM_ENOMEM;

    memcpy(c->block, from->block, 7 * (size_t)from->tables.K * sizeof *c->block);
    memcpy(c->warning, from->warning, sizeof c->warning);
    c->tables.warning = from->tables.warning ? c->warning : NULL;

    *chain = c;
    return DDPM_OK;
}
