/* The network of lucidrains' classifier_free_guidance: where it differs from his Unet without classes. */
#ifndef DDPM_LUCIDRAINS_GUIDED_H
#define DDPM_LUCIDRAINS_GUIDED_H
#include "family/family.h"

enum { LUCIDRAINS_LEVELS = 12 };

/* The shape of the network.  A list has an entry for each level; level 0 has the full size of the image. */
struct lucidrains {
    int height, width, channels, outputs;
    int init; /* channels behind the first convolution */
    int levels, widths[LUCIDRAINS_LEVELS];
    int time_dim, time_hidden;
    int full[LUCIDRAINS_LEVELS]; /* 1: full attention, 0: linear */
    int heads, head_dim, memory; /* the same for every attention; memory: learned keys and values */
    int classes;                 /* above 0: the network is that of classifier_free_guidance */
};

/* Returns true when the network is that of classifier_free_guidance. */
bool lucidrains_guided(const struct conversion *v);
/* Reads how many classes there are, if there are any. */
int lucidrains_guided_classes(struct conversion *v, struct lucidrains *u);
/* Reads the width of level i of a network with classes, and checks its two attentions. */
int lucidrains_guided_level(struct conversion *v, struct lucidrains *u, int i);
/* Checks the attention at `place`, such as "mid_attn". */
int lucidrains_guided_attention(struct conversion *v, struct lucidrains *u, const char *place);
/* Checks the settings that only a network with classes has. */
void lucidrains_guided_check(struct conversion *v, const struct lucidrains *u);
/* Maps our name to that of a network with classes, and leaves it as it is for others: `map` of the family
   (family.h). */
void lucidrains_guided_map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours);
#endif
