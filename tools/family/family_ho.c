/* Reads the network of Ho et al.  2020 in PyTorch: pesser's port of the published models, and ermongroup's
   training code (checkpoint-families.md 3).  The tensors show the shape.  Image size, schedule and
   variance are in a configuration that the file does not hold. */
#include <stdio.h>
#include <string.h>
#include "family/family.h"
#include "family/unet_config.h"
#include "family/unet_names.h"

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

/* ---- what the tensors show ---- */

/* Returns how many tensors have the names that the format gives for 0, 1, ...; at most most + 1. */
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
    static const struct conversion_end_names names = { "temb.dense.0.weight", "conv_in.weight",
                                                       "conv_out.weight", 4 };
    struct conversion_ends ends;
    int64_t dim[4];
    int code = conversion_ends(v, &ends, &names);
    if (code)
        return code;

    u->time_hidden = ends.time_hidden;
    u->time_dim = ends.time_dim;
    u->init = ends.init;
    u->channels = ends.channels;
    u->outputs = ends.outputs;
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

/* ---- what the configuration says ---- */

static void check_widths(struct conversion *v, const struct unet *u)
{
    int mult[UNET_LEVELS], n = settings_ints(v->say, "model.ch_mult", mult, UNET_LEVELS, 1, 1024);
    if (n > 0 && n != u->levels)
        settings_wrong(v->say, "model.ch_mult", "but the tensors show %d levels", u->levels);
    for (int i = 0; i < n && i < u->levels; i++)
        if (mult[i] * u->time_dim != u->widths[i])
            settings_wrong(v->say, "model.ch_mult",
                           "but the tensors show %d channels at level %d, where ch is %d", u->widths[i], i,
                           u->time_dim);
}

/* Compares the levels with attention: in the configuration, those whose width is listed. */
static void check_attention(struct conversion *v, const struct unet *u)
{
    int list[32], n = settings_ints(v->say, "model.attn_resolutions", list, 32, 1, 1 << 16);
    if (!settings_given(v->say, "model.attn_resolutions"))
        return;

    for (int i = 0; i < u->levels; i++) {
        bool listed = false;
        for (int k = 0; k < n; k++)
            /* Each level has half the width of the level before. */
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

    /* The tensors show these values too. */
    conversion_check_int(v, "model.ch", u->time_dim);
    conversion_check_int(v, "model.num_res_blocks", u->blocks);
    conversion_check_int(v, "model.in_channels", u->channels);
    conversion_check_int(v, "model.out_ch", u->outputs);
    conversion_check_int(v, "data.channels", u->channels);
    check_widths(v, u);
    if (u->width > 0)
        check_attention(v, u);

    /* These have one value in this program. */
    conversion_refuse_if(v, "model.resamp_with_conv", !settings_bool(s, "model.resamp_with_conv", true));
    conversion_refuse_if(v, "model.type", strcmp(settings_text(s, "model.type", "simple"), "simple"));
    conversion_refuse_if(v, "data.rescaled", !settings_bool(s, "data.rescaled", true));
    conversion_refuse_if(v, "data.logit_transform", settings_bool(s, "data.logit_transform", false));
    u->dropout = settings_number(s, "model.dropout", 0, 1, 0);
}

/* Returns our name of the variance.  The published models have the small one for 256 x 256 pixels, and the
   large one for 32 and 64. */
static const char *variance_name(struct conversion *v, const struct unet *u)
{
    struct settings *s = v->say;
    const char *outside = settings_text(s, "logvar_type", NULL);
    const char *type = settings_text(s, "model.var_type", outside);
    if (!type) {
        type = u->width >= 256 ? "fixedsmall" : "fixedlarge";
        conversion_note(v, "var_type: taken as %s, as published for images of this size", type);
    }

    bool small = !strcmp(type, "fixedsmall");
    if (!small && strcmp(type, "fixedlarge"))
        settings_wrong(s, type == outside ? "logvar_type" : "model.var_type",
                       "expected fixedlarge or fixedsmall");
    return small ? "beta-tilde" : "beta";
}

/* Writes our name of the schedule, "linear:0.0001,0.02".  cast: the tables are rounded to float32, as in
   ermongroup's code. */
static void write_schedule(char name[160], const char *schedule, double start, double end, bool cast)
{
    char first[32], last[32];
    const char *rounded = cast ? "cast:" : "";
    conversion_number(first, start);
    conversion_number(last, end);

    if (!strcmp(schedule, "jsd"))
        snprintf(name, 160, "%s%s", rounded, schedule);
    else if (!strcmp(schedule, "const"))
        snprintf(name, 160, "%s%s:%s", rounded, schedule, last);
    else
        snprintf(name, 160, "%s%s:%s,%s", rounded, schedule, first, last);
}

/* Returns the name of the schedule, and notes which values are taken as published because nothing gives
   them. */
static const char *schedule_of(struct conversion *v, int steps, double start, double end)
{
    static const char *const schedules[] = { "linear",   "quad",     "const",  "jsd",
                                             "warmup10", "warmup50", "sigmoid" };
    static const char *const keys[] = { "diffusion.beta_schedule", "diffusion.beta_start",
                                        "diffusion.beta_end", "diffusion.num_diffusion_timesteps" };
    struct settings *s = v->say;
    const char *schedule = settings_text(s, keys[0], schedules[0]);
    char first[32], last[32];
    bool complete = true, known = false;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        complete = settings_given(s, keys[i]) && complete;
    if (!complete)
        conversion_note(v,
                        "schedule: taken as beta_schedule %s, beta_start %s, beta_end %s, "
                        "num_diffusion_timesteps %d, as published where not said",
                        schedule, conversion_number(first, start), conversion_number(last, end), steps);

    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        known = known || !strcmp(schedule, schedules[i]);
    if (!known)
        settings_wrong(s, keys[0], "expected linear, quad, const, jsd, warmup10, warmup50 or sigmoid");
    return schedule;
}

static int read_diffusion(struct conversion *v, const struct unet *u)
{
    struct settings *s = v->say;
    char name[160];
    struct diffusion d = { .name = name, .prediction = "eps", .clip = 1, .t_scale = 1 };
    d.variance = variance_name(v, u);
    d.steps = settings_int(s, "diffusion.num_diffusion_timesteps", 1, 65535, 1000);
    double start = settings_number(s, "diffusion.beta_start", 1e-12, 1, 1e-4);
    double end = settings_number(s, "diffusion.beta_end", 1e-12, 1, 0.02);
    const char *schedule = schedule_of(v, d.steps, start, end);
    if (s->code || s->missing[0] != '\0')
        return DDPM_EUSAGE;

    /* A file with an average beside the raw weights is from ermongroup. */
    write_schedule(name, schedule, start, end, v->in->has_ema);
    return conversion_diffusion(v, &d);
}

static int read(struct conversion *v)
{
    struct unet *u = dd_arena(&v->arena, 1, sizeof *u);
    if (!u)
        return dd_error_memory(v->err, "the configuration");
    *u = (struct unet){ .act = "silu",
                        .groups = 32,
                        .mid_groups = 32,
                        .eps = 1e-6,
                        .mid_scale = 1,
                        .mid = true,
                        .pad_right = true };
    v->shape = u;

    int code = read_shapes(v, u);
    if (code)
        return code;
    read_config(v, u);
    if ((code = read_diffusion(v, u)) != DDPM_OK)
        return code;

    v->net = unet_to_json(u);
    return v->net ? conversion_freq_divide_first(v, u->time_dim / 2, u->time_dim / 2 - 1, 10000)
                  : dd_error_memory(v->err, "the configuration");
}

/* ---- the map of names ---- */

/* The beginnings of our names: first outside of blocks, then inside of them. */
static const struct unet_rename names[] = {
    { "time_embedding.linear_1.", "temb.dense.0." },
    { "time_embedding.linear_2.", "temb.dense.1." },
    { "conv_norm_out.", "norm_out." },

    { "time_emb_proj.", "temb_proj." },
    { "conv_shortcut.", "nin_shortcut." },

    { "group_norm.", "norm." },
    { "to_q.", "q." },
    { "to_k.", "k." },
    { "to_v.", "v." },
    { "to_out.0.", "proj_out." },
};

enum { NAMES = sizeof names / sizeof *names };

/* Writes the beginning of the foreign name, "up.2.attn.1.".  Levels of the way up are numbered from full
   size there, as on the way down. */
static void write_place(char text[64], const struct unet *u, const struct unet_place *p)
{
    const char *side = p->side == UNET_UP ? "up" : "down";
    int level = p->side == UNET_UP ? u->levels - 1 - p->block : p->block;

    if (p->side == UNET_MIDDLE && p->part == UNET_ATTENTION)
        snprintf(text, 64, "mid.attn_1.");
    else if (p->side == UNET_MIDDLE)
        snprintf(text, 64, "mid.block_%d.", p->layer + 1);
    else if (p->part == UNET_SAMPLER)
        snprintf(text, 64, "%s.%d.%ssample.", side, level, side);
    else
        snprintf(text, 64, "%s.%d.%s.%d.", side, level, p->part == UNET_ATTENTION ? "attn" : "block",
                 p->layer);
}

static void map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours)
{
    struct unet_place p;
    char place[64], inside[64];

    if (unet_find_place(&p, ours->name)) {
        write_place(place, v->shape, &p);
        unet_rename(inside, sizeof inside, p.inside, names, NAMES);
        snprintf(from->name, sizeof from->name, "%s%s", place, inside);
    } else {
        unet_rename(from->name, sizeof from->name, ours->name, names, NAMES);
    }
}

const struct family family_ho = {
    .name = "ho",
    .origin = "Ho et al. (pesser, ermongroup)",
    .signature = signature,
    .spare = spare,
    .read = read,
    .map = map,
};
