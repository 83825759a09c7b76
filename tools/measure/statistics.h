/* Stores in a model what an evaluation of its chain has found: gamma and mse of every step,
   model-file.md "stats". */
#ifndef DDPM_STATISTICS_H
#define DDPM_STATISTICS_H
#include <stdbool.h>
#include "measure/eval_sums.h"

/* Returns, before the work, whether the chain has every step of the model (else DDPM_EUSAGE) and
   the new file can be created. */
int statistics_check(const char *path, bool force, const ddpm_about *a, const ddpm_chain *chain,
                     ddpm_error *err);
/* Writes m to path with gamma, mse and bits per dimension of all images that are not lost;
   weights keep their type.  A chain of fewer steps than the model has gives what statistics_fill
   makes of it, and no bits. */
int statistics_save(const struct eval_sums *t, const ddpm_chain *chain, const ddpm_model *m, const char *path,
                    bool force, ddpm_error *err);
/* Fills all [T] from the values at K steps t, of which the first is 0 and the last T - 1.
   Between two of them the value goes in a straight line over ln(alpha_bar / (1 - alpha_bar)),
   or over the step where that is infinite. */
void statistics_fill(double *all, int T, const double *alpha_bar, const double *value, const double *t,
                     int K);

/* A plan of what is measured within a limited time. */
struct statistics_plan {
    size_t images;
    int terms; /* of each image */
};

/* Plans for at most so many calls of the network, one for an image and a term: all T terms of
   fewer images, or, where that leaves fewer than 16 of them, fewer terms.  Returns false when
   the calls are too few for anything. */
bool statistics_plan(struct statistics_plan *p, double calls, size_t images, int T);
#endif
