/* Reads the noisy classifiers of guided-diffusion, `classifier.pt` (checkpoint-families.md 2):
   EncoderUNetModel, the way down and the middle of the U-Net, with attention pooling behind it.  The tensors
   do not show where a level ends if all levels are of one width.  But the positions of the pooling are those
   of the deepest level, so that image_size gives the number of levels. */
#include <math.h>
#include <string.h>
#include "family/openai.h"

/* The classifiers' constructor, create_classifier, has no other value. */
enum { HEAD_CHANNELS = 64 };

/* Refuses networks without attention pooling. */
static int check_pool(struct conversion *v)
{
    const char *pool = settings_text(v->say, "classifier_pool", "attention");
    if (conversion_has(v, "out.2.positional_embedding")) {
        if (strcmp(pool, "attention"))
            settings_wrong(v->say, "classifier_pool", "but the tensors show attention");
        return DDPM_OK;
    }
    return conversion_error(
        v, "a network without output_blocks, so it makes no images, and without "
           "out.2.positional_embedding, so it is no classifier with classifier_pool=attention, "
           "the only kind that this program has");
}

/* Reads the widths outside of the levels. */
static int read_ends(struct conversion *v, struct unet *u)
{
    static const struct conversion_end_names names = { "time_embed.0.weight", "input_blocks.0.0.weight",
                                                       "out.2.c_proj.weight", 2 };
    struct conversion_ends ends;
    int code = conversion_ends(v, &ends, &names);
    if (code)
        return code;

    u->time_hidden = ends.time_hidden;
    u->time_dim = ends.time_dim;
    u->init = ends.init;
    u->channels = ends.channels;
    u->classes = ends.outputs;
    return DDPM_OK;
}

/* Finds u->levels and u->blocks from image_size, which is square. */
static int count_levels(struct conversion *v, struct unet *u)
{
    int64_t position[4];
    int all = 0, code = conversion_shape(v, position, 2, "out.2.positional_embedding");
    if (code)
        return code;
    while (conversion_has(v, "input_blocks.%d.0.in_layers.2.weight", all + 1) ||
           conversion_has(v, "input_blocks.%d.0.op.weight", all + 1))
        all++;

    int side = (int)rint(sqrt((double)position[1] - 1));
    u->levels = 1;
    while (side << (u->levels - 1) < u->height && u->levels < UNET_LEVELS)
        u->levels++;

    /* Each level has u->blocks blocks; all but the last have a step down. */
    u->blocks = (all + 1) / u->levels - 1;
    if (side < 1 || (int64_t)side * side + 1 != position[1] || u->height != u->width ||
        side << (u->levels - 1) != u->height || (all + 1) % u->levels || u->blocks < 1 ||
        u->blocks > UNET_BLOCKS)
        return conversion_error(v,
                                "%d input_blocks and out.2.positional_embedding of %d positions make no "
                                "classifier of images of %dx%d: is that its image_size?",
                                all + 1, (int)position[1], u->width, u->height);
    return DDPM_OK;
}

/* Reads the heads, which the tensors do not show. */
static void read_heads(struct conversion *v, struct unet *u)
{
    int channels = settings_int(v->say, "num_head_channels", 1, UNET_WIDTH, HEAD_CHANNELS);
    int last = u->widths[u->levels - 1];
    for (int i = 0; i < u->levels; i++)
        u->heads_down[i] = openai_attends(v, u, i, false) ? openai_heads_of(v, 0, channels, u->widths[i]) : 0;
    u->heads_mid = u->heads_pool = openai_heads_of(v, 0, channels, last);

    if (!settings_given(v->say, "num_head_channels"))
        conversion_note(v, "num_head_channels: taken as %d, as create_classifier has it", HEAD_CHANNELS);
}

/* Compares the flags with what the tensors show. */
static void check_flags(struct conversion *v, const struct unet *u)
{
    conversion_check_int(v, "classifier_width", u->time_dim);
    conversion_check_int(v, "classifier_depth", u->blocks);
    openai_check_bool(v, "classifier_use_scale_shift_norm", u->scale_shift);
    if (u->levels > 1)
        openai_check_bool(v, "classifier_resblock_updown", u->down_res[0]);
    openai_check_attention(v, u, "classifier_attention_resolutions");
}

int openai_read_classifier(struct conversion *v, struct openai *o)
{
    struct unet *u = &o->unet;
    struct diffusion d = { .prediction = NULL };
    u->encoder = true;

    int code = check_pool(v);
    if (!code)
        code = read_ends(v, u);
    if (code)
        return code;

    /* Without a size the levels are not known, so only the other questions are asked. */
    if (settings_size(v->say, "image_size", &u->height, &u->width)) {
        code = count_levels(v, u);
        if (!code)
            code = openai_levels(v, u);
        if (code)
            return code;
        read_heads(v, u);
        check_flags(v, u);
    } else {
        settings_ask(v->say, "image_size=64");
    }

    o->new_order = settings_bool(v->say, "use_new_attention_order", false);
    code = openai_schedule(v, &d);
    return code ? code : conversion_diffusion(v, &d);
}
