/* The noise schedule and the objective of a lucidrains checkpoint. */
#ifndef DDPM_LUCIDRAINS_SCHEDULE_H
#define DDPM_LUCIDRAINS_SCHEDULE_H
#include "family/conversion.h"

/* Makes v->diffusion from the settings of GaussianDiffusion, and from its buffers if the file has them.
   learned_variance: the network has an output for the variance too.  Returns DDPM_EUSAGE when a setting is
   missing, which settings_end then reports. */
int lucidrains_diffusion(struct conversion *v, bool learned_variance);
#endif
