/* What the middle of the network says of an image. */
#ifndef DD_FEATURES_H
#define DD_FEATURES_H
#include "net/net.h"

int dd_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err);
#endif
