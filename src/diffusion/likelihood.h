/* The likelihood of images by the probability-flow ODE; see likelihood.c. */
#ifndef DD_LIKELIHOOD_H
#define DD_LIKELIHOOD_H
#include "diffusion/chain.h"

void dd_likelihood_defaults(ddpm_likelihood_options *o, const ddpm_about *a);
int dd_likelihood_create(ddpm_likelihood **l, const ddpm_chain *c, const ddpm_likelihood_options *o, size_t d,
                         int batch, ddpm_error *err);
void dd_likelihood_free(ddpm_likelihood *l);
int dd_likelihood_start(ddpm_likelihood *l, const double *x0, const uint32_t *index, const int32_t *classes,
                        int n, ddpm_error *err);
int dd_likelihood_step(ddpm_likelihood *l, ddpm_error *err);
double dd_likelihood_left(const ddpm_likelihood *l);
const ddpm_likelihood_image *dd_likelihood_read(const ddpm_likelihood *l, int row);
#endif
