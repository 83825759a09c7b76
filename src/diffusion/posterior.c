/* posterior.c: one reverse step, p(x_{i-1} | x_i) = N(mean_x0_i x0 + mean_xt_i x_i, sigma_i^2 I)   (Ho et al. 2020, equations 6, 7, 11)

     variance       sigma_i^2
     beta           beta_i                      the upper bound: exact for data N(0, I)
     beta-tilde     beta_tilde_i                the lower bound: exact for data of one point
     learned        e^v                         (DDPM_LEARNED), or
                    beta_i^f beta_tilde_i^(1-f), f = (v + 1) / 2, not clipped   (DDPM_LEARNED_RANGE; Nichol and Dhariwal 2021, equation 15)
     analytic       sigma*_i^2                  the least bound, from statistics (optimal_variance.c)
     auto           learned if the model has it; at K = T the model's own; else analytic where there are statistics; else the model's
                    own, but beta-tilde when K < T/4

   of the chain's own tables, respaced or not.  beta_tilde_0 = 0 has no logarithm: as in improved-diffusion, element 0 of both tables is
   beta_tilde_1 (of a chain of one step: beta_0); only a learned range ends at beta_0 itself.  No sampler adds noise there; a bound
   needs it.  The analytic variance has a value of its own there, the error of x0; only where statistics claim that there is none does
   it take beta's. */
#include "diffusion/posterior.h"
#include "diffusion/optimal_variance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Measured in bench/RESULTS.md, "Few steps". */
static int choose_auto(const ddpm_tables *t, int own, int T, const double *gamma)
{
    if (own == DDPM_LEARNED || own == DDPM_LEARNED_RANGE || t->K == T)
        return own;
    if (gamma && dd_optimal_variance_known(t, T))
        return DD_POSTERIOR_ANALYTIC;
    return 4 * (long)t->K < T ? DDPM_BETA_TILDE : own;
}

static int choose(int *variance, char *warning, const ddpm_tables *t, const char *name, int own, int T,
                  const double *gamma, ddpm_error *err)
{
    int K = t->K, learned = own == DDPM_LEARNED || own == DDPM_LEARNED_RANGE, few = 4 * (long)K < T;
    if (!strcmp(name, "auto"))
        *variance = choose_auto(t, own, T, gamma);
    else if (!strcmp(name, "beta"))
        *variance = DDPM_BETA;
    else if (!strcmp(name, "beta-tilde"))
        *variance = DDPM_BETA_TILDE;
    else if (!strcmp(name, "learned") && learned)
        *variance = own;
    else if (!strcmp(name, "analytic"))
        *variance = DD_POSTERIOR_ANALYTIC;
    else if (!strcmp(name, "learned"))
        return dd_error(
            err, DDPM_EUSAGE,
            "variance \"learned\": this model has learned none; choose auto, beta, beta-tilde or analytic");
    else
        return dd_error(
            err, DDPM_EUSAGE,
            "variance \"%.60s\": no such variance; it is one of auto, beta, beta-tilde, learned, analytic",
            name);
    if (*variance == DDPM_BETA && few)
        snprintf(warning, 256,
                 "variance beta leaves noise in the images at %d of %d steps; beta-tilde does not", K, T);
    return DDPM_OK;
}

/* Frees what it cannot fill. */
static int fill_optimal(struct dd_posterior *p, const double *gamma, int T, ddpm_error *err)
{
    const ddpm_tables *t = p->tables;
    int code = dd_optimal_variance_gamma(p->gamma, gamma, t, T, err);
    for (int i = 0; !code && i < t->K; i++) {
        double sigma2 = dd_optimal_variance(t->alpha_bar[i], i ? t->alpha_bar[i - 1] : 1, t->beta_tilde[i],
                                            1 - p->gamma[i]);
        p->log_optimal[i] = sigma2 > 0 ? log(sigma2) : p->log_small[i];
    }
    if (code)
        dd_posterior_free(p);
    return code;
}

int dd_posterior_create(struct dd_posterior *p, char *warning, const ddpm_tables *tables, const char *name,
                        int own, int T, const double *gamma, ddpm_error *err)
{
    int K = tables->K, code = choose(&p->variance, warning, tables, name, own, T, gamma, err);
    if (code)
        return code;
    p->tables = tables;
    p->log_small = malloc(4 * (size_t)K * sizeof *p->log_small);
    if (!p->log_small)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the variances of %d steps", K);
    p->log_large = p->log_small + K;
    p->log_optimal = p->log_large + K;
    p->gamma = p->log_optimal + K;
    for (int i = 1; i < K; i++) {
        p->log_small[i] = log(tables->beta_tilde[i]);
        p->log_large[i] = log(tables->beta[i]);
    }
    p->log_small[0] = log(K > 1 ? tables->beta_tilde[1] : tables->beta[0]);
    p->log_large[0] = p->variance == DDPM_LEARNED_RANGE ? log(tables->beta[0]) : p->log_small[0];
    return p->variance == DD_POSTERIOR_ANALYTIC ? fill_optimal(p, gamma, T, err) : DDPM_OK;
}

void dd_posterior_free(struct dd_posterior *p)
{
    free(p->log_small);
    p->log_small = NULL;
}

void dd_posterior_for_images(struct dd_posterior *p)
{
    enum { GREY = 2 };

    if (p->variance == DD_POSTERIOR_ANALYTIC && p->tables->K > 1)
        p->log_optimal[1] = log(dd_optimal_variance_seen(exp(p->log_optimal[1]), p->tables, 1, GREY));
}

void dd_posterior_mean(const struct dd_posterior *p, double *mean, const double *x0, const double *xi, int i,
                       size_t d)
{
    double of_x0 = p->tables->mean_x0[i], of_xi = p->tables->mean_xt[i];
    for (size_t e = 0; e < d; e++)
        mean[e] = of_x0 * x0[e] + of_xi * xi[e];
}

void dd_posterior_log_variance(const struct dd_posterior *p, double *lv, const double *v, int i, size_t d)
{
    const double *table = p->variance == DDPM_BETA               ? p->log_large
                          : p->variance == DD_POSTERIOR_ANALYTIC ? p->log_optimal
                                                                 : p->log_small;
    double fixed = table[i];
    for (size_t e = 0; e < d; e++) {
        double f = p->variance == DDPM_LEARNED_RANGE ? (v[e] + 1) / 2 : 0;
        lv[e] = p->variance == DDPM_LEARNED         ? v[e]
                : p->variance == DDPM_LEARNED_RANGE ? f * p->log_large[i] + (1 - f) * p->log_small[i]
                                                    : fixed;
    }
}

void dd_posterior_sigma(const struct dd_posterior *p, double *sigma, const double *v, int i, size_t d)
{
    dd_posterior_log_variance(p, sigma, v, i, d);
    for (size_t e = 0; e < d; e++)
        sigma[e] = exp(0.5 * sigma[e]);
}
