/* Algorithm 1 of Ho et al. 2020, one step of the optimiser at a time.  After a step come, if they are due and
   in this order: a line of the log, the loss of the held-out images, a checkpoint, pictures.  So a run that
   goes on from a checkpoint does what the run before would have done.

   If no option says at which steps checkpoints and pictures are made, they are made by the clock.  The end of
   a training depends on the clock only with --time. */
#include "training/training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"

enum { SAVE_SECONDS = 600, EVAL_EVERY = 1000 };

/* Returns whether something that is done every `every` steps (0: never) is due at this step. */
static bool due(int64_t step, int64_t every)
{
    return every && step % every == 0;
}

static int put(cJSON *o, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(o, key);
    return value && cJSON_AddItemToObject(o, key, value) ? DDPM_OK : DDPM_ENOMEM;
}

/* Returns "run" for a checkpoint with the progress so far, to be released by cJSON_free; NULL: out of
   memory. */
static char *run_text(struct training *t)
{
    cJSON *best = isfinite(t->best) ? cJSON_CreateObject() : NULL;
    int code = DDPM_OK;

    if (best) {
        cJSON_AddNumberToObject(best, "loss", t->best);
        cJSON_AddNumberToObject(best, "since", (double)t->since);
        code = put(t->run, "best", best);
    }
    if (!code && t->log.loss.points)
        code = put(t->run, "loss", cJSON_CreateNumber(t->log.loss.value[t->log.loss.points - 1]));
    return code ? NULL : cJSON_PrintUnformatted(t->run);
}

/* Saves a checkpoint, and removes the oldest ones. */
static int save(struct training *t, ddpm_error *err)
{
    ddpm_model *m = NULL;
    int64_t step = ddpm_trainer_done(t->trainer);
    char *text = run_text(t);
    if (!text)
        return dd_error_memory(err, "a checkpoint");

    int code = ddpm_trainer_model(t->trainer, &m, 1, text, err);
    if (!code)
        code = ddpm_model_save(m, training_folder_checkpoint(&t->folder, step), DDPM_SAVE_REPLACE, err);
    if (!code) {
        t->saved = step;
        t->saved_at = progress_now();
        training_folder_prune(&t->folder, step, (int)t->s->keep);
    }
    ddpm_model_close(m);
    cJSON_free(text);
    return code;
}

/* Fills the trainer's input with n held-out images from image `first` on; x [d]: room for an image. */
static int load_held(struct training *t, double *x, size_t first, size_t n, ddpm_error *err)
{
    size_t d = t->stream.d;

    for (size_t row = 0; row < n; row++) {
        int code = dataset_read(&t->held, x, first + row, err);
        if (!code)
            code = epoch_check(&t->held, t->check, x, first + row, err);
        if (code)
            return code;
        for (size_t e = 0; e < d; e++)
            t->x0[row * d + e] = (float)x[e];
        t->classes[row] = dataset_class(&t->held, first + row);
    }
    return DDPM_OK;
}

/* Sets *loss to the mean over the held-out images, with the averaged weights. */
static int held_loss(struct training *t, double *loss, ddpm_error *err)
{
    size_t count = t->held.count, n;
    double *x = malloc(t->stream.d * sizeof *x), sum = 0, part;
    int code = x ? DDPM_OK : dd_error_memory(err, "an image");

    for (size_t first = 0; first < count && !code; first += n) {
        n = count - first < t->images ? count - first : t->images;
        code = load_held(t, x, first, n, err);
        if (!code)
            code = ddpm_trainer_loss(t->trainer, t->x0, t->about->classes ? t->classes : NULL, (int)n,
                                     (uint32_t)first, &part, err);
        if (!code)
            sum += part * (double)n;
    }
    free(x);
    *loss = sum / (double)count;
    return code;
}

/* Saves the averaged weights as best.ddpm. */
static int save_best(struct training *t, ddpm_error *err)
{
    ddpm_model *m;
    int code = ddpm_trainer_model(t->trainer, &m, 0, NULL, err);
    if (code)
        return code;

    code = ddpm_model_save(m, training_folder_path(&t->folder, "best.ddpm"), DDPM_SAVE_REPLACE, err);
    ddpm_model_close(m);
    return code;
}

/* Measures the loss of the held-out images.  With --until-converged the weights with the least loss are
   kept. */
static int evaluate(struct training *t, int64_t step, ddpm_error *err)
{
    double loss;
    int code = held_loss(t, &loss, err);

    if (!code)
        code = training_log_held(&t->log, step, loss, err);
    if (code || !t->s->converged)
        return code;

    /* A NaN is never the least loss. */
    t->since = loss < t->best ? 0 : t->since + 1;
    if (t->since)
        return DDPM_OK;
    t->best = loss;
    return save_best(t, err);
}

/* Returns whether a checkpoint is due: every ten minutes, or every --save-every steps. */
static bool saves_at(const struct training *t, int64_t step)
{
    return t->s->save_every ? due(step, t->s->save_every) : progress_now() - t->saved_at >= SAVE_SECONDS;
}

/* Returns whether a picture is due: every --grid-every steps or, without that option, every ten minutes, or
   more seldom if pictures would take more than a twentieth of the time.  A picture that would end after
   --time is not begun. */
static bool shows_at(const struct training *t, int64_t step)
{
    double cost = training_show_seconds(t);

    if (interrupted || !t->s->grid_every || training_time_left(t) < cost + training_end_seconds(t))
        return false;
    if (t->s->grid_every > 0)
        return due(step, t->s->grid_every);
    return progress_now() - t->shown_at >= fmax(SAVE_SECONDS, 20 * cost);
}

/* Returns whether the held-out images are measured after this step.  With --until-converged these steps
   depend on settings alone, as the loss decides about the end.  Otherwise the images are also measured at a
   few early steps, for the curve, and with every checkpoint. */
static bool evaluates_at(const struct training *t, int64_t step, bool saves)
{
    int64_t every = t->s->eval_every ? t->s->eval_every : t->s->save_every;
    if (every || t->s->converged)
        return due(step, every ? every : EVAL_EVERY);
    return saves || step == 100 || step == 200 || step == 500 || due(step, EVAL_EVERY);
}

/* Does one step of the optimiser, and everything that is due after it. */
static int step(struct training *t, ddpm_error *err)
{
    double start = progress_seconds(&t->progress);
    uint64_t position = (uint64_t)ddpm_trainer_done(t->trainer) * t->images;
    ddpm_trainer_report r;
    int code = stream_read(&t->stream, t->x0, t->classes, position, t->images, err);
    double loading = progress_seconds(&t->progress) - start;

    if (!code)
        code = ddpm_trainer_step(t->trainer, t->x0, t->about->classes ? t->classes : NULL, &r, err);
    if (code)
        return code;

    /* The line of the log comes before the checkpoint, so that no checkpoint is without its line. */
    bool saves = saves_at(t, r.step);
    snprintf(t->progress.note, sizeof t->progress.note, "step %lld, loss %.4g", (long long)r.step, r.loss);
    struct training_log_cost cost = { .images = (int)t->images,
                                      .seconds = progress_seconds(&t->progress) - start,
                                      .loading = loading };
    code = training_log_step(&t->log, &r, cost, saves, err);
    if (!code && t->held.count && evaluates_at(t, r.step, saves))
        code = evaluate(t, r.step, err);
    if (!code && saves)
        code = save(t, err);
    if (!code && shows_at(t, r.step))
        code = training_show(t, err);
    return code;
}

/* Returns whether the training is at its end: by the number of steps, by convergence, or because another step
   would end too late. */
static bool at_end(const struct training *t)
{
    int64_t done = ddpm_trainer_done(t->trainer), here = done - t->first;

    if ((t->s->steps && done >= t->s->steps) || (t->s->converged && t->since >= t->s->converged))
        return true;
    if (!(t->s->time > 0) || !here)
        return false;

    double step = progress_seconds(&t->progress) / (double)here;
    return training_time_left(t) < training_end_seconds(t) + step;
}

static void tell(struct training *t)
{
    t->progress.after = training_end_seconds(t);
    progress_at(&t->progress, (double)ddpm_trainer_done(t->trainer) * (double)t->images);
}

/* Measures the held-out images after the last step, unless options say at which steps they are measured. */
static int evaluate_last(struct training *t, ddpm_error *err)
{
    int64_t done = ddpm_trainer_done(t->trainer);
    const struct curve *held = &t->log.held;
    bool measured = held->points && held->step[held->points - 1] >= (double)done;

    if (!t->held.count || t->s->eval_every || t->s->save_every || t->s->converged || measured || interrupted)
        return DDPM_OK;
    return evaluate(t, done, err);
}

/* Saves the work after an error in a step, which leaves the trainer as it was, and names the newest
   checkpoint.  Nothing is saved if the error shows that saving would fail too. */
static int rescue(struct training *t, int code, ddpm_error *err)
{
    ddpm_error why = *err, also;

    if (code == DDPM_ENAN || code == DDPM_EIO || code == DDPM_ENOMEM ||
        ddpm_trainer_done(t->trainer) == t->saved || save(t, &also) == DDPM_OK)
        dd_error(err, code, "%.320s; the last good checkpoint is %s", why.text,
                 training_folder_checkpoint(&t->folder, t->saved));
    return code;
}

int training_run(struct training *t, ddpm_error *err)
{
    t->first = ddpm_trainer_done(t->trainer);
    t->shown = -1;
    t->saved_at = t->shown_at = progress_now();

    /* The checkpoint of step 0 shows, before any work, that checkpoints can be written. */
    int code = t->saved < 0 ? save(t, err) : DDPM_OK;
    if (!code)
        code = training_try(t, err);
    if (code)
        return code;

    /* The bar counts images, including those of earlier starts. */
    progress_begin(&t->progress, &t->s->common, "images", (double)t->s->steps * (double)t->images);
    t->progress.what = "training";
    t->progress.first = (double)t->first * (double)t->images;
    t->progress.limit = t->s->time > 0 ? fmax(training_time_left(t), 1e-3) : 0;

    while (!code && !interrupted && !at_end(t)) {
        code = step(t, err);
        if (!code)
            tell(t);
    }
    if (!code)
        code = evaluate_last(t, err);
    progress_clear(&t->progress);
    if (code && t->saved >= 0)
        return rescue(t, code, err);
    return code || t->saved == ddpm_trainer_done(t->trainer) ? code : save(t, err);
}
