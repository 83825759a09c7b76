/* Algorithm 1 of Ho et al. 2020, a step of the optimiser at a time.  After each step, in this order and each where it is due: a line of the log,
   the loss of the held-out images, a checkpoint, pictures; so a run that goes on from a checkpoint does what the one before would have done. */
#include "training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "evaluation.h"
#include "interrupt.h"
#include "statistics.h"

static bool due(int64_t step, int64_t every) { return every && step % every == 0; }

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
    int code = text ? ddpm_trainer_model(t->trainer, &m, 1, text, err) : dd_error(err, DDPM_ENOMEM, "out of memory for a checkpoint");
    if (!code)
        code = ddpm_model_save(m, training_folder_checkpoint(&t->folder, step), DDPM_SAVE_REPLACE, err);
    if (!code) {
        t->saved = step;
        training_folder_prune(&t->folder, (int)t->s->keep);
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
            t->y[row] = dataset_label(&t->held, first + row);
        }
        if (!code)
            code = ddpm_trainer_loss(t->trainer, t->x0, t->about->classes ? t->y : NULL, (int)n, (uint32_t)first, &part, err);
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

static int step(struct training *t, ddpm_error *err)
{
    const struct train_settings *s = t->s;
    double start = progress_seconds(&t->progress);
    uint64_t position = (uint64_t)ddpm_trainer_done(t->trainer) * t->images;
    ddpm_trainer_report r;
    int code = stream_read(&t->stream, t->x0, t->y, position, t->images, err);
    double loading = progress_seconds(&t->progress) - start;
    if (!code)
        code = ddpm_trainer_step(t->trainer, t->x0, t->about->classes ? t->y : NULL, &r, err);
    if (code)
        return code;
    bool saves = due(r.step, s->save_every);
    snprintf(t->progress.note, sizeof t->progress.note, "step %lld, loss %.4g", (long long)r.step, r.loss);
    code = training_log_step(&t->log, &r, (int)t->images, progress_seconds(&t->progress) - start, loading, saves, err);
    if (!code && t->held.count && due(r.step, s->eval_every ? s->eval_every : s->save_every))
        code = evaluate(t, r.step, err);
    if (!code && saves)
        code = save(t, err);
    if (!code && due(r.step, s->grid_every) && !interrupted)
        code = training_show(t, err);
    return code;
}

static bool at_end(const struct training *t)
{
    return (t->s->steps && ddpm_trainer_done(t->trainer) >= t->s->steps) || (t->s->time > 0 && progress_seconds(&t->progress) >= t->s->time) ||
           (t->s->converged && t->since >= t->s->converged);
}

/* What went wrong in a step left the trainer as it was: the work until then is saved, unless saving is what went wrong. */
static int rescue(struct training *t, int code, ddpm_error *err)
{
    ddpm_error why = *err, also;
    if (code == DDPM_ENAN || code == DDPM_EIO || code == DDPM_ENOMEM || ddpm_trainer_done(t->trainer) == t->saved || save(t, &also) == DDPM_OK)
        dd_error(err, code, "%.320s; the last good checkpoint is %s", why.text, training_folder_checkpoint(&t->folder, t->saved));
    return code;
}

int training_run(struct training *t, ddpm_error *err)
{
    int64_t first = ddpm_trainer_done(t->trainer);
    int code = t->saved < 0 ? save(t, err) : DDPM_OK;
    if (code)
        return code;
    progress_begin(&t->progress, &t->s->common, "images", (double)t->s->steps * (double)t->images);
    t->progress.what = "training";
    t->progress.first = (double)first * (double)t->images;
    t->progress.limit = t->s->time;
    while (!code && !interrupted && !at_end(t)) {
        if ((code = step(t, err)))
            break;
        progress_at(&t->progress, (double)ddpm_trainer_done(t->trainer) * (double)t->images);
    }
    progress_clear(&t->progress);
    if (code && t->saved >= 0)
        return rescue(t, code, err);
    return code || t->saved == ddpm_trainer_done(t->trainer) ? code : save(t, err);
}

/* ---- the end ---- */

static int measure(struct training *t, const ddpm_model *m, double *bits, ddpm_error *err)
{
    const struct evaluation_options o = { .steps = "all", .variance = "auto", .clip = t->about->clip, .label = -1 };
    struct evaluation e;
    int code = evaluation_open(&e, m, &t->held, &o, t->command, &t->s->common, err);
    if (code)
        return code;
    code = evaluation_run(&e, NULL, NULL, err);
    if (!code && !interrupted) {
        *bits = tally_mean(&e.tally, TALLY_TOTAL).mean;
        code = statistics_save(&e.tally, m, t->s->output, t->replaces, err);
    }
    evaluation_close(&e);
    return code;
}

int training_finish(struct training *t, double *bits, ddpm_error *err)
{
    ddpm_model *m = NULL;
    int code = t->s->converged && isfinite(t->best) ? training_output_best(t, &m, err)
                                                    : ddpm_trainer_model(t->trainer, &m, 0, NULL, err);
    *bits = NAN;
    if (!code && t->s->grid_every && !due(ddpm_trainer_done(t->trainer), t->s->grid_every))
        code = training_show(t, err);
    if (!code && t->held.count)
        code = measure(t, m, bits, err);
    else if (!code && !interrupted)
        code = ddpm_model_save(m, t->s->output, t->replaces ? DDPM_SAVE_REPLACE : 0, err);
    ddpm_model_close(m);
    return code;
}
