/* Hugging Face diffusers: UNet2DModel with its config.json, and the noise schedule of its
   scheduler_config.json (checkpoint-families.md 1, 8.1).  Our names are its names.  A field that is missing
   has the constructor's default; null is a value of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/names.h"
#include "family/unet_tensors.h"

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

/* Index of the text in names, whose first is the default. */
static int choice(struct conversion *v, const char *key, const char *const *names)
{
    const char *text = settings_text(v->say, key, names[0]);
    for (int i = 0; names[i]; i++)
        if (!strcmp(text, names[i]))
            return i;
    char list[120] = "";
    for (int i = 0; names[i]; i++)
        dd_names_join(list, sizeof list, names[i]);
    settings_wrong(v->say, key, "and this program has: %s", list);
    return 0;
}

/* kind [levels]: 0 convolution without attention, 1 attention and the sampler of `sampler`, 2 residual sampler. */
static void read_blocks(struct conversion *v, const char *key, const char *side, const char *const *defaults,
                        int levels, int *kind)
{
    const char *list[UNET_LEVELS];
    char plain[24], attentive[24], residual[32];
    snprintf(plain, sizeof plain, "%sBlock2D", side);
    snprintf(attentive, sizeof attentive, "Attn%sBlock2D", side);
    snprintf(residual, sizeof residual, "Resnet%ssampleBlock2D", side);
    int n = settings_texts(v->say, key, list, UNET_LEVELS);
    if (!settings_given(v->say, key))
        memcpy(list, defaults, (size_t)(n = 4) * sizeof *list);
    if (n != levels)
        settings_wrong(v->say, key, "expected %d entries, one for each of block_out_channels", levels);
    for (int i = 0; i < levels && i < n; i++) {
        const char *type = !strncmp(list[i], "UNetRes", 7) ? list[i] + 7 : list[i];
        kind[i] = !strcmp(type, plain) ? 0 : !strcmp(type, attentive) ? 1 : !strcmp(type, residual) ? 2 : -1;
        if (kind[i] < 0)
            settings_wrong(v->say, key, "and this program does not have %s, only %s, %s and %s", list[i],
                           plain, attentive, residual);
    }
}

/* head_dim 0: one head. */
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

static void read_levels(struct conversion *v, struct unet *u)
{
    static const char *const samplers[] = { "conv", "resnet", NULL };
    static const char *const downs[] = { "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                                         "AttnDownBlock2D" };
    static const char *const ups[] = { "AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D" };
    static const int widths[] = { 224, 448, 672, 896 };
    struct settings *s = v->say;
    int down[UNET_LEVELS] = { 0 }, up[UNET_LEVELS] = { 0 };
    u->levels = settings_ints(s, "unet.block_out_channels", u->widths, UNET_LEVELS, 1, UNET_WIDTH);
    if (!settings_given(s, "unet.block_out_channels"))
        memcpy(u->widths, widths, (size_t)(u->levels = 4) * sizeof *widths);
    else if (u->levels == 0)
        settings_wrong(s, "unet.block_out_channels", "expected at least one");
    read_blocks(v, "unet.down_block_types", "Down", downs, u->levels, down);
    read_blocks(v, "unet.up_block_types", "Up", ups, u->levels, up);
    bool down_res = choice(v, "unet.downsample_type", samplers),
         up_res = choice(v, "unet.upsample_type", samplers);
    const cJSON *dim = settings_find(s, "unet.attention_head_dim");
    int head_dim = cJSON_IsNull(dim) ? 0 : settings_int(s, "unet.attention_head_dim", 1, UNET_WIDTH, 8);
    int last = u->levels - 1;
    for (int i = 0; i < u->levels; i++) {
        u->heads_down[i] = down[i] == 1 ? heads_of(v, u, head_dim, u->widths[i]) : 0;
        u->heads_up[i] = up[last - i] == 1 ? heads_of(v, u, head_dim, u->widths[i]) : 0;
        u->down_res[i] = down[i] == 2 || (down[i] == 1 && down_res);
        u->up_res[i] = i < last && (up[last - 1 - i] == 2 || (up[last - 1 - i] == 1 && up_res));
    }
    u->mid = !cJSON_IsNull(settings_find(s, "unet.mid_block_type"));
    if (u->mid && settings_bool(s, "unet.add_attention", true) && u->levels > 0)
        u->heads_mid = heads_of(v, u, head_dim, u->widths[last]);
}

static void read_norms(struct conversion *v, struct unet *u)
{
    static const char *const shifts[] = { "default", "scale_shift", NULL };
    struct settings *s = v->say;
    u->scale_shift = choice(v, "unet.resnet_time_scale_shift", shifts);
    u->groups = settings_int(s, "unet.norm_num_groups", 1, UNET_WIDTH, 32);
    u->mid_groups =
        settings_int(s, "unet.attn_norm_num_groups", 1, UNET_WIDTH, u->scale_shift ? 0 : u->groups);
    u->eps = settings_number(s, "unet.norm_eps", 1e-12, 1, 1e-5);
    u->mid_scale = settings_number(s, "unet.mid_block_scale_factor", 1e-6, 1e6, 1);
    u->dropout = settings_number(s, "unet.dropout", 0, 1, 0);
}

static int read_time(struct conversion *v, struct unet *u)
{
    static const char *const embeddings[] = { "positional", NULL };
    struct settings *s = v->say;
    choice(v, "unet.time_embedding_type", embeddings);
    conversion_refuse_if(v, "unet.class_embed_type", settings_given(s, "unet.class_embed_type"));
    u->classes = settings_int(s, "unet.num_class_embeds", 1, UNET_CLASSES, 0);
    u->time_dim = u->init = u->widths[0];
    u->time_hidden = settings_int(s, "unet.time_embedding_dim", 1, 1 << 20, 4 * u->widths[0]);
    u->cos_first = settings_bool(s, "unet.flip_sin_to_cos", true);
    double shift = settings_number(s, "unet.freq_shift", -1e6, 1e6, 0);
    return s->code ? s->code : conversion_freq_late(v, u->time_dim / 2, u->time_dim / 2 - shift);
}

static int read_unet(struct conversion *v, struct unet *u)
{
    static const char *const classes[] = { "UNet2DModel", NULL }, *const middles[] = { "UNetMidBlock2D",
                                                                                       NULL };
    static const char *const acts[] = { "silu", "swish", "gelu", "relu", "mish", NULL };
    struct settings *s = v->say;
    if (conversion_mentions(v, "transformer_blocks"))
        return conversion_error(v, "a network that is conditioned by attention, on text for instance "
                                   "(transformer_blocks), which this program does not have");
    if (!v->in->config && !settings_given(s, "unet.block_out_channels"))
        return dd_error(v->err, DDPM_EUSAGE,
                        "%s: there is no config.json beside it, and the tensors do not "
                        "say heads, padding and norms; add --config CONFIG.JSON",
                        v->in->file);
    choice(v, "unet._class_name", classes);
    choice(v, "unet.mid_block_type", middles);
    int act = choice(v, "unet.act_fn", acts);
    u->act = act == 1 ? "silu" : acts[act];
    if (!settings_size(s, "unet.sample_size", &u->height, &u->width))
        settings_ask(s, "sample_size=32");
    u->channels = settings_int(s, "unet.in_channels", 1, UNET_CHANNELS, 3);
    u->outputs = settings_int(s, "unet.out_channels", 1, 2 * UNET_CHANNELS, 3);
    u->center = settings_bool(s, "unet.center_input_sample", false);
    u->pad_right = settings_int(s, "unet.downsample_padding", 0, 1, 1) == 0;
    u->blocks = settings_int(s, "unet.layers_per_block", 1, UNET_BLOCKS, 2);
    read_levels(v, u);
    read_norms(v, u);
    int code = u->levels > 0 ? read_time(v, u) : s->code;
    return code || s->missing[0] != '\0' ? code : unet_describe(v, u);
}

/* trained_betas: beta and 1 - beta in float32; torch.cumprod accumulates in double and rounds what it puts out. */
static int read_betas(struct conversion *v, int steps)
{
    struct settings *s = v->say;
    v->steps = steps;
    v->beta = malloc((size_t)steps * sizeof *v->beta);
    v->alpha_bar = malloc((size_t)steps * sizeof *v->alpha_bar);
    if (!v->beta || !v->alpha_bar)
        return dd_error(v->err, DDPM_ENOMEM, "out of memory");
    if (settings_numbers(s, "scheduler.trained_betas", v->beta, steps, 0, 1) != steps)
        settings_wrong(s, "scheduler.trained_betas", "expected %d numbers, as many as num_train_timesteps",
                       steps);
    double product = 1;
    for (int t = 0; t < steps && !s->code; t++) {
        v->beta[t] = (float)v->beta[t];
        product *= 1.0f - (float)v->beta[t];
        v->alpha_bar[t] = (float)product;
    }
    return s->code;
}

/* The schedulers of diffusers that have DDPM's noise schedule, and what their constructors take for granted
   of it.  own: the chain is DDPM's too; the others are solvers, of which a model has no part. */
struct scheduler {
    const char *class;
    bool own;
    int schedule;
    double start, end;
};
static const struct scheduler schedulers[] = {
    { "DDPMScheduler", true, 0, 1e-4, 0.02 },
    { "DDIMScheduler", true, 0, 1e-4, 0.02 },
    { "DDPMParallelScheduler", true, 0, 1e-4, 0.02 },
    { "DDIMParallelScheduler", true, 0, 1e-4, 0.02 },
    { "DDIMInverseScheduler", false, 0, 1e-4, 0.02 },
    { "RePaintScheduler", false, 0, 1e-4, 0.02 },
    { "PNDMScheduler", false, 0, 1e-4, 0.02 },
    { "UniPCMultistepScheduler", false, 0, 1e-4, 0.02 },
    { "DPMSolverMultistepScheduler", false, 0, 1e-4, 0.02 },
    { "DPMSolverSinglestepScheduler", false, 0, 1e-4, 0.02 },
    { "DPMSolverMultistepInverseScheduler", false, 0, 1e-4, 0.02 },
    { "DEISMultistepScheduler", false, 0, 1e-4, 0.02 },
    { "SASolverScheduler", false, 0, 1e-4, 0.02 },
    { "EulerDiscreteScheduler", false, 0, 1e-4, 0.02 },
    { "EulerAncestralDiscreteScheduler", false, 0, 1e-4, 0.02 },
    { "LMSDiscreteScheduler", false, 0, 1e-4, 0.02 },
    { "HeunDiscreteScheduler", false, 0, 0.00085, 0.012 },
    { "KDPM2DiscreteScheduler", false, 0, 0.00085, 0.012 },
    { "KDPM2AncestralDiscreteScheduler", false, 0, 0.00085, 0.012 },
    { "DPMSolverSDEScheduler", false, 0, 0.00085, 0.012 },
    { "LCMScheduler", false, 1, 0.00085, 0.012 },
    { "TCDScheduler", false, 1, 0.00085, 0.012 },
};

/* Settings of those solvers that change how they step. */
static const char *const solver_settings[] = { "algorithm_type",
                                               "corrector_order",
                                               "disable_corrector",
                                               "eta",
                                               "euler_at_final",
                                               "final_sigmas_type",
                                               "flow_shift",
                                               "interpolation_type",
                                               "lambda_min_clipped",
                                               "lower_order_final",
                                               "original_inference_steps",
                                               "predict_x0",
                                               "predictor_order",
                                               "sigma_max",
                                               "sigma_min",
                                               "skip_prk_steps",
                                               "solver_order",
                                               "solver_p",
                                               "solver_type",
                                               "tau_func",
                                               "time_shift_type",
                                               "timestep_scaling",
                                               "use_beta_sigmas",
                                               "use_exponential_sigmas",
                                               "use_karras_sigmas",
                                               "use_lu_lambdas",
                                               "shift_terminal",
                                               "noise_sampler_seed" };

static const struct scheduler *scheduler_of(struct conversion *v)
{
    struct settings *s = v->say;
    const char *class = settings_text(s, "scheduler._class_name", schedulers[0].class);
    const struct scheduler *found = NULL;
    char key[64];
    for (size_t i = 0; i < sizeof schedulers / sizeof *schedulers; i++)
        if (!strcmp(class, schedulers[i].class))
            found = &schedulers[i];
    if (!found) {
        settings_wrong(s, "scheduler._class_name",
                       "and this program has: those with DDPM's noise schedule (DDPM, DDIM, PNDM, DPMSolver, "
                       "UniPC, DEIS, SASolver, Euler, LMS, Heun, KDPM2, LCM, TCD)");
        return schedulers;
    }
    for (size_t i = 0; i < sizeof solver_settings / sizeof *solver_settings && !found->own; i++) {
        snprintf(key, sizeof key, "scheduler.%s", solver_settings[i]);
        settings_find(s, key);
    }
    conversion_refuse_if(v, "scheduler.use_flow_sigmas",
                         settings_bool(s, "scheduler.use_flow_sigmas", false));
    conversion_refuse_if(v, "scheduler.use_dynamic_shifting",
                         settings_bool(s, "scheduler.use_dynamic_shifting", false));
    const char *type = settings_text(s, "scheduler.timestep_type", "discrete");
    conversion_refuse_if(v, "scheduler.timestep_type", !strcmp(type, "continuous"));
    if (!found->own)
        conversion_note(v,
                        "%s: its noise schedule and what the network predicts are taken; how it steps is no "
                        "part of a model, see ddpm sample --sampler; variance and clipping are "
                        "DDPMScheduler's (fixed_small, clipped) where nothing else is said",
                        class);
    return found;
}

static const char *schedule_name(char name[128], struct conversion *v, const struct scheduler *k,
                                 bool predicts_eps)
{
    static const char *const schedules[] = { "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid",
                                             NULL };
    struct settings *s = v->say;
    bool given = settings_given(s, "scheduler.beta_schedule");
    int schedule = given ? choice(v, "scheduler.beta_schedule", schedules) : k->schedule;
    char first[32], last[32];
    double low = settings_number(s, "scheduler.beta_start", 1e-12, 1, k->start);
    double high = settings_number(s, "scheduler.beta_end", 1e-12, 1, k->end);
    const char *start = conversion_number(first, low), *end = conversion_number(last, high);
    bool zero = settings_bool(s, "scheduler.rescale_betas_zero_snr", false);
    if (zero && predicts_eps)
        settings_wrong(s, "scheduler.rescale_betas_zero_snr",
                       "but a network that predicts epsilon says nothing where the signal is zero");
    if (schedule == 2)
        snprintf(name, 128, "f32:squaredcos_cap_v2%s", zero ? "+zero-snr" : "");
    else
        snprintf(name, 128, "f32:%s:%s,%s%s", schedules[schedule], start, end, zero ? "+zero-snr" : "");
    return name;
}

static const char *variance_name(struct conversion *v, const struct unet *u)
{
    static const char *const types[] = { "fixed_small", "fixed_small_log", "fixed_large", "learned_range",
                                         NULL };
    static const char *const ours[] = { "beta-tilde", "beta-tilde", "beta", "learned-range" };
    int type = choice(v, "scheduler.variance_type", types),
        outputs = type == 3 ? 2 * u->channels : u->channels;
    if (u->outputs < u->channels)
        settings_wrong(v->say, "unet.in_channels",
                       "but out_channels %d: a network that is given further channels (super-resolution, "
                       "inpainting), which this program does not have",
                       u->outputs);
    if (u->outputs != outputs)
        settings_wrong(v->say, "unet.out_channels", "expected %d for in_channels %d and variance_type %s",
                       outputs, u->channels, types[type]);
    return ours[type];
}

/* What changes steps and samplers but not the model. */
static void read_sampling(struct conversion *v)
{
    struct settings *s = v->say;
    conversion_refuse_if(v, "scheduler.thresholding", settings_bool(s, "scheduler.thresholding", false));
    if (!settings_bool(s, "scheduler.set_alpha_to_one", true))
        conversion_note(v,
                        "set_alpha_to_one false: concerns the last step of diffusers' DDIM and PNDM alone, "
                        "which here goes to alpha_bar = 1");
    const char *spacing = settings_text(s, "scheduler.timestep_spacing", "leading");
    int offset = settings_int(s, "scheduler.steps_offset", 0, 1 << 20, 0);
    if (strcmp(spacing, "leading") || offset != 0)
        conversion_note(v,
                        "timestep_spacing %s, steps_offset %d: which steps are taken is not part of a model, "
                        "see ddpm sample --spacing",
                        spacing, offset);
}

static int read_scheduler(struct conversion *v, const struct unet *u)
{
    static const char *const types[] = { "epsilon", "sample", "v_prediction", NULL };
    static const char *const predictions[] = { "eps", "x0", "v" };
    struct settings *s = v->say;
    if (!v->in->scheduler)
        conversion_note(v, "there is no scheduler_config.json: diffusers' defaults hold (linear betas 1e-4 "
                           "to 0.02, 1000 steps, epsilon, "
                           "fixed_small, clipped) where --set does not say otherwise");
    const struct scheduler *k = scheduler_of(v);
    int prediction = choice(v, "scheduler.prediction_type", types);
    int steps = settings_int(s, "scheduler.num_train_timesteps", 1, 65535, 1000);
    bool given = settings_given(s, "scheduler.trained_betas");
    char text[128];
    const char *name = schedule_name(text, v, k, prediction == 0);
    const char *variance = variance_name(v, u);
    double range = settings_number(s, "scheduler.clip_sample_range", 1e-6, 1e6, 1);
    bool clip = settings_bool(s, "scheduler.clip_sample", true);
    read_sampling(v);
    if (given && settings_bool(s, "scheduler.rescale_betas_zero_snr", false))
        settings_wrong(s, "scheduler.rescale_betas_zero_snr",
                       "which this program does not have for trained_betas");
    if (given && !s->code && read_betas(v, steps) != DDPM_OK)
        return v->err->code;
    return s->code ? s->code
                   : conversion_diffusion(v, steps, given ? "trained_betas" : name, predictions[prediction],
                                          variance, clip ? range : 0, 1);
}

/* Where the file keeps the names of 2022: query, key, value and proj_attn. */
static void rename_attention(struct conversion *v)
{
    static const char *const names[][2] = { { ".to_q.", ".query." },
                                            { ".to_k.", ".key." },
                                            { ".to_v.", ".value." },
                                            { ".to_out.0.", ".proj_attn." } };
    for (size_t i = 0; i < v->wants; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            struct want *w = &v->want[i];
            const char *at = strstr(w->name, names[k][0]);
            char old[sizeof w->from];
            if (!at || checkpoint_find(v->in, w->name) != NULL)
                continue;
            snprintf(old, sizeof old, "%.*s%s%s", (int)(at - w->name), w->name, names[k][1],
                     at + strlen(names[k][0]));
            if (checkpoint_find(v->in, old) != NULL)
                snprintf(w->from, sizeof w->from, "%s", old);
        }
}

static int read(struct conversion *v)
{
    struct unet u = { 0 };
    int code = read_unet(v, &u);
    if (!code)
        code = read_scheduler(v, &u);
    if (!code)
        rename_attention(v);
    return code;
}

/* The second name of a sampler's convolution, when it holds the same numbers. */
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
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    bool same = a && b && checkpoint_floats(v->in, t, a, NULL) == DDPM_OK &&
                checkpoint_floats(v->in, twin, b, NULL) == DDPM_OK && !memcmp(a, b, count * sizeof *a);
    free(a);
    free(b);
    return same;
}

static bool ignores(const struct conversion *v, const struct checkpoint_tensor *t)
{
    return !strcmp(t->name, "time_proj.weight") || is_alias(v, t);
}

const struct family family_diffusers = { "diffusers", "diffusers", signature, spare, read, ignores };
