/* Which steps of a model's chain are taken. */
#ifndef DD_RESPACE_H
#define DD_RESPACE_H
#include "diffusion/chain.h"

/* steps, schedule: see ddpm_chain_respace; alpha_bar [T]. */
int dd_respace(ddpm_chain **chain, const double *alpha_bar, int T, const char *steps, const char *schedule, ddpm_error *err);
const char *const *dd_respace_names(void);
#endif
