/* Adds statistics of its network to a copy of a model, see model_statistics.c. */
#ifndef DD_MODEL_STATISTICS_H
#define DD_MODEL_STATISTICS_H
#include "net/model.h"

/* Makes the copy, see ddpm_model_add_statistics.  gamma [T], mse [T]. */
int dd_model_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma, const double *mse,
                        int images, double bits, ddpm_error *err);
#endif
