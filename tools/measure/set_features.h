/* Computes the points of a data set: for every image the activations of a network's middle block. */
#ifndef DDPM_SET_FEATURES_H
#define DDPM_SET_FEATURES_H
#include "cli/progress.h"
#include "image/dataset.h"

/* Fills *point [data->count, features], allocated, with ddpm_net_features of each image, without noise, at
   the step set_features_t.  class: one class for all images; negative: each has its class in the data.  done:
   images that the progress bar has behind it.  DDPM_ENAN names the image.  If the user interrupts, the points
   of the images that are left are zero. */
int set_features(double **point, const struct dataset *data, ddpm_net *net, int class, struct progress *p,
                 size_t done, ddpm_error *err);
/* Returns T / 10, rounded down: the step t that the network is given. */
double set_features_t(const ddpm_about *a);
#endif
