/* Maps our names to those of OpenAI's networks (checkpoint-families.md 2).  input_blocks are the way down,
   output_blocks the way up; both are numbered across all levels. */
#include "family/openai_names.h"
#include <stdio.h>
#include <string.h>
#include "family/unet_names.h"

/* The beginnings of our names: first outside of blocks, then inside of them. */
static const struct unet_rename names[] = {
    { "conv_in.", "input_blocks.0.0." },
    { "time_embedding.linear_1.", "time_embed.0." },
    { "time_embedding.linear_2.", "time_embed.2." },
    { "class_embedding.", "label_emb." },
    { "conv_norm_out.", "out.0." },
    { "conv_out.", "out.2." },
    { "pool.positional_embedding", "out.2.positional_embedding" },
    { "pool.to_q.", "out.2.qkv_proj." },
    { "pool.to_k.", "out.2.qkv_proj." },
    { "pool.to_v.", "out.2.qkv_proj." },
    { "pool.to_out.0.", "out.2.c_proj." },

    { "norm1.", "in_layers.0." },
    { "conv1.", "in_layers.2." },
    { "time_emb_proj.", "emb_layers.1." },
    { "norm2.", "out_layers.0." },
    { "conv2.", "out_layers.3." },
    { "conv_shortcut.", "skip_connection." },
    { "conv.", "" }, /* a sampler's convolution: write_place adds its other name */

    { "group_norm.", "norm." },
    { "to_q.", "qkv." },
    { "to_k.", "qkv." },
    { "to_v.", "qkv." },
    { "to_out.0.", "proj_out." },
};

enum { NAMES = sizeof names / sizeof *names };

/* Returns how many heads the attentions at a place have; 0: there is no attention. */
static int heads_at(const struct unet *u, const struct unet_place *p)
{
    switch (p->side) {
    case UNET_DOWN: return u->heads_down[p->block];
    case UNET_UP: return u->heads_up[u->levels - 1 - p->block];
    default: return u->heads_mid;
    }
}

/* Writes the beginning of the foreign name, "input_blocks.4.1.".  A block is a list of modules: residual
   block, attention, step up.  A step down is a block of its own, so a level has u->blocks + 1 blocks on
   the way down.  A level of the way up has the same number, because it has one residual block more. */
static void write_place(char text[64], const struct openai *o, const struct unet_place *p)
{
    const struct unet *u = &o->unet;
    int blocks = u->blocks + 1;
    int at = p->block * blocks + p->layer, module = p->part == UNET_ATTENTION;
    /* A step between two levels is a convolution or a residual block. */
    bool conv = !strncmp(p->inside, "conv.", 5);

    if (p->side == UNET_MIDDLE)
        snprintf(text, 64, "middle_block.%d.", module ? 1 : 2 * p->layer);
    else if (p->side == UNET_DOWN && p->part == UNET_SAMPLER)
        snprintf(text, 64, "input_blocks.%d.0.%s", (p->block + 1) * blocks, conv ? "op." : "");
    else if (p->side == UNET_DOWN)
        snprintf(text, 64, "input_blocks.%d.%d.", 1 + at, module);
    else if (p->part == UNET_SAMPLER)
        snprintf(text, 64, "output_blocks.%d.%d.%s", (p->block + 1) * blocks - 1, heads_at(u, p) > 0 ? 2 : 1,
                 conv ? "conv." : "");
    else
        snprintf(text, 64, "output_blocks.%d.%d.", at, module);
}

/* Fills *from if `inside` names a part of qkv, with the number of rows in a run. */
static void split_qkv(struct foreign *from, const char *inside, int64_t run)
{
    static const char *const parts[] = { "to_q.", "to_k.", "to_v." };
    for (int k = 0; k < 3; k++)
        if (!strncmp(inside, parts[k], strlen(parts[k]))) {
            from->parts = 3;
            from->part = k;
            from->run = run;
        }
}

void openai_map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours)
{
    const struct openai *o = v->shape;
    struct unet_place p;
    char place[64], inside[64];
    int64_t rows = ours->dim[0];
    if (!unet_find_place(&p, ours->name)) {
        unet_rename(from->name, sizeof from->name, ours->name, names, NAMES);
        /* Attention pooling has the new order alone. */
        if (!strncmp(ours->name, "pool.", 5))
            split_qkv(from, ours->name + 5, rows);
        return;
    }

    write_place(place, o, &p);
    unet_rename(inside, sizeof inside, p.inside, names, NAMES);
    snprintf(from->name, sizeof from->name, "%s%s", place, inside);

    /* In the old order the rows are q, k, v of head 0, then those of head 1, and so on.  In the new order
       they are q of all heads, then k, then v. */
    if (p.part == UNET_ATTENTION)
        split_qkv(from, p.inside, o->new_order ? rows : rows / heads_at(&o->unet, &p));
}
