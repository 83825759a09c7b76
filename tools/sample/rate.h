/* The clock of the sampler sde: the length beta(t) dt of every step, as --rate says it; see rate.c. */
#ifndef DDPM_RATE_H
#define DDPM_RATE_H
#include "ddpm.h"

/* Fills *rate [K], which the caller frees, from text for the steps of the chain.  DDPM_EUSAGE: text is
   neither "beta" nor a list of K positive numbers. */
int rate_read(double **rate, const char *text, const ddpm_chain *chain, ddpm_error *err);
#endif
