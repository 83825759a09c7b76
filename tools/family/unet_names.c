/* Takes names of tensors apart, and replaces their beginnings (unet_names.h). */
#include "family/unet_names.h"
#include <stdio.h>
#include <string.h>

/* Reads "SIDE_blocks.B.KIND.L." at the beginning of name.  Returns what follows; NULL when name begins
   differently. */
static const char *read_place(const char *name, const char *side, const char *kind, int *block, int *layer)
{
    char pattern[48];
    int size = -1;
    snprintf(pattern, sizeof pattern, "%s_blocks.%%d.%s.%%d.%%n", side, kind);
    /* %n sets size only if the name goes on up to the last dot. */
    return sscanf(name, pattern, block, layer, &size) == 2 && size > 0 ? name + size : NULL;
}

/* Does the same for "mid_block.KIND.L.". */
static const char *read_middle(const char *name, const char *kind, int *layer)
{
    char pattern[48];
    int size = -1;
    snprintf(pattern, sizeof pattern, "mid_block.%s.%%d.%%n", kind);
    return sscanf(name, pattern, layer, &size) == 1 && size > 0 ? name + size : NULL;
}

bool unet_find_place(struct unet_place *p, const char *name)
{
    static const char *const sides[] = { [UNET_DOWN] = "down", [UNET_UP] = "up" };
    static const char *const kinds[][3] = { [UNET_DOWN] = { "resnets", "attentions", "downsamplers" },
                                            [UNET_MIDDLE] = { "resnets", "attentions" },
                                            [UNET_UP] = { "resnets", "attentions", "upsamplers" } };

    for (int side = UNET_DOWN; side <= UNET_UP; side++)
        for (int part = UNET_RESNET; part <= UNET_SAMPLER; part++) {
            const char *kind = kinds[side][part];
            *p = (struct unet_place){ .side = (enum unet_side)side, .part = (enum unet_part)part };
            if (side != UNET_MIDDLE)
                p->inside = read_place(name, sides[side], kind, &p->block, &p->layer);
            else if (kind)
                p->inside = read_middle(name, kind, &p->layer);

            if (p->inside)
                return true;
        }
    return false;
}

void unet_rename(char *text, size_t size, const char *name, const struct unet_rename *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(list[i].ours);
        if (!strncmp(name, list[i].ours, length)) {
            snprintf(text, size, "%s%s", list[i].theirs, name + length);
            return;
        }
    }
    snprintf(text, size, "%s", name);
}
