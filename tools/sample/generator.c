/* A batch starts with noise at the top of the chain, or with a given image at the step that was asked for.
   It goes down step by step (the reverse process), and its images are handed on one by one.  An image lost to
   NaN is named; the others do not change by it. */
#include "sample/generator.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"

enum { BATCH_MOST = 4096 };

enum { DISK = 20000000 }; /* bytes per second; nearly every disk writes faster */

/* Returns how many steps lead from a given image up to noise. */
static int steps_up(const struct generator *s)
{
    return s->encode ? s->top : 0;
}

int generator_steps(const struct generator *s)
{
    if (s->mask.anew)
        return ddpm_keep_steps(s->top, s->resample, s->jump);
    return steps_up(s) + s->top + 1;
}

/* Copies the current state if it is one of those to show.  They are spread evenly over 0..K executed steps,
   with the last one always among them. */
static void keep_frame(struct generator *s, int executed, int K)
{
    const double *x = ddpm_sampler_state(s->sampler, NULL);
    size_t frames = (size_t)s->frames;

    for (int f = 0; f < s->frames; f++) {
        int shown = s->frames == 1 ? K : (int)rint((double)f * K / (s->frames - 1));
        if (executed != shown)
            continue;

        /* frame is [batch, frames, d], the state [batch, d]. */
        for (size_t row = 0; row < (size_t)s->rows; row++)
            memcpy(s->frame + (row * frames + (size_t)f) * s->d, x + row * s->d, s->d * sizeof *x);
    }
}

/* Names the images that were lost in a step.  The sampler's sentence names the first; each other one gets a
   line. */
static void name_lost(struct generator *s, const ddpm_error *sentence)
{
    ddpm_error also;
    bool first = true;

    complain(s->command, sentence);
    for (int row = 0; row < s->rows; row++) {
        int lost = ddpm_sampler_lost(s->sampler, row);
        if (!lost || s->told[row])
            continue;

        s->told[row] = true;
        dd_error(&also, DDPM_ENAN, "image %u is lost at step t = %g as well", s->index[row],
                 ddpm_chain_tables(s->chain)->t[lost - 1]);
        if (!first)
            complain(s->command, &also);
        first = false;
    }
}

int generator_step(struct generator *s, ddpm_error *err)
{
    bool up = s->taken < steps_up(s);
    int code = up ? ddpm_sampler_encode(s->sampler, err) : ddpm_sampler_step(s->sampler, err);
    if (!code || code == DDPM_ENAN)
        s->taken++;
    return code;
}

/* Takes a step.  A lost image is named and does not end the run. */
static int take_step(struct generator *s, struct progress *p, ddpm_error *err)
{
    int code = generator_step(s, err);
    if (code != DDPM_ENAN)
        return code;

    progress_clear(p);
    name_lost(s, err);
    return DDPM_OK;
}

/* Fills x [d] with where an image starts: a frame's x_T on a way between two images; the given image, which
   the ODE then carries up; or that image noised to the top step (paper, equation 4), by the noise that x_T
   would be. */
static int start_one(struct generator *s, double *x, uint32_t index, ddpm_error *err)
{
    const double *from;
    if (s->between.frames) {
        between_frame(&s->between, x, index, s->d);
        return DDPM_OK;
    }

    int code = start_image_read(&s->from, &from, index, err);
    if (code)
        return code;
    if (s->encode) {
        memcpy(x, from, s->d * sizeof *x);
        return DDPM_OK;
    }

    if (s->has_noise)
        given_noise_draw(&s->noise, x, s->d, index, INFINITY, 0); /* t infinite: x_T */
    else
        ddpm_noise(&s->seed, x, s->d, index, INFINITY, 0);
    ddpm_diffuse(x, from, x, ddpm_chain_tables(s->chain)->alpha_bar[s->top], s->d);
    return DDPM_OK;
}

int32_t generator_class(const struct generator *s, uint32_t index)
{
    return recipe_class_of(s->class, s->class_list, s->class_count, index, s->classes_known);
}

/* Makes index [n] the batch under way, with `taken` steps behind it, and fills its classes. */
static void set_up(struct generator *s, const uint32_t *index, int n, int taken)
{
    s->index = index;
    s->rows = n;
    s->taken = taken;

    for (int row = 0; row < n; row++) {
        s->told[row] = false;
        if (s->classes_known)
            s->classes[row] = generator_class(s, index[row]);
    }
}

/* Returns the classes of the batch, or NULL where images have none. */
static const int32_t *classes_of(const struct generator *s)
{
    return s->classes_known ? s->classes : NULL;
}

/* Keeps what is known of the images of the batch, which have `taken` steps behind them. */
static int keep_known(struct generator *s, ddpm_error *err)
{
    const ddpm_keep keep = { s->known, s->resample, s->jump, s->taken };

    if (!s->mask.anew)
        return DDPM_OK;

    for (int row = 0; row < s->rows; row++) {
        const double *from;
        int code = start_image_read(&s->from, &from, s->index[row], err);
        if (code)
            return code;
        mask_known(&s->mask, s->known + (size_t)row * s->d, from);
    }
    return ddpm_sampler_keep(s->sampler, &keep, err);
}

int generator_begin(struct generator *s, const uint32_t *index, int n, ddpm_error *err)
{
    int code = DDPM_OK;
    set_up(s, index, n, 0);
    bool given = s->noised || s->between.frames;
    for (int row = 0; row < n && given && !code; row++)
        code = start_one(s, s->start + (size_t)row * s->d, index[row], err);
    if (code)
        return code;

    code = ddpm_sampler_start(s->sampler, index, classes_of(s), n, given ? s->start : NULL,
                              s->encode ? 0 : s->top, err);
    return code ? code : keep_known(s, err);
}

/* Makes the n rows of f from row `first` on the batch under way. */
static int start_from(struct generator *s, const struct saved_batch *f, int first, int n, ddpm_error *err)
{
    size_t buffers, at = (size_t)first * f->d, size = (size_t)n * f->d * sizeof(double);

    /* i is the chain position after `taken` steps: it rises to top, then falls. */
    int up = steps_up(s), i = f->taken < up ? f->taken : s->top - (f->taken - up);

    /* An inpainting finds its own way from the top. */
    if (s->mask.anew)
        i = s->top;

    set_up(s, f->index + first, n, f->taken);
    int code = ddpm_sampler_start(s->sampler, f->index + first, classes_of(s), n, f->state + at, i, err);
    if (!code)
        code = keep_known(s, err);

    /* The start has set buffer 0; the solver's memory and the states to show follow. */
    double *state = ddpm_sampler_state(s->sampler, &buffers);
    for (size_t b = 0; b < buffers && !code; b++)
        memcpy(state + b * (size_t)s->batch * s->d, f->state + b * (size_t)f->n * f->d + at, size);
    memcpy(s->frame, f->frame + at * f->frames, size * f->frames);
    return code;
}

int generator_try(struct generator *s, int n, double *seconds, ddpm_error *err)
{
    static const uint32_t index[BATCH_MOST]; /* all 0: every file of given noise has image 0 */
    struct progress clock;

    progress_begin(&clock, s->common, "", 0);
    set_up(s, index, n, 0);
    s->rows = 0; /* no batch is under way: a stop saves nothing */
    int code = ddpm_sampler_start(s->sampler, index, classes_of(s), n, NULL, 0, err);
    if (!code)
        code = ddpm_sampler_step(s->sampler, err);
    *seconds = progress_seconds(&clock);

    /* A trial that was lost or interrupted has still measured the time; the run itself will notice. */
    bool stopped = code == DDPM_ECALLBACK && interrupted;
    return code == DDPM_ENAN || stopped ? DDPM_OK : code;
}

int generator_time_budget(struct generator *s, struct time_budget *p, ddpm_error *err)
{
    size_t buffers, image = (size_t)s->frames * s->d;
    double seconds;

    /* Saving writes the sampler's whole state and the states to show. */
    ddpm_sampler_state(s->sampler, &buffers);
    double bytes = (double)((size_t)s->batch * (image + buffers * s->d) * sizeof(double));
    p->save = 0.25 + bytes / DISK;

    int code = generator_try(s, 1, &seconds, err);
    time_budget_step(p, seconds, 1);
    p->tried = true;
    s->time_budget = p;
    return code;
}

int generator_stopped(const struct generator *s, ddpm_error *err)
{
    if (interrupted)
        return dd_error(err, TRY_LATER, "interrupted");
    if (s->time_budget && !time_budget_allows(s->time_budget, s->rows))
        return dd_error(err, TRY_LATER, "out of time");
    return DDPM_OK;
}

/* Takes the batch under way to its end; done: what the progress bar counts before the batch's first step. */
static int run_batch(struct generator *s, struct progress *p, double done, ddpm_error *err)
{
    int up = steps_up(s);
    for (;;) {
        if (s->taken >= up)
            keep_frame(s, s->taken - up, generator_steps(s) - up);
        progress_at(p, done + (double)s->taken * s->rows);
        if (s->taken == generator_steps(s) || !ddpm_sampler_left(s->sampler))
            return DDPM_OK;

        double begun = progress_seconds(p);

        /* DDPM_ECALLBACK: the network was not called any more, as the run is to stop. */
        int code = generator_stopped(s, err);
        if (!code)
            code = take_step(s, p, err);
        if (code == DDPM_ECALLBACK && generator_stopped(s, err))
            return TRY_LATER;
        if (code)
            return code;

        if (s->time_budget)
            time_budget_step(s->time_budget, progress_seconds(p) - begun, s->rows);
    }
}

/* The function that takes the images of a run, and its first argument. */
struct taker {
    generator_image_fn *image;
    void *user;
};

/* Hands on the images of the batch, which began at the time `begun`.  Its first image has the place `first`
   in the list that was asked for. */
static int hand_on(struct generator *s, int first, const struct taker *to, struct progress *p, double begun,
                   ddpm_error *err)
{
    size_t size = (size_t)s->frames * s->d;
    double ended = progress_seconds(p), seconds = (ended - begun) / s->rows;
    int code = DDPM_OK;

    for (int row = 0; row < s->rows && !code; row++) {
        int lost = ddpm_sampler_lost(s->sampler, row);
        s->lost += lost != 0;
        code = to->image(to->user, first + row, s->frame + (size_t)row * size, lost, seconds, err);
    }

    if (s->time_budget)
        time_budget_saved(s->time_budget, progress_seconds(p) - ended);
    s->rows = 0;
    return code;
}

/* Makes n images, a batch at a time: the images of f from where they are, or, if f is NULL, those of index
   from the start. */
static int run_all(struct generator *s, const struct saved_batch *f, const uint32_t *index, int n,
                   const struct taker *to, ddpm_error *err)
{
    struct progress own, *p = s->progress ? s->progress : &own;
    int K = generator_steps(s), left = K - (f ? f->taken : 0), code = DDPM_OK;

    if (!s->progress)
        progress_begin(&own, s->common, "image steps", (double)n * left);
    if (s->time_budget && isfinite(time_budget_left(s->time_budget)))
        p->limit = time_budget_left(s->time_budget);

    for (int first = 0; first < n && !code; first += s->batch) {
        int rows = n - first < s->batch ? n - first : s->batch;
        double begun = progress_seconds(p);

        /* The bar counts only the steps that were left; those that f has behind it are subtracted. */
        double done = s->done + (double)first * left - (double)(K - left) * rows;
        code = f ? start_from(s, f, first, rows, err) : generator_begin(s, index + first, rows, err);
        if (!code)
            code = run_batch(s, p, done, err);
        if (!code)
            code = hand_on(s, first, to, p, begun, err);
    }

    progress_clear(p);
    if (!code && s->common->verbose)
        remark(s->command, s->common, "%d images of %d steps in %.2f s", n, left, progress_seconds(p));
    return code;
}

int generator_run(struct generator *s, const uint32_t *index, int n, generator_image_fn *image, void *user,
                  ddpm_error *err)
{
    int code = generator_between(s, err);
    return code ? code : run_all(s, NULL, index, n, &(struct taker){ image, user }, err);
}

int generator_resume(struct generator *s, const struct saved_batch *f, generator_image_fn *image, void *user,
                     ddpm_error *err)
{
    return run_all(s, f, f->index, f->n, &(struct taker){ image, user }, err);
}

int saved_batch_create(struct saved_batch *f, const struct generator *s, int n, ddpm_error *err)
{
    *f = (struct saved_batch){ .n = n, .frames = (size_t)s->frames, .d = s->d };
    ddpm_sampler_state(s->sampler, &f->buffers);

    /* One block: state, then frame, then index, which has the smallest alignment. */
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
    size_t shown = f->frames * s->d;

    for (int row = 0; row < s->rows && s->taken; row++)
        kept += !ddpm_sampler_lost(s->sampler, row);

    /* The rows that are not lost move together: f's buffers have `kept` rows, the sampler's s->batch. */
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
        memcpy(f->frame + (size_t)n * shown, s->frame + (size_t)row * shown, shown * sizeof *state);
        n++;
    }
}
