/* Computes the points of a data set: for every image the activations of a network's middle block. */
#ifndef DDPM_SET_FEATURES_H
#define DDPM_SET_FEATURES_H
#include "cli/progress.h"
#include "image/dataset.h"

/* The images and the network that they go through. */
struct set_features {
    const struct dataset *data;
    ddpm_net *net;
    int class; /* one class for all images; negative: each has its class in the data */
    struct progress *progress;
    size_t done; /* images that the progress bar has behind it */
};

/* Fills *point [data->count, features], allocated, with ddpm_net_features of each image, without
   noise, at the step set_features_t.  DDPM_ENAN names the image.  If the user interrupts, the
   points of the images that are left are zero. */
int set_features(double **point, const struct set_features *of, ddpm_error *err);
/* Returns T / 10, rounded down: the step t that the network is given. */
double set_features_t(const ddpm_about *a);
#endif
