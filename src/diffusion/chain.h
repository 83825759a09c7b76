/* A chain: its steps, and every table that follows from alpha_bar at these steps. */
#ifndef DD_CHAIN_H
#define DD_CHAIN_H
#include "base/error.h"

/* block [7, K] holds the arrays of the tables. */
struct ddpm_chain {
    ddpm_tables tables;
    char warning[192];
    double block[];
};

/* Makes the chain of t [K] and alpha_bar [K], see ddpm_chain_create.  beta [steps] is the beta, by step, of
   the schedule from which alpha_bar is taken, or NULL. */
int dd_chain_create(ddpm_chain **chain, int K, const double *t, const double *alpha_bar, const double *beta,
                    ddpm_error *err);
int dd_chain_copy(ddpm_chain **chain, const ddpm_chain *from, ddpm_error *err);
#endif
