/* OpenAI's names for our tensors. */
#ifndef DDPM_OPENAI_NAMES_H
#define DDPM_OPENAI_NAMES_H
#include "family/family.h"
#include "family/unet_config.h"

/* The properties on which the names depend: v->shape of a conversion. */
struct openai {
    struct unet unet;
    bool new_order; /* order of the rows of qkv: use_new_attention_order */
};

/* Maps our name to OpenAI's: `map` of the family (family.h). */
void openai_map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours);
#endif
