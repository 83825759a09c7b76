/* The trials that a bench is asked for. */
#ifndef DDPM_TRIAL_LIST_H
#define DDPM_TRIAL_LIST_H
#include "trial/trial.h"

/* Adds a trial for each pair of a sampler and a number of steps, both comma-separated; NULL: the
   default.  Without samplers the model's tuned solvers are among them.  DDPM_EUSAGE: a word is
   wrong, a pair is asked for twice, or there is none. */
int trial_list(struct trials *t, const char *samplers, const char *steps, ddpm_error *err);
#endif
