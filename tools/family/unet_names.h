/* Our names of the U-Net's tensors, which are diffusers' names (checkpoint-families.md 1.2).  They are
   taken apart for a family that has other names. */
#ifndef DDPM_UNET_NAMES_H
#define DDPM_UNET_NAMES_H
#include <stdbool.h>
#include <stddef.h>

enum unet_side { UNET_DOWN, UNET_MIDDLE, UNET_UP };

enum unet_part { UNET_RESNET, UNET_ATTENTION, UNET_SAMPLER };

/* The place of a tensor: "up_blocks.2.attentions.1.to_q.weight" is in attention 1 of block 2 of the way
   up, and there it is "to_q.weight".  A sampler is the step between two levels. */
struct unet_place {
    enum unet_side side;
    enum unet_part part;
    int block, layer; /* block: number in the order of computation, 0 in the middle */
    const char *inside;
};

/* Fills *p and returns true; false for a tensor outside of all blocks, such as "conv_in.weight". */
bool unet_find_place(struct unet_place *p, const char *name);

/* The beginning of a name of ours, and what replaces it in another family. */
struct unet_rename {
    const char *ours, *theirs;
};

/* Writes name to text [size].  The first entry of list [count] with the same beginning replaces it. */
void unet_rename(char *text, size_t size, const char *name, const struct unet_rename *list, size_t count);
#endif
