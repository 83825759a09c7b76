/* ddpm sample: images from noise, into one file or, by as many starts as it takes, into a folder.  Everything that can fail is tried before
   the first step; an image that the network loses to NaN is named, crossed out or left out, and the others are what they would have been
   without it. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "outdir/auto_steps.h"
#include "base/error.h"
#include "outdir/batch.h"
#include "cli/ending.h"
#include "sample/half_blocks.h"
#include "sample/index_list.h"
#include "cli/memory_limit.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/json_line.h"
#include "outdir/merge.h"
#include "cli/options.h"
#include "outdir/image_name.h"
#include "outdir/shard.h"
#include "sample/generator.h"

struct settings {
    struct common common;
    const char *model, *steps, *spacing, *sampler, *variance, *clip, *class, *index, *noise, *from, *output,
        *outdir, *name, *format, *shard, *deadline;
    int64_t images, batch, keep_steps, order, corrector;
    double eta, snr, noise_to, wait, max_time, memory;
    uint64_t seed;
    bool force, encode, show, check_existing, retry_nan, merge;
};

enum { IMAGES = 16, BATCH = 16, SNR_UNSET = -1 };
static const struct settings defaults = {
    .steps = "50", .variance = "auto", .keep_steps = 1, .snr = SNR_UNSET, .noise_to = -1
};

/* One run: what was asked for, and what makes and takes the images. */
struct job {
    const struct settings *s;
    struct recipe recipe;
    struct shard shard;
    char range[32];
    int all;         /* 0-N; how many images all shards make */
    uint32_t *whole; /* [all], where only variables share out */
    int left;        /* how many of them are missing at the end */
    uint32_t *index;
    int n; /* of this shard */
    ddpm_model *model;
    struct time_budget time_budget;
    char *steps;    /* chosen by --steps auto */
    double seconds; /* that making the images took */
    struct generator generator;
    struct image_output image_output; /* without --outdir */
    struct batch batch;               /* with it */
};

static const char *const *yes_no(void)
{
    static const char *const names[] = { "yes", "no", NULL };
    return names;
}

static const char *const *format_names(void)
{
    static const char *const names[] = { "png", "npy", NULL };
    return names;
}

static const char *name_of(const struct settings *s)
{
    const char *name = s->outdir ? s->name : s->output;
    return name ? name : "";
}

/* The ending of the file's name says what it is to be, where --format does not. */
static const char *format_of(const struct settings *s)
{
    return s->format ? s->format : strcasecmp(ending_of(name_of(s)), "npy") ? "png" : "npy";
}

/* A PNG under another format's name would mislead whoever opens it. */
static int check_ending(const struct settings *s, ddpm_error *err)
{
    const char *ending = ending_of(name_of(s));
    bool png = !strcasecmp(ending, "png"), npy = !strcasecmp(ending, "npy");
    if ((png || npy) && strcasecmp(ending, format_of(s)))
        return dd_error(err, DDPM_EUSAGE,
                        "%.200s: --format %s writes no .%s: leave it out, or choose another name", name_of(s),
                        s->format, ending);
    if (*ending && !png && !npy && !s->format)
        return dd_error(err, DDPM_EUSAGE,
                        "%.200s: images are written as .png or .npy: name it so, or add --format",
                        name_of(s));
    return DDPM_OK;
}

static const ddpm_sampler_traits *traits_of(const struct settings *s)
{
    return ddpm_sampler_traits_of(s->sampler ? s->sampler : ddpm_sampler_names()[0]);
}

static int check_start(const struct settings *s, ddpm_error *err)
{
    if (s->from && s->noise_to < 0)
        return dd_error(err, DDPM_EUSAGE,
                        "--from needs --noise-to T, the step up to which the image becomes noise");
    if (!s->from && s->noise_to >= 0)
        return dd_error(err, DDPM_EUSAGE, "--noise-to belongs to --from IMAGE");
    if (!s->from && s->encode)
        return dd_error(err, DDPM_EUSAGE, "--encode belongs to --from IMAGE");
    if (s->encode && (!traits_of(s)->encodes || s->eta > 0))
        return dd_error(err, DDPM_EUSAGE,
                        "--encode takes a sampler that adds no noise: ode, or ddim with --eta 0");
    return DDPM_OK;
}

static int check_langevin(const struct settings *s, ddpm_error *err)
{
    bool langevin = traits_of(s)->corrector > 0;
    if (s->snr != SNR_UNSET && !langevin && !s->corrector)
        return dd_error(err, DDPM_EUSAGE, "--snr belongs to --corrector or --sampler langevin");
    if (s->noise && (langevin || s->corrector))
        return dd_error(err, DDPM_EUSAGE,
                        "--noise gives one z a step, which is not enough for Langevin steps: leave it out");
    return DDPM_OK;
}

/* Where images go. */
static int check_places(const struct settings *s, ddpm_error *err)
{
    if (s->output && s->outdir)
        return dd_error(err, DDPM_EUSAGE, "-o and --outdir both say where images go: leave one out");
    if (!s->outdir && (s->name || s->wait > 0 || s->check_existing || s->retry_nan))
        return dd_error(err, DDPM_EUSAGE,
                        "--name, --wait, --check-existing and --retry-nan are for the files of --outdir");
    if (!s->outdir && (s->shard || s->merge))
        return dd_error(err, DDPM_EUSAGE,
                        "--shard and --merge are for images in one folder: add --outdir DIR");
    if (s->force && (s->check_existing || s->retry_nan))
        return dd_error(err, DDPM_EUSAGE,
                        "--force makes all images again: leave out --check-existing and --retry-nan");
    if (s->show && (s->outdir || strcmp(format_of(s), "png")))
        return dd_error(err, DDPM_EUSAGE, "--show draws the one picture that is written: leave out %s",
                        s->outdir ? "--outdir" : "the format npy");
    if (s->show && s->common.json)
        return dd_error(err, DDPM_EUSAGE, "--show and --json both write to standard output: leave one out");
    return check_ending(s, err);
}

static bool timed(const struct settings *s)
{
    return s->max_time > 0 || s->deadline;
}

static bool picks_steps(const struct settings *s)
{
    return !strcmp(s->steps, "auto");
}

/* Without --outdir every process makes what it is asked for: there the variables of a job mean nothing. */
static int read_shard(struct job *j, const struct settings *s, ddpm_error *err)
{
    j->all = j->n;
    j->shard.of = 1;
    int code = s->outdir ? shard_read(&j->shard, s->shard, err) : DDPM_OK;
    if (code || j->shard.of == 1)
        return code;
    if (picks_steps(s))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps auto and shards (%s): each would choose a number of its own: give one",
                        *j->shard.source ? j->shard.source : "--shard");
    if (s->force)
        return dd_error(err, DDPM_EUSAGE,
                        "--force and shards (%s): none of them may remove what others "
                        "make: choose another folder",
                        *j->shard.source ? j->shard.source : "--shard");
    snprintf(j->range, sizeof j->range, "0-%d", j->n - 1);
    if (!j->shard.asked && !(j->whole = malloc((size_t)j->n * sizeof *j->whole)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", j->n);
    if (j->whole)
        memcpy(j->whole, j->index, (size_t)j->n * sizeof *j->whole);
    shard_take(&j->shard, j->index, &j->n);
    shard_tell(&j->shard, &command_sample, &s->common, j->n, j->all);
    return DDPM_OK;
}

static int check_time(const struct settings *s, ddpm_error *err)
{
    if (picks_steps(s) && !timed(s))
        return dd_error(
            err, DDPM_EUSAGE,
            "--steps auto takes as many as there is time for: add --max-time 20m or --deadline 06:00");
    if (picks_steps(s) && (s->from || s->noise))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps auto does not know how many steps are taken with %s: give their number",
                        s->from ? "--from" : "--noise");
    if (timed(s) && !s->outdir && !picks_steps(s))
        return dd_error(err, DDPM_EUSAGE,
                        "--max-time and --deadline stop what the next start goes on with: add --outdir; or "
                        "--steps auto for one file");
    return DDPM_OK;
}

/* What can be said without the model. */
static int read_settings(struct job *j, const struct settings *s, ddpm_error *err)
{
    const ddpm_sampler_traits *traits = traits_of(s);
    uint32_t n = s->images ? (uint32_t)s->images : IMAGES;
    if (s->images && s->index)
        return dd_error(err, DDPM_EUSAGE, "-n and --index both say how many images: leave one out");
    int code = check_places(s, err);
    if (code || (code = check_time(s, err)))
        return code;
    if (traits->takes_analytic && !traits->takes_variance && strcmp(s->variance, "auto") &&
        strcmp(s->variance, "analytic"))
        return dd_error(err, DDPM_EUSAGE,
                        "--variance %s belongs to --sampler ddpm; %s takes --eta, or --variance analytic",
                        s->variance, s->sampler);
    j->recipe = (struct recipe){
        .seed = s->seed,
        .sampler = s->sampler ? s->sampler : ddpm_sampler_names()[0],
        .variance = s->variance,
        .steps = s->steps,
        .spacing = s->spacing ? s->spacing : ddpm_spacing_names()[0],
        .eta = s->eta,
        .keep_steps = (int)s->keep_steps,
        .format = format_of(s),
        .order = (int)s->order,
        .corrector = (int)s->corrector,
        .snr = s->snr != SNR_UNSET ? s->snr : 0.16,
        .noise_to = s->noise_to >= 0 ? s->noise_to : 0,
        .encode = s->encode,
    };
    if (!(code = check_start(s, err)))
        code = check_langevin(s, err);
    if (!code)
        code = recipe_class(&j->recipe.class, s->class, err);
    if (!code && s->name)
        code = image_name_check(s->name, err);
    if (!code)
        code = index_list(&j->index, &j->n, s->index, (int)n, err);
    return code ? code : read_shard(j, s, err);
}

static double clip_of(const struct settings *s, const ddpm_about *a)
{
    if (!s->clip)
        return a->clip;
    return strcmp(s->clip, "yes") ? 0 : a->clip > 0 ? a->clip : 1;
}

static uint32_t largest(const uint32_t *index, int n)
{
    uint32_t last = 0;
    for (int i = 0; i < n; i++)
        last = index[i] > last ? index[i] : last;
    return last;
}

static const char *default_file(const struct job *j)
{
    return strcmp(j->recipe.format, "npy") ? "sample.png" : "sample.npy";
}

static int open_image_output(struct job *j, const struct settings *s, ddpm_error *err)
{
    struct image_output *g = &j->image_output;
    *g = (struct image_output){ .about = ddpm_model_about(j->model),
                                .recipe = &j->recipe,
                                .index = j->index,
                                .n = j->n,
                                .array = !strcmp(j->recipe.format, "npy"),
                                .force = s->force };
    int code = image_output_open(g, s->output ? s->output : default_file(j), err);
    interrupt_removes(g->output.temporary);
    if (!code && g->output.standard && (s->common.json || s->show))
        return dd_error(err, DDPM_EUSAGE, "the image itself goes to standard output: leave out %s",
                        s->show ? "--show" : "--json");
    return code;
}

static int open_batch(struct job *j, const struct settings *s, ddpm_error *err)
{
    struct batch *b = &j->batch;
    bool array = !strcmp(j->recipe.format, "npy");
    b->generator = &j->generator;
    b->work = (struct image_work){ .index = j->index, .n = j->n };
    b->image_store = (struct image_store){ .about = ddpm_model_about(j->model),
                                           .recipe = &j->recipe,
                                           .folder = s->outdir,
                                           .pattern = s->name ? s->name
                                                      : array ? "image-%06d.npy"
                                                              : "image-%06d.png",
                                           .array = array,
                                           .force = s->force,
                                           .check = s->check_existing,
                                           .retry = s->retry_nan,
                                           .part = b->image_store.part,
                                           .lock = b->image_store.lock,
                                           .asked = s->index ? s->index : j->range };
    return batch_open(b, err);
}

/* What is worth knowing before the wait. */
static void announce(const struct job *j, const struct settings *s)
{
    const ddpm_tables *t = ddpm_chain_tables(j->generator.chain);
    if (t->warning)
        remark(&command_sample, &s->common, "%s", t->warning);
    if (*j->generator.warning)
        remark(&command_sample, &s->common, "%s", j->generator.warning);
    if (s->outdir && *j->batch.image_store.warning)
        remark(&command_sample, &s->common, "%s", j->batch.image_store.warning);
    if (s->outdir && j->batch.image_store.damaged)
        remark(&command_sample, &s->common, "%s: %d images are damaged and made again", s->outdir,
               j->batch.image_store.damaged);
    if (s->common.verbose)
        remark(&command_sample, &s->common, "%s, variance %s, %d steps: %s", j->recipe.sampler,
               j->recipe.variance, t->K, j->recipe.steps);
}

/* For one file the time says how many steps are taken, and then it takes what it takes: stopped, nothing would be left of it. */
static int open_generator(struct job *j, const struct settings *s, int batch, ddpm_error *err)
{
    const struct auto_steps a = {
        &j->recipe, j->model, &command_sample, &s->common, &j->time_budget, s->outdir, s->force, j->n, batch
    };
    int code = picks_steps(s) ? auto_steps(&j->steps, &a, err) : DDPM_OK;
    if (code)
        return code;
    if (j->steps)
        j->recipe.steps = j->steps;
    return generator_open(&j->generator, &j->recipe, j->model, &command_sample, &s->common, batch, s->noise,
                          s->from, largest(j->index, j->n), err);
}

/* As many at once as memory has room for. */
static int pick_batch(const struct job *j, const struct settings *s, int *batch, ddpm_error *err)
{
    struct memory_limit l = { s->memory, "--memory-limit", s->outdir ? 1 : j->n, (int)s->keep_steps };
    int wanted = s->batch ? (int)s->batch : BATCH;
    *batch = wanted < j->n ? wanted : j->n;
    memory_limit_find(&l, "");
    return memory_limit_batch(batch, s->batch > 0, &l, j->model, &command_sample, &s->common, err);
}

static int job_open(struct job *j, const struct settings *s, ddpm_error *err)
{
    int batch, code = input_check(s->model, err);
    if (!code)
        code = input_check(s->from, err);
    if (!code)
        code = input_check(s->noise, err);
    if (!code)
        code = read_settings(j, s, err);
    if (!code)
        code = time_budget_begin(&j->time_budget, s->max_time, s->deadline, err);
    if (code || !j->n)
        return code;
    if (s->outdir) {
        j->batch.image_store.folder = s->outdir, j->batch.image_store.part = j->shard.part;
        code = image_store_lock(&j->batch.image_store, s->wait, err);
    }
    if (code || (code = model_open(&j->model, s->model, err)))
        return code;
    if ((code = model_check(j->model, s->model, err)))
        return code;
    j->recipe.clip = clip_of(s, ddpm_model_about(j->model));
    code = pick_batch(j, s, &batch, err);
    if (!code)
        code = open_generator(j, s, batch, err);
    if (!code && !(code = s->outdir ? open_batch(j, s, err) : open_image_output(j, s, err)))
        announce(j, s);
    if (!code && s->outdir && timed(s) && j->batch.work.missing)
        code = generator_time_budget(&j->generator, &j->time_budget, err);
    return code;
}

static void job_close(struct job *j)
{
    image_output_free(&j->image_output);
    interrupt_removes(NULL);
    batch_close(&j->batch);
    generator_close(&j->generator);
    ddpm_model_close(j->model);
    free(j->index), free(j->steps), free(j->whole);
}

static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct job *j = user;
    (void)seconds;
    return image_output_add(&j->image_output, place, lost ? NULL : frame, err);
}

static int make_file(struct job *j, ddpm_error *err)
{
    int code = generator_run(&j->generator, j->index, j->n, take_image, j, err);
    if (code == TRY_LATER)
        return dd_error(
            err, code,
            "interrupted, and nothing is written: --outdir is what can be stopped and gone on with");
    if (!code && !(code = image_output_finish(&j->image_output, err)))
        code = image_output_commit(&j->image_output, err);
    return code;
}

static void report(const struct job *j, const struct settings *s)
{
    const char *where = s->outdir ? s->outdir : s->output ? s->output : default_file(j);
    int lost = s->outdir ? j->batch.lost : j->generator.lost, there = j->n - lost;
    if (!s->common.json) {
        char before[60] = "", of[24] = "", shard[40] = "", took[PROGRESS_TOOK];
        if (j->shard.of > 1) {
            snprintf(of, sizeof of, " of %d", j->all);
            snprintf(shard, sizeof shard, ", shard %d/%d", j->shard.number, j->shard.of);
        }
        if (s->outdir && !s->merge && j->batch.made < there)
            snprintf(before, sizeof before, ", %d of them made now", j->batch.made);
        progress_took(took, j->seconds, s->outdir && !s->merge ? j->batch.made : j->n);
        remark(&command_sample, &s->common, "wrote %s: %d%s image%s%s%s%s", where, there, of,
               (*of ? j->all : j->n) == 1 ? "" : "s", shard, before, took);
        if (s->outdir && lost)
            remark(&command_sample, &s->common,
                   "%s: %d image%s lost to NaN, see its manifest; --retry-nan tries again", where, lost,
                   lost > 1 ? "s are" : " is");
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "wrote", where);
    cJSON_AddNumberToObject(o, "images", there);
    cJSON_AddNumberToObject(o, "lost", lost);
    if (j->shard.of > 1)
        cJSON_AddNumberToObject(o, "of", j->all);
    if (s->outdir && !s->merge)
        cJSON_AddNumberToObject(o, "made", j->batch.made);
    json_line(o);
}

/* Everything else that could be asked for is known from the folder. */
static int check_merge(const struct settings *s, ddpm_error *err)
{
    static const char *const taken[] = {
        "merge", "outdir", "images", "index", "check-existing", "wait", NULL
    };
    int code = check_places(s, err);
    const char *other = code ? NULL : option_beside(&command_sample, s, taken);
    if (other)
        return dd_error(err, DDPM_EUSAGE, "--merge takes the settings from the folder: leave out --%s",
                        other);
    return code || !s->images || !s->index
               ? code
               : dd_error(err, DDPM_EUSAGE, "-n and --index both say how many images: leave one out");
}

static int merge(const struct settings *s)
{
    struct merge m = { .folder = s->outdir, .check = s->check_existing, .wait = s->wait };
    struct job j = { .n = 0 }; /* to report */
    ddpm_error err;
    int code = check_merge(s, &err);
    if (!code && (s->images || s->index))
        code = index_list(&j.index, &j.n, s->index, (int)s->images, &err);
    m.index = j.index, m.n = j.n;
    if (!code)
        code = merge_folder(&m, &err);
    free(j.index);
    if (code)
        return complain(&command_sample, &err);
    j.n = m.images + m.lost, j.batch.lost = m.lost;
    report(&j, s);
    return m.lost ? exit_code(DDPM_ENAN) : 0;
}

/* A part of the images that nobody asked for by --shard is not all of them. */
static int status_of(const struct job *j)
{
    if (j->generator.lost || j->batch.lost)
        return exit_code(DDPM_ENAN);
    return j->left ? exit_code(TRY_LATER) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    struct job j = { .n = 0, .batch.image_store.lock = folder_not_locked };
    ddpm_error err;
    int status;
    (void)argument, (void)arguments;
    interrupt_catch();
    if (s->merge)
        return merge(s);
    int code = job_open(&j, s, &err);
    double begun = progress_now();
    if (!code && j.n)
        code = s->outdir ? batch_run(&j.batch, &err) : make_file(&j, &err);
    j.seconds = progress_now() - begun;
    if (!code && j.whole)
        code = merge_missing(&j.left, s->outdir, j.whole, j.all, &err);
    if (!code && s->show)
        half_blocks_draw(stdout, &j.image_output.picture);
    if (code)
        status = complain(&command_sample, &err);
    else
        report(&j, s), status = status_of(&j);
    job_close(&j);
    return status;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is made"),
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "images", 'n', OPTION_INT, "N", "how many (default: 16)", NULL, FIELD(images), 1, INDEX_LIST_MAX },
    { "seed", 0, OPTION_SEED, "S", "64 bits (default: 0)", NULL, FIELD(seed), 0, 0 },
    { "index", 0, OPTION_TEXT, "LIST", "which images of the seed, such as 0,5,7-9 (default: 0 to N-1)", NULL,
      FIELD(index), 0, 0 },
    { "class", 0, OPTION_TEXT, "K", "class of the images; all: index mod classes", NULL, FIELD(class), 0, 0 },
    { "from", 0, OPTION_TEXT, "IMAGE", "start from this PNG with noise on it", NULL, FIELD(from), 0, 0 },
    { "noise-to", 0, OPTION_NUMBER, "T", "how much noise: that of the last step up to T", NULL,
      FIELD(noise_to), 0, 65535 },
    { "encode", 0, OPTION_FLAG, NULL, "carry the image up to T by the ODE instead (ode, ddim)", NULL,
      FIELD(encode), 0, 0 },
    { "noise", 0, OPTION_TEXT, "FILE",
      "safetensors with x_T [n,c,h,w] and, where steps draw noise, z [steps,n,c,h,w], executed step j taking "
      "z[j]",
      NULL, FIELD(noise), 0, 0 },
    OPTION_GROUP("How it is made"),
    { "steps", 0, OPTION_TEXT, "STEPS",
      "50, all, a list 0,10,999, sections iddpm:10,15,20, or auto: what --max-time allows (default: 50)",
      NULL, FIELD(steps), 0, 0 },
    { "spacing", 0, OPTION_CHOICE, "NAME",
      "how the steps are chosen; optimal: least bound of all lists "
      "from 0 to T-1 (default: iddpm)",
      ddpm_spacing_names, FIELD(spacing), 0, 0 },
    { "sampler", 0, OPTION_CHOICE, "NAME", "how a step is taken (default: ddpm)", ddpm_sampler_names,
      FIELD(sampler), 0, 0 },
    { "variance", 0, OPTION_CHOICE, "NAME",
      "of a ddpm step (default: auto, which is analytic where statistics are stored)", ddpm_variance_names,
      FIELD(variance), 0, 0 },
    { "eta", 0, OPTION_NUMBER, "X", "noise of a ddim or dpmpp step, 0 to 1 (default: 0)", NULL, FIELD(eta), 0,
      1 },
    { "order", 0, OPTION_INT, "N",
      "of dpmpp (1 to 3; lower where it is unstable), unipc, ode (1, 2) "
      "(default: 2; dpmpp-diffusers: 3)",
      NULL, FIELD(order), 1, 3 },
    { "corrector", 0, OPTION_INT, "N", "Langevin steps before each step (default: 0; langevin: 1)", NULL,
      FIELD(corrector), 0, 10000 },
    { "snr", 0, OPTION_NUMBER, "X", "signal-to-noise ratio of a Langevin step, below 1 (default: 0.16)", NULL,
      FIELD(snr), 0, 1 },
    { "clip", 0, OPTION_CHOICE, "CHOICE", "clip the predicted x0 (default: as trained)", yes_no, FIELD(clip),
      0, 0 },
    OPTION_GROUP("Where it goes"),
    { "output", 'o', OPTION_TEXT, "FILE",
      "one .png or .npy, a grid when N > 1; - is standard output (default: sample.png)", NULL, FIELD(output),
      0, 0 },
    { "outdir", 0, OPTION_TEXT, "DIR",
      "a file for each image, and manifest.jsonl; makes those that are missing", NULL, FIELD(outdir), 0, 0 },
    { "name", 0, OPTION_TEXT, "PATTERN", "their names (default: image-%06d.png)", NULL, FIELD(name), 0, 0 },
    { "format", 0, OPTION_CHOICE, "NAME", "npy: float32 [n,h,w,c] (default: by the name's ending, else png)",
      format_names, FIELD(format), 0, 0 },
    { "keep-steps", 0, OPTION_INT, "K", "show K states of each image, side by side (default: 1, the last)",
      NULL, FIELD(keep_steps), 1, 1000 },
    { "show", 0, OPTION_FLAG, NULL,
      "draw the picture here too: in colours on a terminal, in letters elsewhere and with NO_COLOR", NULL,
      FIELD(show), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace existing files; with --outdir all listed images, or none", NULL,
      FIELD(force), 0, 0 },
    OPTION_GROUP("Many machines and starts"),
    { "shard", 0, OPTION_TEXT, "I/N",
      "make a part of the images, I from 0, the others being made in DIR by others; "
      "auto: as a job of Slurm, Kubernetes or MPI says "
      "(default: auto, with exit code 75 until all are there)",
      NULL, FIELD(shard), 0, 0 },
    { "merge", 0, OPTION_FLAG, NULL, "make one manifest of those of all shards, if no image is missing", NULL,
      FIELD(merge), 0, 0 },
    { "wait", 0, OPTION_TIME, "TIME",
      "wait for another ddpm sample to leave the folder: 30s, 10m (default: do not)", NULL, FIELD(wait), 0,
      0 },
    { "check-existing", 0, OPTION_FLAG, NULL, "read the images that are there, and make damaged ones again",
      NULL, FIELD(check_existing), 0, 0 },
    { "retry-nan", 0, OPTION_FLAG, NULL, "try images again that were lost to NaN", NULL, FIELD(retry_nan), 0,
      0 },
    { "max-time", 0, OPTION_TIME, "TIME", "end in time, so that the next start goes on: 20m, 2h", NULL,
      FIELD(max_time), 0, 0 },
    { "deadline", 0, OPTION_TEXT, "TIME", "the same by the clock: 06:00, 6am, or 2030-01-31 06:00", NULL,
      FIELD(deadline), 0, 0 },
    OPTION_GROUP("Processor"),
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: up to 16)", NULL,
      FIELD(batch), 1, 4096 },
    { "memory-limit", 0, OPTION_SIZE, "SIZE",
      "fewer at a time where they take more: 500M, 1G (default: what the cgroup says)", NULL, FIELD(memory),
      0, 0 },
};
const struct command command_sample = {
    .name = "sample",
    .arguments = "",
    .least = 0,
    .most = 0,
    .run = run,
    .does = "Makes images from noise.  An image depends on model, seed, index and sampler settings, not on "
            "batch, threads or order.\n"
            "A PNG holds all settings; ddpm verify makes it again.  With --outdir it can be stopped, killed "
            "and started again at will: every\n"
            "start makes what is missing; and several machines can share the work.",
    .examples = "  ddpm sample\n  ddpm sample -n 4 --steps 100 --seed 7 -o four.png\n  ddpm sample --sampler "
                "ddim --steps 20 -n 1 --keep-steps 8 -o way.png\n"
                "  ddpm sample --sampler unipc --steps 10\n  ddpm sample --from a.png --noise-to 500 -n 4 -o "
                "like-a.png\n"
                "  ddpm sample --from a.png --noise-to 999 --encode --sampler ode -n 1 --keep-steps 2 -o "
                "latent-and-back.npy\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images --shard 2/8\n  ddpm sample "
                "--merge --outdir images\n"
                "  ddpm sample -m model.ddpm -n 64 --steps auto --max-time 20m -o in-20-minutes.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
