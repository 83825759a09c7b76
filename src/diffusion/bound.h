/* The variational bound of a batch of images, one chain position after the other, see bound.c. */
#ifndef DD_BOUND_H
#define DD_BOUND_H
#include "diffusion/sampler.h"

struct ddpm_bound {
    ddpm_sampler *s;         /* its batch, network, noise and variance; buffer 0 is x_i, 1 is x0 */
    ddpm_bound_image *image; /* [batch] */
    double *part, *work;     /* [batch, 5, K] what image points to; [2, d] */
};

int dd_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch,
                    char *warning, ddpm_error *err);
int dd_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes, int n,
                   ddpm_error *err);
int dd_bound_step(ddpm_bound *b, ddpm_error *err);
void dd_bound_free(ddpm_bound *b);
#endif
