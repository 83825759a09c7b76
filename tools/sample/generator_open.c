/* Opens the parts of a generator: the chain of steps, the start, the network, the sampler and given noise.
   Errors come up here, before the first step. */
#include "sample/generator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "sample/rate.h"

/* Returns the steps t [K] of a chain as text, from which ddpm_chain_respace makes the same chain: "0,20,41",
   or "999," for a single step.  Allocated; NULL: out of memory. */
static char *list_text(const double *t, int K)
{
    size_t size = (size_t)K * 25 + 1, n = 0; /* %.17g takes at most 24 characters */
    char *text = malloc(size);

    for (int i = 0; text && i < K; i++)
        n += (size_t)snprintf(text + n, size - n, "%.17g%s", t[i], i + 1 < K || i == 0 ? "," : "");
    return text;
}

/* Sets *K to the number of steps that a recipe asks for of a sampler whose steps were learned.  The recipe
   holds their number or, if it is from a picture that was made with them, their list.  -1: it holds
   neither. */
static int own_steps(int *K, const char *steps, const ddpm_about *a, ddpm_error *err)
{
    size_t digits = strspn(steps, "0123456789");
    *K = !steps[digits] && digits < 10 ? atoi(steps) : -1;
    for (int i = 0; i < a->tuned_count && steps[digits] && *K < 0; i++) {
        const ddpm_tuned *solver = &a->tuned[i];
        char *list = list_text(solver->table + DDPM_TUNED_T * solver->K, solver->K);
        if (!list)
            return dd_error_memory(err, "a list of steps");
        if (!strcmp(list, steps))
            *K = solver->K;
        free(list);
    }
    return DDPM_OK;
}

/* Opens the chain of a sampler whose steps were learned: it has no others. */
static int open_own_chain(struct generator *s, struct recipe *r, ddpm_error *err)
{
    int K, code = own_steps(&K, r->steps, s->about, err);
    if (code)
        return code;
    if (K < 1)
        return dd_error(err, DDPM_EUSAGE, "--steps %.60s: sampler %s takes a number of steps, such as %d",
                        r->steps, r->sampler, s->about->tuned_count ? s->about->tuned[0].K : 6);

    r->spacing = "tuned";
    return ddpm_chain_tuned(&s->chain, s->about, K, err);
}

/* Opens the chain for the recipe's steps, and lists them in the recipe. */
static int open_chain(struct generator *s, struct recipe *r, ddpm_error *err)
{
    const ddpm_sampler_traits *traits = ddpm_sampler_traits_of(r->sampler);
    int code = traits && traits->own_steps
                   ? open_own_chain(s, r, err)
                   : ddpm_chain_respace(&s->chain, s->about, r->steps, r->spacing, err);
    if (code)
        return code;

    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    if (!(s->steps = list_text(t->t, t->K)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for a list of %d steps", t->K);
    r->steps = s->steps;
    return DDPM_OK;
}

/* Opens a file of given noise.  The steps' noise z is needed only if the sampler draws noise. */
static int open_noise(struct generator *s, struct recipe *r, const struct generator_options *o,
                      ddpm_error *err)
{
    r->noise = s->has_noise ? s->noise.sha256 : "";
    if (!s->has_noise)
        return DDPM_OK;

    const struct given_noise_needs needs = {
        .about = s->about,
        .chain = s->chain,
        .last = o->last,
        .draws = ddpm_sampler_noisy(s->sampler),
    };
    return given_noise_open(&s->noise, o->noise_path, &needs, err);
}

/* Reads the ends of the way between two images, and checks that there are as many pictures. */
static int check_ends(struct generator *s, const struct recipe *r, ddpm_error *err)
{
    if (!r->between)
        return DDPM_OK;
    between_parse(&s->between, r->between);
    s->between.frames = r->frames;
    if (r->class == CLASS_ALL || r->class == CLASS_LIST)
        return dd_error(err, DDPM_EUSAGE, "--between takes one class for all frames: give --class one");
    if (s->from.count != between_pictures(&s->between))
        return dd_error(err, DDPM_EMISSING, "%d pictures are given, and %d of the ends are pictures",
                        s->from.count, between_pictures(&s->between));
    return DDPM_OK;
}

/* Opens the images to start from, and the mask of what is painted anew in them. */
static int open_images(struct generator *s, struct recipe *r, const struct generator_options *o,
                       ddpm_error *err)
{
    struct view_how how;
    view_how_named(&how, r->fit, r->colors);
    int code = o->from_path ? start_image_open(&s->from, o->from_path, s->about, &how, err) : DDPM_OK;
    if (!code && o->mask_path)
        code = mask_open(&s->mask, o->mask_path, s->about, how.fit, err);
    r->from = code || !o->from_path ? "" : s->from.sha256;
    r->mask = code || !o->mask_path ? NULL : s->mask.sha256;
    return code ? code : check_ends(s, r, err);
}

/* Chooses where sampling starts: at the top or, with noised images, at the last listed step up to
   --noise-to. */
static int open_start(struct generator *s, struct recipe *r, const struct generator_options *o,
                      ddpm_error *err)
{
    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    s->top = t->K - 1;
    s->encode = r->encode;
    s->seed = r->seed;
    s->resample = r->resample;
    s->jump = r->jump;
    s->noised = o->from_path && !r->between && !(o->mask_path && r->noise_to == s->about->steps);
    if (s->noised && (r->noise_to < t->t[0] || r->noise_to > t->t[s->top]))
        return dd_error(
            err, DDPM_EUSAGE,
            "noise up to t = %.10g (--noise-to, --strength): the list of steps goes from %g to %g",
            r->noise_to, t->t[0], t->t[s->top]);

    while (s->noised && t->t[s->top] > r->noise_to)
        s->top--;

    if (r->keep_steps > s->top + 2)
        return dd_error(err, DDPM_EUSAGE, "--keep-steps %d: there are %d states to show", r->keep_steps,
                        s->top + 2);
    return open_images(s, r, o, err);
}

/* Refuses a way between two images with a sampler that draws noise: neighbours would have little in common.
   A picture at an end needs a sampler that encodes. */
static int check_between(const struct generator *s, const struct recipe *r, ddpm_error *err)
{
    bool encodes = ddpm_sampler_traits_of(r->sampler)->encodes;
    if (r->between && ddpm_sampler_noisy(s->sampler))
        return dd_error(err, DDPM_EUSAGE, "a way between two images needs steps that add no noise");
    if (between_pictures(&s->between) && !encodes)
        return dd_error(err, DDPM_EUSAGE, "sampler %s cannot encode the pictures at the ends", r->sampler);
    return DDPM_OK;
}

/* Refuses to go back with a sampler that cannot, before the first step; the library says why. */
static int check_back(struct generator *s, ddpm_error *err)
{
    const uint32_t index = 0;
    const ddpm_keep keep = { s->known, s->resample, s->jump, 0 };
    const int32_t class = 0;
    if (!s->mask.anew)
        return DDPM_OK;

    int code =
        ddpm_sampler_start(s->sampler, &index, s->classes_known ? &class : NULL, 1, s->known, s->top, err);
    return code ? code : ddpm_sampler_keep(s->sampler, &keep, err);
}

/* Runs the network, unless the run is to stop.  So a step that takes several calls can stop between them; the
   sampler then restores the state before the step. */
static int eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err)
{
    struct generator *s = user;
    bool late = s->time_budget && s->rows && time_budget_over(s->time_budget);
    if (interrupted || late)
        return DDPM_ECALLBACK;

    s->calls++;
    return s->guidance ? ddpm_guidance_eps(s->guidance, out, x, t, classes, n, err)
                       : ddpm_net_eps(s->net, out, x, t, classes, n, err);
}

/* Opens the sampler with the recipe's settings; the recipe gets the variance that `auto` stands for. */
static int open_sampler(struct generator *s, struct recipe *r, ddpm_error *err)
{
    ddpm_sampler_options o;
    ddpm_sampler_defaults(&o, s->about);
    o.sampler = r->sampler;
    o.variance = r->variance;
    o.eta = r->eta;
    o.clip = r->clip;
    o.seed = r->seed;
    o.order = r->order;
    o.corrector = r->corrector;
    o.snr = r->snr;
    o.eps = eps;
    o.eps_user = s;
    if (s->classifier) {
        o.classifier = ddpm_classifier_gradient;
        o.classifier_user = s->classifier;
        o.classifier_scale = r->guidance;
    }
    if (s->has_noise) {
        o.noise = given_noise_draw;
        o.noise_user = &s->noise;
    }

    int code = r->rate ? rate_read(&s->rate, r->rate, s->chain, err) : DDPM_OK;
    o.rate = s->rate;
    if (!code)
        code = ddpm_sampler_create(&s->sampler, s->chain, &o, s->d, s->batch, s->warning, err);

    /* Only a sampler with every choice of variance resolves `auto`; the others keep the name they were
       given. */
    if (!code && ddpm_sampler_traits_of(r->sampler)->takes_variance)
        r->variance = ddpm_sampler_variance(s->sampler);
    return code;
}

/* Warns where the model predicts x0 at the top step with a large error, by its statistics.  Clipping
   leaves noise in such an x0, and a sampler that goes on from it alone keeps that noise
   (bench/RESULTS.md). */
static void warn_of_x0(struct generator *s, const struct recipe *r)
{
    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    double ab = t->alpha_bar[s->top];

    /* With the variance analytic, ddim takes the network's own eps, not that of x0. */
    bool analytic = !strcmp(r->variance, "analytic");
    if (!s->about->mse || s->about->prediction != DDPM_EPS || analytic ||
        !ddpm_sampler_traits_of(r->sampler)->trusts_x0)
        return;

    /* x0 = (x_t - sqrt(1 - ab) eps) / sqrt(ab), so an error of eps grows by sqrt((1 - ab) / ab). */
    double error2 = (1 - ab) / ab * s->about->mse[(int)t->t[s->top]];
    if (error2 > 1)
        snprintf(s->warning, sizeof s->warning,
                 "this model's x0 at t = %g is off by %.1f (its statistics), which sampler %s "
                 "does not get over: some images may be noise; ddpm, ddim-diffusers and ipndm do "
                 "better",
                 t->t[s->top], sqrt(error2), r->sampler);
}

static int allocate(struct generator *s, ddpm_error *err)
{
    size_t batch = (size_t)s->batch;

    s->frame = calloc(batch * (size_t)s->frames, s->d * sizeof *s->frame);
    s->start = calloc(batch, s->d * sizeof *s->start);
    s->known = calloc(s->mask.anew ? batch : 1, s->d * sizeof *s->known);
    s->classes = calloc(batch, sizeof *s->classes);
    s->told = calloc(batch, sizeof *s->told);
    if (!s->frame || !s->start || !s->known || !s->classes || !s->told)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d images", s->batch);
    return DDPM_OK;
}

/* Opens all parts; the cheap checks come before the network. */
static int open_all(struct generator *s, struct recipe *r, const struct generator_options *o, ddpm_error *err)
{
    s->has_noise = o->noise_path != NULL;
    int code = generator_check_guidance(s, r, o, err);
    if (!code)
        code = open_chain(s, r, err);
    if (!code)
        code = open_start(s, r, o, err);
    if (!code)
        code = model_net(&s->net, o->model, s->common, s->batch, err);
    if (!code)
        code = generator_open_guidance(s, r, o, err);
    if (!code)
        code = open_sampler(s, r, err);
    if (!code)
        code = open_noise(s, r, o, err);
    if (code)
        return code;

    warn_of_x0(s, r);
    r->model = s->about->id;
    r->engine_class = ddpm_net_describe(s->net)->engine_class;
    code = allocate(s, err);
    if (!code)
        code = check_between(s, r, err);
    return code ? code : check_back(s, err);
}

int generator_open(struct generator *s, struct recipe *r, const struct generator_options *o, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(o->model);
    *s = (struct generator){
        .command = o->command,
        .common = o->common,
        .about = a,
        .batch = o->batch,
        .frames = r->keep_steps,
        .class = r->class,
        .class_list = r->classes,
        .class_count = r->class_count,
        .d = (size_t)a->height * (size_t)a->width * (size_t)a->channels,
    };
    int code = open_all(s, r, o, err);
    if (code)
        generator_close(s);
    return code;
}

void generator_close(struct generator *s)
{
    ddpm_sampler_free(s->sampler);
    ddpm_guidance_free(s->guidance);
    ddpm_classifier_free(s->classifier);
    ddpm_net_free(s->net);
    given_noise_close(&s->noise);
    start_image_close(&s->from);
    between_close(&s->between);
    ddpm_chain_free(s->chain);
    free(s->frame);
    free(s->start);
    free(s->known);
    mask_close(&s->mask);
    free(s->classes);
    free(s->told);
    free(s->steps);
    free(s->rate);
    *s = (struct generator){ .d = 0 };
}
