/* The table of the objectives of training, and which models each of them trains. */
#include "train/objective.h"
#include <stdio.h>
#include <string.h>

static const struct dd_objective objectives[] = {
#define OBJECTIVE(NAME, text, what, ...) [DDPM_##NAME] = { .traits = { text, what }, __VA_ARGS__ },
#include "train/objective.def"
#undef OBJECTIVE
};

enum { COUNT = sizeof objectives / sizeof *objectives };

const struct dd_objective *dd_objective_of(int loss)
{
    return loss >= 0 && loss < COUNT ? &objectives[loss] : NULL;
}

const char *const *dd_objective_names(void)
{
    static const char *const names[COUNT + 1] = {
#define OBJECTIVE(NAME, text, ...) [DDPM_##NAME] = text,
#include "train/objective.def"
#undef OBJECTIVE
    };
    return names;
}

const ddpm_loss_traits *dd_objective_traits(int loss)
{
    const struct dd_objective *o = dd_objective_of(loss);
    return o ? &o->traits : NULL;
}

/* Fills text with the names of the objectives for a variance that is learned, or fixed. */
static void list(char *text, size_t size, bool learned)
{
    text[0] = 0;
    for (int k = 0; k < COUNT; k++) {
        size_t at = strlen(text);
        if (learned ? objectives[k].learned : objectives[k].fixed)
            snprintf(text + at, size - at, "%s%s", at ? ", " : "", objectives[k].traits.name);
    }
}

/* Checks the objective against the variance of the model. */
static int check_variance(const struct dd_objective *o, bool learned, ddpm_error *err)
{
    char others[120];
    if (learned ? o->learned : o->fixed)
        return DDPM_OK;

    list(others, sizeof others, learned);
    if (learned)
        return dd_error(err, DDPM_EUSAGE,
                        "the loss %s would leave the learned variance of the model untrained: choose from %s",
                        o->traits.name, others);
    return dd_error(err, DDPM_EUSAGE,
                    "the loss %s is asked for, but the model learns no variance: choose from %s, or a model "
                    "with diffusion.variance learned-range",
                    o->traits.name, others);
}

int dd_objective_check(const ddpm_about *a, int loss, double min_snr, ddpm_error *err)
{
    const struct dd_objective *o = dd_objective_of(loss);
    bool learned = a->variance == DDPM_LEARNED || a->variance == DDPM_LEARNED_RANGE;
    if (!o)
        return dd_error(err, DDPM_EUSAGE, "loss is %d, expected 0 to %d, such as DDPM_SIMPLE", loss,
                        COUNT - 1);

    int code = check_variance(o, learned, err);
    if (code)
        return code;
    if (a->prediction == DDPM_EPS && a->alpha_bar[0] > 0 && a->alpha_bar[a->steps - 1] == 0)
        return dd_error(err, DDPM_EDATA,
                        "schedule.alpha_bar[%d] is 0: eps cannot be learned from pure "
                        "noise; take a schedule without zero-snr, or a model that predicts x0 or v",
                        a->steps - 1);
    if (!(min_snr >= 0 && min_snr <= 1e12))
        return dd_error(err, DDPM_EUSAGE, "min_snr is %g, expected above 0 (5 is usual), or 0 for none",
                        min_snr);
    if (min_snr > 0 && !o->takes_min_snr)
        return dd_error(err, DDPM_EUSAGE,
                        "min_snr is %g, but the loss %s has no L_simple for it to weight: leave it 0",
                        min_snr, o->traits.name);
    return DDPM_OK;
}
