/* Makes UNet2DModel's config.json and scheduler_config.json from "net" and "diffusion" of a model.  It is the
   reverse of family_diffusers.c and diffusers_scheduler.c (checkpoint-families.md 1.1, 8.1).

   diffusers has a single number for some settings of which our model has several: heads, samplers of levels
   with attention, widths of the embedding.  These have to agree.  A schedule that has no name in diffusers is
   written out as trained_betas, which diffusers rounds to float32. */
#include "family/export_diffusers.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "family/diffusers_words.h"
#include "family/export_folder.h"
#include "family/unet_config.h"

struct exporter {
    const ddpm_model *model;
    const ddpm_about *about;
    struct unet unet;
    const char *schedule, *prediction, *variance; /* texts of "diffusion" */
    ddpm_error *err;
};

static int refuse(const struct exporter *e, const char *format, ...) DD_PRINTF(2, 3);

static int refuse(const struct exporter *e, const char *format, ...)
{
    char why[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return dd_error(e->err, DDPM_EDATA, "diffusers cannot express this model: %s", why);
}

static void add_null_or_number(cJSON *c, const char *key, double number)
{
    if (number > 0)
        cJSON_AddNumberToObject(c, key, number);
    else
        cJSON_AddNullToObject(c, key);
}

static void begin(cJSON *c, const char *class)
{
    cJSON_AddStringToObject(c, "_class_name", class);
    cJSON_AddStringToObject(c, "_diffusers_version", EXPORT_DIFFUSERS);
}

/* ---- the network ---- */

/* Finds the shift for which f_i = exp(-ln(10000) i / (half - shift)) equals time.freq, up to a few
   roundings of float32. */
static int find_freq_shift(double *shift, const struct exporter *e, const float *freq, int half)
{
    /* f_1 alone gives the shift.  Adding 0.0 turns -0 into 0. */
    *shift = half > 1 ? round(half - log(10000) / -log(freq[1])) + 0.0 : 0;

    for (int i = 0; i < half; i++)
        if (!(fabs(freq[i] - exp(-log(10000) * i / (half - *shift))) <= 2e-6 * freq[i]))
            return refuse(e, "time.freq[%d] is %g, which no freq_shift gives", i, (double)freq[i]);
    return DDPM_OK;
}

static int add_time(cJSON *c, const struct exporter *e)
{
    const struct unet *u = &e->unet;
    if (u->time_dim != u->widths[0] || u->init != u->widths[0])
        return refuse(e,
                      "net.init is %d, net.time.dim %d and net.widths[0] %d; it has one number for the three",
                      u->init, u->time_dim, u->widths[0]);
    if (e->about->t_scale != 1)
        return refuse(e, "diffusion.t_scale is %g; it feeds the step as it stands", e->about->t_scale);

    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(e->model, &t);
    double shift = 0;
    int code = DDPM_OK;
    for (size_t i = 0; i < n && !code; i++)
        if (!strcmp(t[i].name, "time.freq"))
            code = find_freq_shift(&shift, e, t[i].data, (int)t[i].dim[0]);

    cJSON_AddStringToObject(c, "time_embedding_type", "positional");
    cJSON_AddNumberToObject(c, "time_embedding_dim", u->time_hidden);
    cJSON_AddNumberToObject(c, "freq_shift", shift);
    cJSON_AddBoolToObject(c, "flip_sin_to_cos", u->cos_first);
    return code;
}

/* Adds the blocks of one side, and the sampler, which is the same for all its levels with attention. */
static int add_side(cJSON *c, const struct exporter *e, bool up)
{
    const struct unet *u = &e->unet;
    cJSON *list = cJSON_AddArrayToObject(c, up ? "up_block_types" : "down_block_types");
    bool any_conv = false, any_res = false;
    for (int i = 0; i < u->levels; i++) {
        int level = up ? u->levels - 1 - i : i;

        /* The step behind this level lies between the levels `step` and step + 1. */
        int step = up ? level - 1 : level;
        bool steps = i + 1 < u->levels, res = steps && (up ? u->up_res : u->down_res)[step];
        bool attends = (up ? u->heads_up : u->heads_down)[level] > 0;
        int kind = res ? DIFFUSERS_RESIDUAL : DIFFUSERS_PLAIN;
        any_res = any_res || (attends && steps && res);
        any_conv = any_conv || (attends && steps && !res);
        if (attends)
            kind = DIFFUSERS_ATTENTION;
        cJSON_AddItemToArray(list, cJSON_CreateString(diffusers_blocks[up][kind]));
    }

    if (any_conv && any_res)
        return refuse(e, "net.%s has both \"conv\" and \"res\" at levels with attention", up ? "up" : "down");
    cJSON_AddStringToObject(c, up ? "upsample_type" : "downsample_type",
                            diffusers_word(diffusers_samplers, any_res ? "res" : "conv"));
    return DDPM_OK;
}

static int add_blocks(cJSON *c, const struct exporter *e)
{
    const struct unet *u = &e->unet;
    int code = add_side(c, e, false);
    if (!code)
        code = add_side(c, e, true);
    cJSON_AddItemToObject(c, "block_out_channels", cJSON_CreateIntArray(u->widths, u->levels));
    cJSON_AddNumberToObject(c, "layers_per_block", u->blocks);
    cJSON_AddNumberToObject(c, "downsample_padding", !u->pad_right);
    return code;
}

/* The properties that all attentions of the network share.  single: each has one head; same: each head has
   dim channels. */
struct heads {
    bool any, single, same;
    int dim;
};

static void take_heads(struct heads *h, const struct unet *u, int heads, int level)
{
    if (heads == 0)
        return;
    int dim = u->head_dim ? u->head_dim : u->widths[level] / heads;
    /* diffusers would give the level width / dim heads. */
    h->single = h->single && heads == 1;
    h->same = h->same && (!h->any || dim == h->dim) && u->widths[level] / dim == heads;
    h->any = true;
    h->dim = dim;
}

/* Adds attention_head_dim, which makes width / dim heads at every level.  null means one head, as wide as
   its level. */
static int add_heads(cJSON *c, const struct exporter *e)
{
    const struct unet *u = &e->unet;
    struct heads h = { .single = u->head_dim == 0, .same = true };
    for (int i = 0; i < u->levels; i++)
        take_heads(&h, u, u->heads_down[i], i);
    for (int i = 0; i < u->levels; i++)
        take_heads(&h, u, u->heads_up[i], i);
    take_heads(&h, u, u->mid ? u->heads_mid : 0, u->levels - 1);

    if (h.any && !h.same && !h.single)
        return refuse(
            e, "net.heads: the width of a head differs between levels, and it has one attention_head_dim");
    if (h.single)
        cJSON_AddNullToObject(c, "attention_head_dim");
    else
        cJSON_AddNumberToObject(c, "attention_head_dim", h.dim);
    return DDPM_OK;
}

static void add_middle(cJSON *c, const struct unet *u)
{
    cJSON_AddBoolToObject(c, "add_attention", u->mid && u->heads_mid > 0);
    if (u->mid)
        cJSON_AddStringToObject(c, "mid_block_type", "UNetMidBlock2D");
    else
        cJSON_AddNullToObject(c, "mid_block_type");
    cJSON_AddNumberToObject(c, "mid_block_scale_factor", u->mid_scale);
}

static int add_norms(cJSON *c, const struct exporter *e)
{
    const struct unet *u = &e->unet;
    bool attends = u->mid && u->heads_mid > 0;
    if (attends && !u->scale_shift && !u->mid_groups)
        return refuse(e, "net.norm.mid_attention is 0; it leaves that norm out only with scale_shift");

    /* Without a value, diffusers gives the norm this number of groups. */
    int usual = u->scale_shift ? 0 : u->groups;
    cJSON_AddNumberToObject(c, "norm_num_groups", u->groups);
    cJSON_AddNumberToObject(c, "norm_eps", u->eps);
    add_null_or_number(c, "attn_norm_num_groups", attends && u->mid_groups != usual ? u->mid_groups : 0);
    cJSON_AddStringToObject(c, "resnet_time_scale_shift", diffusers_time_shifts[u->scale_shift].theirs);
    return DDPM_OK;
}

static int describe_unet(cJSON *c, const struct exporter *e)
{
    const struct unet *u = &e->unet;

    begin(c, "UNet2DModel");
    if (u->height == u->width)
        cJSON_AddNumberToObject(c, "sample_size", u->height);
    else
        cJSON_AddItemToObject(c, "sample_size", cJSON_CreateIntArray((int[]){ u->height, u->width }, 2));
    cJSON_AddNumberToObject(c, "in_channels", u->channels);
    cJSON_AddNumberToObject(c, "out_channels", u->outputs);
    cJSON_AddBoolToObject(c, "center_input_sample", u->center);
    cJSON_AddStringToObject(c, "act_fn", diffusers_word(diffusers_acts, u->act));
    cJSON_AddNumberToObject(c, "dropout", u->dropout);
    cJSON_AddNullToObject(c, "class_embed_type");
    add_null_or_number(c, "num_class_embeds", u->classes);

    int code = add_time(c, e);
    if (!code)
        code = add_blocks(c, e);
    if (!code)
        code = add_heads(c, e);
    add_middle(c, u);
    return code ? code : add_norms(c, e);
}

/* ---- the schedule ---- */

/* Returns true when the schedule of this name is the model's, up to the float32 in which diffusers
   computes it.  beta and alpha_bar have room for the model's steps. */
static bool gives(const char *name, const ddpm_about *a, double *beta, double *alpha_bar)
{
    bool same = ddpm_betas(beta, alpha_bar, a->steps, name, NULL) == DDPM_OK;
    for (int t = 0; t < a->steps && same; t++)
        same =
            fabs(beta[t] - a->beta[t]) <= 1e-5 * a->beta[t] && fabs(alpha_bar[t] - a->alpha_bar[t]) <= 1e-5;
    return same;
}

/* Reads the two numbers in the name of a schedule, "f32:linear:1e-4,0.02"; without them, diffusers'
   defaults. */
static void read_ends(double *start, double *end, const char *name)
{
    const char *numbers = strchr(name, ':');
    if (numbers && !strncmp(name, "f32:", 4))
        numbers = strchr(numbers + 1, ':');
    if (!numbers || sscanf(numbers + 1, "%lf,%lf", start, end) != 2) {
        *start = 1e-4;
        *end = 0.02;
    }
}

/* Returns the schedule of diffusers that equals the model's; DIFFUSERS_SCHEDULES: there is none.  room [2
   * steps]. */
static int find_schedule(const struct exporter *e, double start, double end, bool zero, double *room)
{
    static const int order[] = { DIFFUSERS_LINEAR, DIFFUSERS_SCALED_LINEAR, DIFFUSERS_SIGMOID,
                                 DIFFUSERS_COSINE };

    for (int i = 0; i < DIFFUSERS_SCHEDULES; i++) {
        char name[128];
        diffusers_schedule(name, order[i], start, end, zero);
        if (gives(name, e->about, room, room + e->about->steps))
            return order[i];
    }
    return DIFFUSERS_SCHEDULES;
}

static int add_betas(cJSON *c, const struct exporter *e, double *room)
{
    const ddpm_about *a = e->about;
    bool zero = a->alpha_bar[a->steps - 1] == 0;
    double start, end;

    read_ends(&start, &end, e->schedule);
    int schedule = find_schedule(e, start, end, zero, room);

    if (schedule < DIFFUSERS_SCHEDULES) {
        cJSON_AddStringToObject(c, "beta_schedule", diffusers_schedules[schedule].theirs);
        cJSON_AddNumberToObject(c, "beta_start", start);
        cJSON_AddNumberToObject(c, "beta_end", end);
        cJSON_AddNullToObject(c, "trained_betas");
        cJSON_AddBoolToObject(c, "rescale_betas_zero_snr", zero);
        return DDPM_OK;
    }

    /* Any other schedule is written as a list of betas. */
    if (zero)
        return refuse(
            e,
            "diffusion.name is \"%.60s\", whose signal ends at zero; it has that for its own schedules only",
            e->schedule);
    cJSON_AddItemToObject(c, "trained_betas", cJSON_CreateDoubleArray(a->beta, a->steps));
    return DDPM_OK;
}

static int describe_scheduler(cJSON *c, const struct exporter *e)
{
    const ddpm_about *a = e->about;
    if (a->variance == DDPM_LEARNED)
        return refuse(
            e, "diffusion.variance is \"learned\", the logarithm of a variance; it has \"learned-range\"");
    if (a->variance != DDPM_LEARNED_RANGE && a->outputs != a->channels)
        return refuse(e, "net.outputs is %d for %d channels, but diffusion.variance is not \"learned-range\"",
                      a->outputs, a->channels);

    begin(c, "DDPMScheduler");
    cJSON_AddNumberToObject(c, "num_train_timesteps", a->steps);
    cJSON_AddStringToObject(c, "prediction_type", diffusers_word(diffusers_predictions, e->prediction));
    cJSON_AddStringToObject(c, "variance_type", diffusers_word(diffusers_variances, e->variance));
    cJSON_AddBoolToObject(c, "clip_sample", a->clip > 0);
    cJSON_AddNumberToObject(c, "clip_sample_range", a->clip > 0 ? a->clip : 1);
    cJSON_AddBoolToObject(c, "thresholding", 0);
    cJSON_AddStringToObject(c, "timestep_spacing", "leading");
    cJSON_AddNumberToObject(c, "steps_offset", 0);

    /* The tables are room for schedules to compare with. */
    double *room = malloc(2 * (size_t)a->steps * sizeof *room);
    int code = room ? add_betas(c, e, room) : dd_error_memory(e->err, "the schedule");
    free(room);
    return code;
}

/* ---- the folder ---- */

static const char *text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static int read_model(struct exporter *e, const cJSON *root)
{
    const cJSON *net = cJSON_GetObjectItemCaseSensitive(root, "net");
    const cJSON *diffusion = cJSON_GetObjectItemCaseSensitive(root, "diffusion");
    if (strcmp(text(net, "arch"), "ddpm"))
        return refuse(e, "net.arch is \"%s\", UNet2DModel is \"ddpm\"", text(net, "arch"));

    unet_from_json(&e->unet, net);
    e->schedule = text(diffusion, "name");
    e->prediction = text(diffusion, "prediction");
    e->variance = text(diffusion, "variance");
    return DDPM_OK;
}

int export_diffusers(const ddpm_model *m, const char *folder, bool replace, ddpm_error *err)
{
    struct exporter e = { .model = m, .about = ddpm_model_about(m), .err = err };
    cJSON *root = cJSON_Parse(e.about->json);
    cJSON *unet = cJSON_CreateObject(), *scheduler = cJSON_CreateObject();
    int code = root && unet && scheduler ? DDPM_OK : dd_error_memory(err, "the exported folder");

    if (!code)
        code = read_model(&e, root);
    if (!code)
        code = describe_unet(unet, &e);
    if (!code)
        code = describe_scheduler(scheduler, &e);
    if (!code)
        code = export_folder_write(m, folder, unet, scheduler, replace, err);

    cJSON_Delete(root);
    cJSON_Delete(unet);
    cJSON_Delete(scheduler);
    return code;
}
