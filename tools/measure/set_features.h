/* The points of a data set: what a network's middle block says of every image. */
#ifndef DDPM_SET_FEATURES_H
#define DDPM_SET_FEATURES_H
#include "cli/progress.h"
#include "image/dataset.h"

/* Fills *point [data->count, features], to be freed, with ddpm_net_features of each image as it
   is, without noise, at set_features_t.  class: of all images; negative: the data's.  done:
   images that the progress bar has behind it.  DDPM_ENAN names the image.  When the user
   interrupts, the points of the rest are zero. */
int set_features(double **point, const struct dataset *data, ddpm_net *net, int class, struct progress *p,
                 size_t done, ddpm_error *err);
/* Returns T / 10, rounded down: the step at which a network is asked. */
double set_features_t(const ddpm_about *a);
#endif
