/* The U-Net that three of the four families build, as a list of its tensors under our names, and as "net" of a model file. */
#ifndef DDPM_UNET_TENSORS_H
#define DDPM_UNET_TENSORS_H
#include "family/family.h"

enum { UNET_LEVELS = 12, UNET_BLOCKS = 64, UNET_WIDTH = 32768, UNET_CHANNELS = 64, UNET_CLASSES = 1 << 20 };

/* Lists run by level, 0 = full size; entry i of down_res and up_res is the step between levels i and i + 1. */
struct unet {
    int height, width, channels, outputs, classes;
    int init, levels, widths[UNET_LEVELS], blocks; /* init: what the first convolution puts out */
    int heads_down[UNET_LEVELS], heads_mid, heads_up[UNET_LEVELS],
        head_dim;           /* 0 heads: no attention; dim 0: width / heads */
    int groups, mid_groups; /* mid_groups 0: no norm before the attention in the middle */
    int time_dim, time_hidden;
    const char *act;
    double eps, mid_scale, dropout;
    bool mid, cos_first, scale_shift, pad_right, center, down_res[UNET_LEVELS], up_res[UNET_LEVELS];
};

/* Fills v->net and v->want, foreign names equal to ours. */
int unet_describe(struct conversion *v, const struct unet *u);
/* Takes "down_blocks.2.resnets.0." apart: block 2, layer 0; what follows, or NULL when name does not begin so.  kind:
   "resnets", "attentions". */
const char *unet_layer(const char *name, const char *side, const char *kind, int *block, int *layer);
#endif
