/* The reverse step p(x_{i-1} | x_i) = N(mean, sigma^2 I): its mean from x0, and the choice of sigma. */
#ifndef DD_POSTERIOR_H
#define DD_POSTERIOR_H
#include "base/error.h"

/* variance: DDPM_BETA... or the optimal one; log_small, log_large [K]: ln of beta_tilde and of beta, the first element as the head of
   posterior.c says; gamma, log_optimal [K] where the variance is analytic. */
enum { DD_POSTERIOR_ANALYTIC = DDPM_LEARNED_RANGE + 1 };

struct dd_posterior {
    const ddpm_tables *tables;
    int variance;
    double *log_small, *log_large, *log_optimal, *gamma;
};

/* name: "auto beta beta-tilde learned analytic"; own, gamma: ddpm_about.variance and gamma of a model of T steps; warning [256]. */
int dd_posterior_create(struct dd_posterior *p, char *warning, const ddpm_tables *tables, const char *name,
                        int own, int T, const double *gamma, ddpm_error *err);
void dd_posterior_free(struct dd_posterior *p);
/* For images, not bounds: an analytic variance adds no more noise to the image than the eye forgives (optimal_variance.c). */
void dd_posterior_for_images(struct dd_posterior *p);
/* mean [d] of q(x_{i-1} | x_i, x0); mean may be xi. */
void dd_posterior_mean(const struct dd_posterior *p, double *mean, const double *x0, const double *xi, int i,
                       size_t d);
/* sigma [d] at position i, and ln sigma^2; v [d] is what the network says where the variance is learned. */
void dd_posterior_log_variance(const struct dd_posterior *p, double *lv, const double *v, int i, size_t d);
void dd_posterior_sigma(const struct dd_posterior *p, double *sigma, const double *v, int i, size_t d);
#endif
