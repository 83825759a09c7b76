/* ddpm bench: measures the time that a number of steps takes and the quality that it gives.  Every
   sampler with every number of steps makes images from the same noise and is timed (trial.c).  Then
   the sets of images are compared (trial_quality.c) and ranked (bench_rank.c): by the Pareto front of
   seconds and sliced Wasserstein distance, its knee, and with --suggest the best within a time.
   Nothing is ranked if the machine is too noisy to compare times. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "image/array_file.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/folder.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "sample/recipe.h"
#include "trial/bench_rank.h"
#include "trial/bench_report.h"
#include "trial/trial_list.h"

struct settings {
    struct common common;
    const char *model, *classifier, *size, *steps, *sampler, *spacing, *variance, *fit, *report, *npy;
    int64_t images, rounds, batch;
    double time, suggest, spread, guidance;
    uint64_t seed;
    bool force, gray, color;
};
static const struct settings defaults = {
    .rounds = 2, .batch = 8, .time = -1, .spread = 25, .variance = "auto", .guidance = 1
};

enum {
    DEFAULT_TIME = 90, /* seconds for sampling; the whole command then takes less than two minutes */
    IMAGES = 16,       /* images in a set if neither -n nor the time chooses their number */
    IMAGES_LEAST = 32  /* with fewer images hardly a row is surely nearer than another */
};

struct job {
    const struct settings *s;
    ddpm_model *model, *classifier; /* classifier NULL: there is none */
    struct dataset data;
    struct trials trials;
    struct bench_rank rank;
};

static int check_settings(struct job *j, ddpm_error *err)
{
    const struct settings *s = j->s;

    if (j->trials.n < s->rounds)
        return dd_error(err, DDPM_EUSAGE, "-n %d: every one of the %lld rounds needs an image", j->trials.n,
                        (long long)s->rounds);
    j->trials.limit = s->suggest;
    return s->report ? bench_plot_check(err) : DDPM_OK;
}

static void tell_note(void *user, const char *line)
{
    const struct job *j = user;
    remark(&command_bench, &j->s->common, "%s", line);
}

/* Opens the data.  fitted: a set gets as many images as the data have and as it may have; the time may reduce
   their number later. */
static int open_data(struct job *j, const char *path, bool fitted, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct trials *t = &j->trials;
    struct view_how how;
    int code = view_how_read(&how, s->fit, s->gray, s->color, err);
    if (!code)
        code = dataset_open(&j->data, path, t->about, &how, fitted ? 0 : (size_t)t->n, err);

    if (!code && fitted) {
        j->data.count = j->data.count < (size_t)t->n ? j->data.count : (size_t)t->n;
        t->n = (int)j->data.count;
        t->least = t->n < t->least ? t->n : t->least;
    }
    if (!code && t->n < s->rounds)
        code = dd_error(err, DDPM_EUSAGE, "%s holds %d images: every one of the %lld rounds needs one", path,
                        t->n, (long long)s->rounds);
    if (!code)
        code = dataset_check(&j->data, NULL, NULL, NULL, err);
    j->trials.data = &j->data;
    if (!code)
        code = dataset_check_classes(&j->data, -1, "data with classes are needed", err);
    return code;
}

static void array_path(char path[4096], const struct settings *s, const struct trial *one)
{
    snprintf(path, 4096, "%s/%s-%d.npy", s->npy, one->sampler, one->K);
}

/* Checks that every output file can be written later. */
static int check_outputs(const struct job *j, ddpm_error *err)
{
    const struct settings *s = j->s;
    char path[4096];
    int code = s->report ? bench_report_check(s->report, s->force, err) : DDPM_OK;

    if (!code && s->npy)
        code = folder_make(s->npy, err);
    for (int i = 0; i < j->trials.count && !code && s->npy; i++) {
        array_path(path, s, &j->trials.trial[i]);
        code = dd_output_check(path, s->force, err);
    }
    return code;
}

/* Chooses how many images a set has.  Returns whether this number is to be fitted to the time. */
static bool choose_images(struct trials *t, const struct settings *s)
{
    t->budget = s->steps ? 0 : DEFAULT_TIME;
    if (s->time >= 0)
        t->budget = s->time;

    t->n = s->images ? (int)s->images : IMAGES;
    t->least = t->n;
    if (s->images || !(t->budget > 0))
        return false;

    /* trials_run takes as many images as there is time for. */
    t->n = TRIAL_IMAGES_MOST;
    t->least = IMAGES_LEAST;
    return true;
}

static int job_open(struct job *j, char **argument, int arguments, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct trials *t = &j->trials;

    bool fitted = choose_images(t, s);
    int code = check_settings(j, err);
    if (!code)
        code = model_open_whole(&j->model, s->model, err);
    if (!code)
        code = image_size_apply(j->model, s->size, NULL, &command_bench, &s->common, err);
    if (!code && s->classifier)
        code = model_open_classifier(&j->classifier, s->classifier, err);
    if (code)
        return code;
    t->command = &command_bench;
    t->common = &s->common;
    t->model = j->model;
    t->classifier = j->classifier;
    t->file = s->model ? s->model : "embedded";
    t->about = ddpm_model_about(j->model);
    t->spacing = s->spacing ? s->spacing : ddpm_spacing_names()[0];
    t->variance = s->variance;
    t->guidance = s->guidance;
    t->seed = s->seed;

    code = trial_list(t, s->sampler, s->steps, err);
    if (!code && arguments)
        code = open_data(j, argument[0], fitted, err);
    if (code)
        return code;
    t->rounds = (int)s->rounds;
    t->batch = (int)s->batch < t->n ? (int)s->batch : t->n;
    code = trials_check(t, err);
    if (!code)
        code = check_outputs(j, err);
    if (!code && arguments)
        dataset_notes(&j->data, tell_note, j);
    return code;
}

static void job_close(struct job *j)
{
    trials_free(&j->trials);
    dataset_close(&j->data);
    ddpm_model_close(j->model);
    ddpm_model_close(j->classifier);
}

/* Writes an array of bytes [n, h, w, c] for each trial. */
static int write_arrays(const struct job *j, ddpm_error *err)
{
    const struct trials *t = &j->trials;
    char path[4096];
    int code = DDPM_OK;

    for (int i = 0; i < t->count && !code; i++) {
        const struct picture *p = &t->trial[i].images;
        const size_t dim[4] = { (size_t)t->n, (size_t)t->about->height, (size_t)t->about->width,
                                (size_t)t->about->channels };
        size_t size = dim[0] * dim[1] * dim[2] * dim[3];
        struct dd_output o;
        array_path(path, j->s, &t->trial[i]);

        code = dd_output_create(&o, path, j->s->force, err);
        if (code)
            return code;
        code = array_head(o.stream, "|u1", dim, 4, err);
        if (!code && fwrite(p->pixel, 1, size, o.stream) != size)
            code = dd_error(err, DDPM_EIO, "%s cannot be written", path);
        if (code)
            dd_output_abandon(&o);
        else
            code = dd_output_commit(&o, err);
    }
    return code;
}

/* Says on stderr what was left out, lost or discarded, and why nothing is ranked. */
static void announce(const struct job *j)
{
    const struct trials *t = &j->trials;
    int lost = t->reference.lost;

    for (int i = 0; i < t->count; i++)
        lost += t->trial[i].lost;
    if (t->left_out)
        remark(&command_bench, &j->s->common,
               "more than %d steps are left out, since %d images of all would take more than %g s: distances "
               "are from %d steps, not %d; --time gives more",
               t->reference.K, t->least, t->budget, t->reference.K, t->largest);
    if (t->slow)
        remark(&command_bench, &j->s->common,
               "%d rows are left out that would take more than twice the time of --suggest", t->slow);
    if (lost)
        remark(&command_bench, &j->s->common, "%d images became NaN: their sets are compared with nothing",
               lost);
    if (trials_discarded(t))
        remark(&command_bench, &j->s->common, "%d runs were slowed down for heat and are discarded",
               trials_discarded(t));
    if (*j->rank.refusal)
        remark(&command_bench, &j->s->common, "nothing is ranked: %s", j->rank.refusal);
}

/* Prints the results and returns the exit code, which is not 0 if --suggest was given and found no trial. */
static int tell(const struct job *j, const struct bench_result *r)
{
    const struct trials *t = &j->trials;

    announce(j);
    if (j->s->common.json)
        bench_result_lines(r);
    else
        bench_result_table(r);
    if (t->limit > 0 && j->rank.best >= 0 && !j->s->common.json)
        printf("within %g s per image: --sampler %s --steps %d (%.3g s)\n", t->limit,
               t->trial[j->rank.best].sampler, t->trial[j->rank.best].K, t->trial[j->rank.best].median);
    else if (t->limit > 0 && j->rank.best < 0 && (!*j->rank.refusal || t->needed != 0))
        remark(&command_bench, &j->s->common, "nothing takes at most %g s per image", t->limit);
    if (t->limit > 0 && j->rank.best >= 0 && *j->rank.refusal)
        remark(&command_bench, &j->s->common, "the suggestion is the most steps that take no longer");

    /* A noisy machine may be quieter later, so that the user may try again. */
    if (!(t->limit > 0) || j->rank.best >= 0)
        return 0;
    return *j->rank.refusal && t->needed == 0 ? INTERRUPTED : 1;
}

/* Ranks the trials, writes the files and prints the results. */
static int conclude(struct job *j, int *status, ddpm_error *err)
{
    struct bench_result r = { .settings = NULL };

    int code = bench_rank(&j->rank, &j->trials, j->s->spread, err);
    if (!code)
        code =
            bench_result_create(&r, &j->trials, *j->rank.refusal ? j->rank.refusal : NULL, j->rank.best, err);
    if (!code && j->s->npy)
        code = write_arrays(j, err);
    if (!code && j->s->report)
        code = bench_report_write(j->s->report, j->s->force, &r, &j->trials, err);
    if (!code)
        *status = tell(j, &r);
    if (!code && j->s->report)
        remark(&command_bench, &j->s->common, "wrote %s/report.html and report.csv", j->s->report);
    bench_result_free(&r);
    return code;
}

static int run(void *settings, char **argument, int arguments)
{
    struct job *j = calloc(1, sizeof *j);
    ddpm_error err;
    int status = 0;

    if (!j) {
        dd_error_memory(&err, "the trials");
        return complain(&command_bench, &err);
    }

    j->s = settings;
    int code = job_open(j, argument, arguments, &err);
    if (!code) {
        interrupt_catch();
        code = trials_run(&j->trials, &err);
    }
    if (!code && !interrupted)
        code = trials_compare(&j->trials, &err);
    if (!code && !interrupted)
        code = conclude(j, &status, &err);

    if (interrupted) {
        status = INTERRUPTED;
        notice(&command_bench, "interrupted; nothing was written");
    } else if (code) {
        status = complain(&command_bench, &err);
    }
    job_close(j);
    free(j);
    return status;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is measured"),
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "size", 0, OPTION_TEXT, "WxH", "width x height of the images (default: as trained)", NULL, FIELD(size),
      0, 0 },
    { "steps", 0, OPTION_TEXT, "LIST",
      "numbers of steps (default: 4,6,8,10,20,50,250,1000, of which what --time allows)", NULL, FIELD(steps),
      0, 0 },
    { "sampler", 0, OPTION_TEXT, "LIST", "samplers (default: ddpm,dpmpp, and tuned where the model has it)",
      NULL, FIELD(sampler), 0, 0 },
    { "spacing", 0, OPTION_CHOICE, "NAME",
      "how the steps are chosen; optimal: least bound of all lists "
      "from 0 to T-1 (default: iddpm)",
      ddpm_spacing_names, FIELD(spacing), 0, 0 },
    { "variance", 0, OPTION_CHOICE, "NAME", "of a ddpm step (default: auto)", ddpm_variance_names,
      FIELD(variance), 0, 0 },
    { "guidance", 0, OPTION_NUMBER, "W", "of a model with a null class, as in ddpm sample (default: 1, none)",
      NULL, FIELD(guidance), 0, GUIDANCE_MOST },
    { "classifier", 0, OPTION_TEXT, "FILE", "lead to the classes by this classifier, as in ddpm sample", NULL,
      FIELD(classifier), 0, 0 },
    { "seed", 0, OPTION_SEED, "S", "64 bits, or random (default: 0)", NULL, FIELD(seed), 0, 0 },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "data of another size than the model's: pad with black, crop the middle, or resize and crop",
      view_fit_names, FIELD(fit), 0, 0 },
    { "gray", 0, OPTION_FLAG, NULL, "make images in colour gray, for a model of gray images", NULL,
      FIELD(gray), 0, 0 },
    { "color", 0, OPTION_FLAG, NULL, "give gray images three channels, for a model of images in colour", NULL,
      FIELD(color), 0, 0 },
    OPTION_GROUP("How long"),
    { "images", 'n', OPTION_INT, "N",
      "images of each set, and of DATA (default: what --time allows, from 32 "
      "on; with --steps alone 16)",
      NULL, FIELD(images), 2, 4096 },
    { "rounds", 0, OPTION_INT, "R", "times that each is timed, on N/R images (default: 2)", NULL,
      FIELD(rounds), 1, ROUNDS_MAX },
    { "time", 0, OPTION_TIME, "TIME",
      "for all of it: says how many images, and leaves the most steps out "
      "where too few fit: 90s, 10m, 2h (default: 90s; with --steps none)",
      NULL, FIELD(time), 0, 0 },
    OPTION_GROUP("What is told"),
    { "suggest", 0, OPTION_TIME, "TIME",
      "name sampler and steps of the best images within so much time per image: 5s, 500ms", NULL,
      FIELD(suggest), 0, 0 },
    { "spread", 0, OPTION_NUMBER, "PERCENT", "rank only when rounds differ by at most so much (default: 25)",
      NULL, FIELD(spread), 0, 1e6 },
    { "report", 0, OPTION_TEXT, "DIR", "write report.html and report.csv there; needs gnuplot", NULL,
      FIELD(report), 0, 0 },
    { "npy", 0, OPTION_TEXT, "DIR", "write the images there, SAMPLER-STEPS.npy, bytes [n,h,w,c]", NULL,
      FIELD(npy), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace existing files", NULL, FIELD(force), 0, 0 },
    OPTION_GROUP("Processor"),
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: up to 8)", NULL,
      FIELD(batch), 1, 4096 },
};
const struct command command_bench = {
    .name = "bench",
    .arguments = "[DATA]",
    .least = 0,
    .most = 1,
    .run = run,
    .does = "Measures what a number of steps costs and buys: seconds per image, each run end to end, and\n"
            "the sliced Wasserstein distance of the images from DATA (with bits per dimension), or without\n"
            "DATA from other images of the most steps.  DATA as for ddpm eval.",
    .examples =
        "  ddpm bench\n  ddpm bench --report report\n  ddpm bench --suggest 200ms\n"
        "  ddpm bench -m model.ddpm --steps 10,50,all --sampler ddpm,dpmpp -n 256 cifar-10-batches-bin\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
