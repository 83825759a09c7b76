/* ddpm tune: learns solvers of few steps for a model and writes the model with them.

   The network does not change.  A solver takes a few hundred bytes: its times, and the coefficients of a
   multistep method (src/diffusion/tuned.c).  Batch, threads and interruptions change no bit of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/ending.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "tuning/tuning_state.h"

enum { IMAGES = 1024, ITERATIONS = 400, BATCH = 16 };

/* An eighth as many images as a solver learns from choose the best solver, and as many others measure it. */
enum { CHECKED_PART = 8, CHECKED_LEAST = 16 };

/* The seed of tuning has "tune" in ASCII in its upper half, so that its noise differs from that of all images
   with a seed below 2^32. */
static const uint64_t noises = (uint64_t)0x74756e65 << 32;

struct settings {
    struct common common;
    const char *model, *size, *output, *steps, *resume;
    int64_t images, iterations, batch;
    double time;
    uint64_t seed;
    bool force;
};
static const struct settings defaults = {
    .steps = "4,6,8", .images = IMAGES, .iterations = ITERATIONS, .batch = BATCH
};

struct job {
    const struct settings *s;
    ddpm_model *model;
    struct tuning t;
};

/* ---- before the first image ---- */

/* Reads the steps of all solvers, such as "4,6,8": whole numbers that rise. */
static int read_steps(struct tuning *t, const char *text, ddpm_error *err)
{
    for (const char *p = text;; p++) {
        char *end;
        long K = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : 0;
        if (K < 1 || K > 64 || (t->count && K <= t->K[t->count - 1]) || (*end && *end != ','))
            return dd_error(err, DDPM_EUSAGE,
                            "--steps %.60s: expected numbers of steps that rise, 1 to 64, such as 4,6,8",
                            text);
        if (t->count == TUNING_SOLVERS_MOST)
            return dd_error(err, DDPM_EUSAGE, "--steps %.60s: at most %d solvers are learned at once", text,
                            TUNING_SOLVERS_MOST);
        t->K[t->count++] = (int)K;
        if (!*end)
            return DDPM_OK;
        p = end;
    }
}

/* Goes on from the file of --resume, if there is one. */
static int resume(struct job *j, ddpm_error *err)
{
    const char *path = j->s->resume;
    if (!path)
        return DDPM_OK;
    if (!strcmp(path, "-"))
        return dd_error(err, DDPM_EUSAGE, "--resume -: what was learned is kept in a file: name one");
    if (!dd_system_exists(path) && errno == ENOENT)
        return dd_output_check(path, true, err);

    int code = tuning_state_load(&j->t, path, err);
    if (!code)
        remark(&command_tune, &j->s->common, "going on with %d of %d solvers finished", j->t.at, j->t.count);
    return code;
}

static int job_open(struct job *j, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct tuning *t = &j->t;

    if (!s->output)
        return dd_error(err, DDPM_EUSAGE, "-o NEW is missing: the model file that gets the solvers");
    int code = read_steps(t, s->steps, err);
    if (!code)
        code = model_open_whole(&j->model, s->model, err);
    if (!code)
        code = image_size_apply(j->model, s->size, &t->size, &command_tune, &s->common, err);
    if (!code)
        code = ending_check(s->output, err);
    if (!code)
        code = dd_output_check(s->output, s->force, err);
    if (code)
        return code;

    t->command = &command_tune;
    t->common = &s->common;
    t->model = j->model;
    t->batch = (int)s->batch;
    t->teach = (int)s->images;
    t->choose = t->teach / CHECKED_PART > CHECKED_LEAST ? t->teach / CHECKED_PART : CHECKED_LEAST;
    t->measure = t->choose;
    t->seed = noises ^ s->seed;
    t->iterations = s->iterations;

    code = tuning_open(t, err);
    if (!code)
        code = resume(j, err);
    t->until = s->time > 0 ? progress_now() + s->time : 0;
    return code;
}

static void job_close(struct job *j)
{
    tuning_close(&j->t);
    ddpm_model_close(j->model);
}

/* ---- the run ---- */

static int save(void *user, ddpm_error *err)
{
    const struct job *j = user;
    return j->s->resume ? tuning_state_save(&j->t, j->s->resume, err) : DDPM_OK;
}

/* Makes the teacher's images, then learns one solver after the other. */
static int learn(struct job *j, ddpm_error *err)
{
    struct tuning *t = &j->t;
    int code = tuning_teach(t, err);
    if (!code)
        code = save(j, err);

    while (!code && !interrupted && t->at < t->count) {
        if (!t->tuner)
            code = tuning_begin(t, err);
        if (!code && !interrupted)
            code = tuning_solve(t, save, j, err);
        if (!code && !interrupted)
            code = save(j, err);
    }
    return code;
}

/* Writes the model with all solvers. */
static int write_model(struct job *j, ddpm_error *err)
{
    const ddpm_model *m = j->model;
    ddpm_model *made = NULL;
    int code = DDPM_OK;
    for (int i = 0; i < j->t.count && !code; i++) {
        /* Each solver makes a new model from the one before, which is then closed. */
        ddpm_model *before = made;
        code = ddpm_model_add_tuned(&made, m, &j->t.done[i], err);
        ddpm_model_close(before);
        m = made;
    }
    if (!code)
        code = ddpm_model_save(made, j->s->output, model_save_flags(j->model, j->s->force), err);
    ddpm_model_close(made);
    return code;
}

static void print_solver(const ddpm_tuned *s, bool json)
{
    if (json) {
        printf("{\"steps\":%d,\"error\":%.17g,\"untuned\":%.17g,\"equals\":%d}\n", s->K, s->error, s->untuned,
               s->equals);
        return;
    }
    printf("%d steps: distance %.4f to the teacher, untuned %.4f", s->K, s->error, s->untuned);
    if (s->equals)
        printf("; as near as %d untuned", s->equals);
    putchar('\n');
}

static int finish(struct job *j)
{
    if (interrupted && j->s->resume)
        notice(&command_tune, "interrupted; the same command goes on from %s", j->s->resume);
    else if (interrupted)
        notice(&command_tune, "interrupted, and nothing is kept: add --resume FILE");
    if (interrupted)
        return INTERRUPTED;

    for (int i = 0; i < j->t.count; i++)
        print_solver(&j->t.done[i], j->s->common.json);
    return 0;
}

static int run(void *settings, char **argument, int arguments)
{
    struct job j = { .s = settings };
    ddpm_error err;
    (void)argument;
    (void)arguments;

    int code = job_open(&j, &err);
    if (!code) {
        interrupt_catch();
        code = learn(&j, &err);
    }
    if (!code && !interrupted)
        code = write_model(&j, &err);

    int status = code ? complain(&command_tune, &err) : finish(&j);
    job_close(&j);
    return status;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is learned"),
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "size", 0, OPTION_TEXT, "WxH",
      "width x height of the images to learn from, and of the new model's (default: as trained)", NULL,
      FIELD(size), 0, 0 },
    { "steps", 0, OPTION_TEXT, "LIST", "numbers of steps, a solver for each (default: 4,6,8)", NULL,
      FIELD(steps), 0, 0 },
    OPTION_GROUP("How it is learned"),
    { "images", 'n', OPTION_INT, "N", "images of the teacher to learn from (default: 1024)", NULL,
      FIELD(images), 16, 1000000 },
    { "iterations", 0, OPTION_INT, "N", "for each solver, of 16 images (default: 400)", NULL,
      FIELD(iterations), 1, 1000000 },
    { "time", 0, OPTION_TIME, "TIME", "end earlier after 10m, 2h, with what is learned until then", NULL,
      FIELD(time), 1, 1e9 },
    { "seed", 0, OPTION_SEED, "S", "of the noises, 64 bits, or random (default: 0)", NULL, FIELD(seed), 0,
      0 },
    OPTION_GROUP("What becomes of it"),
    { "output", 'o', OPTION_TEXT, "NEW", "the model file that gets the solvers", NULL, FIELD(output), 0, 0 },
    { "resume", 0, OPTION_TEXT, "FILE", "keep what was learned in FILE, and go on from there if it exists",
      NULL, FIELD(resume), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing NEW", NULL, FIELD(force), 0, 0 },
    OPTION_GROUP("Processor"),
    { "batch", 0, OPTION_INT, "B", "images that the teacher makes together (default: 16)", NULL, FIELD(batch),
      1, 256 },
};
const struct command command_tune = {
    .name = "tune",
    .arguments = "",
    .run = run,
    .does = "Learns solvers of few steps for a model and writes the model with them, for ddpm sample "
            "--sampler tuned.\n"
            "A solver learns its times and coefficients from the images of a teacher, dpmpp or "
            "ipndm with 60 steps.  "
            "No data is "
            "needed, and the network does not change.",
    .examples = "  ddpm tune -m cifar10.ddpm -o cifar10-tuned.ddpm\n  ddpm tune --steps 6 --time 5m --resume "
                "state -o fast.ddpm\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
