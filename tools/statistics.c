/* Which evaluation can be stored, and the model with it: gamma, mse [T], see model-file "stats". */
#include "statistics.h"
#include <stdlib.h>
#include "base/error.h"
#include "base/file.h"
#include "ending.h"

int statistics_check(const char *path, bool force, const ddpm_about *a, const ddpm_chain *chain, ddpm_error *err)
{
    struct dd_output o;
    int K = ddpm_chain_tables(chain)->K;
    if (K != a->steps)
        return dd_error(err, DDPM_EUSAGE, "--statistics measures all %d steps of the model, but %d are asked for: leave out --steps",
                        a->steps, K);
    int code = ending_check(path, err);
    if (!code)
        code = dd_output_create(&o, path, force, err);
    if (!code)
        dd_output_abandon(&o);
    return code;
}

static bool has_halves(const ddpm_model *m)
{
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 0; i < n; i++)
        if (list[i].dtype == DDPM_F16)
            return true;
    return false;
}

int statistics_save(const struct tally *t, const ddpm_model *m, const char *path, bool force, ddpm_error *err)
{
    unsigned flags = (has_halves(m) ? DDPM_SAVE_F16 : 0) | (force ? DDPM_SAVE_REPLACE : 0);
    int images = (int)(t->images - t->lost), code;
    double *gamma = malloc(2 * (size_t)t->K * sizeof *gamma), *mse = gamma + t->K;
    ddpm_model *with = NULL;
    if (!gamma)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the statistics of %d steps", t->K);
    for (int i = 0; i < t->K; i++) {
        gamma[i] = tally_at(t, TALLY_GAMMA, i);
        mse[i] = tally_at(t, TALLY_MSE, i);
    }
    code = ddpm_model_add_statistics(&with, m, gamma, mse, images, tally_mean(t, TALLY_TOTAL).mean, err);
    if (!code)
        code = ddpm_model_save(with, path, flags, err);
    ddpm_model_close(with);
    free(gamma);
    return code;
}
