/* The configuration of the U-Net that three of the four families build, and of OpenAI's classifier, which is
   its way down.  "net" of a model file holds it (model-file.md). */
#ifndef DDPM_UNET_CONFIG_H
#define DDPM_UNET_CONFIG_H
#include <cjson/cJSON.h>
#include <stdbool.h>

enum { UNET_LEVELS = 12, UNET_BLOCKS = 64, UNET_WIDTH = 32768, UNET_CHANNELS = 64, UNET_CLASSES = 1 << 20 };

/* A list has an entry for each level; level 0 has the full size of the image. */
struct unet {
    bool encoder; /* it is a classifier: there is no way up, and attention pooling with so many heads */
    int heads_pool;
    int height, width, channels, outputs;
    int classes;     /* rows of the table of classes */
    bool null_class; /* the last of these rows stands for no class */
    int init;        /* channels behind the first convolution */
    int levels, widths[UNET_LEVELS];
    int blocks; /* residual blocks of a level on the way down; on the way up there is one more */

    /* How many heads the attentions of a level have; 0: the level has no attention.  head_dim 0: a head
       has width / heads channels. */
    int heads_down[UNET_LEVELS], heads_mid, heads_up[UNET_LEVELS], head_dim;

    int groups;     /* groups of the group norms */
    int mid_groups; /* groups of the norm before the attention in the middle; 0: there is no such norm */
    double eps;
    bool scale_shift;

    int time_dim, time_hidden;
    bool cos_first;

    bool mid;         /* the block in the middle is there */
    double mid_scale; /* divisor of its outputs */

    /* Entry i is the step between the levels i and i + 1: a residual block, or else a convolution. */
    bool down_res[UNET_LEVELS], up_res[UNET_LEVELS];
    bool pad_right; /* convolutions down are padded at right and bottom only */

    const char *act; /* "silu", "gelu", "relu", "mish" */
    bool center;     /* the network begins with 2 x - 1 */
    double dropout;
};

/* Returns "net" of a model file, which the caller deletes; NULL when out of memory. */
cJSON *unet_to_json(const struct unet *u);
/* Fills *u from "net" of an open model, whose arch is "ddpm"; u->act lives as long as net. */
void unet_from_json(struct unet *u, const cJSON *net);
#endif
