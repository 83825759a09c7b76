/* Chooses which steps of a model's chain are taken. */
#ifndef DD_RESPACE_H
#define DD_RESPACE_H
#include "diffusion/chain.h"

/* Makes a respaced chain, see ddpm_chain_respace.  It reads the model's steps, alpha_bar, beta unless NULL
   and, for "optimal", gamma and mse. */
int dd_respace(ddpm_chain **chain, const ddpm_about *a, const char *steps, const char *spacing,
               ddpm_error *err);

/* Returns the names of the spacings, the default first, NULL last. */
const char *const *dd_respace_names(void);
#endif
