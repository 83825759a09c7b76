/* posterior.c: computes one reverse step (Ho et al. 2020, equations 6, 7 and 11),

     p(x_{i-1} | x_i) = N(mean_x0_i x0 + mean_xt_i x_i, sigma_i^2 I)

   by the tables of the chain, respaced or not.  The choices of sigma_i^2 are

     beta         beta_i, the upper bound: exact for data N(0, I)
     beta-tilde   beta_tilde_i, the lower bound: exact for data of one point
     learned      DDPM_LEARNED: e^v
                  DDPM_LEARNED_RANGE: beta_i^f beta_tilde_i^(1-f), f = (v + 1) / 2, not clipped
                  (Nichol and Dhariwal 2021, equation 15)
     analytic     sigma*_i^2, the least bound, from statistics (optimal_variance.c)
     auto         learned, if the model has it;
                  the model's own, if K = T;
                  else analytic, if there are statistics;
                  else beta-tilde for K < T/4, and the model's own for K >= T/4

   beta_tilde_0 = 0 has no logarithm.  As in improved-diffusion, element 0 of both tables is beta_tilde_1,
   or beta_0 in a chain of one step; only a learned range ends at beta_0 itself.  No sampler adds noise
   there, but a bound needs a value.  Element 0 of the analytic variance is the error of x0.  If the
   statistics say that this error is 0, the analytic variance takes the value of the tables. */
#include "diffusion/posterior.h"
#include "base/names.h"
#include "diffusion/optimal_variance.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const *dd_posterior_names(void)
{
    static const char *const names[] = { "auto", "beta", "beta-tilde", "learned", "analytic", NULL };
    return names;
}

/* Returns the variance that "auto" stands for.  bench/RESULTS.md, "Few steps", has the measurements behind
   this choice. */
static int choose_auto(const ddpm_tables *t, int own, int T, const double *gamma)
{
    /* The model was trained for a learned variance, and for the full chain. */
    if (own == DDPM_LEARNED || own == DDPM_LEARNED_RANGE || t->K == T)
        return own;
    if (gamma && dd_optimal_variance_known(t, T))
        return DD_POSTERIOR_ANALYTIC;
    return 4 * (long)t->K < T ? DDPM_BETA_TILDE : own;
}

/* Fills *chosen with DDPM_BETA... or DD_POSTERIOR_ANALYTIC. */
static int choose(int *chosen, const ddpm_tables *t, const struct dd_variance *v, char *warning,
                  ddpm_error *err)
{
    enum { AUTO, BETA, BETA_TILDE, LEARNED, ANALYTIC };

    bool learned = v->own == DDPM_LEARNED || v->own == DDPM_LEARNED_RANGE, few = 4 * (long)t->K < v->T;
    int name, code = dd_names_choose(&name, "variance", v->name, dd_posterior_names(), err);
    if (code)
        return code;
    if (name == LEARNED && !learned)
        return dd_error(
            err, DDPM_EUSAGE,
            "variance \"learned\": this model has learned none; choose auto, beta, beta-tilde or analytic");

    switch (name) {
    case AUTO: *chosen = choose_auto(t, v->own, v->T, v->gamma); break;
    case BETA: *chosen = DDPM_BETA; break;
    case BETA_TILDE: *chosen = DDPM_BETA_TILDE; break;
    case LEARNED: *chosen = v->own; break;
    case ANALYTIC: *chosen = DD_POSTERIOR_ANALYTIC; break;
    }

    if (*chosen == DDPM_BETA && few)
        snprintf(warning, 256,
                 "variance beta leaves noise in the images at %d of %d steps; beta-tilde does not", t->K,
                 v->T);
    return DDPM_OK;
}

/* Fills gamma and log_optimal; frees the tables when it cannot. */
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

int dd_posterior_create(struct dd_posterior *p, const ddpm_tables *tables, const struct dd_variance *v,
                        char *warning, ddpm_error *err)
{
    int K = tables->K, code = choose(&p->variance, tables, v, warning, err);
    if (code)
        return code;

    p->tables = tables;
    p->log_small = malloc(4 * (size_t)K * sizeof *p->log_small);
    if (!p->log_small)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the variances of %d steps", K);

    p->log_large = p->log_small + K;
    p->log_optimal = p->log_large + K;
    p->gamma = p->log_optimal + K;

    /* Element 0 of beta_tilde has no logarithm. */
    for (int i = 1; i < K; i++) {
        p->log_small[i] = log(tables->beta_tilde[i]);
        p->log_large[i] = log(tables->beta[i]);
    }

    p->log_small[0] = log(K > 1 ? tables->beta_tilde[1] : tables->beta[0]);
    p->log_large[0] = p->variance == DDPM_LEARNED_RANGE ? log(tables->beta[0]) : p->log_small[0];

    return p->variance == DD_POSTERIOR_ANALYTIC ? fill_optimal(p, v->gamma, v->T, err) : DDPM_OK;
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

/* Returns ln of beta_i^f beta_tilde_i^(1-f). */
static double between(const struct dd_posterior *p, double f, int i)
{
    return f * p->log_large[i] + (1 - f) * p->log_small[i];
}

void dd_posterior_log_variance(const struct dd_posterior *p, double *lv, const double *v, int i, size_t d)
{
    for (size_t e = 0; e < d; e++) {
        switch (p->variance) {
        case DDPM_BETA: lv[e] = p->log_large[i]; break;
        case DDPM_BETA_TILDE: lv[e] = p->log_small[i]; break;
        case DDPM_LEARNED: lv[e] = v[e]; break;
        case DDPM_LEARNED_RANGE: lv[e] = between(p, (v[e] + 1) / 2, i); break;
        case DD_POSTERIOR_ANALYTIC: lv[e] = p->log_optimal[i]; break;
        }
    }
}

void dd_posterior_variance(const struct dd_posterior *p, double *variance, const double *v, int i, size_t d)
{
    /* beta_tilde_0 itself is 0; only its logarithm is replaced. */
    bool zero = i == 0 && p->variance == DDPM_BETA_TILDE;
    dd_posterior_log_variance(p, variance, v, i, d);
    for (size_t e = 0; e < d; e++)
        variance[e] = zero ? 0 : exp(variance[e]);
}

void dd_posterior_sigma(const struct dd_posterior *p, double *sigma, const double *v, int i, size_t d)
{
    dd_posterior_log_variance(p, sigma, v, i, d);
    for (size_t e = 0; e < d; e++)
        sigma[e] = exp(0.5 * sigma[e]);
}
