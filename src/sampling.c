/* sampling.c: the public functions over src/diffusion that take steps: guidance, schedules, chains,
   samplers, noise.
   ddpm.h has what they promise. */
#include "base/outside.h"
#include "base/rng.h"
#include "diffusion/betas.h"
#include "diffusion/chain.h"
#include "diffusion/guidance.h"
#include "diffusion/inpaint.h"
#include "diffusion/langevin.h"
#include "diffusion/noise.h"
#include "diffusion/respace.h"
#include "diffusion/sampler.h"
#include "diffusion/sde.h"
#include "diffusion/tuned.h"
#include <stdlib.h>
#include <string.h>

int ddpm_guidance_create(ddpm_guidance **g, const ddpm_about *a, const ddpm_guidance_options *o,
                         ddpm_error *err)
{
    DD_ENTRY(int, dd_guidance_create(g, a, o, err));
}

int ddpm_guidance_eps(void *guidance, double *out, const double *x, double t, const int32_t *classes, int n,
                      ddpm_error *err)
{
    DD_ENTRY(int, dd_guidance_eps(guidance, out, x, t, classes, n, err));
}

void ddpm_guidance_free(ddpm_guidance *g)
{
    dd_guidance_free(g);
}

int ddpm_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err)
{
    DD_ENTRY(int, dd_betas(beta, alpha_bar, T, spec, err));
}

int ddpm_chain_create(ddpm_chain **c, int K, const double *t, const double *alpha_bar, ddpm_error *err)
{
    DD_ENTRY(int, dd_chain_create(c, K, t, alpha_bar, NULL, err));
}

int ddpm_chain_respace(ddpm_chain **c, const ddpm_about *a, const char *steps, const char *spacing,
                       ddpm_error *err)
{
    DD_ENTRY(int, dd_respace(c, a, steps, spacing, err));
}

int ddpm_chain_tuned(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err)
{
    DD_ENTRY(int, dd_tuned_chain(c, a, K, err));
}

const ddpm_tables *ddpm_chain_tables(const ddpm_chain *c)
{
    return &c->tables;
}

void ddpm_chain_free(ddpm_chain *c)
{
    dd_memory_free(c);
}

const char *const *ddpm_spacing_names(void)
{
    return dd_respace_names();
}

void ddpm_noise(void *seed, double *z, size_t d, uint32_t index, double t, int draw)
{
    struct dd_draw of = {
        .seed = *(const uint64_t *)seed,
        .index = index,
        .t = t,
        .purpose = DD_RNG_SAMPLE,
        .draw = draw,
    };
    DD_ENTRY_VOID(dd_noise(z, d, of));
}

const ddpm_sampler_traits *ddpm_sampler_traits_of(const char *sampler)
{
    return sampler ? dd_sampler_traits(sampler) : NULL;
}

const char *const *ddpm_sampler_names(void)
{
    return dd_sampler_names();
}

const char *const *ddpm_variance_names(void)
{
    return dd_posterior_names();
}

void ddpm_sampler_defaults(ddpm_sampler_options *o, const ddpm_about *a)
{
    *o = (ddpm_sampler_options){
        .sampler = dd_sampler_names()[0],
        .variance = "auto",
        .clip = a->clip,
        .snr = 0.16,
        .classifier_scale = 1,
        .classes = a->classes,
        .prediction = a->prediction,
        .outputs = a->outputs / a->channels,
        .own_variance = a->variance,
        .T = a->steps,
        .gamma = a->gamma,
        .tuned = a->tuned,
        .tuned_count = a->tuned_count,
    };
}

int ddpm_sampler_create(ddpm_sampler **s, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d,
                        int batch, char *warning, ddpm_error *err)
{
    struct dd_sampler_plan plan = {
        .purpose = DD_RNG_SAMPLE,
        .chain = c,
        .options = o,
        .d = d,
        .batch = batch,
    };
    DD_ENTRY(int, dd_sampler_create(s, &plan, warning, err));
}

int ddpm_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n, const double *x,
                       int i, ddpm_error *err)
{
    DD_ENTRY(int, dd_sampler_start(s, index, classes, n, x, i, err));
}

int ddpm_sampler_keep(ddpm_sampler *s, const ddpm_keep *keep, ddpm_error *err)
{
    DD_ENTRY(int, dd_inpaint_keep(s, keep, err));
}

int ddpm_keep_steps(int i, int resample, int jump)
{
    struct dd_jump_schedule jumps = dd_jump_schedule_begin(i, resample, jump);
    return dd_jump_schedule_left(&jumps);
}

int ddpm_sampler_step(ddpm_sampler *s, ddpm_error *err)
{
    DD_ENTRY(int, dd_sampler_step(s, err));
}

int ddpm_sampler_encode(ddpm_sampler *s, ddpm_error *err)
{
    DD_ENTRY(int, dd_sampler_encode(s, err));
}

int ddpm_sampler_left(const ddpm_sampler *s)
{
    if (!s->live)
        return 0;
    return s->known ? dd_jump_schedule_left(&s->jumps) : s->i + 1;
}

const char *ddpm_sampler_variance(const ddpm_sampler *s)
{
    static const char *const names[] = {
        [DDPM_BETA] = "beta",
        [DDPM_BETA_TILDE] = "beta-tilde",
        [DDPM_LEARNED] = "learned",
        [DDPM_LEARNED_RANGE] = "learned",
        [DD_POSTERIOR_ANALYTIC] = "analytic",
    };
    return names[s->posterior.variance];
}

int ddpm_sampler_noisy(const ddpm_sampler *s)
{
    return dd_sampler_noisy(s);
}

int ddpm_sampler_lost(const ddpm_sampler *s, int row)
{
    return s->image[row].lost;
}

double *ddpm_sampler_state(ddpm_sampler *s, size_t *buffers)
{
    if (buffers)
        *buffers = (size_t)s->kind->buffers;
    return s->state;
}

void ddpm_sampler_free(ddpm_sampler *s)
{
    dd_sampler_free(s);
}

int ddpm_sde_step(const ddpm_sde *p, double *x, const double *z, double t, double h, double *work, size_t d,
                  ddpm_error *err)
{
    DD_ENTRY(int, dd_sde_move(p, &(struct dd_move){ t, h, d }, x, z, work, err));
}

int ddpm_ode_step(const ddpm_sde *p, double *x, double t, double h, int order, double *work, size_t d,
                  ddpm_error *err)
{
    DD_ENTRY(int, dd_ode_move(p, &(struct dd_move){ t, h, d }, x, order, work, err));
}

int ddpm_langevin_run(const ddpm_langevin *l, double *x, double *work, size_t d, int64_t first, int64_t steps,
                      ddpm_error *err)
{
    DD_ENTRY(int, dd_langevin_run(l, x, work, d, first, steps, err));
}
