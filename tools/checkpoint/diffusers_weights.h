/* The files of weights in one folder of diffusers, and the choice among them. */
#ifndef DDPM_DIFFUSERS_WEIGHTS_H
#define DDPM_DIFFUSERS_WEIGHTS_H
#include "checkpoint/diffusers_folder.h"

/* Opens the weights in folder, and sets weights, sharded and others, and label if the name of a variant
   gives one.  want "raw" takes the average last. */
int diffusers_weights_open(struct files *f, const char *folder, const char *want, ddpm_error *err);
/* Returns DDPM_EMISSING.  The message says what the folder lacks, and names the weights that lie there
   instead. */
int diffusers_no_weights(const char *folder, const char *lacks, ddpm_error *err);
/* Returns whether a regular file is at path. */
int diffusers_is_file(const char *path);
#endif
