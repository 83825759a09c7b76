/* A network with its vector-Jacobian product; see vjp.c. */
#ifndef DD_VJP_H
#define DD_VJP_H
#include "net/model.h"

int dd_vjp_create(ddpm_vjp **v, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
void dd_vjp_free(ddpm_vjp *v);
int dd_vjp_run(ddpm_vjp *v, double *p, double *product, const double *x, const double *t, const double *w,
               const int32_t *classes, int n, ddpm_error *err);
const ddpm_net_about *dd_vjp_describe(const ddpm_vjp *v);
#endif
