/* Reads the network of lucidrains' denoising-diffusion-pytorch from 2.0 on, and that of its module
   classifier_free_guidance, which is given classes (checkpoint-families.md 4).  The tensors show its shape.
   Our names are those of the former; lucidrains_schedule.c reads the rest. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "family/family.h"
#include "family/lucidrains_guided.h"
#include "family/lucidrains_schedule.h"

static const char *const signature[] = { "init_conv.weight", "time_mlp.1.weight", NULL };
static const char *const spare[] = { "note",
                                     "_*",
                                     "flash_attn",
                                     "sampling_timesteps",
                                     "ddim_sampling_eta",
                                     "offset_noise_strength",
                                     "min_snr_loss_weight",
                                     "min_snr_gamma",
                                     "immiscible",
                                     "dropout",
                                     "cond_drop_prob",
                                     "Trainer.*",
                                     NULL };
/* The tables that GaussianDiffusion keeps beside the network. */
static const char *const buffers[] = { "betas",
                                       "alphas_cumprod",
                                       "alphas_cumprod_prev",
                                       "sqrt_alphas_cumprod",
                                       "sqrt_one_minus_alphas_cumprod",
                                       "log_one_minus_alphas_cumprod",
                                       "sqrt_recip_alphas_cumprod",
                                       "sqrt_recipm1_alphas_cumprod",
                                       "posterior_variance",
                                       "posterior_log_variance_clipped",
                                       "posterior_mean_coef1",
                                       "posterior_mean_coef2",
                                       "loss_weight",
                                       NULL };

/* ---- what the tensors show ---- */

/* Refuses the author's networks with other inputs. */
static int refuse_others(struct conversion *v)
{
    const struct checkpoint_tensor *first = checkpoint_find(v->in, "init_conv.weight");
    if (first && first->rank != 4)
        return conversion_error(v,
                                "a network of lucidrains for %s: its init_conv.weight has %d dimensions; "
                                "this program has images alone",
                                first->rank == 3 ? "sequences (Unet1D)" : "videos", first->rank);

    if (conversion_has(v, "to_text_non_attn_cond.0.weight") || conversion_mentions(v, "text_to_cond"))
        return conversion_error(v, "a network of lucidrains that is conditioned on text, which this program "
                                   "does not have");
    return DDPM_OK;
}

/* Refuses versions before 2.0, and time embeddings that are learned or random. */
static int refuse_old(struct conversion *v)
{
    const char *why = NULL;
    if (conversion_has(v, "downs.0.0.block1.norm.weight"))
        why = "its blocks have group norms (downs.0.0.block1.norm.weight)";
    else if (!lucidrains_guided(v) && conversion_has(v, "downs.0.2.fn.fn.to_qkv.weight"))
        why = "its attention is called downs.0.2.fn.fn";
    else if (!lucidrains_guided(v) && !conversion_has(v, "mid_attn.mem_kv"))
        why = "its attention has no memory (mid_attn.mem_kv)";
    else if (v->in->version && atoi(v->in->version) < 2)
        why = "its trainer says so";

    if (why) {
        char version[40] = "";
        if (v->in->version)
            snprintf(version, sizeof version, " (%.32s)", v->in->version);
        return conversion_error(v,
                                "a network of lucidrains' denoising-diffusion-pytorch before 2.0%s: %s; this "
                                "program has those from 2.0 on",
                                version, why);
    }

    if (conversion_has(v, "time_mlp.0.weights"))
        return conversion_error(
            v,
            "learned or random sinusoidal embeddings (time_mlp.0.weights), which this program does not have");
    return DDPM_OK;
}

/* Reads the attention at `place`.  A full attention has a tensor to_out.weight, and its mem_kv is [2,
   heads, memory, channels of a head].  For a linear attention the last two dimensions are exchanged. */
static int read_attention(struct conversion *v, struct lucidrains *u, const char *place, int *full)
{
    int64_t dim[4];
    int code = conversion_shape(v, dim, 4, "%s.mem_kv", place);
    if (code)
        return code;

    *full = conversion_has(v, "%s.to_out.weight", place);
    int heads = (int)dim[1], head_dim = (int)(*full ? dim[3] : dim[2]);
    int memory = (int)(*full ? dim[2] : dim[3]);

    /* The first attention tells what all must have. */
    if (u->heads == 0) {
        u->heads = heads;
        u->head_dim = head_dim;
        u->memory = memory;
    }

    if (u->heads != heads || u->head_dim != head_dim || u->memory != memory)
        return conversion_error(
            v,
            "%s has %d heads of %d channels and %d memories, others %d, %d and %d: this program has one kind "
            "per network",
            place, heads, head_dim, memory, u->heads, u->head_dim, u->memory);
    return DDPM_OK;
}

/* Reads the width of level i and its two attentions, on the way down and on the way up. */
static int read_level(struct conversion *v, struct lucidrains *u, int i)
{
    bool last = i + 1 == u->levels;
    int64_t dim[4];
    char down[24], up[24];
    int full_up;
    /* The modules called ups begin at the deepest level. */
    snprintf(down, sizeof down, "downs.%d.2", i);
    snprintf(up, sizeof up, "ups.%d.2", u->levels - 1 - i);

    /* Between two levels a rearrangement of pixels stands before the convolution; the last level has the
       convolution alone. */
    int code = conversion_shape(v, dim, 4, last ? "downs.%d.3.weight" : "downs.%d.3.1.weight", i);
    if (!code)
        code = read_attention(v, u, down, &u->full[i]);
    if (!code)
        code = read_attention(v, u, up, &full_up);
    if (code)
        return code;

    u->widths[i] = (int)dim[0];
    if (u->full[i] != full_up)
        return conversion_error(v, "%s and %s are of two kinds, full and linear attention", down, up);
    return DDPM_OK;
}

static int read_levels(struct conversion *v, struct lucidrains *u)
{
    int code = DDPM_OK, full_mid;
    while (u->levels <= LUCIDRAINS_LEVELS && conversion_has(v, "downs.%d.0.block1.proj.weight", u->levels))
        u->levels++;
    if (u->levels < 1 || u->levels > LUCIDRAINS_LEVELS)
        return conversion_error(v, "expected 1 to %d levels (downs.0, downs.1, ...), found %d",
                                LUCIDRAINS_LEVELS, u->levels);

    for (int i = 0; i < u->levels && !code; i++)
        code = u->classes ? lucidrains_guided_level(v, u, i) : read_level(v, u, i);
    if (code)
        return code;
    return u->classes ? lucidrains_guided_attention(v, u, "mid_attn")
                      : read_attention(v, u, "mid_attn", &full_mid);
}

/* Reads the widths outside of the levels: input, output and time embedding. */
static int read_ends(struct conversion *v, struct lucidrains *u)
{
    int64_t in[4], out[4], time[4];
    int code = conversion_shape(v, in, 4, "init_conv.weight");
    if (!code)
        code = conversion_shape(v, out, 2, "final_conv.weight");
    if (!code)
        code = conversion_shape(v, time, 2, "time_mlp.1.weight");
    if (code)
        return code;

    u->init = (int)in[0];
    u->channels = (int)in[1];
    u->outputs = (int)out[0];
    u->time_hidden = (int)time[0];
    u->time_dim = (int)time[1];

    if (u->channels == 2 * u->outputs)
        return conversion_error(v,
                                "self-conditioning (init_conv takes %d channels, final_conv gives %d), which "
                                "this program does not have",
                                u->channels, u->outputs);

    /* With a learned variance there are twice as many outputs. */
    if (u->outputs != u->channels && u->outputs != 2 * u->channels)
        return conversion_error(
            v, "init_conv takes %d channels and final_conv gives %d, expected as many or twice as many",
            u->channels, u->outputs);
    return DDPM_OK;
}

static int read_shapes(struct conversion *v, struct lucidrains *u)
{
    int code = refuse_others(v);
    if (!code)
        code = refuse_old(v);
    if (!code)
        code = lucidrains_guided_classes(v, u);
    if (!code)
        code = read_ends(v, u);
    return code ? code : read_levels(v, u);
}

/* ---- what the settings say about the network ---- */

static void check_network(struct conversion *v, const struct lucidrains *u)
{
    int mult[LUCIDRAINS_LEVELS],
        n = settings_ints(v->say, "Unet.dim_mults", mult, LUCIDRAINS_LEVELS, 1, 1024);
    if (n > 0 && n != u->levels)
        settings_wrong(v->say, "Unet.dim_mults", "but the tensors show %d levels", u->levels);
    for (int i = 0; i < n && i < u->levels; i++)
        if (mult[i] * u->time_dim != u->widths[i])
            settings_wrong(v->say, "Unet.dim_mults",
                           "but the tensors show %d channels at level %d, where dim is %d", u->widths[i], i,
                           u->time_dim);

    /* The tensors show these values too. */
    conversion_check_int(v, "Unet.dim", u->time_dim);
    conversion_check_int(v, "Unet.init_dim", u->init);
    conversion_check_int(v, "Unet.channels", u->channels);
    conversion_check_int(v, "Unet.attn_dim_head", u->head_dim);
    if (u->classes)
        lucidrains_guided_check(v, u);
    else
        conversion_check_int(v, "Unet.attn_heads", u->heads);

    /* These have one value in this program. */
    conversion_refuse_if(v, "Unet.self_condition", settings_bool(v->say, "Unet.self_condition", false));
    conversion_refuse_if(v, "Unet.learned_sinusoidal_cond",
                         settings_bool(v->say, "Unet.learned_sinusoidal_cond", false));
    conversion_refuse_if(v, "Unet.random_fourier_features",
                         settings_bool(v->say, "Unet.random_fourier_features", false));
    conversion_refuse_if(v, "GaussianDiffusion.auto_normalize",
                         !settings_bool(v->say, "GaussianDiffusion.auto_normalize", true));

    if (settings_bool(v->say, "Unet.learned_variance", u->outputs != u->channels) !=
        (u->outputs != u->channels))
        settings_wrong(v->say, "Unet.learned_variance", "but final_conv gives %d channels of %d", u->outputs,
                       u->channels);
}

/* ---- our configuration ---- */

/* Makes "net" of the model file (model-file.md). */
static int describe(struct conversion *v, const struct lucidrains *u)
{
    cJSON *net = v->net = cJSON_CreateObject();
    cJSON_AddStringToObject(net, "arch", "lucid");
    cJSON_AddNumberToObject(net, "height", u->height);
    cJSON_AddNumberToObject(net, "width", u->width);
    cJSON_AddNumberToObject(net, "channels", u->channels);
    cJSON_AddNumberToObject(net, "outputs", u->outputs);
    cJSON_AddNumberToObject(net, "classes", u->classes);
    if (u->classes) {
        cJSON_AddTrueToObject(net, "null_class");
        cJSON_AddStringToObject(net, "down", "conv4");
    }

    cJSON_AddNumberToObject(net, "init", u->init);
    cJSON_AddItemToObject(net, "widths", cJSON_CreateIntArray(u->widths, u->levels));
    cJSON_AddItemToObject(net, "full", cJSON_CreateIntArray(u->full, u->levels));
    cJSON_AddNumberToObject(net, "heads", u->heads);
    cJSON_AddNumberToObject(net, "dim", u->head_dim);
    cJSON_AddNumberToObject(net, "memory", u->memory);

    cJSON *time = cJSON_AddObjectToObject(net, "time");
    cJSON_AddNumberToObject(time, "dim", u->time_dim);
    cJSON_AddNumberToObject(time, "hidden", u->time_hidden);
    return cJSON_AddStringToObject(time, "order", "sin,cos") ? DDPM_OK
                                                             : dd_error_memory(v->err, "the configuration");
}

/* Reads the size of the images.  The tensors do not know it and attention does not depend on it, so without
   one the model gets SIDE x SIDE, or the least size that its levels halve. */
static void take_size(struct conversion *v, struct lucidrains *u)
{
    enum { SIDE = 32 };

    int least = 1 << (u->levels - 1);
    if (settings_size(v->say, "GaussianDiffusion.image_size", &u->height, &u->width))
        return;
    u->height = u->width = SIDE > least ? SIDE : least;
    conversion_note(v, "image_size is not given: %d x %d is assumed; ddpm sample --size makes other sizes",
                    u->width, u->height);
}

static int read(struct conversion *v)
{
    struct lucidrains u = { 0 };
    int code = read_shapes(v, &u);
    if (code)
        return code;
    take_size(v, &u);
    check_network(v, &u);
    double theta = settings_number(v->say, "Unet.sinusoidal_pos_emb_theta", 1, 1e12, 10000);

    code = lucidrains_diffusion(v, u.outputs != u.channels);
    if (!code)
        code = conversion_freq_divide_first(v, u.time_dim / 2, u.time_dim / 2 - 1, theta);
    return code ? code : describe(v, &u);
}

/* Ignores the buffers of GaussianDiffusion, because they follow from its betas. */
static bool ignores(const struct conversion *v, const struct checkpoint_tensor *t)
{
    (void)v;
    for (const char *const *b = buffers; *b; b++)
        if (!strcmp(t->name, *b))
            return true;
    return false;
}

const struct family family_lucidrains = {
    .name = "lucidrains",
    .origin = "lucidrains",
    .signature = signature,
    .spare = spare,
    .read = read,
    .map = lucidrains_guided_map,
    .ignores = ignores,
};
