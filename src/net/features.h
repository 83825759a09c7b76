/* Features of images: activations in the middle of the network, see features.c. */
#ifndef DD_FEATURES_H
#define DD_FEATURES_H
#include "net/net.h"

/* Fills out [n, features], see ddpm_net_features. */
int dd_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err);
#endif
