/* The reverse step p(x_{i-1} | x_i) = N(mean, sigma^2 I): its mean from x0, and the choice of sigma. */
#ifndef DD_POSTERIOR_H
#define DD_POSTERIOR_H
#include "base/error.h"

/* variance: DDPM_BETA...; log_small, log_large [K]: ln of beta_tilde and of beta, the first element as the head of posterior.c says. */
struct dd_posterior { const ddpm_tables *tables; int variance; double *log_small, *log_large; };

/* name: "auto beta beta-tilde learned"; own: ddpm_about.variance of a model of T steps; warning [256]. */
int  dd_posterior_create(struct dd_posterior *p, char *warning, const ddpm_tables *tables, const char *name, int own, int T,
                         ddpm_error *err);
void dd_posterior_free(struct dd_posterior *p);
/* mean [d] of q(x_{i-1} | x_i, x0); mean may be xi. */
void dd_posterior_mean(const struct dd_posterior *p, double *mean, const double *x0, const double *xi, int i, size_t d);
/* sigma [d] at position i, and ln sigma^2; v [d] is what the network says where the variance is learned. */
void dd_posterior_log_variance(const struct dd_posterior *p, double *lv, const double *v, int i, size_t d);
void dd_posterior_sigma(const struct dd_posterior *p, double *sigma, const double *v, int i, size_t d);
#endif
