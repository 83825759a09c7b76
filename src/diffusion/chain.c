/* chain.c: the tables of a chain i = 0..K-1 (Ho, Jain, Abbeel 2020, equations 4, 6, 7), all from alpha_bar_i at the kept steps:

     alpha_i      = alpha_bar_i / alpha_bar_{i-1},  alpha_bar_{-1} = 1,  beta_i = 1 - alpha_i
     beta_tilde_i = beta_i (1 - alpha_bar_{i-1}) / (1 - alpha_bar_i)
     q(x_{i-1} | x_i, x0) = N(mean_x0 x0 + mean_xt x_i, beta_tilde_i I),
       mean_x0_i  = beta_i sqrt(alpha_bar_{i-1}) / (1 - alpha_bar_i),  mean_xt_i = (1 - alpha_bar_{i-1}) sqrt(alpha_i) / (1 - alpha_bar_i)
     log_snr_i    = ln(alpha_bar_i / (1 - alpha_bar_i))

   Nothing here knows the schedule that alpha_bar came from: a full chain and a respaced one are the same thing. */
#include "diffusion/chain.h"
#include "base/memory.h"
#include "diffusion/betas.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int check(int K, const double *t, const double *alpha_bar, ddpm_error *err)
{
    if (K < 1 || K > DD_STEPS_MAX)
        return dd_error(err, DDPM_EUSAGE, "a chain of %d steps is asked for; choose 1 to %d", K, DD_STEPS_MAX);
    for (int i = 0; i < K; i++) {
        if (!(t[i] >= 0 && t[i] <= DD_STEPS_MAX) || (i && t[i] <= t[i - 1]))
            return dd_error(err, DDPM_EUSAGE, "step %d of the chain is t = %g; steps rise strictly within 0 to %d", i, t[i], DD_STEPS_MAX);
        if (!(alpha_bar[i] < (i ? alpha_bar[i - 1] : 1) && (alpha_bar[i] > 0 || (alpha_bar[i] == 0 && i == K - 1))))
            return dd_error(err, DDPM_EDATA, "alpha_bar = %.9g at t = %g; it falls strictly from below 1, and only the last may be 0",
                            alpha_bar[i], t[i]);
    }
    return DDPM_OK;
}

static void fill(double *block, const double *t, const double *alpha_bar, int K)
{
    double *beta = block + 2 * K, *beta_tilde = beta + K, *mean_x0 = beta_tilde + K, *mean_xt = mean_x0 + K, *log_snr = mean_xt + K;
    memcpy(block, t, (size_t)K * sizeof *t);
    memcpy(block + K, alpha_bar, (size_t)K * sizeof *alpha_bar);
    for (int i = 0; i < K; i++) {
        double here = alpha_bar[i], before = i ? alpha_bar[i - 1] : 1, alpha = here / before;
        beta[i] = 1 - alpha;
        beta_tilde[i] = beta[i] * (1 - before) / (1 - here);
        mean_x0[i] = beta[i] * sqrt(before) / (1 - here);
        mean_xt[i] = (1 - before) * sqrt(alpha) / (1 - here);
        log_snr[i] = log(here / (1 - here));
    }
}

int dd_chain_create(ddpm_chain **chain, int K, const double *t, const double *alpha_bar, ddpm_error *err)
{
    int code = check(K, t, alpha_bar, err);
    if (code)
        return code;
    ddpm_chain *c = dd_memory(1, sizeof *c + 7 * (size_t)K * sizeof *c->block);
    if (!c)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a chain of %d steps", K);
    double *b = c->block;
    fill(b, t, alpha_bar, K);
    if (alpha_bar[K - 1] > 0.01)
        snprintf(c->warning, sizeof c->warning, "the list of steps begins at t = %g, where alpha_bar is still %.3g: sampling starts from "
                 "pure noise, so let it begin where alpha_bar is at most 0.01", t[K - 1], alpha_bar[K - 1]);
    c->tables = (ddpm_tables){ K, b, b + K, b + 2 * K, b + 3 * K, b + 4 * K, b + 5 * K, b + 6 * K, c->warning[0] ? c->warning : NULL };
    *chain = c;
    return DDPM_OK;
}
