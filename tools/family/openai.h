/* Reading OpenAI's networks: what the network that makes images and the classifier have in common. */
#ifndef DDPM_OPENAI_H
#define DDPM_OPENAI_H
#include "family/openai_names.h"

/* Reads the width of each level of u->levels, the kind of its steps, and u->scale_shift. */
int openai_levels(struct conversion *v, struct unet *u);
/* Returns true when a level has attention, on the way down or on the way up. */
bool openai_attends(const struct conversion *v, const struct unet *u, int level, bool up);
/* Returns how many heads an attention of `channels` channels has.  Either their number is given, or the
   channels of one head. */
int openai_heads_of(struct conversion *v, int heads, int head_channels, int channels);
/* Notes an error when the setting is given and differs from what the tensors show. */
void openai_check_bool(struct conversion *v, const char *key, bool found);
/* Compares the levels with attention.  The setting lists resolutions r: level l has attention if image_size /
   r is 2^l. */
void openai_check_attention(struct conversion *v, const struct unet *u, const char *key);
/* Reads steps, name and t_scale.  DDPM_EUSAGE: a setting is missing or wrong. */
int openai_schedule(struct conversion *v, struct diffusion *d);

/* Reads a classifier: fills o, and makes v->diffusion.  o holds what all of OpenAI's networks share. */
int openai_read_classifier(struct conversion *v, struct openai *o);
#endif
