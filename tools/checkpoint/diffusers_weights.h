/* The files of weights in one folder of diffusers, and the choice among them. */
#ifndef DDPM_DIFFUSERS_WEIGHTS_H
#define DDPM_DIFFUSERS_WEIGHTS_H
#include "checkpoint/diffusers_folder.h"

/* Opens the weights in folder, and sets weights, sharded, others, and label where the name of a
   variant gives one. want: "raw" takes the average last. */
int diffusers_weights_open(struct files *f, const char *folder, const char *want, ddpm_error *err);
/* Returns DDPM_EMISSING: what the folder lacks, and the names of the weights that lie there
   instead. */
int diffusers_no_weights(const char *folder, const char *lacks, ddpm_error *err);
int diffusers_is_file(const char *path);
#endif
