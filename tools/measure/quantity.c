/* The quantities that follow from a prediction at x_t, with a = sqrt(alpha_bar_t) and s = sqrt(1 -
   alpha_bar_t) (Ho et al. 2020, section 3; Salimans and Ho 2022 for v):

     x0      (x_t - s eps) / a, p itself, or a x_t - s v; clipped as the user says
     eps     (x_t - a x0) / s,   v = a eps - s x0,   score = -eps / s,   of the x0 that is not clipped
     mean    mean_x0 x0 + mean_xt x_t of q(x_{t-1} | x_t, x0), equation 7, with the clipped x0

   A network that predicts eps has s x0's digits of it, so its own eps is taken and not computed from x0. */
#include "measure/quantity.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

const char *const *quantity_names(void)
{
    static const char *const names[] = { "prediction", "eps", "x0", "v", "score", "mean", NULL };
    return names;
}

int quantity_open(struct quantity *q, const ddpm_about *a, int kind, double clip, ddpm_error *err)
{
    *q = (struct quantity){
        .kind = kind,
        .prediction = a->prediction,
        .clip = clip,
        .t_scale = a->t_scale,
        .d = (size_t)a->height * (size_t)a->width * (size_t)a->channels,
        .outputs = (size_t)a->outputs,
        .channels = (size_t)a->channels,
    };
    q->work = calloc(4 * q->d, sizeof *q->work);
    if (!q->work)
        return dd_error_memory(err, "an image");
    return ddpm_chain_respace(&q->chain, a, "all", NULL, err);
}

void quantity_close(struct quantity *q)
{
    ddpm_chain_free(q->chain);
    free(q->work);
}

/* Returns the step of the chain, or a number that is no step. */
static double step_of(const struct quantity *q, double t)
{
    double step = t / q->t_scale, whole = rint(step);
    return fabs(step - whole) <= 1e-6 * fmax(1, whole) ? whole : step;
}

int quantity_check_t(const struct quantity *q, double t, ddpm_error *err)
{
    const ddpm_tables *c = ddpm_chain_tables(q->chain);
    double step = step_of(q, t);

    if (!(step >= 0 && step < c->K && step == rint(step)))
        return dd_error(err, DDPM_EDATA, "t is %g, but --as %s needs a step of the model's chain, 0 to %d%s",
                        t, quantity_names()[q->kind], c->K - 1, q->t_scale == 1 ? "" : " times its t_scale");
    if (c->alpha_bar[(int)step] == 0 && q->prediction == DDPM_EPS)
        return dd_error(err, DDPM_EDATA, "t is %g, where alpha_bar is 0 and eps says nothing about x0", t);
    return DDPM_OK;
}

void quantity_fill(struct quantity *q, float *to, const float *out, const float *x, double t)
{
    const ddpm_tables *c = ddpm_chain_tables(q->chain);
    int i = (int)step_of(q, t);
    size_t d = q->d;
    double *xt = q->work, *p = xt + d, *x0 = p + d, *eps = x0 + d, alpha_bar = c->alpha_bar[i];
    double a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    const double *result = eps;
    bool clips = q->kind == QUANTITY_X0 || q->kind == QUANTITY_MEAN;

    for (size_t e = 0; e < d; e++) {
        xt[e] = (double)x[e];
        p[e] = (double)out[e / q->channels * q->outputs + e % q->channels];
    }
    ddpm_x0(x0, xt, p, q->prediction, clips ? q->clip : 0, alpha_bar, d);
    if (q->prediction == DDPM_EPS)
        memcpy(eps, p, d * sizeof *eps);
    else
        ddpm_eps(eps, xt, x0, alpha_bar, d);

    switch (q->kind) {
    case QUANTITY_X0: result = x0; break;
    case QUANTITY_SCORE: ddpm_score(eps, eps, alpha_bar, d); break;
    case QUANTITY_V:
        for (size_t e = 0; e < d; e++)
            eps[e] = a * eps[e] - s * x0[e];
        break;
    case QUANTITY_MEAN:
        for (size_t e = 0; e < d; e++)
            eps[e] = c->mean_x0[i] * x0[e] + c->mean_xt[i] * xt[e];
        break;
    default: break;
    }
    for (size_t e = 0; e < d; e++)
        to[e] = (float)result[e];
}
