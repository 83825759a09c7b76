/* Adam, its learning rate, and the norm of the gradient; see optimiser.c. */
#ifndef DD_OPTIMISER_H
#define DD_OPTIMISER_H
#include "base/error.h"
#include "layer/map.h"

struct dd_optimiser {
    double rate, beta1, beta2, epsilon, decay, clip;
    int64_t warmup, steps;
};

/* Checks the settings.  DDPM_EUSAGE: a setting is out of its range. */
int dd_optimiser_check(const struct dd_optimiser *o, ddpm_error *err);
/* Returns the learning rate of the step after `done` steps. */
double dd_optimiser_rate(const struct dd_optimiser *o, int64_t done);
/* Returns the bytes of ctx->scratch that the norm of n numbers needs. */
size_t dd_optimiser_scratch(size_t n);
/* Returns ||g|| of g [n].  The result is not finite if a number is not, or if it is above 1.8e19. */
double dd_optimiser_norm(const struct dd_context *ctx, const float *g, size_t n);

/* The vectors that a step changes, and the gradient; [n] each. */
struct dd_optimiser_vectors {
    float *w, *m, *v; /* the weights, and Adam's averages of the gradient and of its square */
    const float *g;
    size_t n;
};

/* Takes the step after `done` steps by the gradient whose norm is given. */
void dd_optimiser_step(const struct dd_optimiser *o, const struct dd_context *ctx,
                       const struct dd_optimiser_vectors *x, double norm, int64_t done);
#endif
