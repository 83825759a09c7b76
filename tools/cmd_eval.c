/* ddpm eval: measures the bits per dimension of a data set, -log2 p(x0) / d <= L_T + sum_i L_i + L_0 (Ho et
   al. 2020, equation 5), or with --ode by the probability-flow ODE (Song et al. 2021, section 4.3).  It
   prints the mean over images with a 95 % interval, and every term with the mean squared errors of eps and
   x0.

   Noise depends only on seed, place in the data and t, so two chains are compared on the same noise, image by
   image.  Batch, threads and interruptions change no bit. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/interrupt.h"
#include "cli/memory_limit.h"
#include "cli/options.h"
#include "measure/checked_data.h"
#include "measure/eval_report.h"
#include "measure/evaluation.h"
#include "measure/statistics.h"

enum { BATCH = 16 };

/* The tolerance of --ode unless another one is given. */
static const double TOLERANCE = 1e-4;

struct settings {
    struct common common;
    const char *model, *size, *steps, *spacing, *variance, *clip, *fit, *resume, *output, *probe;
    int64_t images, batch, class;
    double memory, tolerance;
    uint64_t seed;
    bool skip_bad, ode, statistics, force, gray, color;
};
static const struct settings defaults = { .class = -1 };

/* One run of the command. */
struct job {
    const struct settings *s;
    ddpm_model *model;
    struct image_size size; /* of the images, or 0 where it is the model's own */
    const ddpm_about *about;
    struct checked_data data;
    struct evaluation e;
    struct evaluation_ode ode; /* with --ode */
    cJSON *about_run;          /* the settings that a resumed run must have */
};

/* ---- before the first image ---- */

/* Reads the settings of the ODE, and refuses those that belong to the other method.  DDPM_EUSAGE. */
static int read_ode(struct job *j, ddpm_error *err)
{
    const struct settings *s = j->s;
    char *end = NULL;
    long steps = s->steps ? strtol(s->steps, &end, 10) : 0;

    if (!s->ode && (s->tolerance > 0 || s->probe))
        return dd_error(err, DDPM_EUSAGE, "--%s is a setting of the ODE: add --ode",
                        s->probe ? "probe" : "tolerance");
    if (!s->ode)
        return DDPM_OK;
    if (s->spacing || s->variance || s->clip)
        return dd_error(
            err, DDPM_EUSAGE,
            "--spacing, --variance and --clip are settings of the bound, and --ode has none of them");
    if (s->statistics)
        return dd_error(err, DDPM_EUSAGE,
                        "--statistics measures the steps of the bound, and --ode has none of them");
    if (s->steps && (*end || steps < 1 || steps > 65536))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps %.40s: with --ode a number of equal steps is expected, 1 to 65536",
                        s->steps);
    if (s->steps && s->tolerance > 0)
        return dd_error(err, DDPM_EUSAGE,
                        "--steps makes equal steps, and --tolerance chooses their length: leave one out");

    j->ode.steps = (int)steps;
    j->ode.tolerance = s->tolerance > 0 ? s->tolerance : TOLERANCE;
    j->ode.probe = s->probe && !strcmp(s->probe, "gaussian") ? DDPM_GAUSSIAN : DDPM_RADEMACHER;
    return DDPM_OK;
}

/* Adds the settings of the method to o.  Returns whether there was memory. */
static bool describe_method(const struct job *j, cJSON *o)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);

    if (j->s->ode)
        return cJSON_AddStringToObject(o, "method", "ode") &&
               cJSON_AddNumberToObject(o, "ode.steps", j->ode.steps) &&
               cJSON_AddNumberToObject(o, "tolerance", j->ode.steps ? 0 : j->ode.tolerance) &&
               cJSON_AddStringToObject(o, "probe", evaluation_probe_names()[j->ode.probe]);
    return cJSON_AddNumberToObject(o, "steps", t->K) &&
           cJSON_AddNumberToObject(o, "steps.crc32", evaluation_check(t->t, (size_t)t->K)) &&
           cJSON_AddStringToObject(o, "variance", ddpm_bound_variance(j->e.bound)) &&
           cJSON_AddNumberToObject(o, "clip", clip_bound(j->s->clip, j->about));
}

/* Lists the settings that a resumed run must have, in j->about_run. */
static int describe_run(struct job *j, ddpm_error *err)
{
    cJSON *o = j->about_run = cJSON_CreateObject();
    char seed[24], model[IMAGE_SIZE_MODEL];

    /* The seed is text, as a JSON number does not hold 64 bits. */
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)j->s->seed);
    bool ok = o && cJSON_AddStringToObject(o, "model", image_size_model(model, j->about->id, j->size)) &&
              describe_method(j, o) && cJSON_AddStringToObject(o, "seed", seed) &&
              cJSON_AddNumberToObject(o, "class", (double)j->s->class) &&
              cJSON_AddStringToObject(o, "engine class", evaluation_engine_class(&j->e));
    return ok ? DDPM_OK : dd_error_memory(err, "the settings");
}

/* Returns DDPM_EUSAGE unless the images in the file are the first ones of the data. */
static int check_counted(struct job *j, ddpm_error *err)
{
    const struct eval_sums *sums = &j->e.eval_sums;

    for (size_t k = 0; k < sums->images; k++) {
        const double *row = eval_sums_row(sums, k);
        int code = dataset_read(&j->data.set, j->e.x0, k, err);
        if (code)
            return code;
        if (row[EVAL_SUMS_INDEX] != j->data.set.index[k] ||
            row[EVAL_SUMS_CHECK] != evaluation_check(j->e.x0, j->e.d))
            return dd_error(err, DDPM_EUSAGE, "%s was begun with other data: image %zu differs", j->s->resume,
                            k);
    }
    return DDPM_OK;
}

/* Goes on from the file of --resume, if there is one. */
static int resume(struct job *j, ddpm_error *err)
{
    const struct eval_sums *sums = &j->e.eval_sums;
    size_t count = j->data.set.count;

    if (!j->s->resume)
        return DDPM_OK;

    /* A run that begins anew has no file to read, but must be able to write one. */
    if (!strcmp(j->s->resume, "-"))
        return dd_error(err, DDPM_EUSAGE, "--resume -: what was found is kept in a file: name one");
    if (!dd_system_exists(j->s->resume) && errno == ENOENT)
        return dd_output_check(j->s->resume, 1, err);

    int code = eval_sums_load(&j->e.eval_sums, j->s->resume, j->about_run, err);
    if (!code)
        code = check_counted(j, err);
    if (!code && sums->images < count)
        code = dd_output_check(j->s->resume, 1, err);
    if (!code && sums->images)
        remark(&command_eval, &j->s->common, "going on after %zu of %zu images", sums->images, count);
    return code;
}

/* Chooses the batch: as many images as were asked for and as memory has room for. */
static int pick_batch(const struct job *j, int *batch, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct memory_limit l = {
        .bytes = s->memory,
        .name = "--memory-limit",
        .model = j->model,
        .backward = s->ode,
        .command = &command_eval,
        .common = &s->common,
    };

    *batch = s->batch ? (int)s->batch : BATCH;
    if ((size_t)*batch > j->data.set.count)
        *batch = (int)j->data.set.count;
    memory_limit_find(&l, "");
    return memory_limit_batch(batch, s->batch > 0, &l, err);
}

static int open_data(struct job *j, const char *path, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct checked_data_options o = { .fit = s->fit,
                                      .gray = s->gray,
                                      .color = s->color,
                                      .images = (size_t)s->images,
                                      .class = (int)s->class,
                                      .skip_bad = s->skip_bad };

    j->data.command = &command_eval;
    j->data.common = &s->common;
    return checked_data_open(&j->data, path, j->about, &o, err);
}

static int open_evaluation(struct job *j, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct evaluation_options o = {
        .model = j->model,
        .data = &j->data.set,
        .command = &command_eval,
        .common = &s->common,
        .ode = s->ode ? &j->ode : NULL,
        .steps = s->steps ? s->steps : "all",
        .spacing = s->spacing,
        .variance = s->variance ? s->variance : "auto",
        .clip = clip_bound(s->clip, j->about),
        .seed = s->seed,
        .class = (int)s->class,
    };
    int code = pick_batch(j, &o.batch, err);
    return code ? code : evaluation_open(&j->e, &o, err);
}

static int job_open(struct job *j, const char *path, ddpm_error *err)
{
    const struct settings *s = j->s;
    int code = read_ode(j, err);
    if (!code)
        code = model_open_whole(&j->model, s->model, err);
    if (!code)
        code = image_size_apply(j->model, s->size, &j->size, &command_eval, &s->common, err);
    if (code)
        return code;
    if (s->statistics != (s->output != NULL))
        return dd_error(
            err, DDPM_EUSAGE,
            "--statistics and -o go together: the new model file is where the statistics are kept");

    j->about = ddpm_model_about(j->model);
    code = open_data(j, path, err);
    if (!code)
        code = open_evaluation(j, err);
    if (!code && s->output)
        code = statistics_check(s->output, s->force, j->about, j->e.chain, err);
    if (!code)
        code = describe_run(j, err);
    if (!code)
        code = resume(j, err);
    if (!code)
        checked_data_tell(&j->data);
    return code;
}

static void job_close(struct job *j)
{
    evaluation_close(&j->e);
    cJSON_Delete(j->about_run);
    checked_data_close(&j->data);
    ddpm_model_close(j->model);
}

static int save(void *user, ddpm_error *err)
{
    const struct job *j = user;

    return eval_sums_save(&j->e.eval_sums, j->s->resume, j->about_run, err);
}

/* ---- the results ---- */

static void announce(const struct job *j)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);
    const struct common *common = &j->s->common;
    size_t skipped = j->data.skipped, count = j->data.set.count;
    char steps[40];

    if (t->warning && !j->s->ode)
        remark(&command_eval, common, "%s", t->warning);
    if (skipped)
        remark(&command_eval, common, "%zu image%s skipped, %zu left", skipped, skipped == 1 ? "" : "s",
               count);
    if (common->verbose && j->s->ode)
        remark(&command_eval, common, "%zu images, ODE with %s", count, eval_report_steps(steps, &j->ode));
    else if (common->verbose)
        remark(&command_eval, common, "%zu images, %d steps, variance %s", count, t->K,
               ddpm_bound_variance(j->e.bound));
}

static void tell_interruption(const struct job *j)
{
    size_t images = j->e.eval_sums.images, count = j->data.set.count;

    if (j->s->resume)
        notice(&command_eval, "interrupted after %zu of %zu images; the same command goes on from %s", images,
               count, j->s->resume);
    else
        notice(&command_eval, "interrupted after %zu of %zu images, and nothing is kept: add --resume FILE",
               images, count);
}

static int finish(struct job *j)
{
    const struct eval_sums *sums = &j->e.eval_sums;

    if (interrupted) {
        tell_interruption(j);
        return INTERRUPTED;
    }

    eval_report_print(&(struct eval_report){ &j->e, j->s->ode ? &j->ode : NULL, j->data.skipped },
                      j->s->common.json);
    return sums->lost ? exit_code(DDPM_ENAN) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    struct job j = { .s = settings };
    ddpm_error err;

    (void)arguments;

    int code = job_open(&j, argument[0], &err);
    if (!code) {
        interrupt_catch();
        announce(&j);
        code = evaluation_run(&j.e, j.s->resume ? save : NULL, &j, &err);
    }
    if (!code && !interrupted && j.s->output)
        code = statistics_save(&j.e.eval_sums, j.e.chain, j.model, j.s->output, j.s->force, &err);

    int status = code ? complain(&command_eval, &err) : finish(&j);
    job_close(&j);
    return status;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is measured"),
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "size", 0, OPTION_TEXT, "WxH", "width x height at which the data are measured (default: as trained)",
      NULL, FIELD(size), 0, 0 },
    { "images", 'n', OPTION_INT, "N", "the first N images (default: all)", NULL, FIELD(images), 1,
      INT32_MAX },
    { "class", 0, OPTION_INT, "K", "class of all images (default: the data's)", NULL, FIELD(class), 0,
      INT32_MAX },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "data of another size than the model's: pad with black, crop the middle, or resize and crop",
      view_fit_names, FIELD(fit), 0, 0 },
    { "gray", 0, OPTION_FLAG, NULL, "make images in colour gray, for a model of gray images", NULL,
      FIELD(gray), 0, 0 },
    { "color", 0, OPTION_FLAG, NULL, "give gray images three channels, for a model of images in colour", NULL,
      FIELD(color), 0, 0 },
    { "skip-bad", 0, OPTION_FLAG, NULL, "leave out images that cannot be used, and count them", NULL,
      FIELD(skip_bad), 0, 0 },
    OPTION_GROUP("How it is measured"),
    { "ode", 0, OPTION_FLAG, NULL,
      "the likelihood by the probability-flow ODE instead of the bound; --steps K are K equal steps", NULL,
      FIELD(ode), 0, 0 },
    { "tolerance", 0, OPTION_NUMBER, "X", "of --ode: the largest error of a step (default: 1e-4)", NULL,
      FIELD(tolerance), 1e-7, 0.1 },
    { "probe", 0, OPTION_CHOICE, "NAME", "of --ode: the random direction of the trace (default: rademacher)",
      evaluation_probe_names, FIELD(probe), 0, 0 },
    { "steps", 0, OPTION_TEXT, "STEPS", "50, all, a list 0,10,999 or sections iddpm:10,15,20 (default: all)",
      NULL, FIELD(steps), 0, 0 },
    { "spacing", 0, OPTION_CHOICE, "NAME",
      "how the steps are chosen; optimal: least bound of all lists "
      "from 0 to T-1 (default: iddpm)",
      ddpm_spacing_names, FIELD(spacing), 0, 0 },
    { "variance", 0, OPTION_CHOICE, "NAME", "of a step (default: auto)", ddpm_variance_names, FIELD(variance),
      0, 0 },
    { "clip", 0, OPTION_CHOICE, "CHOICE", "clip the predicted x0 (default: as trained)", clip_choices,
      FIELD(clip), 0, 0 },
    { "seed", 0, OPTION_SEED, "S", "64 bits, or random (default: 0)", NULL, FIELD(seed), 0, 0 },
    OPTION_GROUP("What becomes of it"),
    { "statistics", 0, OPTION_FLAG, NULL,
      "write the model with the statistics for --variance analytic and --spacing optimal", NULL,
      FIELD(statistics), 0, 0 },
    { "output", 'o', OPTION_TEXT, "NEW", "the model file of --statistics", NULL, FIELD(output), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing NEW", NULL, FIELD(force), 0, 0 },
    { "resume", 0, OPTION_TEXT, "FILE", "keep what was found in FILE, and go on from there if it exists",
      NULL, FIELD(resume), 0, 0 },
    OPTION_GROUP("Processor"),
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: up to 16)", NULL,
      FIELD(batch), 1, 4096 },
    { "memory-limit", 0, OPTION_SIZE, "SIZE",
      "fewer at a time where they take more: 500M, 1G (default: what the cgroup says)", NULL, FIELD(memory),
      0, 0 },
};
const struct command command_eval = {
    .name = "eval",
    .arguments = "DATA",
    .least = 1,
    .most = 1,
    .run = run,
    .does = "Measures a model: bits per dimension of a data set under any chain of steps, in all its terms, "
            "with the errors of eps and x0. --ode measures the likelihood instead, which is tighter.\n"
            "DATA is a folder of images (or of sub-folders, one a class), an IDX file (.gz too), CIFAR-10's "
            "binary batches (a file or their folder), or a .npy or .npz array.",
    .examples = "  ddpm eval -n 100 --steps 50 --fit pad t10k-images-idx3-ubyte.gz\n  ddpm eval -m "
                "model.ddpm --json --resume full.safetensors photos\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
