/* Learns solvers of few steps (students) from the images of a solver of many steps (the
   teacher).

   The teacher is DPM-Solver++ or iPNDM (tuning_teacher.c) of order 3 with TEACHER_STEPS steps.
   A student of K steps begins as DPM-Solver++(2M) at the times of the spacing that comes
   nearest to the teacher, is tuned (src/train/tuner.c), and every EVERY steps its distance to
   the teacher is measured on images that it does not learn from, with the sampler that users
   run.  The student with the least distance is kept.  The first one is the untuned solver, so
   the result is never worse than that.

   All noise depends only on one seed and the images' indices, so nothing depends on batch,
   threads or interruption. */
#include "tuning/tuning.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"

/* EVERY: iterations between two measurements; COMPARED_MOST: the most untuned steps that are
   compared. */
enum { TEACHER_STEPS = 60, EVERY = 25, TUNER_BATCH = 16, COMPARED_MOST = 100 };

/* The spacings that end at T - 1, where a tuned solver begins. */
static const char *const spacings[] = { "iddpm", "trailing", "logsnr", NULL };

/* ---- images made by a solver ---- */

/* Images first..first + n - 1. */
struct images {
    int first, n;
};

/* A solver: the sampler's options and its chain. */
struct solver {
    ddpm_sampler_options options;
    ddpm_chain *chain;
};

/* Takes finished images x [n, d]. */
typedef void images_fn(void *user, struct tuning *t, struct images part, const double *x);

/* Makes images, which are the sampler's state afterwards. */
static int make_batch(struct tuning *t, ddpm_sampler *s, struct images part, ddpm_error *err)
{
    uint32_t index[256];
    int32_t class[256];

    /* An image's class depends on its index alone. */
    for (int k = 0; k < part.n; k++) {
        index[k] = (uint32_t)(part.first + k);
        class[k] = t->about->classes ? (part.first + k) % t->about->classes : 0;
    }

    int code = ddpm_sampler_start(s, index, t->about->classes ? class : NULL, part.n, NULL, 0, err);
    while (!code && !interrupted && ddpm_sampler_left(s))
        code = ddpm_sampler_step(s, err);
    return code;
}

/* Makes images by the solver, a batch at a time.  Its chain is freed here. */
static int make(struct tuning *t, const struct solver *by, struct images part, images_fn *take, void *user,
                ddpm_error *err)
{
    ddpm_sampler *s = NULL;
    size_t buffers;
    int code = ddpm_sampler_create(&s, by->chain, &by->options, t->d, t->batch, NULL, err);

    for (int done = 0; !code && !interrupted && done < part.n; done += t->batch) {
        struct images batch = { part.first + done, part.n - done };
        if (batch.n > t->batch)
            batch.n = t->batch;
        code = make_batch(t, s, batch, err);
        if (!code && !interrupted)
            take(user, t, batch, ddpm_sampler_state(s, &buffers));
    }

    ddpm_sampler_free(s);
    ddpm_chain_free(by->chain);
    return code;
}

/* Returns the options of a sampler for this run. */
static ddpm_sampler_options options_of(const struct tuning *t, const char *sampler, int order)
{
    ddpm_sampler_options o;
    ddpm_sampler_defaults(&o, t->about);
    o.sampler = sampler;
    o.order = order;
    o.seed = t->seed;
    o.eps = ddpm_net_eps;
    o.eps_user = t->net;
    return o;
}

/* ---- the teacher ---- */

static int teacher_steps(const struct tuning *t)
{
    return TEACHER_STEPS < t->about->steps ? TEACHER_STEPS : t->about->steps;
}

static void keep_images(void *user, struct tuning *t, struct images part, const double *x)
{
    struct progress *p = user;
    float *to = t->image + (size_t)part.first * t->d;

    for (size_t e = 0; e < (size_t)part.n * t->d; e++)
        to[e] = (float)x[e];
    t->taught = part.first + part.n;
    progress_at(p, t->taught);
}

int tuning_teach(struct tuning *t, ddpm_error *err)
{
    int all = t->teach + t->choose + t->measure;
    struct solver teacher = { .options = options_of(t, t->teacher_solver, 3) };
    struct progress p;
    char text[16];

    snprintf(text, sizeof text, "%d", teacher_steps(t));
    if (t->taught == all)
        return DDPM_OK;

    /* A run that goes on makes the images that are missing. */
    progress_begin(&p, t->common, "images", all);
    p.first = t->taught;
    p.what = "teacher";
    int code = ddpm_chain_respace(&teacher.chain, t->about, text, NULL, err);
    if (!code)
        code = make(t, &teacher, (struct images){ t->taught, all - t->taught }, keep_images, &p, err);
    progress_clear(&p);
    if (code == DDPM_ENAN)
        dd_error_context(err, "the teacher");
    return code;
}

/* ---- distances to the teacher ---- */

/* Adds the distances |x - teacher's| of all values to the sum in user. */
static void add_distances(void *user, struct tuning *t, struct images part, const double *x)
{
    const float *teacher = t->image + (size_t)part.first * t->d;
    double sum = 0;
    for (size_t e = 0; e < (size_t)part.n * t->d; e++)
        sum += fabs(x[e] - teacher[e]);
    *(double *)user += sum;
}

/* Return the images by which a student is chosen, and those by which the chosen one is measured. */
static struct images chosen_by(const struct tuning *t)
{
    return (struct images){ t->teach, t->choose };
}

static struct images measured_by(const struct tuning *t)
{
    return (struct images){ t->teach + t->choose, t->measure };
}

/* Measures the mean distance per value between images by the solver and those of the teacher.
   The solver's chain is freed here. */
static int distance(double *mean, struct tuning *t, const struct solver *by, struct images part,
                    ddpm_error *err)
{
    *mean = 0;
    int code = make(t, by, part, add_distances, mean, err);
    *mean /= (double)part.n * (double)t->d;
    return code;
}

static int distance_untuned(double *mean, struct tuning *t, int K, const char *spacing, struct images part,
                            ddpm_error *err)
{
    struct solver untuned = { .options = options_of(t, "dpmpp", 2) };
    char steps[16];
    snprintf(steps, sizeof steps, "%d", K);
    int code = ddpm_chain_respace(&untuned.chain, t->about, steps, spacing, err);
    return code ? code : distance(mean, t, &untuned, part, err);
}

/* Measures the distance of the tuned solver with this table [DDPM_TUNED_ROWS, K]. */
static int distance_tuned(double *mean, struct tuning *t, const double *table, int K, struct images part,
                          ddpm_error *err)
{
    ddpm_tuned solver = { .K = K, .table = table };
    ddpm_about about = *t->about;
    about.tuned = &solver;
    about.tuned_count = 1;

    /* Both the chain, by its times, and the sampler, by its coefficients, take this one solver. */
    struct solver tuned = { .options = options_of(t, "tuned", 0) };
    tuned.options.tuned = &solver;
    tuned.options.tuned_count = 1;
    int code = ddpm_chain_tuned(&tuned.chain, &about, K, err);
    return code ? code : distance(mean, t, &tuned, part, err);
}

/* ---- one solver ---- */

/* Finds the spacing whose untuned solver of K steps comes nearest to the teacher. */
static int find_spacing(struct tuning *t, int K, ddpm_error *err)
{
    int code = DDPM_OK;
    t->spacing = spacings[0];
    t->untuned = INFINITY;
    for (int i = 0; spacings[i] && !code && !interrupted; i++) {
        double mean;
        code = distance_untuned(&mean, t, K, spacings[i], chosen_by(t), err);
        if (!code && mean < t->untuned) {
            t->untuned = mean;
            t->spacing = spacings[i];
        }
    }
    return code;
}

int tuning_make_tuner(struct tuning *t, ddpm_error *err)
{
    int K = t->K[t->at];
    ddpm_tuner_options o;
    ddpm_chain *chain;
    char steps[16];

    snprintf(steps, sizeof steps, "%d", K);
    int code = ddpm_chain_respace(&chain, t->about, steps, t->spacing, err);
    if (code)
        return code;

    const ddpm_tables *tables = ddpm_chain_tables(chain);
    ddpm_tuner_defaults(&o);
    o.K = K;
    o.t = tables->t;
    o.batch = TUNER_BATCH;
    o.steps = t->iterations;
    o.threads = (int)t->common->threads;
    o.cpu = t->common->cpu;
    o.conv = t->common->conv;
    code = ddpm_tuner_create(&t->tuner, t->model, &o, err);

    /* In the table of the untuned solver everything but the times is 0. */
    t->table = calloc(DDPM_TUNED_ROWS * (size_t)K, sizeof *t->table);
    if (!code && !t->table)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a solver of %d steps", K);
    for (int i = 0; i < K && !code; i++)
        t->table[DDPM_TUNED_T * K + i] = t->table[DDPM_TUNED_FED * K + i] = tables->t[i];
    ddpm_chain_free(chain);
    return code;
}

int tuning_begin(struct tuning *t, ddpm_error *err)
{
    int code = find_spacing(t, t->K[t->at], err);
    if (!code && !interrupted)
        code = tuning_make_tuner(t, err);
    t->best = t->untuned;
    return code;
}

/* Takes one step of tuning, with the images that follow those of the step before. */
static int take_step(struct tuning *t, double *loss, ddpm_error *err)
{
    size_t count, size = (size_t)TUNER_BATCH * t->d;
    double *state = ddpm_tuner_state(t->tuner, &count), *x = t->batch_x, *x0 = x + size;
    int32_t class[TUNER_BATCH];
    int64_t first = (int64_t)state[count - 1] * TUNER_BATCH; /* the last value counts the steps */

    /* After the last image the first one follows again.  x is the noise from which the teacher
       made x0. */
    for (int k = 0; k < TUNER_BATCH; k++) {
        int index = (int)((first + k) % t->teach);
        uint64_t seed = t->seed;
        ddpm_noise(&seed, x + (size_t)k * t->d, t->d, (uint32_t)index, INFINITY, 0);
        for (size_t e = 0; e < t->d; e++)
            x0[(size_t)k * t->d + e] = t->image[(size_t)index * t->d + e];
        class[k] = t->about->classes ? index % t->about->classes : 0;
    }

    return ddpm_tuner_step(t->tuner, x, x0, t->about->classes ? class : NULL, loss, err);
}

/* Measures the present solver on the images for choosing, and keeps it if its distance is the
   least so far. */
static int choose(struct tuning *t, ddpm_error *err)
{
    int K = t->K[t->at];
    const double *table = ddpm_tuner_table(t->tuner);
    double mean;
    int code = distance_tuned(&mean, t, table, K, chosen_by(t), err);
    if (!code && !interrupted && mean < t->best) {
        t->best = mean;
        memcpy(t->table, table, DDPM_TUNED_ROWS * (size_t)K * sizeof *table);
    }
    return code;
}

/* Returns in *near whether K untuned steps come as near as the tuned solver, on the images for
   measuring. */
static int compare_untuned(bool *near, const ddpm_tuned *solver, struct tuning *t, int K, ddpm_error *err)
{
    double mean;
    int code = distance_untuned(&mean, t, K, t->spacing, measured_by(t), err);
    *near = !code && mean <= solver->error;
    return code;
}

/* Finds the least number of untuned steps that come as near as the tuned solver, 0 if
   COMPARED_MOST do not.  The distance falls with the steps, so that doubling them, and then
   halving the range, finds the number. */
static int find_equal(ddpm_tuned *solver, struct tuning *t, ddpm_error *err)
{
    int most = COMPARED_MOST < t->about->steps ? COMPARED_MOST : t->about->steps;
    int far = solver->K, equal = solver->K, code = DDPM_OK;
    bool near = false;
    while (!code && !interrupted && !near && equal < most) {
        far = equal;
        equal = 2 * far < most ? 2 * far : most;
        code = compare_untuned(&near, solver, t, equal, err);
    }
    if (!near)
        return code;

    while (!code && !interrupted && equal - far > 1) {
        int middle = far + (equal - far) / 2;
        code = compare_untuned(&near, solver, t, middle, err);
        if (near)
            equal = middle;
        else
            far = middle;
    }
    solver->equals = equal;
    return code;
}

/* Measures the best solver and moves on to the next one. */
static int finish(struct tuning *t, ddpm_error *err)
{
    ddpm_tuned *solver = &t->done[t->at];
    *solver =
        (ddpm_tuned){ .K = t->K[t->at], .table = t->table, .teacher = t->teacher, .images = t->measure };

    int code = distance_tuned(&solver->error, t, t->table, solver->K, measured_by(t), err);
    if (!code)
        code = distance_untuned(&solver->untuned, t, solver->K, t->spacing, measured_by(t), err);
    if (!code)
        code = find_equal(solver, t, err);
    if (code || interrupted)
        return code;

    /* t->done owns the table from here on. */
    ddpm_tuner_free(t->tuner);
    t->tuner = NULL;
    t->table = NULL;
    t->at++;
    return DDPM_OK;
}

/* Returns when the solver under way has to end, so that each of those after it has as much time. */
static double end_of_share(const struct tuning *t)
{
    double now = progress_now();
    return t->until > 0 ? now + (t->until - now) / (t->count - t->at) : INFINITY;
}

int tuning_solve(struct tuning *t, tuning_save_fn *save, void *user, ddpm_error *err)
{
    struct progress p;
    size_t count;
    const double *done = ddpm_tuner_state(t->tuner, &count) + count - 1;
    double end = end_of_share(t), loss;
    char what[24];
    int code = DDPM_OK;

    snprintf(what, sizeof what, "%d steps", t->K[t->at]);
    progress_begin(&p, t->common, "iterations", (double)t->iterations);
    p.first = *done;
    p.what = what;

    while (!code && !interrupted && *done < (double)t->iterations && progress_now() < end) {
        code = take_step(t, &loss, err);
        bool last = *done >= (double)t->iterations || progress_now() >= end;

        /* The state is saved after each measurement. */
        if (!code && ((int64_t)*done % EVERY == 0 || last)) {
            code = choose(t, err);
            if (!code && !interrupted)
                code = save(user, err);
        }
        snprintf(p.note, sizeof p.note, "distance %.4f, untuned %.4f", t->best, t->untuned);
        progress_at(&p, *done);
    }

    progress_clear(&p);
    return code || interrupted ? code : finish(t, err);
}

/* ---- open and close ---- */

int tuning_open(struct tuning *t, ddpm_error *err)
{
    size_t images = (size_t)t->teach + (size_t)t->choose + (size_t)t->measure;
    t->about = ddpm_model_about(t->model);
    t->d = (size_t)t->about->height * (size_t)t->about->width * (size_t)t->about->channels;
    for (int i = 0; i < t->count; i++)
        if (t->K[i] > t->about->steps)
            return dd_error(err, DDPM_EUSAGE, "--steps: %d steps are asked for, but the model has %d",
                            t->K[i], t->about->steps);

    t->image = calloc(images, t->d * sizeof *t->image);
    t->batch_x = calloc(2 * TUNER_BATCH, t->d * sizeof *t->batch_x);
    if (!t->image || !t->batch_x)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %zu images of the teacher", images);

    int code = model_net(&t->net, t->model, t->common, t->batch, err);
    if (!code)
        code = tuning_choose_teacher(t, err);
    if (!code)
        snprintf(t->teacher, sizeof t->teacher, "%s of order 3, %d steps", t->teacher_solver,
                 teacher_steps(t));
    return code;
}

void tuning_close(struct tuning *t)
{
    for (int i = 0; i < t->at; i++)
        free((double *)t->done[i].table);
    ddpm_tuner_free(t->tuner);
    ddpm_net_free(t->net);
    free(t->table);
    free(t->image);
    free(t->batch_x);
}
