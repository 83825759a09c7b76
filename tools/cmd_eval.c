/* ddpm eval: bits per dimension of a data set, -log2 p(x0) / d <= L_T + sum_i L_i + L_0 (Ho et al. 2020, equation 5), the mean over images
   with a 95 % interval, and every term with the mean squared errors of eps and x0.

   Noise belongs to (seed, place in the data, t): two schedules are compared image by image.  Batch, threads and interruptions change no bit.

   With --against: the Frechet distance of two sets by the network's mid-block activations, frechet.c, set_features.c. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "image/dataset.h"
#include "measure/evaluation.h"
#include "measure/frechet.h"
#include "cli/interrupt.h"
#include "cli/memory_limit.h"
#include "cli/options.h"
#include "measure/set_features.h"
#include "measure/statistics.h"

enum { BATCH = 16 };

struct settings {
    struct common common;
    const char *model, *steps, *spacing, *variance, *clip, *fit, *resume, *output, *against;
    int64_t images, batch, class;
    double memory;
    uint64_t seed;
    bool skip_bad, statistics, force;
};
static const struct settings defaults = { .class = -1 };

/* One run. */
struct job {
    const struct settings *s;
    ddpm_model *model;
    const ddpm_about *about;
    struct dataset data;
    size_t skipped;
    struct evaluation e;
    cJSON *about_run; /* what a resumed run must agree with */
};

static const char *const *yes_no(void)
{
    static const char *const names[] = { "yes", "no", NULL };
    return names;
}

static void tell_bad(void *user, const ddpm_error *why)
{
    struct job *j = user;
    j->skipped++;
    remark(&command_eval, &j->s->common, "%s: skipped", why->text);
}

static void tell_note(void *user, const char *line)
{
    const struct job *j = user;
    remark(&command_eval, &j->s->common, "%s", line);
}

static int open_data(struct job *j, struct dataset *data, const char *path, ddpm_error *err)
{
    const struct settings *s = j->s;
    int code = dataset_open(data, path, j->about, view_fit_named(s->fit), (size_t)s->images, err);
    if (!code)
        code = dataset_check(data, s->skip_bad ? tell_bad : NULL, NULL, j, err);
    return code ? code : dataset_check_classes(data, (int)s->class, "choose one with --class", err);
}

static double clip_of(const struct settings *s, const ddpm_about *a)
{
    if (!s->clip)
        return a->clip;
    return strcmp(s->clip, "yes") ? 0 : a->clip > 0 ? a->clip : 1;
}

static int describe_run(struct job *j, ddpm_error *err)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);
    cJSON *o = j->about_run = cJSON_CreateObject();
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)j->s->seed);
    bool ok = o && cJSON_AddStringToObject(o, "model", j->about->id) &&
              cJSON_AddNumberToObject(o, "steps", t->K) &&
              cJSON_AddNumberToObject(o, "steps.crc32", evaluation_check(t->t, (size_t)t->K)) &&
              cJSON_AddStringToObject(o, "variance", ddpm_bound_variance(j->e.bound)) &&
              cJSON_AddNumberToObject(o, "clip", clip_of(j->s, j->about)) &&
              cJSON_AddStringToObject(o, "seed", seed) &&
              cJSON_AddNumberToObject(o, "class", (double)j->s->class) &&
              cJSON_AddStringToObject(o, "engine class", ddpm_net_describe(j->e.net)->engine_class);
    return ok ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the settings");
}

/* Tells before the first image whether the file of --resume can be written. */
static int check_writable(const char *path, ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, path, 1, err);
    if (!code)
        dd_output_abandon(&o);
    return code;
}

/* The images that the file counts must be the first ones of the data. */
static int resume(struct job *j, ddpm_error *err)
{
    struct stat s;
    if (!j->s->resume)
        return DDPM_OK;
    if (!strcmp(j->s->resume, "-"))
        return dd_error(err, DDPM_EUSAGE, "--resume -: what was found is kept in a file: name one");
    if (stat(j->s->resume, &s) && errno == ENOENT)
        return check_writable(j->s->resume, err);
    int code = eval_sums_load(&j->e.eval_sums, j->s->resume, j->about_run, err);
    for (size_t k = 0; k < j->e.eval_sums.images && !code; k++) {
        const double *row = j->e.eval_sums.image + k * EVAL_SUMS_COLUMNS;
        code = dataset_read(&j->data, j->e.x0, k, err);
        if (!code && (row[EVAL_SUMS_INDEX] != j->data.index[k] ||
                      row[EVAL_SUMS_CHECK] != evaluation_check(j->e.x0, j->e.d)))
            code = dd_error(err, DDPM_EUSAGE, "%s was begun with other data: image %zu differs", j->s->resume,
                            k);
    }
    if (!code && j->e.eval_sums.images < j->data.count)
        code = check_writable(j->s->resume, err);
    if (!code && j->e.eval_sums.images)
        remark(&command_eval, &j->s->common, "going on after %zu of %zu images", j->e.eval_sums.images,
               j->data.count);
    return code;
}

/* As many at once as memory has room for. */
static int pick_batch(const struct job *j, int *batch, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct memory_limit l = { s->memory, "--memory-limit", 0, 0 };
    *batch = s->batch ? (int)s->batch : BATCH;
    *batch = (size_t)*batch < j->data.count ? *batch : (int)j->data.count;
    memory_limit_find(&l, "");
    return memory_limit_batch(batch, s->batch > 0, &l, j->model, &command_eval, &s->common, err);
}

static int job_open(struct job *j, const char *path, ddpm_error *err)
{
    const struct settings *s = j->s;
    int code = model_open_whole(&j->model, s->model, err);
    if (code)
        return code;
    if (s->statistics != (s->output != NULL))
        return dd_error(
            err, DDPM_EUSAGE,
            "--statistics and -o go together: the new model file is where the statistics are kept");
    j->about = ddpm_model_about(j->model);
    struct evaluation_options o = { s->steps ? s->steps : "all",
                                    s->spacing,
                                    s->variance ? s->variance : "auto",
                                    clip_of(s, j->about),
                                    s->seed,
                                    0,
                                    (int)s->class };
    if ((code = open_data(j, &j->data, path, err)) || (code = pick_batch(j, &o.batch, err)) ||
        (code = evaluation_open(&j->e, j->model, &j->data, &o, &command_eval, &s->common, err)))
        return code;
    if (s->output && (code = statistics_check(s->output, s->force, j->about, j->e.chain, err)))
        return code;
    if ((code = describe_run(j, err)) || (code = resume(j, err)))
        return code;
    dataset_notes(&j->data, tell_note, j);
    return DDPM_OK;
}

static int save(void *user, ddpm_error *err)
{
    const struct job *j = user;
    return eval_sums_save(&j->e.eval_sums, j->s->resume, j->about_run, err);
}

static void job_close(struct job *j)
{
    evaluation_close(&j->e);
    cJSON_Delete(j->about_run);
    dataset_close(&j->data);
    ddpm_model_close(j->model);
}

/* JSON has no infinity: null. */
static void print_member(const char *name, double v)
{
    if (isfinite(v))
        printf("\"%s\":%.17g", name, v);
    else
        printf("\"%s\":null", name);
}

static void print_steps(const struct job *j, bool json)
{
    static const char *const heads[] = { "i", "t", "bits", "mse_eps", "mse_x0" };
    if (!json)
        printf("%6s%8s%14s%14s%14s\n", heads[0], heads[1], heads[2], heads[3], heads[4]);
    for (int i = 0; i < j->e.eval_sums.K; i++) {
        const double v[5] = { i, ddpm_chain_tables(j->e.chain)->t[i],
                              eval_sums_at(&j->e.eval_sums, EVAL_SUMS_TERM, i),
                              eval_sums_at(&j->e.eval_sums, EVAL_SUMS_MSE_EPS, i),
                              eval_sums_at(&j->e.eval_sums, EVAL_SUMS_MSE_X0, i) };
        if (!json)
            printf("%6g%8g%14.6g%14.6g%14.6g\n", v[0], v[1], v[2], v[3], v[4]);
        for (int k = 0; k < 5 && json; k++) {
            putchar(k ? ',' : '{');
            print_member(heads[k], v[k]);
        }
        if (json)
            puts("}");
    }
}

static void print_result(const struct job *j)
{
    const struct eval_sums *t = &j->e.eval_sums;
    struct eval_sums_mean total = eval_sums_mean(t, EVAL_SUMS_TOTAL),
                          prior = eval_sums_mean(t, EVAL_SUMS_PRIOR), l0 = eval_sums_mean(t, EVAL_SUMS_L0);
    double between = 0, low = fmax(0, total.mean - total.half), high = total.mean + total.half;
    for (int i = 1; i < t->K; i++)
        between += eval_sums_at(t, EVAL_SUMS_TERM, i);
    const char *variance = ddpm_bound_variance(j->e.bound);
    size_t n = t->images - t->lost;
    if (!j->s->common.json) {
        printf("L_T %.6g, L_0 %.6g, the %d terms between %.6g bits/dim\n", prior.mean, l0.mean, t->K - 1,
               between);
        printf("total %.6g bits/dim", total.mean);
        if (n > 1)
            printf(", 95 %% interval %.6g to %.6g", low, high);
        printf("; %zu image%s, %d steps, variance %s\n", n, n == 1 ? "" : "s", t->K, variance);
        return;
    }
    printf("{\"images\":%zu,\"lost\":%zu,\"skipped\":%zu,\"steps\":%d,\"variance\":\"%s\",", n, t->lost,
           j->skipped, t->K, variance);
    print_member("prior", prior.mean);
    putchar(',');
    print_member("l0", l0.mean);
    putchar(',');
    print_member("between", between);
    putchar(',');
    print_member("total", total.mean);
    printf(isfinite(total.half) ? ",\"interval\":[%.17g,%.17g]}\n" : ",\"interval\":null}\n", low, high);
}

static void announce(const struct job *j)
{
    const ddpm_tables *t = ddpm_chain_tables(j->e.chain);
    if (t->warning)
        remark(&command_eval, &j->s->common, "%s", t->warning);
    if (j->skipped)
        remark(&command_eval, &j->s->common, "%zu image%s skipped, %zu left", j->skipped,
               j->skipped == 1 ? "" : "s", j->data.count);
    if (j->s->common.verbose)
        remark(&command_eval, &j->s->common, "%zu images, %d steps, variance %s", j->data.count, t->K,
               ddpm_bound_variance(j->e.bound));
}

static int finish(struct job *j)
{
    if (interrupted) {
        notice(&command_eval, "interrupted after %zu of %zu images; the same command goes on from %s",
               j->e.eval_sums.images, j->data.count, j->s->resume);
        return INTERRUPTED;
    }
    print_steps(j, j->s->common.json);
    print_result(j);
    return j->e.eval_sums.lost ? exit_code(DDPM_ENAN) : 0;
}

/* Two sets and the network that looks at them. */
struct comparison {
    struct job *j;
    struct dataset other;
    ddpm_net *net;
    double *a, *b;
    struct frechet f;
};

static int open_sets(struct comparison *c, const char *path, ddpm_error *err)
{
    struct job *j = c->j;
    const struct settings *s = j->s;
    if (s->steps || s->spacing || s->variance || s->clip || s->statistics || s->resume || s->output ||
        s->memory > 0)
        return dd_error(
            err, DDPM_EUSAGE,
            "--against compares two sets of images and measures no chain: leave out --steps, --spacing, "
            "--variance, --clip, --statistics, --resume, --memory-limit and -o");
    int code = model_open_whole(&j->model, s->model, err);
    if (code)
        return code;
    j->about = ddpm_model_about(j->model);
    if ((code = open_data(j, &j->data, path, err)) || (code = open_data(j, &c->other, s->against, err)))
        return code;
    code = model_net(&c->net, j->model, &s->common, s->batch ? (int)s->batch : BATCH, err);
    if (!code) {
        dataset_notes(&j->data, tell_note, j);
        dataset_notes(&c->other, tell_note, j);
    }
    return code;
}

static void print_distance(const struct comparison *c)
{
    const struct job *j = c->j;
    const struct frechet *f = &c->f;
    int features = ddpm_net_describe(c->net)->features;
    double t = set_features_t(j->about);
    if (j->s->common.json)
        printf("{\"distance\":%.17g,\"interval\":[%.17g,%.17g],\"plain\":%.17g,\"images\":%zu,\"against\":%"
               "zu,\"skipped\":%zu,\"features\":%d,"
               "\"t\":%g}\n",
               f->distance, f->low, f->high, f->plain, j->data.count, c->other.count, j->skipped, features,
               t);
    else
        printf("Frechet distance %.4g, 95 %% interval %.4g to %.4g; %zu and %zu images, %d activations of "
               "the middle block at t = %g (no FID)\n",
               f->distance, f->low, f->high, j->data.count, c->other.count, features, t);
}

static int compare_sets(struct comparison *c, const char *path, ddpm_error *err)
{
    struct job *j = c->j;
    struct progress p;
    int class = (int)j->s->class, code = open_sets(c, path, err);
    if (code)
        return code;
    progress_begin(&p, &j->s->common, "images", (double)(j->data.count + c->other.count));
    code = set_features(&c->a, &j->data, c->net, class, &p, 0, err);
    if (!code)
        code = set_features(&c->b, &c->other, c->net, class, &p, j->data.count, err);
    progress_clear(&p);
    struct frechet_sets sets = { c->a, c->b, j->data.count, c->other.count,
                                 (size_t)ddpm_net_describe(c->net)->features };
    return code ? code : frechet_distance(&c->f, &sets, j->s->seed, err);
}

static int run_comparison(struct job *j, const char *path)
{
    struct comparison c = { .j = j };
    ddpm_error err;
    int code = compare_sets(&c, path, &err);
    if (!code)
        print_distance(&c);
    free(c.a), free(c.b);
    ddpm_net_free(c.net);
    dataset_close(&c.other);
    job_close(j);
    return code ? complain(&command_eval, &err) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    struct job j = { .s = settings };
    ddpm_error err;
    (void)arguments;
    if (j.s->against)
        return run_comparison(&j, argument[0]);
    int code = job_open(&j, argument[0], &err);
    if (!code) {
        if (j.s->resume)
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
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "images", 'n', OPTION_INT, "N", "the first N images (default: all)", NULL, FIELD(images), 1,
      INT32_MAX },
    { "steps", 0, OPTION_TEXT, "STEPS", "50, all, a list 0,10,999 or sections iddpm:10,15,20 (default: all)",
      NULL, FIELD(steps), 0, 0 },
    { "spacing", 0, OPTION_CHOICE, "NAME",
      "how the steps are chosen; optimal: least bound of all lists "
      "from 0 to T-1 (default: iddpm)",
      ddpm_spacing_names, FIELD(spacing), 0, 0 },
    { "variance", 0, OPTION_CHOICE, "NAME", "of a step (default: auto)", ddpm_variance_names, FIELD(variance),
      0, 0 },
    { "clip", 0, OPTION_CHOICE, "CHOICE", "clip the predicted x0 (default: as trained)", yes_no, FIELD(clip),
      0, 0 },
    { "class", 0, OPTION_INT, "K", "class of all images (default: the data's)", NULL, FIELD(class), 0,
      INT32_MAX },
    { "seed", 0, OPTION_SEED, "S", "64 bits (default: 0)", NULL, FIELD(seed), 0, 0 },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "data of another size than the model's: pad with black, crop the middle, or resize and crop",
      view_fit_names, FIELD(fit), 0, 0 },
    { "skip-bad", 0, OPTION_FLAG, NULL, "leave out images that cannot be used, and count them", NULL,
      FIELD(skip_bad), 0, 0 },
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: up to 16)", NULL,
      FIELD(batch), 1, 4096 },
    { "memory-limit", 0, OPTION_SIZE, "SIZE",
      "fewer at a time where they take more: 500M, 1G (default: what the cgroup says)", NULL, FIELD(memory),
      0, 0 },
    { "statistics", 0, OPTION_FLAG, NULL,
      "write the model with the statistics for --variance analytic and --spacing optimal", NULL,
      FIELD(statistics), 0, 0 },
    { "output", 'o', OPTION_TEXT, "NEW", "the model file of --statistics", NULL, FIELD(output), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing NEW", NULL, FIELD(force), 0, 0 },
    { "against", 0, OPTION_TEXT, "DATA2",
      "print the Frechet distance of DATA and DATA2 by the model's mid-block activations instead", NULL,
      FIELD(against), 0, 0 },
    { "resume", 0, OPTION_TEXT, "FILE", "keep what was found in FILE, and go on from there if it exists",
      NULL, FIELD(resume), 0, 0 },
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
                "model.ddpm --json --resume full.safetensors photos\n"
                "  ddpm eval samples --against t10k-images-idx3-ubyte.gz --fit pad -n 1000\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
