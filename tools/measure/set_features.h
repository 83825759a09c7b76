/* What a network's middle block says of every image of a data set: points in as many dimensions as it has channels. */
#ifndef DDPM_SET_FEATURES_H
#define DDPM_SET_FEATURES_H
#include "image/dataset.h"
#include "cli/progress.h"

/* *point [data->count, features], to be freed: ddpm_net_features of each image as it is, without noise, at t = T/10, rounded down; classes as in
   the data, or class for all where it is not negative.  done: images that the progress bar has behind it.  DDPM_ENAN names the image. */
int set_features(double **point, const struct dataset *data, ddpm_net *net, int class, struct progress *p,
                 size_t done, ddpm_error *err);
double set_features_t(const ddpm_about *a);
#endif
