/* OpenAI's improved-diffusion and guided-diffusion (checkpoint-families.md 2).  The tensors tell the shape of
   the network; heads, their order, the schedule and the size of the images are flags, which the file does not
   hold. */
#include <stdio.h>
#include <string.h>
#include "family/unet_tensors.h"

static const char *const signature[] = { "time_embed.0.weight", "input_blocks.0.0.weight", NULL };
/* Flags of training and of sampling. */
static const char *const spare[] = { "note",
                                     "_*",
                                     "use_checkpoint",
                                     "use_fp16",
                                     "use_kl",
                                     "rescale_learned_sigmas",
                                     "timestep_respacing",
                                     "lr",
                                     "batch_size",
                                     "microbatch",
                                     "ema_rate",
                                     "lr_anneal_steps",
                                     "weight_decay",
                                     "schedule_sampler",
                                     "log_interval",
                                     "save_interval",
                                     "resume_checkpoint",
                                     "fp16_scale_growth",
                                     "data_dir",
                                     "data_name",
                                     "model_path",
                                     "num_samples",
                                     "use_ddim",
                                     "clip_denoised",
                                     "classifier_*",
                                     NULL };

/* With L blocks a level, level i begins at input block 1 + i (L + 1), and its step down is input block (i + 1) (L + 1). */
static int level_start(const struct unet *u, int level)
{
    return 1 + level * (u->blocks + 1);
}

static bool has_sampler(const struct conversion *v, int block, const char *part)
{
    return conversion_has(v, "output_blocks.%d.1.%s.weight", block, part) ||
           conversion_has(v, "output_blocks.%d.2.%s.weight", block, part);
}

/* The first step up ends the first level of the way up: that is how many blocks a level has. */
static int count_blocks(struct conversion *v, struct unet *u)
{
    int blocks = 0;
    while (conversion_has(v, "output_blocks.%d.0.in_layers.2.weight", blocks) &&
           blocks <= UNET_BLOCKS * UNET_LEVELS)
        blocks++;
    int last = 0;
    while (last < blocks - 1 && !has_sampler(v, last, "conv") && !has_sampler(v, last, "in_layers.2"))
        last++;
    u->blocks = last;
    u->levels = blocks / (last + 1);
    if (last < 1 || last > UNET_BLOCKS || blocks % (last + 1) != 0 || u->levels > UNET_LEVELS)
        return conversion_error(
            v, "%d output_blocks with the first step up in output_blocks.%d make no U-Net of up to %d levels",
            blocks, last, UNET_LEVELS);
    return DDPM_OK;
}

static int read_shapes(struct conversion *v, struct unet *u)
{
    int64_t dim[4], emb[4];
    if (conversion_mentions(v, "transformer_blocks"))
        return conversion_error(v, "a network that is conditioned by attention, on text for instance "
                                   "(transformer_blocks), which this program does not have");
    if (!conversion_mentions(v, "output_blocks."))
        return conversion_error(v,
                                "a classifier or an encoder: its input_blocks have no output_blocks, so it "
                                "makes no images");
    int code = conversion_shape(v, dim, 2, "time_embed.0.weight");
    if (code)
        return code;
    u->time_hidden = (int)dim[0], u->time_dim = (int)dim[1];
    if ((code = conversion_shape(v, dim, 4, "input_blocks.0.0.weight")) != DDPM_OK)
        return code;
    u->init = (int)dim[0], u->channels = (int)dim[1];
    if ((code = conversion_shape(v, dim, 4, "out.2.weight")) != DDPM_OK)
        return code;
    u->outputs = (int)dim[0];
    if (u->outputs != u->channels && u->outputs != 2 * u->channels && u->channels != 6)
        return conversion_error(
            v,
            "input_blocks.0.0.weight takes %d channels and out.2.weight gives %d, expected as many or "
            "twice as many",
            u->channels, u->outputs);
    if (conversion_has(v, "label_emb.weight") &&
        (code = conversion_shape(v, dim, 2, "label_emb.weight")) == DDPM_OK)
        u->classes = (int)dim[0];
    if (code || (code = count_blocks(v, u)) != DDPM_OK)
        return code;
    for (int i = 0; i < u->levels && !code; i++) {
        code = conversion_shape(v, dim, 4, "input_blocks.%d.0.in_layers.2.weight", level_start(u, i));
        u->widths[i] = (int)dim[0];
        u->down_res[i] =
            i + 1 < u->levels && !conversion_has(v, "input_blocks.%d.0.op.weight", level_start(u, i + 1) - 1);
        u->up_res[i] =
            i + 1 < u->levels && !has_sampler(v, (u->levels - 1 - i) * (u->blocks + 1) - 1, "conv");
    }
    if (!code && (code = conversion_shape(v, emb, 2, "input_blocks.1.0.emb_layers.1.weight")) == DDPM_OK)
        u->scale_shift = emb[0] == 2 * u->widths[0];
    return code;
}

static bool attends(const struct conversion *v, const struct unet *u, int level, bool up)
{
    return up ? conversion_has(v, "output_blocks.%d.1.qkv.weight", (u->levels - 1 - level) * (u->blocks + 1))
              : conversion_has(v, "input_blocks.%d.1.qkv.weight", level_start(u, level));
}

static int heads_of(struct conversion *v, int heads, int head_channels, int channels)
{
    const char *flag = head_channels > 0 ? "num_head_channels" : "num_heads";
    int divisor = head_channels > 0 ? head_channels : heads;
    if (divisor > 0 && channels % divisor != 0)
        settings_wrong(v->say, flag, "which does not divide the %d channels of an attention", channels);
    return divisor == 0 ? 1 : head_channels > 0 ? channels / head_channels : heads;
}

/* -1 is OpenAI's "not set". */
static void read_heads(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    int heads = settings_int(s, "num_heads", 1, UNET_WIDTH, 0),
        channels = settings_int(s, "num_head_channels", -1, UNET_WIDTH, -1);
    int up = settings_int(s, "num_heads_upsample", -1, UNET_WIDTH, -1);
    if (heads == 0 && channels < 1)
        settings_ask(s, "num_heads=4 (or num_head_channels=64)");
    for (int i = 0; i < u->levels; i++) {
        u->heads_down[i] = attends(v, u, i, false) ? heads_of(v, heads, channels, u->widths[i]) : 0;
        u->heads_up[i] =
            attends(v, u, i, true) ? heads_of(v, up > 0 ? up : heads, channels, u->widths[i]) : 0;
    }
    u->heads_mid = heads_of(v, heads, channels, u->widths[u->levels - 1]);
}

static void check_bool(struct conversion *v, const char *key, bool found)
{
    if (settings_bool(v->say, key, found) != found)
        settings_wrong(v->say, key, "but the tensors show %s", found ? "true" : "false");
}

static void check_mult(struct conversion *v, const struct unet *u)
{
    double mult[UNET_LEVELS];
    int n = settings_numbers(v->say, "channel_mult", mult, UNET_LEVELS, 0, 1024);
    if (n > 0 && n != u->levels)
        settings_wrong(v->say, "channel_mult", "but the tensors show %d levels", u->levels);
    for (int i = 0; i < n && i < u->levels; i++)
        if ((int)(mult[i] * u->time_dim) != u->widths[i])
            settings_wrong(v->say, "channel_mult",
                           "but the tensors show %d channels at level %d, %g times %d", u->widths[i], i,
                           (double)u->widths[i] / u->time_dim, u->time_dim);
}

/* The flag lists resolutions; level l has image_size / 2^l, and attention where image_size / r is 2^l. */
static void check_attention(struct conversion *v, const struct unet *u)
{
    int list[32], n = settings_ints(v->say, "attention_resolutions", list, 32, 1, 1 << 16);
    if (!settings_given(v->say, "attention_resolutions"))
        return;
    for (int l = 0; l < u->levels; l++) {
        bool flagged = false;
        for (int k = 0; k < n; k++)
            flagged = flagged || u->width / list[k] == 1 << l;
        if (flagged != attends(v, u, l, false) || flagged != attends(v, u, l, true))
            settings_wrong(v->say, "attention_resolutions",
                           "which at image_size %d %s attention at resolution %d, but the tensors %s",
                           u->width, flagged ? "means" : "means no", u->width >> l,
                           flagged ? "have none there" : "have it there");
    }
}

static void check_flags(struct conversion *v, const struct unet *u)
{
    conversion_check_int(v, "num_channels", u->time_dim);
    conversion_check_int(v, "num_res_blocks", u->blocks);
    check_bool(v, "learn_sigma", u->outputs == 2 * u->channels);
    check_bool(v, "class_cond", u->classes > 0);
    check_bool(v, "use_scale_shift_norm", u->scale_shift);
    if (u->levels > 1)
        check_bool(v, "resblock_updown", u->down_res[0]);
    check_mult(v, u);
    if (u->width > 0)
        check_attention(v, u);
}

static int read_diffusion(struct conversion *v, const struct unet *u)
{
    static const char *const schedules[] = { "linear", "cosine", NULL };
    struct settings *s = v->say;
    const char *asked = settings_text(s, "noise_schedule", NULL);
    int steps = settings_int(s, "diffusion_steps", 1, 65535, 0),
        schedule = !asked || !strcmp(asked, "linear") ? 0 : 1;
    bool rescale = settings_bool(s, "rescale_timesteps", false), learned = u->outputs == 2 * u->channels;
    bool small = settings_bool(s, "sigma_small", false), x0 = settings_bool(s, "predict_xstart", false);
    if (asked && strcmp(asked, schedules[schedule]))
        settings_wrong(s, "noise_schedule", "expected linear or cosine");
    if (steps == 0)
        settings_ask(s, "diffusion_steps=1000");
    if (!asked)
        settings_ask(s, "noise_schedule=linear");
    /* The two origins have different defaults; with 1000 steps they come to the same. */
    if (steps != 1000 && !settings_given(s, "rescale_timesteps"))
        settings_ask(s, "rescale_timesteps=true");
    if (s->code || s->missing[0] != '\0')
        return DDPM_EUSAGE;
    if (!learned && !settings_given(s, "sigma_small"))
        conversion_note(v, "sigma_small: taken as false (the variance is beta)");
    if (!settings_given(s, "predict_xstart"))
        conversion_note(v, "predict_xstart: taken as false (the network predicts eps)");
    const char *variance = learned ? "learned-range" : small ? "beta-tilde" : "beta";
    return conversion_diffusion(v, steps, schedule == 0 ? "openai-linear" : "cosine", x0 ? "x0" : "eps",
                                variance, 1, rescale ? 1000.0 / steps : 1);
}

/* "resnets.0.conv1.weight" and the like to the names inside of a block. */
static const char *inside(const char *part)
{
    static const char *const names[][2] = {
        { "norm1.", "in_layers.0." },
        { "conv1.", "in_layers.2." },
        { "time_emb_proj.", "emb_layers.1." },
        { "norm2.", "out_layers.0." },
        { "conv2.", "out_layers.3." },
        { "conv_shortcut.", "skip_connection." },
        { "group_norm.", "norm." },
        { "to_q.", "qkv." },
        { "to_k.", "qkv." },
        { "to_v.", "qkv." },
        { "to_out.0.", "proj_out." },
        { "linear_1.", "time_embed.0." },
        { "linear_2.", "time_embed.2." },
        { "conv.", "" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(part, names[i][0], strlen(names[i][0])))
            return names[i][1];
    return "";
}

/* Where a tensor of ours lies: "input_blocks.4.1." */
static const char *place(char text[48], const char **part, const struct conversion *v, const struct unet *u,
                         const char *name)
{
    static const char *const fixed[][2] = {
        { "conv_in.", "input_blocks.0.0." },
        { "time_embedding.", "" },
        { "class_embedding.", "label_emb." },
        { "conv_norm_out.", "out.0." },
        { "conv_out.", "out.2." },
        { "mid_block.resnets.0.", "middle_block.0." },
        { "mid_block.attentions.0.", "middle_block.1." },
        { "mid_block.resnets.1.", "middle_block.2." },
    };
    int block, layer, k = u->blocks + 1;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strncmp(name, fixed[i][0], strlen(fixed[i][0]))) {
            *part = name + strlen(fixed[i][0]);
            return fixed[i][1];
        }
    if ((*part = unet_layer(name, "down", "resnets", &block, &layer)) != NULL)
        snprintf(text, 48, "input_blocks.%d.0.", 1 + block * k + layer);
    else if ((*part = unet_layer(name, "down", "attentions", &block, &layer)) != NULL)
        snprintf(text, 48, "input_blocks.%d.1.", 1 + block * k + layer);
    else if ((*part = unet_layer(name, "down", "downsamplers", &block, &layer)) != NULL)
        snprintf(text, 48, "input_blocks.%d.0.%s", (block + 1) * k, u->down_res[block] ? "" : "op.");
    else if ((*part = unet_layer(name, "up", "resnets", &block, &layer)) != NULL)
        snprintf(text, 48, "output_blocks.%d.0.", block * k + layer);
    else if ((*part = unet_layer(name, "up", "attentions", &block, &layer)) != NULL)
        snprintf(text, 48, "output_blocks.%d.1.", block * k + layer);
    else if ((*part = unet_layer(name, "up", "upsamplers", &block, &layer)) != NULL) {
        int level = u->levels - 1 - block;
        snprintf(text, 48, "output_blocks.%d.%d.%s", block * k + k - 1, attends(v, u, level, true) ? 2 : 1,
                 u->up_res[level - 1] ? "" : "conv.");
    }
    return text;
}

/* The rows of qkv: in the old order q, k, v of head 0, then of head 1; in the new one q of all heads, then k, then v. */
static void rename_tensors(struct conversion *v, const struct unet *u, bool new_order)
{
    static const char *const parts[] = { "to_q.", "to_k.", "to_v." };
    for (size_t i = 0; i < v->wants; i++) {
        struct want *w = &v->want[i];
        char text[48];
        const char *part, *where = place(text, &part, v, u, w->name), *kind = strrchr(w->name, '.') + 1;
        snprintf(w->from, sizeof w->from, "%s%s%s", where, inside(part), kind);
        for (int k = 0; k < 3; k++)
            if (!strncmp(part, parts[k], 5)) {
                int block, layer, heads = u->heads_mid;
                if (unet_layer(w->name, "down", "attentions", &block, &layer) != NULL)
                    heads = u->heads_down[block];
                else if (unet_layer(w->name, "up", "attentions", &block, &layer) != NULL)
                    heads = u->heads_up[u->levels - 1 - block];
                w->parts = 3;
                w->part = k;
                w->run = new_order ? w->dim[0] : w->dim[0] / heads;
            }
    }
}

static bool several_heads(const struct unet *u)
{
    bool several = u->heads_mid > 1;
    for (int i = 0; i < u->levels; i++)
        several = several || u->heads_down[i] > 1 || u->heads_up[i] > 1;
    return several;
}

static int read(struct conversion *v)
{
    struct unet u = { .act = "silu",
                      .groups = 32,
                      .mid_groups = 32,
                      .eps = 1e-5,
                      .mid_scale = 1,
                      .mid = true,
                      .cos_first = true };
    struct settings *s = v->say;
    int code = read_shapes(v, &u);
    if (code)
        return code;
    if (settings_given(s, "large_size") || settings_given(s, "small_size") ||
        (u.channels == 6 && u.outputs <= 6))
        return conversion_error(v,
                                "a super-resolution network (its first convolution takes %d channels, three "
                                "of them a small image), which "
                                "this program does not have",
                                u.channels);
    if (!settings_size(s, "image_size", &u.height, &u.width))
        settings_ask(s, "image_size=64");
    read_heads(v, &u);
    check_flags(v, &u);
    u.dropout = settings_number(s, "dropout", 0, 1, 0);
    bool new_order = settings_bool(s, "use_new_attention_order", false);
    if ((code = read_diffusion(v, &u)) != DDPM_OK)
        return code;
    if (several_heads(&u) && !settings_given(s, "use_new_attention_order"))
        conversion_note(v, "use_new_attention_order: taken as false (the rows of qkv by heads)");
    if ((code = conversion_freq_late(v, u.time_dim / 2, u.time_dim / 2)) == DDPM_OK &&
        (code = unet_describe(v, &u)) == DDPM_OK)
        rename_tensors(v, &u, new_order);
    return code;
}

const struct family family_openai = { "openai", "OpenAI", signature, spare, read, NULL };
