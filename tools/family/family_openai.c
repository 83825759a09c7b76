/* Reads OpenAI's improved-diffusion and guided-diffusion (checkpoint-families.md 2).  The tensors show the
   shape of the network.  The heads, their order, the schedule and the image size are in flags that the
   file does not hold.  openai_names.c maps the names, openai_classifier.c reads classifiers. */
#include "family/openai.h"
#include <stdio.h>
#include <string.h>

static const char *const signature[] = { "input_blocks.0.0.weight", "time_embed.0.weight", NULL };

/* The flags of training and of sampling, which do not change a model. */
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

/* ---- what the tensors show ---- */

/* Returns the first input block of a level.  Block 0 is the first convolution.  Then each level has
   u->blocks blocks and the step down, which is a block too. */
static int level_start(const struct unet *u, int level)
{
    return 1 + level * (u->blocks + 1);
}

/* Returns true when output block `block` ends in a step up that has a tensor PART.weight.  The step is
   module 1, or 2 behind an attention. */
static bool has_sampler(const struct conversion *v, int block, const char *part)
{
    return conversion_has(v, "output_blocks.%d.1.%s.weight", block, part) ||
           conversion_has(v, "output_blocks.%d.2.%s.weight", block, part);
}

/* Finds u->blocks and u->levels.  The first step up ends the first level of the way up, which has one
   block more than a level of the way down.  So its number is u->blocks. */
static int count_blocks(struct conversion *v, struct unet *u)
{
    int blocks = 0, last = 0;

    while (conversion_has(v, "output_blocks.%d.0.in_layers.2.weight", blocks) &&
           blocks <= UNET_BLOCKS * UNET_LEVELS)
        blocks++;
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

static int refuse_others(struct conversion *v)
{
    if (conversion_mentions(v, "transformer_blocks"))
        return conversion_error(v, "a network that is conditioned by attention, on text for instance "
                                   "(transformer_blocks), which this program does not have");
    return DDPM_OK;
}

/* Reads the widths outside of the levels: input, output, time embedding and classes. */
static int read_ends(struct conversion *v, struct unet *u)
{
    static const struct conversion_end_names names = { "time_embed.0.weight", "input_blocks.0.0.weight",
                                                       "out.2.weight", 4 };
    struct conversion_ends ends;
    int64_t classes[4] = { 0 };
    int code = conversion_ends(v, &ends, &names);
    if (!code && conversion_has(v, "label_emb.weight"))
        code = conversion_shape(v, classes, 2, "label_emb.weight");
    if (code)
        return code;

    u->time_hidden = ends.time_hidden;
    u->time_dim = ends.time_dim;
    u->init = ends.init;
    u->channels = ends.channels;
    u->outputs = ends.outputs;
    u->classes = (int)classes[0];
    u->null_class = conversion_null_class(v, "null_class", u->classes);

    /* Six input channels are a super-resolution network, which read_unet refuses with its own message. */
    if (u->outputs != u->channels && u->outputs != 2 * u->channels && u->channels != 6)
        return conversion_error(
            v,
            "input_blocks.0.0.weight takes %d channels and out.2.weight gives %d, expected as many or "
            "twice as many",
            u->channels, u->outputs);
    return DDPM_OK;
}

int openai_levels(struct conversion *v, struct unet *u)
{
    int64_t dim[4], emb[4];
    for (int i = 0; i < u->levels; i++) {
        int start = level_start(u, i), next = level_start(u, i + 1);
        int code = conversion_shape(v, dim, 4, "input_blocks.%d.0.in_layers.2.weight", start);
        if (code)
            return code;
        u->widths[i] = (int)dim[0];
        if (i + 1 == u->levels)
            break;

        /* A step that is not a convolution is a residual block. */
        u->down_res[i] = !conversion_has(v, "input_blocks.%d.0.op.weight", next - 1);
        /* The way up begins at the deepest level.  The last block of level i + 1 there has the step up to
           level i. */
        u->up_res[i] = !has_sampler(v, (u->levels - 1 - i) * (u->blocks + 1) - 1, "conv");
    }

    /* With scale and shift the projection of the time has twice as many channels. */
    int code = conversion_shape(v, emb, 2, "input_blocks.1.0.emb_layers.1.weight");
    u->scale_shift = !code && emb[0] == 2 * u->widths[0];
    return code;
}

bool openai_attends(const struct conversion *v, const struct unet *u, int level, bool up)
{
    return up ? conversion_has(v, "output_blocks.%d.1.qkv.weight", (u->levels - 1 - level) * (u->blocks + 1))
              : conversion_has(v, "input_blocks.%d.1.qkv.weight", level_start(u, level));
}

/* ---- what the flags say ---- */

int openai_heads_of(struct conversion *v, int heads, int head_channels, int channels)
{
    bool by_channels = head_channels > 0;
    int divisor = by_channels ? head_channels : heads;
    if (divisor == 0)
        return 1;
    if (channels % divisor != 0)
        settings_wrong(v->say, by_channels ? "num_head_channels" : "num_heads",
                       "which does not divide the %d channels of an attention", channels);
    return by_channels ? channels / head_channels : heads;
}

/* Reads the heads.  In these flags -1 means "not set". */
static void read_heads(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    int heads = settings_int(s, "num_heads", 1, UNET_WIDTH, 0);
    int channels = settings_int(s, "num_head_channels", -1, UNET_WIDTH, -1);
    int up = settings_int(s, "num_heads_upsample", -1, UNET_WIDTH, -1);
    if (heads == 0 && channels < 1)
        settings_ask(s, "num_heads=4 (or num_head_channels=64)");
    if (up <= 0)
        up = heads;

    for (int i = 0; i < u->levels; i++) {
        u->heads_down[i] =
            openai_attends(v, u, i, false) ? openai_heads_of(v, heads, channels, u->widths[i]) : 0;
        u->heads_up[i] = openai_attends(v, u, i, true) ? openai_heads_of(v, up, channels, u->widths[i]) : 0;
    }
    u->heads_mid = openai_heads_of(v, heads, channels, u->widths[u->levels - 1]);
}

void openai_check_bool(struct conversion *v, const char *key, bool found)
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
        /* The origin truncates the product. */
        if ((int)(mult[i] * u->time_dim) != u->widths[i])
            settings_wrong(v->say, "channel_mult",
                           "but the tensors show %d channels at level %d, %g times %d", u->widths[i], i,
                           (double)u->widths[i] / u->time_dim, u->time_dim);
}

void openai_check_attention(struct conversion *v, const struct unet *u, const char *key)
{
    int list[32], n = settings_ints(v->say, key, list, 32, 1, 1 << 16);
    if (!settings_given(v->say, key))
        return;

    for (int l = 0; l < u->levels; l++) {
        bool flagged = false;
        for (int k = 0; k < n; k++)
            flagged = flagged || u->width / list[k] == 1 << l;
        if (flagged != openai_attends(v, u, l, false) ||
            (!u->encoder && flagged != openai_attends(v, u, l, true)))
            settings_wrong(v->say, key,
                           "which at image_size %d %s attention at resolution %d, but the tensors %s",
                           u->width, flagged ? "means" : "means no", u->width >> l,
                           flagged ? "have none there" : "have it there");
    }
}

/* Compares the flags with the values that the tensors show. */
static void check_flags(struct conversion *v, const struct unet *u)
{
    conversion_check_int(v, "num_channels", u->time_dim);
    conversion_check_int(v, "num_res_blocks", u->blocks);
    openai_check_bool(v, "learn_sigma", u->outputs == 2 * u->channels);
    openai_check_bool(v, "class_cond", u->classes > 0);
    openai_check_bool(v, "use_scale_shift_norm", u->scale_shift);
    if (u->levels > 1)
        openai_check_bool(v, "resblock_updown", u->down_res[0]);

    check_mult(v, u);
    if (u->width > 0)
        openai_check_attention(v, u, "attention_resolutions");
}

int openai_schedule(struct conversion *v, struct diffusion *d)
{
    struct settings *s = v->say;
    const char *schedule = settings_text(s, "noise_schedule", NULL);
    int steps = settings_int(s, "diffusion_steps", 1, 65535, 0);
    bool rescale = settings_bool(s, "rescale_timesteps", false);
    bool cosine = schedule && !strcmp(schedule, "cosine");

    if (schedule && !cosine && strcmp(schedule, "linear"))
        settings_wrong(s, "noise_schedule", "expected linear or cosine");
    if (steps == 0)
        settings_ask(s, "diffusion_steps=1000");
    if (!schedule)
        settings_ask(s, "noise_schedule=linear");

    /* The default differs between the two origins.  With 1000 steps both mean the same. */
    if (steps != 1000 && !settings_given(s, "rescale_timesteps"))
        settings_ask(s, "rescale_timesteps=true");
    if (s->code || s->missing[0] != '\0')
        return DDPM_EUSAGE;

    d->steps = steps;
    d->name = cosine ? "cosine" : "openai-linear";
    d->t_scale = rescale ? 1000.0 / steps : 1;
    return DDPM_OK;
}

static int read_diffusion(struct conversion *v, const struct unet *u)
{
    struct settings *s = v->say;
    bool small = settings_bool(s, "sigma_small", false), x0 = settings_bool(s, "predict_xstart", false);
    bool learned = u->outputs == 2 * u->channels;
    struct diffusion d = { .prediction = x0 ? "x0" : "eps", .clip = 1 };
    int code = openai_schedule(v, &d);
    if (code)
        return code;

    if (!learned && !settings_given(s, "sigma_small"))
        conversion_note(v, "sigma_small: taken as false (the variance is beta)");
    if (!settings_given(s, "predict_xstart"))
        conversion_note(v, "predict_xstart: taken as false (the network predicts eps)");

    const char *fixed = small ? "beta-tilde" : "beta";
    d.variance = learned ? "learned-range" : fixed;
    return conversion_diffusion(v, &d);
}

static bool has_several_heads(const struct unet *u)
{
    bool several = u->heads_mid > 1;
    for (int i = 0; i < u->levels; i++)
        several = several || u->heads_down[i] > 1 || u->heads_up[i] > 1;
    return several;
}

static int read_unet(struct conversion *v, struct unet *u)
{
    int code = read_ends(v, u);
    if (!code)
        code = count_blocks(v, u);
    if (!code)
        code = openai_levels(v, u);
    if (code)
        return code;

    bool super_resolution = settings_given(v->say, "large_size") || settings_given(v->say, "small_size");
    if (super_resolution || (u->channels == 6 && u->outputs <= 6))
        return conversion_error(v,
                                "a super-resolution network (its first convolution takes %d channels, three "
                                "of them a small image), which this program does not have",
                                u->channels);
    return DDPM_OK;
}

/* Reads a network that makes images. */
static int read_whole_unet(struct conversion *v, struct openai *o)
{
    struct settings *s = v->say;
    struct unet *u = &o->unet;
    int code = read_unet(v, u);
    if (code)
        return code;
    if (!settings_size(s, "image_size", &u->height, &u->width))
        settings_ask(s, "image_size=64");
    read_heads(v, u);
    check_flags(v, u);
    u->dropout = settings_number(s, "dropout", 0, 1, 0);
    o->new_order = settings_bool(s, "use_new_attention_order", false);
    if ((code = read_diffusion(v, u)) != DDPM_OK)
        return code;

    if (has_several_heads(u) && !settings_given(s, "use_new_attention_order"))
        conversion_note(v, "use_new_attention_order: taken as false (the rows of qkv by heads)");
    return DDPM_OK;
}

static int read(struct conversion *v)
{
    struct openai *o = dd_arena(&v->arena, 1, sizeof *o);
    if (!o)
        return dd_error_memory(v->err, "the configuration");
    struct unet *u = &o->unet;
    *u = (struct unet){ .act = "silu",
                        .groups = 32,
                        .mid_groups = 32,
                        .eps = 1e-5,
                        .mid_scale = 1,
                        .mid = true,
                        .cos_first = true };
    v->shape = o;

    bool makes_images = conversion_mentions(v, "output_blocks.");
    int code = refuse_others(v);
    if (!code)
        code = makes_images ? read_whole_unet(v, o) : openai_read_classifier(v, o);
    if (code)
        return code;
    v->net = unet_to_json(u);
    return v->net ? conversion_freq_divide_last(v, u->time_dim / 2, u->time_dim / 2)
                  : dd_error_memory(v->err, "the configuration");
}

const struct family family_openai = {
    .name = "openai",
    .origin = "OpenAI",
    .signature = signature,
    .spare = spare,
    .read = read,
    .map = openai_map,
};
