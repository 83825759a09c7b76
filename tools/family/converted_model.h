/* The model that a conversion makes: created from the configuration, then filled from the checkpoint. */
#ifndef DDPM_CONVERTED_MODEL_H
#define DDPM_CONVERTED_MODEL_H
#include "family/family.h"

/* Makes the model that family_read has described; the caller closes it.  v->net and v->diffusion move into
   the model.  Returns DDPM_EDATA, naming the first few tensors, unless the checkpoint holds every weight
   of the network in the right shape and nothing else. */
int converted_model(ddpm_model **m, struct conversion *v, const struct family *f);
/* Counts the weights that come from the checkpoint.  Sets *parameters to the number of their elements. */
size_t converted_weights(const ddpm_model *m, double *parameters);
#endif
