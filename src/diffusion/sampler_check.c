/* Checks the options of a new sampler, by the traits of its kind and then by the kind's own check. */
#include "diffusion/sampler.h"
#include <math.h>
#include <string.h>
#include "diffusion/langevin.h"

/* Checks order, corrector and snr. */
static int check_solver(const ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    int highest = s->kind->traits.highest_order;
    if (o->order < 0 || (o->order && !highest))
        return dd_error(err, DDPM_EUSAGE, "order %d is asked for, but sampler %s has no choice of order",
                        o->order, o->sampler);

    if (o->order > highest)
        return dd_error(err, DDPM_EUSAGE, "order %d is asked for, but sampler %s has 1 to %d", o->order,
                        o->sampler, highest);

    if (o->corrector < 0 || o->corrector > DD_CORRECTOR_MAX)
        return dd_error(err, DDPM_EUSAGE, "%d corrector steps are asked for; 0 to %d are possible",
                        o->corrector, DD_CORRECTOR_MAX);
    if (o->corrector && s->kind->traits.corrector < 0)
        return dd_error(
            err, DDPM_EUSAGE,
            "sampler %s builds on its earlier steps, which a corrector would change: leave the corrector out",
            o->sampler);
    if ((o->corrector || s->kind->traits.corrector > 0) && !(o->snr > 0 && o->snr < 1))
        return dd_error(err, DDPM_EUSAGE,
                        "snr is %g; the signal-to-noise ratio of a Langevin step lies between 0 and 1",
                        o->snr);
    return DDPM_OK;
}

static int check_eta(const ddpm_sampler *s, ddpm_error *err)
{
    double eta = s->options.eta;
    char list[128];
    if (!s->kind->traits.takes_eta && eta != 0)
        return dd_error(err, DDPM_EUSAGE, "eta is %g, but sampler %s has none; leave it at 0, or take %s",
                        eta, s->options.sampler, DD_SAMPLER_HAVING(list, takes_eta));
    if (!(eta >= 0 && eta <= 1))
        return dd_error(err, DDPM_EUSAGE, "eta is %g, but it lies between 0 and 1", eta);
    return DDPM_OK;
}

static int check_variance(const ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    const ddpm_sampler_traits *traits = &s->kind->traits;
    char list[128];
    if (!strcmp(o->variance, "auto") || traits->takes_variance ||
        (traits->takes_analytic && !strcmp(o->variance, "analytic")))
        return DDPM_OK;
    return dd_error(err, DDPM_EUSAGE, "variance \"%.60s\" is given, but sampler %s %s, or take %s",
                    o->variance, o->sampler,
                    traits->takes_analytic ? "takes its noise from eta; leave it at auto, take analytic"
                                           : "has no choice of it; leave it at auto",
                    DD_SAMPLER_HAVING(list, takes_variance));
}

int dd_sampler_check(const ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;

    int learned = o->own_variance == DDPM_LEARNED || o->own_variance == DDPM_LEARNED_RANGE;
    if (o->prediction < DDPM_EPS || o->prediction > DDPM_V || o->own_variance < DDPM_BETA ||
        o->own_variance > DDPM_LEARNED_RANGE)
        return dd_error(err, DDPM_EUSAGE, "prediction %d or variance %d is none of those that ddpm.h lists",
                        o->prediction, o->own_variance);
    if (o->outputs != 1 + learned && o->outputs != 2)
        return dd_error(err, DDPM_EUSAGE,
                        "the network has %d outputs per element; it is 1, or 2 with a learned variance",
                        o->outputs);
    if (!(o->clip >= 0 && isfinite(o->clip)))
        return dd_error(err, DDPM_EUSAGE, "clip is %g; it is a positive bound of |x0|, or 0 for none",
                        o->clip);
    if (o->classifier && !(isfinite(o->classifier_scale) && o->classifier_scale >= 0))
        return dd_error(err, DDPM_EUSAGE, "the classifier's scale is %g, expected 0 or more",
                        o->classifier_scale);
    /* x0 = (x - s eps) / a does not exist at a = 0. */
    if (o->prediction == DDPM_EPS && s->tables->alpha_bar[s->tables->K - 1] == 0)
        return dd_error(
            err, DDPM_EUSAGE,
            "the list of steps begins at t = %g, where alpha_bar is 0: eps says nothing about x0 there; "
            "leave that step out",
            s->tables->t[s->tables->K - 1]);

    int code = check_solver(s, err);
    if (!code)
        code = check_eta(s, err);
    if (!code)
        code = check_variance(s, err);
    return code || !s->kind->check ? code : s->kind->check(s, err);
}
