/* Makes what follows the last step: a picture, the model file and its statistics.

   Statistics take about one call of the network for every image and term.  They may take as many calls as the
   steps have had images, but at least 256, so that they take less time than the steps.  This limit depends on
   the settings alone.  With --time they also have to end in time, by the measured rate of a first call.  At
   most a tenth of the time is kept for them and for the picture. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "measure/evaluation.h"
#include "measure/statistics.h"
#include "training/training.h"

enum {
    CALLS_LEAST = 256,
    TRIES = 3, /* plans of statistics, each with less than the one before */
    LONG = 30  /* a picture that takes more seconds is announced */
};

/* A step of training takes an image forward and backward and makes new weights ready. */
static const double calls_of_an_image = 4;

static double calls_allowed(const struct training *t)
{
    double images = (double)ddpm_trainer_done(t->trainer) * (double)t->images;
    return fmax(images, CALLS_LEAST);
}

double training_time_left(const struct training *t)
{
    return t->s->time > 0 ? t->began + t->s->time - progress_now() : INFINITY;
}

double training_call_seconds(const struct training *t)
{
    double images = (double)(ddpm_trainer_done(t->trainer) - t->first) * (double)t->images;
    if (t->call > 0)
        return t->call;
    return images > 0 ? progress_seconds(&t->progress) / images / calls_of_an_image : 0;
}

double training_end_seconds(const struct training *t)
{
    double held = (double)t->held.count, calls = fmin(calls_allowed(t), held * t->about->steps);
    double seconds = calls * training_call_seconds(t) + (t->s->grid_every ? training_show_seconds(t) : 0);
    double loss = held * training_call_seconds(t);

    return loss + (t->s->time > 0 ? fmin(seconds, t->s->time / 10) : seconds);
}

/* ---- statistics ---- */

/* Some of the held-out images; index is owned. */
struct part {
    struct dataset data;
    uint32_t *index;
};

/* Takes `count` of the held-out images, evenly spread. */
static int take_part(struct part *p, const struct dataset *held, size_t count, ddpm_error *err)
{
    *p = (struct part){ .data = *held, .index = malloc((count + 1) * sizeof *p->index) };
    if (!p->index)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the numbers of %zu images", count);
    for (size_t i = 0; i < count; i++)
        p->index[i] = held->index[i * held->count / count];
    p->data.index = p->index;
    p->data.count = count;
    return DDPM_OK;
}

static int open_evaluation(struct evaluation *e, const struct training *t, const ddpm_model *m,
                           const struct dataset *data, int terms, ddpm_error *err)
{
    char steps[16];
    bool all = terms == t->about->steps;

    snprintf(steps, sizeof steps, "%d", terms);
    const struct evaluation_options o = {
        .model = m,
        .data = data,
        .command = t->command,
        .common = &t->s->common,
        .steps = all ? "all" : steps,
        .spacing = all ? NULL : "logsnr",
        .variance = "auto",
        .clip = t->about->clip,
        .class = -1,
    };
    int code = evaluation_open(e, &o, err);
    e->what = "statistics";
    return code;
}

int training_try(struct training *t, ddpm_error *err)
{
    struct evaluation e;
    struct part one;
    ddpm_model *m = NULL;

    if (!(t->s->time > 0) || !t->held.count)
        return DDPM_OK;

    int code = take_part(&one, &t->held, 1, err);
    if (!code)
        code = ddpm_trainer_model(t->trainer, &m, 0, NULL, err);
    if (!code)
        code = open_evaluation(&e, t, m, &one.data, t->about->steps, err);
    if (!code) {
        code = evaluation_try(&e, &t->call, err);
        evaluation_close(&e);
    }
    ddpm_model_close(m);
    free(one.index);
    return code;
}

/* Says which statistics are measured, and how long that takes. */
static void announce(const struct training *t, const struct statistics_plan *p)
{
    char terms[64], some[32] = "", duration[PROGRESS_TIME], in[PROGRESS_TIME + 16] = "";
    double seconds = (double)p->images * p->terms * training_call_seconds(t);
    bool whole = p->images == t->held.count && p->terms == t->about->steps;

    if (p->terms == t->about->steps)
        snprintf(terms, sizeof terms, "all %d", p->terms);
    else
        snprintf(terms, sizeof terms, "%d of %d", p->terms, t->about->steps);

    if (p->images < t->held.count)
        snprintf(some, sizeof some, "%zu of ", p->images);
    progress_time(duration, seconds);
    if (seconds > 0)
        snprintf(in, sizeof in, ", in about %s", duration);
    remark(t->command, &t->s->common,
           "%s is written, without statistics; they follow, of %s%zu held-out images at %s steps%s%s",
           t->s->output, some, t->held.count, terms, in,
           whole ? "" : " (ddpm eval DATA --statistics -o NEW: of all)");
}

/* Measures statistics by the plan and stores them.  Sets *late if there was not even time for the first
   batch. */
static int measure(struct training *t, const ddpm_model *m, const struct statistics_plan *p, bool *late,
                   ddpm_error *err)
{
    struct evaluation e;
    struct part part;
    int code = take_part(&part, &t->held, p->images, err);

    if (!code)
        code = open_evaluation(&e, t, m, &part.data, p->terms, err);
    if (!code) {
        e.until = t->s->time > 0 ? t->began + t->s->time : 0;
        code = evaluation_run(&e, NULL, NULL, err);

        /* The measured rate is kept for the next, smaller plan. */
        t->call = e.late ? e.call : t->call;
        *late = e.eval_sums.images == 0;
        if (!code && !interrupted && !*late) {
            t->measured = (struct statistics_plan){ e.eval_sums.images, p->terms };
            t->bits = eval_sums_mean(&e.eval_sums, EVAL_SUMS_TOTAL).mean;
            code = statistics_save(&e.eval_sums, e.chain, m, t->s->output, true, err);
        }
        evaluation_close(&e);
    }
    free(part.index);
    return code;
}

/* Measures statistics by the largest plan that there is time for.  If the first batch would end too late, a
   smaller plan is made from the rate of that batch. */
static int measure_in_time(struct training *t, const ddpm_model *m, ddpm_error *err)
{
    struct statistics_plan p;
    int code = DDPM_OK;
    bool late = true;

    for (int i = 0; i < TRIES && late && !code && !interrupted; i++) {
        double calls = calls_allowed(t), left = training_time_left(t);

        /* A fifth of the time is left for loading and saving; 1e-9 avoids a division by 0. */
        if (isfinite(left))
            calls = fmin(calls, 0.8 * fmax(left, 0) / (training_call_seconds(t) + 1e-9));
        if (!statistics_plan(&p, calls, t->held.count, t->about->steps))
            break;
        if (!i)
            announce(t, &p);
        code = measure(t, m, &p, &late, err);
    }
    if (late && !code && !interrupted)
        remark(t->command, &t->s->common,
               "no time is left for statistics: ddpm eval DATA --statistics -o NEW makes them");
    return code;
}

/* ---- the end ---- */

/* Draws a last picture, unless it was just drawn or would take more than half of the time left. */
static int show_last(struct training *t, ddpm_error *err)
{
    char duration[PROGRESS_TIME];
    double seconds = training_show_seconds(t);

    if (!t->s->grid_every || t->shown == ddpm_trainer_done(t->trainer))
        return DDPM_OK;

    progress_time(duration, seconds);
    if (seconds <= training_time_left(t) / 2) {
        if (seconds > LONG)
            remark(t->command, &t->s->common, "the last picture takes about %s", duration);
        return training_show(t, err);
    }
    remark(t->command, &t->s->common, "no last picture: it would take about %s", duration);
    return training_show_curve(t, err);
}

int training_finish(struct training *t, ddpm_error *err)
{
    ddpm_model *m = NULL;
    int code;

    if (t->s->converged && isfinite(t->best))
        code = training_output_best(t, &m, err);
    else
        code = ddpm_trainer_model(t->trainer, &m, 0, NULL, err);

    if (!code)
        code = show_last(t, err);
    if (!code && !interrupted)
        code = ddpm_model_save(m, t->s->output, t->replaces ? DDPM_SAVE_REPLACE : 0, err);

    /* From here on the model is written, and an error in its statistics says so. */
    if (!code && !interrupted) {
        t->written = true;
        code = t->held.count ? measure_in_time(t, m, err) : DDPM_OK;
        if (code) {
            ddpm_error why = *err;
            dd_error(err, code, "%.320s; %s is written, without statistics", why.text, t->s->output);
        }
    }
    ddpm_model_close(m);
    return code;
}
