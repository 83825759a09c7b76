/* Noise schedules by name; the grammar of spec and the table of names open betas.c. */
#ifndef DD_BETAS_H
#define DD_BETAS_H
#include "base/error.h"

enum { DD_STEPS_MAX = 65535 }; /* T at most: a step must fit into the noise counter, see base/rng.h */

/* beta [T], alpha_bar [T]; 0 < beta < 1, but the last may be 1: then alpha_bar ends with 0. */
int dd_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err);
#endif
