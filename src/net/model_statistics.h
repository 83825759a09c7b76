/* A model with statistics of its network, see model_statistics.c. */
#ifndef DD_MODEL_STATISTICS_H
#define DD_MODEL_STATISTICS_H
#include "net/model.h"

/* See ddpm_model_add_statistics. */
int dd_model_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma, const double *mse,
                        int images, double bits, ddpm_error *err);
#endif
