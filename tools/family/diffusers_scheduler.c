/* Reads diffusers' scheduler_config.json (checkpoint-families.md 1.1, 8.1).

   A scheduler of diffusers is a noise schedule and a way to step.  Only the noise schedule is part of a
   model. A field that is missing has the constructor's default; null is a value of its own. */
#include "family/diffusers_scheduler.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/names.h"

int diffusers_choice(struct conversion *v, const char *key, const struct word *list)
{
    const char *text = settings_text(v->say, key, list->theirs);
    char words[120] = "";
    for (int i = 0; list[i].theirs; i++)
        if (!strcmp(text, list[i].theirs))
            return i;

    for (int i = 0; list[i].theirs; i++)
        dd_names_join(words, sizeof words, list[i].theirs);
    settings_wrong(v->say, key, "and this program has: %s", words);
    return 0;
}

/* ---- the kinds of schedulers ---- */

/* The schedulers of diffusers that have DDPM's noise schedule, with the defaults of their constructors.
   own: the chain is DDPM's too; otherwise the scheduler is a solver. */
struct scheduler {
    const char *class;
    bool own;
    int schedule;
    double start, end;
};
static const struct scheduler schedulers[] = {
    { "DDPMScheduler", true, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DDIMScheduler", true, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DDPMParallelScheduler", true, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DDIMParallelScheduler", true, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DDIMInverseScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "RePaintScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "PNDMScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "UniPCMultistepScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DPMSolverMultistepScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DPMSolverSinglestepScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DPMSolverMultistepInverseScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "DEISMultistepScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "SASolverScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "EulerDiscreteScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "EulerAncestralDiscreteScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "LMSDiscreteScheduler", false, DIFFUSERS_LINEAR, 1e-4, 0.02 },
    { "HeunDiscreteScheduler", false, DIFFUSERS_LINEAR, 0.00085, 0.012 },
    { "KDPM2DiscreteScheduler", false, DIFFUSERS_LINEAR, 0.00085, 0.012 },
    { "KDPM2AncestralDiscreteScheduler", false, DIFFUSERS_LINEAR, 0.00085, 0.012 },
    { "DPMSolverSDEScheduler", false, DIFFUSERS_LINEAR, 0.00085, 0.012 },
    { "LCMScheduler", false, DIFFUSERS_SCALED_LINEAR, 0.00085, 0.012 },
    { "TCDScheduler", false, DIFFUSERS_SCALED_LINEAR, 0.00085, 0.012 },
};

/* Settings that change how a solver steps, and nothing in a model. */
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

static const struct scheduler *find_scheduler(struct conversion *v, const char *class)
{
    for (size_t i = 0; i < sizeof schedulers / sizeof *schedulers; i++)
        if (!strcmp(class, schedulers[i].class))
            return &schedulers[i];
    settings_wrong(v->say, "scheduler._class_name",
                   "and this program has: those with DDPM's noise schedule (DDPM, DDIM, PNDM, DPMSolver, "
                   "UniPC, DEIS, SASolver, Euler, LMS, Heun, KDPM2, LCM, TCD)");
    return NULL;
}

/* Returns the scheduler that the configuration names; after an error the first of the list. */
static const struct scheduler *read_class(struct conversion *v)
{
    struct settings *s = v->say;
    const char *class = settings_text(s, "scheduler._class_name", schedulers[0].class);
    const struct scheduler *k = find_scheduler(v, class);
    if (!k)
        return schedulers;

    /* A setting that is asked for counts as used. */
    for (size_t i = 0; i < sizeof solver_settings / sizeof *solver_settings && !k->own; i++) {
        char key[64];
        snprintf(key, sizeof key, "scheduler.%s", solver_settings[i]);
        settings_find(s, key);
    }
    conversion_refuse_if(v, "scheduler.use_flow_sigmas",
                         settings_bool(s, "scheduler.use_flow_sigmas", false));
    conversion_refuse_if(v, "scheduler.use_dynamic_shifting",
                         settings_bool(s, "scheduler.use_dynamic_shifting", false));
    const char *type = settings_text(s, "scheduler.timestep_type", "discrete");
    conversion_refuse_if(v, "scheduler.timestep_type", !strcmp(type, "continuous"));

    if (!k->own)
        conversion_note(v,
                        "%s: its noise schedule and what the network predicts are taken; how it steps is no "
                        "part of a model, see ddpm sample --sampler; variance and clipping are "
                        "DDPMScheduler's (fixed_small, clipped) where nothing else is said",
                        class);
    return k;
}

/* ---- the noise schedule ---- */

/* Reads the list trained_betas.  diffusers computes beta and 1 - beta in float32; torch.cumprod
   accumulates in double and rounds its results. */
static int read_betas(struct conversion *v, int steps)
{
    struct settings *s = v->say;
    v->steps = steps;
    v->beta = malloc((size_t)steps * sizeof *v->beta);
    v->alpha_bar = malloc((size_t)steps * sizeof *v->alpha_bar);
    if (!v->beta || !v->alpha_bar)
        return dd_error_memory(v->err, "the schedule");

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

/* Writes our name of the schedule to `name` and returns it.  k has the defaults. */
static const char *schedule_name(char name[128], struct conversion *v, const struct scheduler *k,
                                 bool predicts_eps)
{
    struct settings *s = v->say;
    bool given = settings_given(s, "scheduler.beta_schedule");
    int schedule = given ? diffusers_choice(v, "scheduler.beta_schedule", diffusers_schedules) : k->schedule;
    double start = settings_number(s, "scheduler.beta_start", 1e-12, 1, k->start);
    double end = settings_number(s, "scheduler.beta_end", 1e-12, 1, k->end);
    bool zero = settings_bool(s, "scheduler.rescale_betas_zero_snr", false);

    /* At alpha_bar = 0 the input is pure noise, from which eps tells nothing about the image. */
    if (zero && predicts_eps)
        settings_wrong(s, "scheduler.rescale_betas_zero_snr",
                       "but a network that predicts epsilon says nothing where the signal is zero");

    diffusers_schedule(name, schedule, start, end, zero);
    return name;
}

/* Returns our name of the variance.  A learned variance needs twice the outputs. */
static const char *variance_name(struct conversion *v, int channels, int outputs)
{
    int type = diffusers_choice(v, "scheduler.variance_type", diffusers_variances);
    const struct word *variance = &diffusers_variances[type];
    int expected = strcmp(variance->ours, "learned-range") ? channels : 2 * channels;

    /* Input channels beyond the outputs are a condition, such as a small image. */
    if (outputs < channels)
        settings_wrong(v->say, "unet.in_channels",
                       "but out_channels %d: a network that is given further channels (super-resolution, "
                       "inpainting), which this program does not have",
                       outputs);
    if (outputs != expected)
        settings_wrong(v->say, "unet.out_channels", "expected %d for in_channels %d and variance_type %s",
                       expected, channels, variance->theirs);
    return variance->ours;
}

/* Reads the settings that change how a scheduler steps, but not the model. */
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

int diffusers_read_scheduler(struct conversion *v, int channels, int outputs)
{
    struct settings *s = v->say;
    if (!v->in->scheduler)
        conversion_note(v, "there is no scheduler_config.json: diffusers' defaults hold (linear betas 1e-4 "
                           "to 0.02, 1000 steps, epsilon, fixed_small, clipped) where --set does not say "
                           "otherwise");

    struct diffusion d = { .t_scale = 1 };
    const struct scheduler *k = read_class(v);
    int prediction = diffusers_choice(v, "scheduler.prediction_type", diffusers_predictions);
    d.prediction = diffusers_predictions[prediction].ours;
    d.steps = settings_int(s, "scheduler.num_train_timesteps", 1, 65535, 1000);

    bool listed = settings_given(s, "scheduler.trained_betas");
    char name[128];
    d.name = schedule_name(name, v, k, !strcmp(d.prediction, "eps"));
    d.variance = variance_name(v, channels, outputs);

    /* The range is read without clipping too, so that it counts as used. */
    double range = settings_number(s, "scheduler.clip_sample_range", 1e-6, 1e6, 1);
    d.clip = settings_bool(s, "scheduler.clip_sample", true) ? range : 0;
    read_sampling(v);

    if (listed && settings_bool(s, "scheduler.rescale_betas_zero_snr", false))
        settings_wrong(s, "scheduler.rescale_betas_zero_snr",
                       "which this program does not have for trained_betas");
    if (listed) {
        d.name = "trained_betas";
        if (!s->code && read_betas(v, d.steps) != DDPM_OK)
            return v->err->code;
    }
    return s->code ? s->code : conversion_diffusion(v, &d);
}
