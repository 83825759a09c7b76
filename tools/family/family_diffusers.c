/* Reads Hugging Face diffusers' UNet2DModel with its config.json (checkpoint-families.md 1).  Our names of
   tensors are its names.  A field that is missing has the constructor's default; null is a value of its
   own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "family/diffusers_scheduler.h"
#include "family/family.h"
#include "family/unet_config.h"

static const char *const signature[] = { "conv_in.weight", "time_embedding.linear_1.weight", NULL };
static const char *const spare[] = { "note",
                                     "_*",
                                     "unet.dropout",
                                     "unet.num_train_timesteps",
                                     "scheduler.dynamic_thresholding_ratio",
                                     "scheduler.sample_max_value",
                                     "unet.decay",
                                     "unet.inv_gamma",
                                     "unet.min_decay",
                                     "unet.optimization_step",
                                     "unet.power",
                                     "unet.update_after_step",
                                     "unet.use_ema_warmup",
                                     NULL };

/* The constructor's defaults have this number of levels. */
enum { LEVELS = 4 };

/* Refuses a setting with any other word than this one. */
static void expect_word(struct conversion *v, const char *key, const char *word)
{
    const struct word only[] = { { word, word }, { NULL, NULL } };
    diffusers_choice(v, key, only);
}

/* ---- blocks ---- */

/* Fills kind [levels] with the DIFFUSERS_...  kind of each block on one side. */
static void read_blocks(struct conversion *v, const char *key, bool up, const char *const *defaults,
                        int levels, int *kind)
{
    const char *const *names = diffusers_blocks[up], *list[UNET_LEVELS];
    int n = settings_texts(v->say, key, list, UNET_LEVELS);
    if (!settings_given(v->say, key)) {
        n = LEVELS;
        memcpy(list, defaults, LEVELS * sizeof *list);
    }
    if (n != levels)
        settings_wrong(v->say, key, "expected %d entries, one for each of block_out_channels", levels);

    for (int i = 0; i < levels && i < n; i++) {
        /* Old versions wrote UNetResDownBlock2D for DownBlock2D, and so on. */
        const char *type = !strncmp(list[i], "UNetRes", 7) ? list[i] + 7 : list[i];
        kind[i] = 0;
        while (kind[i] < DIFFUSERS_BLOCKS && strcmp(type, names[kind[i]]))
            kind[i]++;
        if (kind[i] == DIFFUSERS_BLOCKS)
            settings_wrong(v->say, key, "and this program does not have %s, only %s, %s and %s", list[i],
                           names[DIFFUSERS_PLAIN], names[DIFFUSERS_ATTENTION], names[DIFFUSERS_RESIDUAL]);
    }
}

/* Returns how many heads an attention of `channels` channels has; head_dim 0: one.  If head_dim does not
   divide the channels, the remaining channels belong to no head, and u->head_dim is set. */
static int heads_of(struct conversion *v, struct unet *u, int head_dim, int channels)
{
    if (head_dim == 0)
        return 1;
    if (head_dim > channels)
        settings_wrong(v->say, "unet.attention_head_dim",
                       "expected at most the %d channels of the narrowest attention", channels);
    if (channels % head_dim != 0)
        u->head_dim = head_dim;
    return channels / head_dim;
}

/* Reads u->levels and u->widths. */
static void read_widths(struct conversion *v, struct unet *u)
{
    static const int widths[LEVELS] = { 224, 448, 672, 896 };
    u->levels = settings_ints(v->say, "unet.block_out_channels", u->widths, UNET_LEVELS, 1, UNET_WIDTH);
    if (!settings_given(v->say, "unet.block_out_channels")) {
        u->levels = LEVELS;
        memcpy(u->widths, widths, sizeof widths);
    } else if (u->levels == 0) {
        settings_wrong(v->say, "unet.block_out_channels", "expected at least one");
    }
}

/* Reads the kinds of blocks, and derives the heads and the steps between the levels.  diffusers lists the
   blocks of the way up from the deepest level. */
static void read_levels(struct conversion *v, struct unet *u)
{
    static const char *const downs[LEVELS] = { "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                                               "AttnDownBlock2D" };
    static const char *const ups[LEVELS] = { "AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D" };
    struct settings *s = v->say;
    int down[UNET_LEVELS] = { 0 }, up[UNET_LEVELS] = { 0 }, last = u->levels - 1;
    read_blocks(v, "unet.down_block_types", false, downs, u->levels, down);
    read_blocks(v, "unet.up_block_types", true, ups, u->levels, up);

    bool down_res = diffusers_choice(v, "unet.downsample_type", diffusers_samplers);
    bool up_res = diffusers_choice(v, "unet.upsample_type", diffusers_samplers);
    const cJSON *dim = settings_find(s, "unet.attention_head_dim");
    int head_dim = cJSON_IsNull(dim) ? 0 : settings_int(s, "unet.attention_head_dim", 1, UNET_WIDTH, 8);

    for (int i = 0; i < u->levels; i++) {
        bool attends_down = down[i] == DIFFUSERS_ATTENTION, attends_up = up[last - i] == DIFFUSERS_ATTENTION;
        u->heads_down[i] = attends_down ? heads_of(v, u, head_dim, u->widths[i]) : 0;
        u->heads_up[i] = attends_up ? heads_of(v, u, head_dim, u->widths[i]) : 0;
        u->down_res[i] = down[i] == DIFFUSERS_RESIDUAL || (attends_down && down_res);
    }
    for (int i = 0; i < last; i++) {
        /* Step i ends at level i, whose step up belongs to the block of level i + 1. */
        int kind = up[last - 1 - i];
        u->up_res[i] = kind == DIFFUSERS_RESIDUAL || (kind == DIFFUSERS_ATTENTION && up_res);
    }

    u->mid = !cJSON_IsNull(settings_find(s, "unet.mid_block_type"));
    if (u->mid && settings_bool(s, "unet.add_attention", true) && u->levels > 0)
        u->heads_mid = heads_of(v, u, head_dim, u->widths[last]);
}

/* ---- the rest of the network ---- */

static void read_norms(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    u->scale_shift = diffusers_choice(v, "unet.resnet_time_scale_shift", diffusers_time_shifts);
    u->groups = settings_int(s, "unet.norm_num_groups", 1, UNET_WIDTH, 32);
    u->mid_groups =
        settings_int(s, "unet.attn_norm_num_groups", 1, UNET_WIDTH, u->scale_shift ? 0 : u->groups);
    u->eps = settings_number(s, "unet.norm_eps", 1e-12, 1, 1e-5);
    u->mid_scale = settings_number(s, "unet.mid_block_scale_factor", 1e-6, 1e6, 1);
    u->dropout = settings_number(s, "unet.dropout", 0, 1, 0);

    for (int i = 0; i < u->levels; i++)
        if (u->widths[i] % u->groups != 0)
            settings_wrong(s, "unet.norm_num_groups", "which does not divide the %d channels of level %d",
                           u->widths[i], i);
}

static int read_time(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    expect_word(v, "unet.time_embedding_type", "positional");
    conversion_refuse_if(v, "unet.class_embed_type", settings_given(s, "unet.class_embed_type"));

    u->classes = settings_int(s, "unet.num_class_embeds", 1, UNET_CLASSES, 0);
    u->null_class = conversion_null_class(v, "unet.null_class", u->classes);
    u->init = u->widths[0];
    u->time_dim = u->widths[0];
    u->time_hidden = settings_int(s, "unet.time_embedding_dim", 1, 1 << 20, 4 * u->widths[0]);
    u->cos_first = settings_bool(s, "unet.flip_sin_to_cos", true);

    /* The frequencies are f_i = 10000^(-i / (half - shift)). */
    double shift = settings_number(s, "unet.freq_shift", -1e6, 1e6, 0);
    return s->code ? s->code : conversion_freq_divide_last(v, u->time_dim / 2, u->time_dim / 2 - shift);
}

static int read_unet(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    if (conversion_mentions(v, "transformer_blocks"))
        return conversion_error(v, "a network that is conditioned by attention, on text for instance "
                                   "(transformer_blocks), which this program does not have");
    if (!v->in->config && !settings_given(s, "unet.block_out_channels"))
        return dd_error(v->err, DDPM_EUSAGE,
                        "%s: there is no config.json beside it, and the tensors do not "
                        "say heads, padding and norms; add --config CONFIG.JSON",
                        v->in->file);

    expect_word(v, "unet._class_name", "UNet2DModel");
    expect_word(v, "unet.mid_block_type", "UNetMidBlock2D");
    u->act = diffusers_acts[diffusers_choice(v, "unet.act_fn", diffusers_acts)].ours;
    if (!settings_size(s, "unet.sample_size", &u->height, &u->width))
        settings_ask(s, "sample_size=32");

    u->channels = settings_int(s, "unet.in_channels", 1, UNET_CHANNELS, 3);
    u->outputs = settings_int(s, "unet.out_channels", 1, 2 * UNET_CHANNELS, 3);
    u->center = settings_bool(s, "unet.center_input_sample", false);
    u->pad_right = settings_int(s, "unet.downsample_padding", 0, 1, 1) == 0;
    u->blocks = settings_int(s, "unet.layers_per_block", 1, UNET_BLOCKS, 2);

    read_widths(v, u);
    read_levels(v, u);
    read_norms(v, u);
    return u->levels > 0 ? read_time(v, u) : s->code;
}

static int read(struct conversion *v)
{
    struct unet u = { 0 };
    int code = read_unet(v, &u);
    if (!code)
        code = diffusers_read_scheduler(v, u.channels, u.outputs);
    if (code)
        return code;
    v->net = unet_to_json(&u);
    return v->net ? DDPM_OK : dd_error_memory(v->err, "the configuration");
}

/* ---- the tensors ---- */

/* Maps names of files from 2022, which call the parts of an attention query, key, value and proj_attn. */
static void map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours)
{
    static const struct word names[] = { { ".query.", ".to_q." },
                                         { ".key.", ".to_k." },
                                         { ".value.", ".to_v." },
                                         { ".proj_attn.", ".to_out.0." } };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const char *at = strstr(ours->name, names[k].ours);
        if (!at || checkpoint_find(v->in, ours->name) != NULL)
            continue;
        char old[sizeof from->name];
        snprintf(old, sizeof old, "%.*s%s%s", (int)(at - ours->name), ours->name, names[k].theirs,
                 at + strlen(names[k].ours));
        if (checkpoint_find(v->in, old) != NULL)
            memcpy(from->name, old, sizeof old);
    }
}

/* Reads two tensors of `count` elements and compares them bit for bit. */
static bool are_equal(const struct checkpoint *c, const struct checkpoint_tensor *s,
                      const struct checkpoint_tensor *t, size_t count)
{
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    bool same = a && b && checkpoint_floats(c, s, a, NULL) == DDPM_OK &&
                checkpoint_floats(c, t, b, NULL) == DDPM_OK && !memcmp(a, b, count * sizeof *a);
    free(a);
    free(b);
    return same;
}

/* Returns true for the second copy of a sampler's convolution, called Conv2d_0, when it holds the same
   numbers. */
static bool is_alias(const struct conversion *v, const struct checkpoint_tensor *t)
{
    char name[96];
    const char *at = strstr(t->name, ".Conv2d_0.");
    if (!at)
        return false;

    snprintf(name, sizeof name, "%.*s.conv.%s", (int)(at - t->name), t->name, at + strlen(".Conv2d_0."));
    const struct checkpoint_tensor *twin = checkpoint_find(v->in, name);
    if (!twin || twin->rank != t->rank || memcmp(twin->dim, t->dim, (size_t)t->rank * sizeof *t->dim))
        return false;

    size_t count = 1;
    for (int i = 0; i < t->rank; i++)
        count *= (size_t)t->dim[i];
    return are_equal(v->in, t, twin, count);
}

static bool ignores(const struct conversion *v, const struct checkpoint_tensor *t)
{
    return !strcmp(t->name, "time_proj.weight") || is_alias(v, t);
}

const struct family family_diffusers = {
    .name = "diffusers",
    .origin = "diffusers",
    .signature = signature,
    .spare = spare,
    .read = read,
    .map = map,
    .ignores = ignores,
};
