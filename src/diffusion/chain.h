/* A chain: the steps that are taken, and every table that follows from alpha_bar at them. */
#ifndef DD_CHAIN_H
#define DD_CHAIN_H
#include "base/error.h"

struct ddpm_chain { ddpm_tables tables; char warning[192]; double block[]; };      /* block [7, K] */

/* t [K], alpha_bar [K]; see ddpm_chain_create. */
int dd_chain_create(ddpm_chain **chain, int K, const double *t, const double *alpha_bar, ddpm_error *err);
#endif
