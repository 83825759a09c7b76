/* sampling.c: the public functions over src/diffusion: schedules, chains, samplers, noise.  See ddpm.h for what they promise. */
#include "diffusion/betas.h"
#include "diffusion/chain.h"
#include "diffusion/respace.h"
#include "base/rng.h"
#include <stdlib.h>

int ddpm_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err)
{
    return dd_betas(beta, alpha_bar, T, spec, err);
}

int ddpm_chain_create(ddpm_chain **c, int K, const double *t, const double *alpha_bar, ddpm_error *err)
{
    return dd_chain_create(c, K, t, alpha_bar, err);
}

int ddpm_chain_respace(ddpm_chain **c, const ddpm_about *a, const char *steps, const char *schedule, ddpm_error *err)
{
    return dd_respace(c, a->alpha_bar, a->steps, steps, schedule, err);
}

const ddpm_tables *ddpm_chain_tables(const ddpm_chain *c) { return &c->tables; }

void ddpm_chain_free(ddpm_chain *c) { free(c); }

const char *const *ddpm_schedule_names(void) { return dd_respace_names(); }

void ddpm_noise(void *seed, double *z, size_t d, uint32_t index, double t, int draw)
{
    struct dd_rng r = { *(const uint64_t *)seed, index, dd_rng_t(t), (uint32_t)DD_RNG_SAMPLE << 24 | (uint32_t)draw };
    dd_rng_normal(&r, z, d);
}
