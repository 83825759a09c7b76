/* Noise schedules by name.  The grammar of spec and the table of names are in betas.c. */
#ifndef DD_BETAS_H
#define DD_BETAS_H
#include "base/error.h"

/* The largest T: a step must fit into the counter of the noise, see base/rng.h. */
enum { DD_STEPS_MAX = 65535 };

/* Fills beta [T] and alpha_bar [T].  0 < beta < 1, except that the last may be 1; then alpha_bar ends with
   0. */
int dd_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err);
#endif
