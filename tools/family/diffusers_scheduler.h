/* The noise schedule of a diffusers checkpoint: scheduler_config.json. */
#ifndef DDPM_DIFFUSERS_SCHEDULER_H
#define DDPM_DIFFUSERS_SCHEDULER_H
#include "family/conversion.h"
#include "family/diffusers_words.h"

/* Makes v->diffusion for a network with these input channels and outputs. */
int diffusers_read_scheduler(struct conversion *v, int channels, int outputs);

/* Returns the index of the setting's text in the list; the first word is the default.  Notes an error when
   the list has no such word. */
int diffusers_choice(struct conversion *v, const char *key, const struct word *list);
#endif
