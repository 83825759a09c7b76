/* The noise schedule and the objective of a lucidrains checkpoint. */
#ifndef DDPM_LUCIDRAINS_SCHEDULE_H
#define DDPM_LUCIDRAINS_SCHEDULE_H
#include "family/conversion.h"

/* Adds v->diffusion from the settings of GaussianDiffusion and from its buffers, where the file has them.
   learned_variance: the network puts out a variance too.  Returns DDPM_EUSAGE when something must be said
   first, which settings_end then reports. */
int lucidrains_diffusion(struct conversion *v, bool learned_variance);
#endif
