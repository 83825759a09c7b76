/* The statistics of a model are gamma_t [T], the mean square of the predicted eps, and mse_t [T], its mean
   squared error, both as means over images.  If an evaluation had fewer steps, the values at the other steps
   are interpolated. */
#include "measure/statistics.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/file.h"
#include "cli/command_model.h"
#include "cli/ending.h"

enum { IMAGES_FEW = 16, TERMS_LEAST = 8 };

int statistics_check(const char *path, bool force, const ddpm_about *a, const ddpm_chain *chain,
                     ddpm_error *err)
{
    int K = ddpm_chain_tables(chain)->K;

    if (K != a->steps)
        return dd_error(
            err, DDPM_EUSAGE,
            "--statistics measures all %d steps of the model, but %d are asked for: leave out --steps",
            a->steps, K);

    int code = ending_check(path, err);
    return code ? code : dd_output_check(path, force, err);
}

bool statistics_plan(struct statistics_plan *p, double calls, size_t images, int T)
{
    size_t few = images < IMAGES_FEW ? images : IMAGES_FEW;
    int least = T < TERMS_LEAST ? T : TERMS_LEAST;

    /* The calls are enough for all terms of all images, for all terms of some images (at least `few`), for
       some terms of `few` images, or for the fewest terms of fewer images. */
    if (calls >= (double)images * T)
        *p = (struct statistics_plan){ images, T };
    else if (calls >= (double)few * T)
        *p = (struct statistics_plan){ (size_t)(calls / T), T };
    else if (calls >= (double)few * least)
        *p = (struct statistics_plan){ few, (int)(calls / (double)few) };
    else
        *p = (struct statistics_plan){ (size_t)(calls / least), least };
    return p->images > 0;
}

void statistics_fill(double *all, int T, const double *alpha_bar, const double *value, const double *t, int K)
{
    for (int i = 0, k = 0; i < T; i++) {
        while (k + 1 < K && t[k + 1] <= i)
            k++;
        if (t[k] >= i || k + 1 == K) {
            all[i] = value[k];
            continue;
        }

        /* log(a / (1 - a)) is the scale of the line.  The known values are at `from` and `to`, step i is at
           `at`. */
        double a = alpha_bar[(int)t[k]], b = alpha_bar[(int)t[k + 1]], here = alpha_bar[i];
        double from = log(a) - log1p(-a), to = log(b) - log1p(-b), at = log(here) - log1p(-here);
        double part = isfinite(from) && isfinite(to) && to < from ? (at - from) / (to - from)
                                                                  : (i - t[k]) / (t[k + 1] - t[k]);
        all[i] = value[k] + part * (value[k + 1] - value[k]);
    }
}

int statistics_save(const struct eval_sums *t, const ddpm_chain *chain, const ddpm_model *m, const char *path,
                    bool force, ddpm_error *err)
{
    unsigned flags = model_save_flags(m, force);
    int images = (int)(t->images - t->lost);
    const ddpm_about *a = ddpm_model_about(m);
    const double *step = ddpm_chain_tables(chain)->t;
    size_t T = (size_t)a->steps, K = (size_t)t->K;
    ddpm_model *with = NULL;
    double *gamma = calloc(2 * (T + K), sizeof *gamma); /* [T], then mse [T], then both at the K steps */

    if (!gamma)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the statistics of %d steps", a->steps);

    double *mse = gamma + T, *at = mse + T;
    for (int i = 0; i < t->K; i++) {
        at[i] = eval_sums_at(t, EVAL_SUMS_GAMMA, i);
        at[K + (size_t)i] = eval_sums_at(t, EVAL_SUMS_MSE, i);
    }
    statistics_fill(gamma, a->steps, a->alpha_bar, at, step, t->K);
    statistics_fill(mse, a->steps, a->alpha_bar, at + K, step, t->K);

    double bits = t->K == a->steps ? eval_sums_mean(t, EVAL_SUMS_TOTAL).mean : NAN;
    int code = ddpm_model_add_statistics(&with, m, gamma, mse, images, bits, err);
    if (!code)
        code = ddpm_model_save(with, path, flags, err);
    ddpm_model_close(with);
    free(gamma);
    return code;
}
