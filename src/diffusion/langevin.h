/* Langevin dynamics, alone and as the corrector of a sampler. */
#ifndef DD_LANGEVIN_H
#define DD_LANGEVIN_H
#include "base/error.h"

enum { DD_CORRECTOR_MAX = 10000 };

/* Moves x [d] by one step: x + step/2 gradient + sqrt(step) z. */
void dd_langevin_step(double *x, const double *gradient, const double *z, double step, size_t d);

/* Runs the dynamics, see ddpm_langevin_run. */
int dd_langevin_run(const ddpm_langevin *l, double *x, double *work, size_t d, int64_t first, int64_t steps,
                    ddpm_error *err);

/* Takes one step with every live image at chain position i.  draw is the number of the step there, from 1
   on. */
int dd_langevin_correct(ddpm_sampler *s, int i, int draw, ddpm_error *err);
#endif
