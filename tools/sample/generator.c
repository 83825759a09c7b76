/* A batch starts at the top of the chain (or at the given image's step), goes down step by step and is
   handed on image by image; an image lost to NaN is named and leaves the others as they are. */
#include "sample/generator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"

enum { BATCH_MOST = 4096, DISK = 20000000 }; /* bytes a second that any disk writes */

/* "0,20,41", or "999," of one step: what ddpm_chain_respace takes, and gives the same chain. */
static char *list_text(const ddpm_tables *t)
{
    size_t size = (size_t)t->K * 25 + 1, n = 0;
    char *text = malloc(size);
    for (int i = 0; text && i < t->K; i++)
        n += (size_t)snprintf(text + n, size - n, "%.17g%s", t->t[i], i + 1 < t->K || i == 0 ? "," : "");
    return text;
}

static int check_class(const struct recipe *r, const ddpm_about *a, ddpm_error *err)
{
    if (!a->classes && r->class != CLASS_NONE)
        return dd_error(err, DDPM_EUSAGE, "this model has no classes: leave out --class");
    if (a->classes && r->class == CLASS_NONE)
        return dd_error(err, DDPM_EUSAGE,
                        "this model has %d classes: choose with --class 0..%d or --class all", a->classes,
                        a->classes - 1);
    if (r->class >= a->classes && a->classes)
        return dd_error(err, DDPM_EUSAGE, "--class %d: this model has classes 0 to %d", r->class,
                        a->classes - 1);
    return DDPM_OK;
}

/* Opens the chain of a sampler whose steps were learned.  The recipe holds their number, or their list as a
   picture that was made with them has it. */
static int open_own_chain(struct generator *s, struct recipe *r, ddpm_error *err)
{
    bool list = strchr(r->steps, ',');
    int K = list ? 0 : atoi(r->steps);
    for (const char *p = r->steps; list && *p; p++)
        K += (*p == ',' && p[1]) || !p[1];
    if (!list && strspn(r->steps, "0123456789") != strlen(r->steps))
        return dd_error(err, DDPM_EUSAGE, "--steps %.60s: sampler %s takes a number of steps, such as %d",
                        r->steps, r->sampler, s->about->tuned_count ? s->about->tuned[0].K : 6);
    r->spacing = "tuned";
    return ddpm_chain_tuned(&s->chain, s->about, K, err);
}

static int open_chain(struct generator *s, struct recipe *r, ddpm_error *err)
{
    const ddpm_sampler_traits *traits = ddpm_sampler_traits_of(r->sampler);
    int code = traits && traits->own_steps
                   ? open_own_chain(s, r, err)
                   : ddpm_chain_respace(&s->chain, s->about, r->steps, r->spacing, err);
    if (code)
        return code;
    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    if (!(s->steps = list_text(t)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for a list of %d steps", t->K);
    r->steps = s->steps;
    return DDPM_OK;
}

/* The noise of the steps is asked for only where the sampler draws any. */
static int open_noise(struct generator *s, struct recipe *r, const char *path, uint32_t last, ddpm_error *err)
{
    r->noise = s->has_noise ? s->noise.sha256 : "";
    if (!s->has_noise)
        return DDPM_OK;
    bool draws = ddpm_sampler_noisy(s->sampler);
    return given_noise_open(&s->noise, path, s->about, s->chain, last, draws, err);
}

/* Where sampling starts: at the top, or at the last listed step up to --noise-to. */
static int open_start(struct generator *s, struct recipe *r, const char *path, ddpm_error *err)
{
    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    s->top = t->K - 1;
    s->encode = r->encode;
    s->seed = r->seed;
    if (path && (r->noise_to < t->t[0] || r->noise_to > t->t[s->top]))
        return dd_error(err, DDPM_EUSAGE, "--noise-to %g: the list of steps goes from %g to %g", r->noise_to,
                        t->t[0], t->t[s->top]);
    while (path && t->t[s->top] > r->noise_to)
        s->top--;
    if (r->keep_steps > s->top + 2)
        return dd_error(err, DDPM_EUSAGE, "--keep-steps %d: there are %d states to show", r->keep_steps,
                        s->top + 2);
    int code = path ? start_image_open(&s->from, path, s->about, err) : DDPM_OK;
    r->from = code || !path ? "" : s->from.sha256;
    return code;
}

/* A step of several calls stops between them: the sampler then puts back what was before the step. */
static int eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err)
{
    const struct generator *s = user;
    return interrupted || (s->time_budget && s->rows && time_budget_over(s->time_budget))
               ? DDPM_ECALLBACK
               : ddpm_net_eps(s->net, out, x, t, classes, n, err);
}

static int open_sampler(struct generator *s, struct recipe *r, ddpm_error *err)
{
    ddpm_sampler_options o;
    ddpm_sampler_defaults(&o, s->about);
    o.sampler = r->sampler, o.variance = r->variance;
    o.eta = r->eta, o.clip = r->clip, o.seed = r->seed;
    o.order = r->order, o.corrector = r->corrector, o.snr = r->snr;
    o.eps = eps, o.eps_user = s;
    if (s->has_noise)
        o.noise = given_noise_draw, o.noise_user = &s->noise;
    int code = ddpm_sampler_create(&s->sampler, s->chain, &o, s->d, s->batch, s->warning, err);
    /* Only a sampler with every choice of variance resolves `auto`; the others keep the name they were
       given. */
    if (!code && ddpm_sampler_traits_of(r->sampler)->takes_variance)
        r->variance = ddpm_sampler_variance(s->sampler);
    return code;
}

/* Warns where the model predicts x0 at the top step with a large error, by its statistics.   Clipping
   leaves noise in such an x0, and a sampler that goes on from it alone keeps that noise
   (bench/RESULTS.md). */
static void warn_of_x0(struct generator *s, const struct recipe *r)
{
    const ddpm_tables *t = ddpm_chain_tables(s->chain);
    double ab = t->alpha_bar[s->top];
    bool analytic = !strcmp(r->variance, "analytic"); /* ddim then keeps the network's own eps */
    if (!s->about->mse || s->about->prediction != DDPM_EPS || analytic ||
        !ddpm_sampler_traits_of(r->sampler)->trusts_x0)
        return;

    double error2 = (1 - ab) / ab * s->about->mse[(int)t->t[s->top]];
    if (error2 > 1)
        snprintf(s->warning, sizeof s->warning,
                 "this model's x0 at t = %g is off by %.1f (its statistics), which sampler %s does not get "
                 "over: some images may be noise; ddpm and ddim-diffusers do better",
                 t->t[s->top], sqrt(error2), r->sampler);
}

static int open_all(struct generator *s, struct recipe *r, const ddpm_model *m, const char *noise_path,
                    const char *from_path, uint32_t last, ddpm_error *err)
{
    s->has_noise = noise_path != NULL;
    int code = check_class(r, s->about, err);
    if (code || (code = open_chain(s, r, err)) || (code = open_start(s, r, from_path, err)) ||
        (code = model_net(&s->net, m, s->common, s->batch, err)) || (code = open_sampler(s, r, err)) ||
        (code = open_noise(s, r, noise_path, last, err)))
        return code;
    warn_of_x0(s, r);
    r->model = s->about->id;
    r->engine_class = ddpm_net_describe(s->net)->engine_class;
    s->frame = calloc((size_t)s->batch * (size_t)s->frames, s->d * sizeof *s->frame);
    s->classes = calloc((size_t)s->batch, sizeof *s->classes);
    s->told = calloc((size_t)s->batch, sizeof *s->told);
    s->start = calloc((size_t)s->batch, s->d * sizeof *s->start);
    return s->frame && s->classes && s->told && s->start
               ? DDPM_OK
               : dd_error(err, DDPM_ENOMEM, "out of memory for %d images", s->batch);
}

int generator_open(struct generator *s, struct recipe *r, const ddpm_model *m, const struct command *command,
                   const struct common *common, int batch, const char *noise_path, const char *from_path,
                   uint32_t last, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    *s = (struct generator){ .command = command,
                             .common = common,
                             .about = a,
                             .batch = batch,
                             .frames = r->keep_steps,
                             .class = r->class };
    s->d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    int code = open_all(s, r, m, noise_path, from_path, last, err);
    if (code)
        generator_close(s);
    return code;
}

void generator_close(struct generator *s)
{
    ddpm_sampler_free(s->sampler);
    ddpm_net_free(s->net);
    given_noise_close(&s->noise);
    start_image_close(&s->from);
    ddpm_chain_free(s->chain);
    free(s->frame), free(s->classes), free(s->steps), free(s->told), free(s->start);
    *s = (struct generator){ .d = 0 };
}

/* The states to show are spread evenly over 0..K executed steps, the last one always among them. */
static void keep_frame(struct generator *s, int n, int executed, int K)
{
    const double *x = ddpm_sampler_state(s->sampler, NULL);
    for (int f = 0; f < s->frames; f++)
        if (executed == (s->frames == 1 ? K : (int)rint((double)f * K / (s->frames - 1))))
            for (int row = 0; row < n; row++)
                memcpy(s->frame + ((size_t)row * (size_t)s->frames + (size_t)f) * s->d,
                       x + (size_t)row * s->d, s->d * sizeof *x);
}

/* The sampler's sentence names the first image that was lost in a step; the others get a line each. */
static void name_lost(struct generator *s, const uint32_t *index, int n, const ddpm_error *sentence)
{
    ddpm_error also;
    bool first = true;
    complain(s->command, sentence);
    for (int row = 0; row < n; row++) {
        int lost = ddpm_sampler_lost(s->sampler, row);
        if (!lost || s->told[row])
            continue;
        s->told[row] = true;
        dd_error(&also, DDPM_ENAN, "image %u is lost at step t = %g as well", index[row],
                 ddpm_chain_tables(s->chain)->t[lost - 1]);
        if (!first)
            complain(s->command, &also);
        first = false;
    }
}

/* Step down or up; a lost image is named and does not end the run. */
static int take_step(struct generator *s, int (*step)(ddpm_sampler *, ddpm_error *), const uint32_t *index,
                     int n, struct progress *p, ddpm_error *err)
{
    int code = step(s->sampler, err);
    if (code != DDPM_ENAN)
        return code;
    progress_clear(p);
    name_lost(s, index, n, err);
    return DDPM_OK;
}

/* x [d]: the given image, for the ODE to carry up, or with x_T's noise on it. */
static void start_one(struct generator *s, double *x, uint32_t index)
{
    if (s->encode) {
        memcpy(x, s->from.x, s->d * sizeof *x);
        return;
    }
    if (s->has_noise)
        given_noise_draw(&s->noise, x, s->d, index, INFINITY, 0);
    else
        ddpm_noise(&s->seed, x, s->d, index, INFINITY, 0);
    ddpm_diffuse(x, s->from.x, x, ddpm_chain_tables(s->chain)->alpha_bar[s->top], s->d);
}

/* Classes and, where an image is given, the start of the batch's images. */
static void set_up(struct generator *s, const uint32_t *index, int n, int taken)
{
    s->index = index, s->rows = n, s->taken = taken;
    for (int row = 0; row < n; row++) {
        if (s->about->classes)
            s->classes[row] =
                s->class == CLASS_ALL ? (int32_t)(index[row] % (uint32_t)s->about->classes) : s->class;
        s->told[row] = false;
    }
}

static int start(struct generator *s, const uint32_t *index, int n, ddpm_error *err)
{
    set_up(s, index, n, 0);
    for (int row = 0; row < n && s->from.x; row++)
        start_one(s, s->start + (size_t)row * s->d, index[row]);
    return ddpm_sampler_start(s->sampler, index, s->about->classes ? s->classes : NULL, n,
                              s->from.x ? s->start : NULL, s->encode ? 0 : s->top, err);
}

static int steps_up(const struct generator *s)
{
    return s->encode ? s->top : 0;
}

static int steps_of(const struct generator *s)
{
    return s->top + 1 + steps_up(s);
}

/* n rows of f from `first` on, as the batch under way. */
static int start_from(struct generator *s, const struct saved_batch *f, int first, int n, ddpm_error *err)
{
    size_t buffers, at = (size_t)first * f->d, size = (size_t)n * f->d * sizeof(double);
    int up = steps_up(s), i = f->taken < up ? f->taken : s->top - (f->taken - up);
    set_up(s, f->index + first, n, f->taken);
    int code = ddpm_sampler_start(s->sampler, f->index + first, s->about->classes ? s->classes : NULL, n,
                                  f->state + at, i, err);
    double *state = ddpm_sampler_state(s->sampler, &buffers);
    for (size_t b = 0; b < buffers && !code; b++)
        memcpy(state + b * (size_t)s->batch * s->d, f->state + b * (size_t)f->n * f->d + at, size);
    memcpy(s->frame, f->frame + at * f->frames, size * f->frames);
    return code;
}

int generator_try(struct generator *s, int n, double *seconds, ddpm_error *err)
{
    static const uint32_t index[BATCH_MOST]; /* an image that any given noise has */
    struct progress clock;
    progress_begin(&clock, s->common, "", 0);
    set_up(s, index, n, 0);
    s->rows = 0;
    int code = ddpm_sampler_start(s->sampler, index, s->about->classes ? s->classes : NULL, n, NULL, 0, err);
    if (!code)
        code = ddpm_sampler_step(s->sampler, err);
    *seconds = progress_seconds(&clock);
    return code == DDPM_ENAN || (code == DDPM_ECALLBACK && interrupted) ? DDPM_OK : code;
}

int generator_time_budget(struct generator *s, struct time_budget *p, ddpm_error *err)
{
    size_t buffers, image = (size_t)s->frames * s->d;
    double seconds;
    ddpm_sampler_state(s->sampler, &buffers);
    p->save = 0.25 + (double)((size_t)s->batch * (image + buffers * s->d) * sizeof(double)) / DISK;
    int code = generator_try(s, 1, &seconds, err);
    time_budget_step(p, seconds, 1);
    p->tried = true;
    s->time_budget = p;
    return code;
}

static int stopped(const struct generator *s, ddpm_error *err)
{
    if (interrupted)
        return dd_error(err, TRY_LATER, "interrupted");
    return s->time_budget && !time_budget_allows(s->time_budget, s->rows)
               ? dd_error(err, TRY_LATER, "out of time")
               : DDPM_OK;
}

/* The batch under way to its end. */
static int run_batch(struct generator *s, struct progress *p, double done, ddpm_error *err)
{
    int up = steps_up(s);
    for (;; s->taken++) {
        if (s->taken >= up)
            keep_frame(s, s->rows, s->taken - up, s->top + 1);
        progress_at(p, done + (double)s->taken * s->rows);
        if (s->taken == steps_of(s) || !ddpm_sampler_left(s->sampler))
            return DDPM_OK;
        double begun = progress_seconds(p);
        int code = stopped(s, err);
        if (!code)
            code = take_step(s, s->taken < up ? ddpm_sampler_encode : ddpm_sampler_step, s->index, s->rows, p,
                             err);
        if (code)
            return code == DDPM_ECALLBACK && stopped(s, err) ? TRY_LATER : code;
        if (s->time_budget)
            time_budget_step(s->time_budget, progress_seconds(p) - begun, s->rows);
    }
}

static int hand_on(struct generator *s, int first, generator_image_fn *image, void *user, struct progress *p,
                   double begun, ddpm_error *err)
{
    int code = DDPM_OK;
    double ended = progress_seconds(p), seconds = (ended - begun) / s->rows;
    for (int row = 0; row < s->rows && !code; row++) {
        int lost = ddpm_sampler_lost(s->sampler, row);
        s->lost += lost != 0;
        code =
            image(user, first + row, s->frame + (size_t)row * (size_t)s->frames * s->d, lost, seconds, err);
    }
    if (s->time_budget)
        time_budget_saved(s->time_budget, progress_seconds(p) - ended);
    s->rows = 0;
    return code;
}

/* n images a batch at a time: of f, or from the start with index. */
static int run_all(struct generator *s, const struct saved_batch *f, const uint32_t *index, int n,
                   generator_image_fn *image, void *user, ddpm_error *err)
{
    struct progress own, *p = s->progress ? s->progress : &own;
    int K = steps_of(s), left = K - (f ? f->taken : 0), code = DDPM_OK;
    if (!s->progress)
        progress_begin(&own, s->common, "image steps", (double)n * left);
    if (s->time_budget && isfinite(time_budget_left(s->time_budget)))
        p->limit = time_budget_left(s->time_budget);
    for (int first = 0; first < n && !code; first += s->batch) {
        int rows = n - first < s->batch ? n - first : s->batch;
        double begun = progress_seconds(p);
        code = f ? start_from(s, f, first, rows, err) : start(s, index + first, rows, err);
        if (code || (code = run_batch(s, p, s->done + (double)first * left - (double)(K - left) * rows, err)))
            break;
        code = hand_on(s, first, image, user, p, begun, err);
    }
    progress_clear(p);
    if (!code && s->common->verbose)
        remark(s->command, s->common, "%d images of %d steps in %.2f s", n, left, progress_seconds(p));
    return code;
}

int generator_run(struct generator *s, const uint32_t *index, int n, generator_image_fn *image, void *user,
                  ddpm_error *err)
{
    return run_all(s, NULL, index, n, image, user, err);
}

int generator_resume(struct generator *s, const struct saved_batch *f, generator_image_fn *image, void *user,
                     ddpm_error *err)
{
    return run_all(s, f, f->index, f->n, image, user, err);
}

int saved_batch_create(struct saved_batch *f, const struct generator *s, int n, ddpm_error *err)
{
    *f = (struct saved_batch){ .n = n, .frames = (size_t)s->frames, .d = s->d };
    ddpm_sampler_state(s->sampler, &f->buffers);
    f->state = calloc((size_t)n, (f->buffers + f->frames) * f->d * sizeof *f->state + sizeof *f->index);
    if (!f->state)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the state of %d images", n);
    f->frame = f->state + (size_t)n * f->buffers * f->d;
    f->index = (uint32_t *)(void *)(f->frame + (size_t)n * f->frames * f->d);
    return DDPM_OK;
}

void saved_batch_free(struct saved_batch *f)
{
    free(f->state);
    *f = (struct saved_batch){ .n = 0 };
}

void generator_saved_batch(const struct generator *s, struct saved_batch *f)
{
    int kept = 0, n = 0;
    for (int row = 0; row < s->rows && s->taken; row++)
        kept += !ddpm_sampler_lost(s->sampler, row);
    const double *state = ddpm_sampler_state(s->sampler, NULL);
    f->n = kept;
    f->taken = s->taken;
    for (int row = 0; row < s->rows && kept; row++) {
        if (ddpm_sampler_lost(s->sampler, row))
            continue;
        f->index[n] = s->index[row];
        for (size_t b = 0; b < f->buffers; b++)
            memcpy(f->state + (b * (size_t)kept + (size_t)n) * s->d,
                   state + (b * (size_t)s->batch + (size_t)row) * s->d, s->d * sizeof *state);
        memcpy(f->frame + (size_t)n * f->frames * s->d, s->frame + (size_t)row * f->frames * s->d,
               f->frames * s->d * sizeof *state);
        n++;
    }
}
