/* theory.c: the public functions over src/diffusion that take no step: the forward process, conversions, the
   score, bounds and likelihoods.  ddpm.h has what they promise. */
#include "base/outside.h"
#include "diffusion/bound.h"
#include "diffusion/likelihood.h"
#include "diffusion/marginal.h"
#include "diffusion/score.h"
#include "diffusion/slerp.h"

void ddpm_diffuse(double *xt, const double *x0, const double *z, double alpha_bar, size_t d)
{
    DD_ENTRY_VOID(dd_marginal_xt(xt, x0, z, alpha_bar, d));
}

void ddpm_x0(double *x0, const double *xt, const double *p, int prediction, double clip, double alpha_bar,
             size_t d)
{
    DD_ENTRY_VOID(dd_marginal_x0(x0, xt, p, prediction, clip, alpha_bar, d));
}

void ddpm_eps(double *eps, const double *xt, const double *x0, double alpha_bar, size_t d)
{
    DD_ENTRY_VOID(dd_marginal_eps(eps, xt, x0, alpha_bar, d));
}

void ddpm_score(double *s, const double *eps, double alpha_bar, size_t d)
{
    DD_ENTRY_VOID(dd_score(s, eps, alpha_bar, d));
}

double ddpm_score_matching(const double *s, const double *z, double alpha_bar, size_t d)
{
    DD_ENTRY(double, dd_score_matching(s, z, alpha_bar, d));
}

double ddpm_l_simple(const double *eps, const double *z, size_t d)
{
    DD_ENTRY(double, dd_score_simple(eps, z, d));
}

void ddpm_slerp(double *x, const double *a, const double *b, double u, size_t d)
{
    DD_ENTRY_VOID(dd_slerp(x, a, b, u, d));
}

int ddpm_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch,
                      char *warning, ddpm_error *err)
{
    DD_ENTRY(int, dd_bound_create(b, c, o, d, batch, warning, err));
}

int ddpm_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes, int n,
                     ddpm_error *err)
{
    DD_ENTRY(int, dd_bound_start(b, x0, index, classes, n, err));
}

int ddpm_bound_step(ddpm_bound *b, ddpm_error *err)
{
    DD_ENTRY(int, dd_bound_step(b, err));
}

int ddpm_bound_left(const ddpm_bound *b)
{
    return ddpm_sampler_left(b->s);
}

const char *ddpm_bound_variance(const ddpm_bound *b)
{
    return ddpm_sampler_variance(b->s);
}

const ddpm_bound_image *ddpm_bound_read(ddpm_bound *b, int row)
{
    b->image[row].lost = ddpm_sampler_lost(b->s, row);
    return &b->image[row];
}

void ddpm_bound_free(ddpm_bound *b)
{
    dd_bound_free(b);
}

void ddpm_likelihood_defaults(ddpm_likelihood_options *o, const ddpm_about *a)
{
    dd_likelihood_defaults(o, a);
}

int ddpm_likelihood_create(ddpm_likelihood **l, const ddpm_chain *c, const ddpm_likelihood_options *o,
                           size_t d, int batch, ddpm_error *err)
{
    DD_ENTRY(int, dd_likelihood_create(l, c, o, d, batch, err));
}

int ddpm_likelihood_start(ddpm_likelihood *l, const double *x0, const uint32_t *index, const int32_t *classes,
                          int n, ddpm_error *err)
{
    DD_ENTRY(int, dd_likelihood_start(l, x0, index, classes, n, err));
}

int ddpm_likelihood_step(ddpm_likelihood *l, ddpm_error *err)
{
    DD_ENTRY(int, dd_likelihood_step(l, err));
}

double ddpm_likelihood_left(const ddpm_likelihood *l)
{
    return dd_likelihood_left(l);
}

const ddpm_likelihood_image *ddpm_likelihood_read(const ddpm_likelihood *l, int row)
{
    return dd_likelihood_read(l, row);
}

void ddpm_likelihood_free(ddpm_likelihood *l)
{
    dd_likelihood_free(l);
}
