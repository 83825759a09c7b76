/* The network of Ho et al. 2020 in PyTorch: pesser's port of the published models, and ermongroup's training
   code (checkpoint-families.md 3).  The tensors tell the shape; the size of the images, the schedule and the
   variance stand in a configuration that the file does not hold. */
#include <stdio.h>
#include <string.h>
#include "family/unet_tensors.h"

static const char *const signature[] = { "temb.dense.0.weight", "down.0.block.0.norm1.weight", NULL };
static const char *const spare[] = { "note",
                                     "_*",
                                     "optim.*",
                                     "training.*",
                                     "sampling.*",
                                     "data.dataset",
                                     "data.category",
                                     "data.num_workers",
                                     "data.random_flip",
                                     "data.uniform_dequantization",
                                     "data.gaussian_dequantization",
                                     "model.ema",
                                     "model.ema_rate",
                                     NULL };

static int count(const struct conversion *v, const char *format, int most)
{
    int n = 0;
    char name[64];
    for (; n <= most; n++) {
        snprintf(name, sizeof name, format, n);
        if (checkpoint_find(v->in, name) == NULL)
            break;
    }
    return n;
}

static int read_shapes(struct conversion *v, struct unet *u)
{
    int64_t dim[4];
    int code = conversion_shape(v, dim, 2, "temb.dense.0.weight");
    if (code)
        return code;
    u->time_hidden = (int)dim[0], u->time_dim = (int)dim[1];
    if ((code = conversion_shape(v, dim, 4, "conv_in.weight")) != DDPM_OK)
        return code;
    u->init = (int)dim[0], u->channels = (int)dim[1];
    if ((code = conversion_shape(v, dim, 4, "conv_out.weight")) != DDPM_OK)
        return code;
    u->outputs = (int)dim[0];
    u->levels = count(v, "down.%d.block.0.conv1.weight", UNET_LEVELS);
    u->blocks = count(v, "down.0.block.%d.conv1.weight", UNET_BLOCKS);
    if (u->levels < 1 || u->levels > UNET_LEVELS || u->blocks < 1 || u->blocks > UNET_BLOCKS ||
        u->outputs != u->channels)
        return conversion_error(v,
                                "expected 1 to %d levels of 1 to %d blocks and as many channels out as in, "
                                "found %d, %d, and %d from %d",
                                UNET_LEVELS, UNET_BLOCKS, u->levels, u->blocks, u->outputs, u->channels);
    u->heads_mid = 1;
    for (int i = 0; i < u->levels && !code; i++) {
        code = conversion_shape(v, dim, 4, "down.%d.block.0.conv1.weight", i);
        u->widths[i] = (int)dim[0];
        u->heads_down[i] = conversion_has(v, "down.%d.attn.0.q.weight", i);
        u->heads_up[i] = conversion_has(v, "up.%d.attn.0.q.weight", i);
    }
    return code;
}

static void check_lists(struct conversion *v, const struct unet *u)
{
    int list[32], n = settings_ints(v->say, "model.ch_mult", list, UNET_LEVELS, 1, 1024);
    if (n > 0 && n != u->levels)
        settings_wrong(v->say, "model.ch_mult", "but the tensors show %d levels", u->levels);
    for (int i = 0; i < n && i < u->levels; i++)
        if (list[i] * u->time_dim != u->widths[i])
            settings_wrong(v->say, "model.ch_mult",
                           "but the tensors show %d channels at level %d, where ch is %d", u->widths[i], i,
                           u->time_dim);
    n = settings_ints(v->say, "model.attn_resolutions", list, 32, 1, 1 << 16);
    if (!settings_given(v->say, "model.attn_resolutions"))
        return;
    for (int i = 0; i < u->levels; i++) {
        bool listed = false;
        for (int k = 0; k < n; k++)
            listed = listed || list[k] == u->width >> i;
        if (listed != u->heads_down[i] || listed != u->heads_up[i])
            settings_wrong(v->say, "model.attn_resolutions",
                           "which %s attention at resolution %d, but the tensors %s",
                           listed ? "means" : "means no", u->width >> i,
                           listed ? "have none there" : "have it there");
    }
}

static void read_config(struct conversion *v, struct unet *u)
{
    struct settings *s = v->say;
    if (!settings_size(s, "model.resolution", &u->height, &u->width) &&
        !settings_size(s, "data.image_size", &u->height, &u->width))
        settings_ask(s, "resolution=32");
    conversion_check_int(v, "model.ch", u->time_dim);
    conversion_check_int(v, "model.num_res_blocks", u->blocks);
    conversion_check_int(v, "model.in_channels", u->channels);
    conversion_check_int(v, "model.out_ch", u->outputs);
    conversion_check_int(v, "data.channels", u->channels);
    if (u->width > 0)
        check_lists(v, u);
    conversion_refuse_if(v, "model.resamp_with_conv", !settings_bool(s, "model.resamp_with_conv", true));
    conversion_refuse_if(v, "model.type", strcmp(settings_text(s, "model.type", "simple"), "simple"));
    conversion_refuse_if(v, "data.rescaled", !settings_bool(s, "data.rescaled", true));
    conversion_refuse_if(v, "data.logit_transform", settings_bool(s, "data.logit_transform", false));
    u->dropout = settings_number(s, "model.dropout", 0, 1, 0);
}

/* The published models of 256 x 256 have the small variance, those of 32 and 64 the large one. */
static const char *variance_name(struct conversion *v, const struct unet *u)
{
    struct settings *s = v->say;
    const char *fallback = u->width >= 256 ? "fixedsmall" : "fixedlarge";
    const char *type = settings_text(s, "model.var_type", settings_text(s, "logvar_type", NULL));
    if (!type)
        conversion_note(v, "var_type: taken as %s, as published for images of this size", type = fallback);
    if (strcmp(type, "fixedsmall") && strcmp(type, "fixedlarge"))
        settings_wrong(s, settings_given(s, "model.var_type") ? "model.var_type" : "logvar_type",
                       "expected fixedlarge or fixedsmall");
    return !strcmp(type, "fixedsmall") ? "beta-tilde" : "beta";
}

static int read_diffusion(struct conversion *v, const struct unet *u)
{
    static const char *const schedules[] = { "linear",   "quad",     "const",  "jsd",
                                             "warmup10", "warmup50", "sigmoid" };
    struct settings *s = v->say;
    const char *variance = variance_name(v, u), *schedule = settings_text(s, "diffusion.beta_schedule", NULL);
    char first[32], last[32], name[160];
    int steps = settings_int(s, "diffusion.num_diffusion_timesteps", 1, 65535, 1000), known = 0;
    bool start_given = settings_given(s, "diffusion.beta_start"),
         end_given = settings_given(s, "diffusion.beta_end");
    const char *start = conversion_number(first, settings_number(s, "diffusion.beta_start", 1e-12, 1, 1e-4));
    const char *end = conversion_number(last, settings_number(s, "diffusion.beta_end", 1e-12, 1, 0.02));
    if (!schedule || !start_given || !end_given || !settings_given(s, "diffusion.num_diffusion_timesteps"))
        conversion_note(v,
                        "schedule: taken as beta_schedule %s, beta_start %s, beta_end %s, "
                        "num_diffusion_timesteps %d, as published "
                        "where not said",
                        !schedule ? "linear" : schedule, start, end, steps);
    if (!schedule)
        schedule = schedules[0];
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        known = known || !strcmp(schedule, schedules[i]);
    if (!known)
        settings_wrong(s, "diffusion.beta_schedule",
                       "expected linear, quad, const, jsd, warmup10, warmup50 or sigmoid");
    if (s->code || s->missing[0] != '\0')
        return DDPM_EUSAGE;
    bool two = strcmp(schedule, "const"), none = !strcmp(schedule, "jsd");
    /* ermongroup's files, the ones that hold an average beside the raw weights, come with tables rounded to float32. */
    int used = snprintf(name, sizeof name, "%s%s", v->in->has_ema ? "cast:" : "", schedule);
    if (!none)
        snprintf(name + used, sizeof name - (size_t)used, ":%s%s%s", two ? start : end, two ? "," : "",
                 two ? end : "");
    return conversion_diffusion(v, steps, name, "eps", variance, 1, 1);
}

/* "to_q.weight" and the like to the names inside of a block: what takes the place of the beginning of *part, which is moved
   behind it. */
static const char *inside(const char **part)
{
    static const char *const names[][2] = {
        { "time_emb_proj.", "temb_proj." },
        { "conv_shortcut.", "nin_shortcut." },
        { "group_norm.", "norm." },
        { "to_q.", "q." },
        { "to_k.", "k." },
        { "to_v.", "v." },
        { "to_out.0.", "proj_out." },
        { "linear_1.", "dense.0." },
        { "linear_2.", "dense.1." },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(*part, names[i][0], strlen(names[i][0]))) {
            *part += strlen(names[i][0]);
            return names[i][1];
        }
    return "";
}

/* Where a tensor of ours lies, "up.2.attn.1.": up is counted from full size. */
static const char *place(char text[24], const char **part, const struct unet *u, const char *name)
{
    static const char *const fixed[][2] = {
        { "time_embedding.", "temb." },
        { "mid_block.resnets.0.", "mid.block_1." },
        { "mid_block.attentions.0.", "mid.attn_1." },
        { "mid_block.resnets.1.", "mid.block_2." },
        { "conv_norm_out.", "norm_out." },
    };
    int block, layer;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strncmp(name, fixed[i][0], strlen(fixed[i][0]))) {
            *part = name + strlen(fixed[i][0]);
            return fixed[i][1];
        }
    if ((*part = unet_layer(name, "down", "resnets", &block, &layer)) != NULL)
        snprintf(text, 24, "down.%d.block.%d.", block, layer);
    else if ((*part = unet_layer(name, "down", "attentions", &block, &layer)) != NULL)
        snprintf(text, 24, "down.%d.attn.%d.", block, layer);
    else if ((*part = unet_layer(name, "down", "downsamplers", &block, &layer)) != NULL)
        snprintf(text, 24, "down.%d.downsample.", block);
    else if ((*part = unet_layer(name, "up", "resnets", &block, &layer)) != NULL)
        snprintf(text, 24, "up.%d.block.%d.", u->levels - 1 - block, layer);
    else if ((*part = unet_layer(name, "up", "attentions", &block, &layer)) != NULL)
        snprintf(text, 24, "up.%d.attn.%d.", u->levels - 1 - block, layer);
    else if ((*part = unet_layer(name, "up", "upsamplers", &block, &layer)) != NULL)
        snprintf(text, 24, "up.%d.upsample.", u->levels - 1 - block);
    else {
        *part = name;
        return "";
    }
    return text;
}

static int read(struct conversion *v)
{
    struct unet u = { .act = "silu",
                      .groups = 32,
                      .mid_groups = 32,
                      .eps = 1e-6,
                      .mid_scale = 1,
                      .mid = true,
                      .pad_right = true };
    int code = read_shapes(v, &u);
    if (code)
        return code;
    read_config(v, &u);
    code = read_diffusion(v, &u);
    if (!code)
        code = conversion_freq_early(v, u.time_dim / 2, u.time_dim / 2 - 1, 10000);
    if (!code)
        code = unet_describe(v, &u);
    if (code)
        return code;
    for (size_t i = 0; i < v->wants; i++) {
        char text[24];
        const char *part, *where = place(text, &part, &u, v->want[i].name), *within = inside(&part);
        snprintf(v->want[i].from, sizeof v->want[i].from, "%s%s%s", where, within, part);
    }
    return DDPM_OK;
}

const struct family family_ho = { "ho", "Ho et al. (pesser, ermongroup)", signature, spare, read, NULL };
