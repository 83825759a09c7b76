/* Reads the noise schedule and the objective of lucidrains' GaussianDiffusion (checkpoint-families.md 4).

   A file of the trainer holds all of GaussianDiffusion: the tables of the schedule lie beside the network
   as float32 buffers.  One buffer has the weights of the loss, which show what the network predicts.  A
   file of the network alone has neither, so both are asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "family/lucidrains_schedule.h"

enum { EPS, X0, V, KINDS };

static const char *const objectives[KINDS] = { [EPS] = "pred_noise", [X0] = "pred_x0", [V] = "pred_v" };
static const char *const predictions[KINDS] = { [EPS] = "eps", [X0] = "x0", [V] = "v" };
static const char *const schedules[KINDS] = { "linear", "cosine", "sigmoid" };
static const char *const our_schedules[KINDS] = { "openai-linear", "lucid-cosine", "lucid-sigmoid" };

/* ---- what the settings say ---- */

/* Returns the index of the setting's text in names; -1 when it is not given.  Notes an error when names
   has no such text. */
static int choice(struct conversion *v, const char *key, const char *const names[KINDS])
{
    const char *text = settings_text(v->say, key, NULL);
    for (int i = 0; text && i < KINDS; i++)
        if (!strcmp(text, names[i]))
            return i;
    if (text)
        settings_wrong(v->say, key, "expected %s, %s or %s", names[0], names[1], names[2]);
    return -1;
}

/* ---- what the buffers show ---- */

/* Returns the weight of the loss at the signal to noise ratio snr, without clipping. */
static double loss_weight(int objective, double snr)
{
    switch (objective) {
    case EPS: return 1;
    case X0: return snr;
    default: return snr / (snr + 1);
    }
}

/* Returns the objective that has these weights of the loss; -1 when no objective has.

   snr is alpha_bar / (1 - alpha_bar).  The trainer may have clipped the weights where snr is 5 or more, so
   these steps are skipped.  The buffers are float32: alpha_bar has an error of 2^-24, and snr one below 6
   x 2^-24.  The bound of 1e-4 is far above that, and far below the difference between the three weights. */
static int objective_shown(const struct conversion *v, const double *weight)
{
    for (int k = 0; k < KINDS; k++) {
        bool same = true, seen = false;
        for (int t = 0; t < v->steps && same; t++) {
            double snr = v->alpha_bar[t] / (1 - v->alpha_bar[t]);
            double expected = loss_weight(k, snr);
            if (snr >= 5)
                continue;
            same = fabs(weight[t] - expected) <= 1e-4 * expected;
            seen = true;
        }

        if (same && seen)
            return k;
    }
    return -1;
}

/* Reads a buffer of v->steps numbers into *out, which the caller frees. */
static int read_buffer(struct conversion *v, double **out, const char *name)
{
    const struct checkpoint_tensor *t = checkpoint_find(v->in, name);
    if (!t || t->rank != 1 || t->dim[0] != v->steps)
        return conversion_error(v, "%s %s, expected [%d] as betas", name,
                                t ? "has another shape" : "is missing", v->steps);
    *out = malloc((size_t)v->steps * sizeof **out);
    if (!*out)
        return dd_error_memory(v->err, "the schedule");
    return checkpoint_doubles(v->in, t, *out, v->err);
}

/* Returns true when the buffer of betas is the schedule of this name, rounded to float32. */
static bool is_schedule(const struct conversion *v, const char *name)
{
    double *beta = malloc((size_t)v->steps * sizeof *beta);
    double *alpha_bar = malloc((size_t)v->steps * sizeof *alpha_bar);
    bool same = beta && alpha_bar && ddpm_betas(beta, alpha_bar, v->steps, name, NULL) == DDPM_OK;
    for (int t = 0; t < v->steps && same; t++)
        /* Rounding to float32 changes a number by at most 2^-24 of it; the bound is four times that. */
        same = fabs(beta[t] - v->beta[t]) <= 0x1p-22 * beta[t];
    free(beta);
    free(alpha_bar);
    return same;
}

/* Takes the objective that the loss weights show, if the file has them.  *objective is the one in the
   settings, -1: none.  The two have to agree. */
static int settle_objective(struct conversion *v, int *objective)
{
    double *weight = NULL;
    int code = DDPM_OK, shown = -1;
    if (conversion_has(v, "loss_weight") && (code = read_buffer(v, &weight, "loss_weight")) == DDPM_OK)
        shown = objective_shown(v, weight);
    free(weight);

    if (*objective >= 0 && shown >= 0 && *objective != shown)
        settings_wrong(v->say, "GaussianDiffusion.objective", "but the buffer loss_weight shows %s",
                       objectives[shown]);
    if (*objective < 0)
        *objective = shown;
    if (*objective < 0)
        settings_ask(v->say, "objective=pred_v");
    return code;
}

/* Reads v->steps, v->beta and v->alpha_bar, and finds the name of the schedule, "buffers" if it has no
   name.  said: index of the schedule in the settings, -1: none. */
static int read_buffers(struct conversion *v, int said, const char **name, int *objective)
{
    const struct checkpoint_tensor *betas = checkpoint_find(v->in, "betas");
    if (betas->rank != 1 || betas->dim[0] < 1 || betas->dim[0] > 65535)
        return conversion_error(v, "betas has another shape, expected one dimension of at most 65535");
    v->steps = (int)betas->dim[0];
    int code = read_buffer(v, &v->beta, "betas");
    if (!code)
        code = read_buffer(v, &v->alpha_bar, "alphas_cumprod");
    if (code)
        return code;

    code = settle_objective(v, objective);
    conversion_check_int(v, "GaussianDiffusion.timesteps", v->steps);

    *name = "buffers";
    for (int i = 0; i < KINDS && !code; i++)
        if (is_schedule(v, our_schedules[i]))
            *name = our_schedules[i];
    if (said >= 0 && !code && strcmp(*name, our_schedules[said]))
        settings_wrong(v->say, "GaussianDiffusion.beta_schedule",
                       "but the buffer betas holds another schedule");
    return code;
}

int lucidrains_diffusion(struct conversion *v, bool learned_variance)
{
    struct settings *s = v->say;
    int objective = choice(v, "GaussianDiffusion.objective", objectives);
    int said = choice(v, "GaussianDiffusion.beta_schedule", schedules);
    int steps = settings_int(s, "GaussianDiffusion.timesteps", 1, 65535, 0), code = DDPM_OK;
    const char *name = said >= 0 ? our_schedules[said] : "";

    if (conversion_has(v, "betas")) {
        code = read_buffers(v, said, &name, &objective);
        steps = v->steps;
    } else {
        if (objective < 0)
            settings_ask(s, "objective=pred_v");
        if (said < 0)
            settings_ask(s, "beta_schedule=sigmoid");
        if (steps == 0)
            settings_ask(s, "timesteps=1000");
    }
    if (code || s->code || s->missing[0] != '\0')
        return code ? code : DDPM_EUSAGE;

    struct diffusion d = { .steps = steps,
                           .name = name,
                           .prediction = predictions[objective],
                           .variance = learned_variance ? "learned-range" : "beta-tilde",
                           .clip = 1,
                           .t_scale = 1 };
    return conversion_diffusion(v, &d);
}
