/* A model with the statistics that an evaluation of its full chain has found. */
#ifndef DDPM_STATISTICS_H
#define DDPM_STATISTICS_H
#include <stdbool.h>
#include "tally.h"

/* Before the work: whether the chain has every step of the model, and the new file can be created. */
int statistics_check(const char *path, bool force, const ddpm_about *a, const ddpm_chain *chain, ddpm_error *err);
/* m with gamma, mse and bits per dimension of all images that are not lost, at path; weights keep their type. */
int statistics_save(const struct tally *t, const ddpm_model *m, const char *path, bool force, ddpm_error *err);
#endif
