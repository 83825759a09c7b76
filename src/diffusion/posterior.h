/* The reverse step p(x_{i-1} | x_i) = N(mean, sigma^2 I): its mean from x0, and the choice of sigma.  See
   posterior.c. */
#ifndef DD_POSTERIOR_H
#define DD_POSTERIOR_H
#include "base/error.h"

/* The variance "analytic"; DDPM_BETA... of ddpm.h are the others. */
enum { DD_POSTERIOR_ANALYTIC = DDPM_LEARNED_RANGE + 1 };

/* variance      DDPM_BETA... or DD_POSTERIOR_ANALYTIC
   log_small     [K] ln beta_tilde, with a first element as in posterior.c
   log_large     [K] ln beta, likewise
   log_optimal   [K] ln sigma*^2 if the variance is analytic
   gamma         [K] the statistics of the analytic variance */
struct dd_posterior {
    const ddpm_tables *tables;
    int variance;
    double *log_small, *log_large, *log_optimal, *gamma;
};

/* A variance by its name, one of dd_posterior_names(), and what the choice needs to know about the model. */
struct dd_variance {
    const char *name;
    int own;             /* ddpm_about.variance */
    int T;               /* ddpm_about.steps */
    const double *gamma; /* [T] ddpm_about.gamma, or NULL */
};

/* Chooses the variance of the chain's steps.  warning [256] gets a sentence if the choice is a bad one. */
int dd_posterior_create(struct dd_posterior *p, const ddpm_tables *tables, const struct dd_variance *v,
                        char *warning, ddpm_error *err);
void dd_posterior_free(struct dd_posterior *p);

/* Returns the names of the variances, "auto" first, NULL last. */
const char *const *dd_posterior_names(void);

/* Limits an analytic variance so that its noise is not seen (optimal_variance.c).  Images need this, bounds
   do not. */
void dd_posterior_for_images(struct dd_posterior *p);

/* Fills mean [d] with the mean of q(x_{i-1} | x_i, x0).  mean may be xi. */
void dd_posterior_mean(const struct dd_posterior *p, double *mean, const double *x0, const double *xi, int i,
                       size_t d);

/* Each fills [d] at position i, with ln sigma^2, sigma^2 or sigma.  v [d] is the network's output for a
   learned variance. */
void dd_posterior_log_variance(const struct dd_posterior *p, double *lv, const double *v, int i, size_t d);
void dd_posterior_variance(const struct dd_posterior *p, double *variance, const double *v, int i, size_t d);
void dd_posterior_sigma(const struct dd_posterior *p, double *sigma, const double *v, int i, size_t d);
#endif
