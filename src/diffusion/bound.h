/* The variational bound of a batch of images, one chain position after the other.  See bound.c, and
   ddpm_bound_create and the functions after it. */
#ifndef DD_BOUND_H
#define DD_BOUND_H
#include "diffusion/sampler.h"

/* s       the batch with its network, noise and variance; buffer 0 is x_i, buffer 1 is x0
   image   [batch]
   part    [batch, 5, K], to which image points
   work    [2, d] */
struct ddpm_bound {
    ddpm_sampler *s;
    ddpm_bound_image *image;
    double *part, *work;
};

int dd_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch,
                    char *warning, ddpm_error *err);
int dd_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes, int n,
                   ddpm_error *err);
int dd_bound_step(ddpm_bound *b, ddpm_error *err);
void dd_bound_free(ddpm_bound *b);
#endif
