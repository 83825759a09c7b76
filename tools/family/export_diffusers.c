/* The reverse of family_diffusers.c (checkpoint-families.md 1.1, 8.1): UNet2DModel's config.json and
   scheduler_config.json from "net" and "diffusion".

   What diffusers has one number for and our model several (heads, samplers of attentive levels, widths of the embedding) must agree.
   A table of betas that no name of diffusers gives is written out as trained_betas, which it rounds to float32. */
#include "family/export_diffusers.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "family/export_folder.h"

enum { LEVELS = 12 };

struct shape {
    const ddpm_about *about;
    const cJSON *net, *diffusion;
    int levels, widths[LEVELS], heads_down[LEVELS], heads_up[LEVELS], heads_mid, dim;
    bool down_res[LEVELS], up_res[LEVELS];
    ddpm_error *err;
};

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(member(object, key));
}

static const char *text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(member(object, key));
}

static int ints(int *out, const cJSON *list)
{
    int n = 0;
    for (const cJSON *i = list->child; i && n < LEVELS; i = i->next)
        out[n++] = i->valueint;
    return n;
}

static void samplers(bool *res, const cJSON *list)
{
    for (const cJSON *i = list->child; i; i = i->next)
        *res++ = !strcmp(i->valuestring, "res");
}

static int refuse(const struct shape *s, const char *format, ...) DD_PRINTF(2, 3);

static int refuse(const struct shape *s, const char *format, ...)
{
    char why[320];
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, sizeof why, format, ap);
    va_end(ap);
    return dd_error(s->err, DDPM_EDATA, "diffusers cannot express this model: %s", why);
}

static int read_shape(struct shape *s)
{
    const cJSON *heads;
    if (strcmp(text(s->net, "arch"), "ddpm"))
        return refuse(s, "net.arch is \"%s\", UNet2DModel is \"ddpm\"", text(s->net, "arch"));
    heads = member(s->net, "heads");
    s->levels = ints(s->widths, member(s->net, "widths"));
    ints(s->heads_down, member(heads, "down"));
    ints(s->heads_up, member(heads, "up"));
    s->heads_mid = cJSON_IsTrue(member(s->net, "mid")) ? (int)number(heads, "mid") : 0;
    s->dim = (int)number(heads, "dim");
    samplers(s->down_res, member(s->net, "down"));
    samplers(s->up_res, member(s->net, "up"));
    return DDPM_OK;
}

/* ---- the network ---- */

/* f_i = exp(-ln(10000) i / (half - freq_shift)); the shift that gives time.freq to a few roundings of float32. */
static int freq_shift(double *shift, const struct shape *s, const float *freq, int half)
{
    *shift = half > 1 ? round(half - log(10000) / -log(freq[1])) + 0.0 : 0;
    for (int i = 0; i < half; i++)
        if (!(fabs(freq[i] - exp(-log(10000) * i / (half - *shift))) <= 2e-6 * freq[i]))
            return refuse(s, "time.freq[%d] is %g, which no freq_shift gives", i, (double)freq[i]);
    return DDPM_OK;
}

static int add_time(cJSON *c, const struct shape *s, const ddpm_model *m)
{
    const cJSON *time = member(s->net, "time");
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    double shift = 0;
    int dim = (int)number(time, "dim"), init = (int)number(s->net, "init"), code = DDPM_OK;
    if (dim != s->widths[0] || init != s->widths[0])
        return refuse(s,
                      "net.init is %d, net.time.dim %d and net.widths[0] %d; it has one number for the three",
                      init, dim, s->widths[0]);
    if (s->about->t_scale != 1)
        return refuse(s, "diffusion.t_scale is %g; it feeds the step as it stands", s->about->t_scale);
    for (size_t i = 0; i < n && !code; i++)
        if (!strcmp(t[i].name, "time.freq"))
            code = freq_shift(&shift, s, t[i].data, (int)t[i].dim[0]);
    cJSON_AddStringToObject(c, "time_embedding_type", "positional");
    cJSON_AddNumberToObject(c, "time_embedding_dim", number(time, "hidden"));
    cJSON_AddNumberToObject(c, "freq_shift", shift);
    cJSON_AddBoolToObject(c, "flip_sin_to_cos", !strcmp(text(time, "order"), "cos,sin"));
    return code;
}

/* One side's list of blocks, in diffusers' order; *sampler: of its attentive levels, -1 while none has one. */
static void add_side(cJSON *list, const struct shape *s, bool up, int *sampler, bool *mixed)
{
    for (int i = 0; i < s->levels; i++) {
        int level = up ? s->levels - 1 - i : i, step = up ? level - 1 : level;
        bool steps = i + 1 < s->levels, res = steps && (up ? s->up_res : s->down_res)[step];
        bool attentive = (up ? s->heads_up : s->heads_down)[level] > 0;
        if (attentive && steps) {
            *mixed = *mixed || (*sampler >= 0 && *sampler != res);
            *sampler = res;
        }
        const char *const name[2][3] = { { "DownBlock2D", "ResnetDownsampleBlock2D", "AttnDownBlock2D" },
                                         { "UpBlock2D", "ResnetUpsampleBlock2D", "AttnUpBlock2D" } };
        cJSON_AddItemToArray(list, cJSON_CreateString(name[up][attentive ? 2 : res]));
    }
}

static int add_blocks(cJSON *c, const struct shape *s)
{
    int sampler[2] = { -1, -1 };
    bool mixed = false;
    for (int up = 0; up < 2; up++) {
        cJSON *list = cJSON_AddArrayToObject(c, up ? "up_block_types" : "down_block_types");
        add_side(list, s, up, &sampler[up], &mixed);
        cJSON_AddStringToObject(c, up ? "upsample_type" : "downsample_type",
                                sampler[up] > 0 ? "resnet" : "conv");
        if (mixed)
            return refuse(s, "net.%s has both \"conv\" and \"res\" at levels with attention",
                          up ? "up" : "down");
    }
    cJSON_AddItemToObject(c, "block_out_channels", cJSON_CreateIntArray(s->widths, s->levels));
    cJSON_AddNumberToObject(c, "layers_per_block", number(s->net, "blocks"));
    cJSON_AddNumberToObject(c, "downsample_padding", !strcmp(text(s->net, "pad"), "both"));
    return DDPM_OK;
}

/* attention_head_dim holds for all: it makes width / dim heads; null is one head as wide as its level. */
static int add_heads(cJSON *c, const struct shape *s)
{
    int dim = 0;
    bool single = s->dim == 0, same = true, any = false;
    for (int i = 0; i < 2 * s->levels + 1; i++) {
        int level = i < 2 * s->levels ? i % s->levels : s->levels - 1;
        int heads = i == 2 * s->levels ? s->heads_mid
                    : i < s->levels    ? s->heads_down[level]
                                       : s->heads_up[level];
        if (!heads)
            continue;
        int own = s->dim ? s->dim : s->widths[level] / heads;
        single = single && heads == 1;
        same = same && (!any || own == dim) && s->widths[level] / own == heads;
        any = true, dim = own;
    }
    if (any && !same && !single)
        return refuse(
            s, "net.heads: the width of a head differs between levels, and it has one attention_head_dim");
    if (single)
        cJSON_AddNullToObject(c, "attention_head_dim");
    else
        cJSON_AddNumberToObject(c, "attention_head_dim", dim);
    cJSON_AddBoolToObject(c, "add_attention", s->heads_mid > 0);
    if (cJSON_IsTrue(member(s->net, "mid")))
        cJSON_AddStringToObject(c, "mid_block_type", "UNetMidBlock2D");
    else
        cJSON_AddNullToObject(c, "mid_block_type");
    cJSON_AddNumberToObject(c, "mid_block_scale_factor", number(s->net, "mid_scale"));
    return DDPM_OK;
}

static int add_norms(cJSON *c, const struct shape *s)
{
    const cJSON *norm = member(s->net, "norm");
    bool scale_shift = cJSON_IsTrue(member(s->net, "scale_shift"));
    int groups = (int)number(norm, "groups"), mid = (int)number(norm, "mid_attention");
    if (s->heads_mid && !scale_shift && !mid)
        return refuse(s, "net.norm.mid_attention is 0; it leaves that norm out only with scale_shift");
    cJSON_AddNumberToObject(c, "norm_num_groups", groups);
    cJSON_AddNumberToObject(c, "norm_eps", number(norm, "eps"));
    if (s->heads_mid && mid != (scale_shift ? 0 : groups))
        cJSON_AddNumberToObject(c, "attn_norm_num_groups", mid);
    else
        cJSON_AddNullToObject(c, "attn_norm_num_groups");
    cJSON_AddStringToObject(c, "resnet_time_scale_shift", scale_shift ? "scale_shift" : "default");
    return DDPM_OK;
}

static int describe_unet(cJSON *c, const struct shape *s, const ddpm_model *m)
{
    const ddpm_about *a = s->about;
    cJSON_AddStringToObject(c, "_class_name", "UNet2DModel");
    cJSON_AddStringToObject(c, "_diffusers_version", EXPORT_DIFFUSERS);
    if (a->height == a->width)
        cJSON_AddNumberToObject(c, "sample_size", a->height);
    else
        cJSON_AddItemToObject(c, "sample_size", cJSON_CreateIntArray((int[]){ a->height, a->width }, 2));
    cJSON_AddNumberToObject(c, "in_channels", a->channels);
    cJSON_AddNumberToObject(c, "out_channels", a->outputs);
    cJSON_AddBoolToObject(c, "center_input_sample", cJSON_IsTrue(member(s->net, "center")));
    cJSON_AddStringToObject(c, "act_fn", text(s->net, "act"));
    cJSON_AddNumberToObject(c, "dropout", number(s->net, "dropout"));
    cJSON_AddNullToObject(c, "class_embed_type");
    if (a->classes)
        cJSON_AddNumberToObject(c, "num_class_embeds", a->classes);
    else
        cJSON_AddNullToObject(c, "num_class_embeds");
    int code = add_time(c, s, m);
    if (!code)
        code = add_blocks(c, s);
    if (!code)
        code = add_heads(c, s);
    return code ? code : add_norms(c, s);
}

/* ---- the schedule ---- */

/* Whether diffusers' table of that name is ours but for the rounding to float32 that it works in. */
static bool gives(const char *spec, const ddpm_about *a, double *beta, double *alpha_bar)
{
    bool same = ddpm_betas(beta, alpha_bar, a->steps, spec, NULL) == DDPM_OK;
    for (int t = 0; t < a->steps && same; t++)
        same =
            fabs(beta[t] - a->beta[t]) <= 1e-5 * a->beta[t] && fabs(alpha_bar[t] - a->alpha_bar[t]) <= 1e-5;
    return same;
}

/* The numbers behind a schedule's name, or diffusers' defaults. */
static void ends(double b[2], const char *name)
{
    const char *at = strchr(name, ':');
    at = at && !strncmp(name, "f32:", 4) ? strchr(at + 1, ':') : at;
    if (!at || sscanf(at + 1, "%lf,%lf", &b[0], &b[1]) != 2)
        b[0] = 1e-4, b[1] = 0.02;
}

static int add_betas(cJSON *c, const struct shape *s, double *room)
{
    static const char *const names[] = { "linear", "scaled_linear", "sigmoid", "squaredcos_cap_v2" };
    const ddpm_about *a = s->about;
    const char *name = text(s->diffusion, "name");
    bool zero = a->alpha_bar[a->steps - 1] == 0;
    double b[2];
    ends(b, name);
    for (int i = 0; i < 4; i++) {
        char numbers[64] = "", spec[128];
        if (i < 3)
            snprintf(numbers, sizeof numbers, ":%.17g,%.17g", b[0], b[1]);
        snprintf(spec, sizeof spec, "f32:%s%s%s", names[i], numbers, zero ? "+zero-snr" : "");
        if (!gives(spec, a, room, room + a->steps))
            continue;
        cJSON_AddStringToObject(c, "beta_schedule", names[i]);
        cJSON_AddNumberToObject(c, "beta_start", b[0]);
        cJSON_AddNumberToObject(c, "beta_end", b[1]);
        cJSON_AddNullToObject(c, "trained_betas");
        cJSON_AddBoolToObject(c, "rescale_betas_zero_snr", zero);
        return DDPM_OK;
    }
    if (zero)
        return refuse(
            s,
            "diffusion.name is \"%.60s\", whose signal ends at zero; it has that for its own schedules only",
            name);
    cJSON_AddItemToObject(c, "trained_betas", cJSON_CreateDoubleArray(a->beta, a->steps));
    return DDPM_OK;
}

static int describe_scheduler(cJSON *c, const struct shape *s)
{
    static const char *const predictions[] = {
        [DDPM_EPS] = "epsilon", [DDPM_X0] = "sample", [DDPM_V] = "v_prediction"
    };
    static const char *const variances[] = {
        [DDPM_BETA] = "fixed_large", [DDPM_BETA_TILDE] = "fixed_small", [DDPM_LEARNED_RANGE] = "learned_range"
    };
    const ddpm_about *a = s->about;
    if (a->variance == DDPM_LEARNED)
        return refuse(
            s, "diffusion.variance is \"learned\", the logarithm of a variance; it has \"learned-range\"");
    if (a->variance != DDPM_LEARNED_RANGE && a->outputs != a->channels)
        return refuse(s, "net.outputs is %d for %d channels, but diffusion.variance is not \"learned-range\"",
                      a->outputs, a->channels);
    cJSON_AddStringToObject(c, "_class_name", "DDPMScheduler");
    cJSON_AddStringToObject(c, "_diffusers_version", EXPORT_DIFFUSERS);
    cJSON_AddNumberToObject(c, "num_train_timesteps", a->steps);
    cJSON_AddStringToObject(c, "prediction_type", predictions[a->prediction]);
    cJSON_AddStringToObject(c, "variance_type", variances[a->variance]);
    cJSON_AddBoolToObject(c, "clip_sample", a->clip > 0);
    cJSON_AddNumberToObject(c, "clip_sample_range", a->clip > 0 ? a->clip : 1);
    cJSON_AddBoolToObject(c, "thresholding", 0);
    cJSON_AddStringToObject(c, "timestep_spacing", "leading");
    cJSON_AddNumberToObject(c, "steps_offset", 0);
    double *room = malloc(2 * (size_t)a->steps * sizeof *room);
    int code =
        room ? add_betas(c, s, room) : dd_error(s->err, DDPM_ENOMEM, "out of memory for %d steps", a->steps);
    free(room);
    return code;
}

int export_diffusers(const ddpm_model *m, const char *folder, bool replace, ddpm_error *err)
{
    struct shape s = { .about = ddpm_model_about(m), .err = err };
    cJSON *root = cJSON_Parse(s.about->json), *unet = cJSON_CreateObject(), *scheduler = cJSON_CreateObject();
    int code = root && unet && scheduler ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory");
    s.net = member(root, "net"), s.diffusion = member(root, "diffusion");
    if (!code)
        code = read_shape(&s);
    if (!code)
        code = describe_unet(unet, &s, m);
    if (!code)
        code = describe_scheduler(scheduler, &s);
    if (!code)
        code = export_folder_write(m, folder, unet, scheduler, replace, err);
    cJSON_Delete(root), cJSON_Delete(unet), cJSON_Delete(scheduler);
    return code;
}
