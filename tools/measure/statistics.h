/* Stores in a model the results of an evaluation of its chain: gamma and mse at every step (model-file.md,
   "stats"). */
#ifndef DDPM_STATISTICS_H
#define DDPM_STATISTICS_H
#include <stdbool.h>
#include "measure/eval_sums.h"

/* Checks, before the work, that the chain has every step of the model (else DDPM_EUSAGE) and that the new
   file can be created. */
int statistics_check(const char *path, bool force, const ddpm_about *a, const ddpm_chain *chain,
                     ddpm_error *err);
/* Writes m to path with gamma, mse and bits per dimension from all images that are not lost; weights keep
   their type.  If the chain has fewer steps than the model, statistics_fill interpolates, and there are no
   bits. */
int statistics_save(const struct eval_sums *t, const ddpm_chain *chain, const ddpm_model *m, const char *path,
                    bool force, ddpm_error *err);
/* Fills all [T] from the values at K steps t, from 0 to T - 1.  Between two of them the values are
   interpolated linearly in ln(alpha_bar / (1 - alpha_bar)), or in the step if that is infinite. */
void statistics_fill(double *all, int T, const double *alpha_bar, const double *value, const double *t,
                     int K);

/* A plan for a measurement within a limited time. */
struct statistics_plan {
    size_t images;
    int terms; /* terms of each image */
};

/* Plans a measurement with at most `calls` calls of the network, one for each image and term.  It takes fewer
   images with all T terms or, if these would be fewer than 16, fewer terms.  Returns false if there are too
   few calls for a single image. */
bool statistics_plan(struct statistics_plan *p, double calls, size_t images, int T);
#endif
