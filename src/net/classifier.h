/* A classifier of noisy images, made ready to guide a diffusion model. */
#ifndef DD_CLASSIFIER_H
#define DD_CLASSIFIER_H
#include "net/model.h"

/* Makes a classifier that guides the model `of`, see ddpm_classifier_create. */
int dd_classifier_create(ddpm_classifier **c, const ddpm_model *m, const ddpm_about *of,
                         const ddpm_net_options *o, ddpm_error *err);
/* Fills g [n, d] with the gradient of ln p(class | x_t) by x_t, see ddpm_classifier_gradient. */
int dd_classifier_gradient(ddpm_classifier *c, double *g, const double *x, double t, const int32_t *classes,
                           int n, ddpm_error *err);
const ddpm_net_about *dd_classifier_describe(const ddpm_classifier *c);
void dd_classifier_free(ddpm_classifier *c);
#endif
