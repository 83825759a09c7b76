/* ddpm eval: measures the bits per dimension of a data set, -log2 p(x0) / d <= L_T + sum_i L_i + L_0 (Ho et
   al. 2020, equation 5).  It prints the mean over images with a 95 % interval, and every term with the mean
   squared errors of eps and x0.

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
#include "measure/evaluation.h"
#include "measure/statistics.h"

enum { BATCH = 16 };

struct settings {
    struct common common;
    const char *model, *size, *steps, *spacing, *variance, *clip, *fit, *resume, *output;
    int64_t images, batch, class;
    double memory;
    uint64_t seed;
    bool skip_bad, statistics, force, gray, color;
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
    cJSON *about_run; /* the settings that a resumed run must have */
};

/* ---- before the first image ---- */

/* Lists the settings that a resumed run must have, in j->about_run. */
static int describe_run(struct job *j, ddpm_error *err)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);
    cJSON *o = j->about_run = cJSON_CreateObject();
    char seed[24], model[IMAGE_SIZE_MODEL];

    /* The seed is text, as a JSON number does not hold 64 bits. */
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)j->s->seed);
    bool ok = o && cJSON_AddStringToObject(o, "model", image_size_model(model, j->about->id, j->size)) &&
              cJSON_AddNumberToObject(o, "steps", t->K) &&
              cJSON_AddNumberToObject(o, "steps.crc32", evaluation_check(t->t, (size_t)t->K)) &&
              cJSON_AddStringToObject(o, "variance", ddpm_bound_variance(j->e.bound)) &&
              cJSON_AddNumberToObject(o, "clip", clip_bound(j->s->clip, j->about)) &&
              cJSON_AddStringToObject(o, "seed", seed) &&
              cJSON_AddNumberToObject(o, "class", (double)j->s->class) &&
              cJSON_AddStringToObject(o, "engine class", ddpm_net_describe(j->e.net)->engine_class);
    return ok ? DDPM_OK : dd_error_memory(err, "the settings");
}

/* Returns DDPM_EUSAGE unless the images in the file are the first ones of the data. */
static int check_counted(struct job *j, ddpm_error *err)
{
    const struct eval_sums *sums = &j->e.eval_sums;

    for (size_t k = 0; k < sums->images; k++) {
        const double *row = sums->image + k * EVAL_SUMS_COLUMNS;
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
    int code = model_open_whole(&j->model, s->model, err);
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

/* Prints "name":v; null if v is not finite, which JSON has no number for. */
static void print_member(const char *name, double v)
{
    if (isfinite(v))
        printf("\"%s\":%.17g", name, v);
    else
        printf("\"%s\":null", name);
}

/* Prints the terms of all steps, as a table or as lines of JSON. */
static void print_steps(const struct job *j, bool json)
{
    static const char *const heads[] = { "i", "t", "bits", "mse_eps", "mse_x0" };
    const struct eval_sums *sums = &j->e.eval_sums;

    if (!json)
        printf("%6s%8s%14s%14s%14s\n", heads[0], heads[1], heads[2], heads[3], heads[4]);
    for (int i = 0; i < sums->K; i++) {
        const double v[5] = { i, ddpm_chain_tables(j->e.chain)->t[i], eval_sums_at(sums, EVAL_SUMS_TERM, i),
                              eval_sums_at(sums, EVAL_SUMS_MSE_EPS, i),
                              eval_sums_at(sums, EVAL_SUMS_MSE_X0, i) };
        if (!json) {
            printf("%6g%8g%14.6g%14.6g%14.6g\n", v[0], v[1], v[2], v[3], v[4]);
            continue;
        }
        for (int k = 0; k < 5; k++) {
            putchar(k ? ',' : '{');
            print_member(heads[k], v[k]);
        }
        puts("}");
    }
}

/* Bits per dimension, as means over the images that were not lost. */
struct result {
    size_t n;                  /* images */
    double prior, l0, between; /* L_T, L_0 and the sum of the terms between them */
    double total, low, high;   /* the whole bound and its 95 % interval, which is NaN for a single image */
};

static struct result result_of(const struct eval_sums *sums)
{
    struct eval_sums_mean total = eval_sums_mean(sums, EVAL_SUMS_TOTAL);
    struct result r = { .n = sums->images - sums->lost,
                        .prior = eval_sums_mean(sums, EVAL_SUMS_PRIOR).mean,
                        .l0 = eval_sums_mean(sums, EVAL_SUMS_L0).mean,
                        .total = total.mean,
                        .low = fmax(0, total.mean - total.half),
                        .high = total.mean + total.half };

    for (int i = 1; i < sums->K; i++)
        r.between += eval_sums_at(sums, EVAL_SUMS_TERM, i);
    return r;
}

static void print_text(const struct job *j, const struct result *r)
{
    int K = j->e.eval_sums.K;

    printf("L_T %.6g, L_0 %.6g, the %d terms between %.6g bits/dim\n", r->prior, r->l0, K - 1, r->between);
    printf("total %.6g bits/dim", r->total);
    if (r->n > 1)
        printf(", 95 %% interval %.6g to %.6g", r->low, r->high);
    printf("; %zu image%s, %d steps, variance %s\n", r->n, r->n == 1 ? "" : "s", K,
           ddpm_bound_variance(j->e.bound));
}

static void print_json(const struct job *j, const struct result *r)
{
    const struct eval_sums *sums = &j->e.eval_sums;

    printf("{\"images\":%zu,\"lost\":%zu,\"skipped\":%zu,\"steps\":%d,\"variance\":\"%s\",", r->n, sums->lost,
           j->data.skipped, sums->K, ddpm_bound_variance(j->e.bound));
    print_member("prior", r->prior);
    putchar(',');
    print_member("l0", r->l0);
    putchar(',');
    print_member("between", r->between);
    putchar(',');
    print_member("total", r->total);
    if (isfinite(r->high))
        printf(",\"interval\":[%.17g,%.17g]}\n", r->low, r->high);
    else
        puts(",\"interval\":null}");
}

static void announce(const struct job *j)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);
    const struct common *common = &j->s->common;
    size_t skipped = j->data.skipped, count = j->data.set.count;

    if (t->warning)
        remark(&command_eval, common, "%s", t->warning);
    if (skipped)
        remark(&command_eval, common, "%zu image%s skipped, %zu left", skipped, skipped == 1 ? "" : "s",
               count);
    if (common->verbose)
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

    struct result r = result_of(sums);
    print_steps(j, j->s->common.json);
    if (j->s->common.json)
        print_json(j, &r);
    else
        print_text(j, &r);
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
            "with the errors of eps and x0.\n"
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
