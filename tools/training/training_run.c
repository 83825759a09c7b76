/* Algorithm 1 of Ho et al. 2020, a step of the optimiser at a time.  After each step, in this order and
   each where it is due: a line of the log, the loss of the held-out images, a checkpoint, pictures; so
   a run that goes on from a checkpoint does what the one before would have done. Where nobody says at
   which steps, checkpoints and pictures come by the clock.  What ends a training never does. */
#include "training/training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"

enum { SAVE_SECONDS = 600, EVAL_EVERY = 1000 };

static bool due(int64_t step, int64_t every)
{
    return every && step % every == 0;
}

static int put(cJSON *o, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(o, key);
    return value && cJSON_AddItemToObject(o, key, value) ? DDPM_OK : DDPM_ENOMEM;
}

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

static int save(struct training *t, ddpm_error *err)
{
    ddpm_model *m = NULL;
    int64_t step = ddpm_trainer_done(t->trainer);
    char *text = run_text(t);
    int code = text ? ddpm_trainer_model(t->trainer, &m, 1, text, err)
                    : dd_error(err, DDPM_ENOMEM, "out of memory for a checkpoint");

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

/* The mean over the held-out images, with the averaged weights. */
static int held_loss(struct training *t, double *loss, ddpm_error *err)
{
    size_t d = (size_t)t->about->height * (size_t)t->about->width * (size_t)t->about->channels, n;
    struct stream s = { .data = &t->held };
    double *x = malloc(d * sizeof *x), sum = 0, part;
    int code = x ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for an image");

    for (size_t first = 0; first < s.data->count && !code; first += n) {
        n = s.data->count - first < t->images ? s.data->count - first : t->images;
        for (size_t row = 0; row < n && !code; row++) {
            code = dataset_read(&t->held, x, first + row, err);
            for (size_t e = 0; e < d && !code; e++)
                t->x0[row * d + e] = (float)x[e];
            t->classes[row] = dataset_class(&t->held, first + row);
        }
        if (!code)
            code = ddpm_trainer_loss(t->trainer, t->x0, t->about->classes ? t->classes : NULL, (int)n,
                                     (uint32_t)first, &part, err);
        sum += code ? 0 : part * (double)n;
    }
    free(x);
    *loss = sum / (double)t->held.count;
    return code;
}

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

static int evaluate(struct training *t, int64_t step, ddpm_error *err)
{
    double loss;
    int code = held_loss(t, &loss, err);

    if (!code)
        code = training_log_held(&t->log, step, loss, err);
    if (code || !t->s->converged)
        return code;
    t->since = loss < t->best ? 0 : t->since + 1;
    if (t->since)
        return DDPM_OK;
    t->best = loss;
    return save_best(t, err);
}

/* Every ten minutes, or every --save-every steps. */
static bool saves_at(const struct training *t, int64_t step)
{
    return t->s->save_every ? due(step, t->s->save_every) : progress_now() - t->saved_at >= SAVE_SECONDS;
}

/* Every ten minutes, or twenty times as long as the last one took; or every --grid-every steps.  None
   is begun that would end after the time is over. */
static bool shows_at(const struct training *t, int64_t step)
{
    double cost = training_show_seconds(t);

    if (interrupted || !t->s->grid_every || training_time_left(t) < cost + training_end_seconds(t))
        return false;
    if (t->s->grid_every > 0)
        return due(step, t->s->grid_every);
    return progress_now() - t->shown_at >= fmax(SAVE_SECONDS, 20 * cost);
}

/* The loss of the held-out images decides when a training has converged, so that its steps depend on
   settings alone. Otherwise there are some early ones, for the curve, and one with every checkpoint. */
static bool evaluates_at(const struct training *t, int64_t step, bool saves)
{
    int64_t every = t->s->eval_every ? t->s->eval_every : t->s->save_every;
    if (every || t->s->converged)
        return due(step, every ? every : EVAL_EVERY);
    return saves || step == 100 || step == 200 || step == 500 || due(step, EVAL_EVERY);
}

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
    bool saves = saves_at(t, r.step);
    snprintf(t->progress.note, sizeof t->progress.note, "step %lld, loss %.4g", (long long)r.step, r.loss);
    code = training_log_step(&t->log, &r, (int)t->images, progress_seconds(&t->progress) - start, loading,
                             saves, err);
    if (!code && t->held.count && evaluates_at(t, r.step, saves))
        code = evaluate(t, r.step, err);
    if (!code && saves)
        code = save(t, err);
    if (!code && shows_at(t, r.step))
        code = training_show(t, err);
    return code;
}

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

/* The curve of a training whose steps of measuring nobody chose ends where the training does. */
static int evaluate_last(struct training *t, ddpm_error *err)
{
    int64_t done = ddpm_trainer_done(t->trainer);
    const struct curve *held = &t->log.held;
    bool measured = held->points && held->step[held->points - 1] >= (double)done;

    if (!t->held.count || t->s->eval_every || t->s->save_every || t->s->converged || measured || interrupted)
        return DDPM_OK;
    return evaluate(t, done, err);
}

/* What went wrong in a step left the trainer as it was: the work until then is saved, unless saving is what went wrong. */
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
    int code = t->saved < 0 ? save(t, err) : DDPM_OK;
    if (!code)
        code = training_try(t, err);
    if (code)
        return code;

    progress_begin(&t->progress, &t->s->common, "images", (double)t->s->steps * (double)t->images);
    t->progress.what = "training";
    t->progress.first = (double)t->first * (double)t->images;
    t->progress.limit = t->s->time > 0 ? fmax(training_time_left(t), 1e-3) : 0;
    while (!code && !interrupted && !at_end(t)) {
        if (!(code = step(t, err)))
            tell(t);
    }
    if (!code)
        code = evaluate_last(t, err);
    progress_clear(&t->progress);
    if (code && t->saved >= 0)
        return rescue(t, code, err);
    return code || t->saved == ddpm_trainer_done(t->trainer) ? code : save(t, err);
}
