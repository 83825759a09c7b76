/* ddpm sample: makes images from noise, into one file or, in as many starts as it takes, into a folder.  What
   can fail fails before the first step.  A NaN in one image is named and does not change the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/memory_limit.h"
#include "cli/options.h"
#include "outdir/auto_steps.h"
#include "outdir/batch.h"
#include "outdir/image_name.h"
#include "outdir/merge.h"
#include "outdir/shard.h"
#include "outdir/written.h"
#include "sample/generator.h"
#include "sample/half_blocks.h"
#include "sample/index_list.h"
#include "sample/sample_settings.h"

enum { IMAGES = 16, BATCH = 16 };

static const struct sample_settings defaults = {
    .variance = "auto", .keep_steps = 1, .snr = SNR_UNSET, .noise_to = -1
};

/* One run: the settings, and what makes and takes the images. */
struct job {
    const struct sample_settings *s;
    struct recipe recipe;
    struct time_budget time_budget;
    char *steps;     /* the steps that --steps auto or --fast has chosen, or NULL */
    uint32_t *index; /* [n] the images of this shard */
    int n;

    struct shard shard;
    char range[32];  /* "0-99", the images of all shards */
    int all;         /* how many images all shards make */
    uint32_t *whole; /* [all] their indices, if variables made this a shard without --shard */
    int left;        /* how many of them are missing at the end */

    ddpm_model *model;
    struct generator generator;
    struct image_output image_output; /* the file without --outdir */
    struct batch batch;               /* the folder with --outdir */
    double seconds;                   /* time for making the images */
};

/* Reads which part of the images this run makes.  Without --outdir a process always makes all images. */
static int read_shard(struct job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    j->all = j->n;
    j->shard.of = 1;
    int code = s->outdir ? shard_read(&j->shard, s->shard, err) : DDPM_OK;
    if (code || j->shard.of == 1)
        return code;

    const char *source = *j->shard.source ? j->shard.source : "--shard";
    if (sample_settings_auto_steps(s))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps auto and shards (%s): each would choose a number of its own: give one",
                        source);
    if (s->force)
        return dd_error(
            err, DDPM_EUSAGE,
            "--force and shards (%s): none of them may remove what others make: choose another folder",
            source);

    snprintf(j->range, sizeof j->range, "0-%d", j->n - 1);
    if (!j->shard.asked) {
        j->whole = malloc((size_t)j->n * sizeof *j->whole);
        if (!j->whole)
            return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", j->n);
        memcpy(j->whole, j->index, (size_t)j->n * sizeof *j->whole);
    }
    shard_take(&j->shard, j->index, &j->n);
    shard_tell(&j->shard, &command_sample, &s->common, j->n, j->all);
    return DDPM_OK;
}

/* Reads and checks everything that does not need the model. */
static int read_settings(struct job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    int code = input_check(s->model, err);
    if (!code)
        code = input_check(s->from, err);
    if (!code)
        code = input_check(s->noise, err);

    if (!code)
        code = sample_settings_check(s, err);
    if (!code)
        code = sample_settings_recipe(&j->recipe, s, err);
    if (!code && s->name)
        code = image_name_check(s->name, err);
    if (!code)
        code = index_list(&j->index, &j->n, s->index, s->images ? (int)s->images : IMAGES, err);
    if (!code)
        code = read_shard(j, err);
    return code ? code : time_budget_begin(&j->time_budget, s->max_time, s->deadline, err);
}

static bool is_array(const struct job *j)
{
    return !strcmp(j->recipe.format, "npy");
}

static const char *output_of(const struct job *j)
{
    if (j->s->output)
        return j->s->output;
    return is_array(j) ? "sample.npy" : "sample.png";
}

static int open_image_output(struct job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    struct image_output *g = &j->image_output;
    *g = (struct image_output){
        .about = ddpm_model_about(j->model),
        .recipe = &j->recipe,
        .index = j->index,
        .n = j->n,
        .array = is_array(j),
        .force = s->force,
    };
    if (!g->array) {
        struct layout l = layout_of(g->about, g->n, j->recipe.keep_steps);
        j->recipe.scale = layout_scale(&l, (int)s->scale);
    }
    int code = image_output_open(g, output_of(j), err);
    interrupt_removes(g->output.temporary);
    if (!code && g->output.standard && (s->common.json || s->show))
        return dd_error(err, DDPM_EUSAGE, "the image itself goes to standard output: leave out %s",
                        s->show ? "--show" : "--json");
    return code;
}

static const char *pattern_of(const struct job *j)
{
    if (j->s->name)
        return j->s->name;
    return is_array(j) ? "image-%06d.npy" : "image-%06d.png";
}

static int open_batch(struct job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    struct batch *b = &j->batch;
    b->generator = &j->generator;
    b->work = (struct image_work){ .index = j->index, .n = j->n };
    b->image_store = (struct image_store){
        .about = ddpm_model_about(j->model),
        .recipe = &j->recipe,
        .folder = s->outdir,
        .pattern = pattern_of(j),
        .array = is_array(j),
        .force = s->force,
        .check = s->check_existing,
        .retry = s->retry_nan,
        .part = j->shard.part,
        .asked = s->index ? s->index : j->range,
        .lock = b->image_store.lock,
    };
    return batch_open(b, err);
}

/* Says before the work what the user may want to change: warnings, damaged images, the chosen steps. */
static void announce(const struct job *j)
{
    const struct sample_settings *s = j->s;
    const struct image_store *a = &j->batch.image_store;
    const ddpm_tables *t = ddpm_chain_tables(j->generator.chain);
    if (t->warning)
        remark(&command_sample, &s->common, "%s", t->warning);
    if (*j->generator.warning)
        remark(&command_sample, &s->common, "%s", j->generator.warning);

    if (s->outdir && *a->warning)
        remark(&command_sample, &s->common, "%s", a->warning);
    if (s->outdir && a->damaged)
        remark(&command_sample, &s->common, "%s: %d images are damaged and made again", s->outdir,
               a->damaged);
    if (s->outdir && s->name && a->named)
        remark(&command_sample, &s->common, "%s: %d images are there under other names, and keep them",
               s->outdir, a->named);
    if (s->common.verbose)
        remark(&command_sample, &s->common, "%s, variance %s, %d steps: %s", j->recipe.sampler,
               j->recipe.variance, t->K, j->recipe.steps);
}

/* Opens the generator.  --steps auto chooses the steps by the time left; a single file is then made to its
   end, as a stop would leave nothing of it. */
static int open_generator(struct job *j, int batch, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    const struct auto_steps a = {
        .recipe = &j->recipe,
        .model = j->model,
        .command = &command_sample,
        .common = &s->common,
        .time_budget = &j->time_budget,
        .folder = s->outdir,
        .force = s->force,
        .n = j->n,
        .batch = batch,
    };

    int code = sample_settings_auto_steps(s) ? auto_steps(&j->steps, &a, err) : DDPM_OK;
    if (code)
        return code;
    if (j->steps)
        j->recipe.steps = j->steps;

    const struct generator_options o = {
        .model = j->model,
        .command = &command_sample,
        .common = &s->common,
        .batch = batch,
        .noise_path = s->noise,
        .from_path = s->from,
        .last = index_list_largest(j->index, j->n),
    };
    return generator_open(&j->generator, &j->recipe, &o, err);
}

/* Chooses the batch: as many images as were asked for and as memory has room for. */
static int pick_batch(const struct job *j, int *batch, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    struct memory_limit l = { s->memory, "--memory-limit", s->outdir ? 1 : j->n, (int)s->keep_steps };
    int wanted = s->batch ? (int)s->batch : BATCH;
    *batch = wanted < j->n ? wanted : j->n;
    memory_limit_find(&l, "");
    return memory_limit_batch(batch, s->batch > 0, &l, j->model, &command_sample, &s->common, err);
}

/* Locks the folder of images before the model is read, so that a second start is refused at once. */
static int lock_folder(struct job *j, ddpm_error *err)
{
    struct image_store *a = &j->batch.image_store;
    a->folder = j->s->outdir;
    a->part = j->shard.part;
    return a->folder ? image_store_lock(a, j->s->wait, err) : DDPM_OK;
}

static int open_model(struct job *j, ddpm_error *err)
{
    int code = model_open(&j->model, j->s->model, err);
    if (!code)
        code = model_check(j->model, j->s->model, err);
    if (!code)
        j->recipe.clip = sample_settings_clip(j->s, ddpm_model_about(j->model));
    if (code || !j->s->fast)
        return code;

    j->steps = sample_settings_fast(&j->recipe, ddpm_model_about(j->model));
    if (!j->steps)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    remark(&command_sample, &j->s->common, "--fast takes sampler %s with %s steps", j->recipe.sampler,
           j->steps);
    return DDPM_OK;
}

/* Opens everything that the run needs.  A shard without images needs nothing. */
static int job_open(struct job *j, ddpm_error *err)
{
    int batch, code = read_settings(j, err);
    if (code || !j->n)
        return code;

    code = lock_folder(j, err);
    if (!code)
        code = open_model(j, err);
    if (!code)
        code = pick_batch(j, &batch, err);
    if (!code)
        code = open_generator(j, batch, err);
    if (!code)
        code = j->s->outdir ? open_batch(j, err) : open_image_output(j, err);
    if (code)
        return code;

    announce(j);
    if (j->s->outdir && sample_settings_timed(j->s) && j->batch.work.missing)
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
    free(j->index);
    free(j->steps);
    free(j->whole);
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
    if (!code)
        code = image_output_finish(&j->image_output, err);
    return code ? code : image_output_commit(&j->image_output, err);
}

/* Makes the images; counts those that other shards still have to make, if --shard was not given. */
static int make_images(struct job *j, ddpm_error *err)
{
    double begun = progress_now();
    int code = DDPM_OK;
    if (j->n)
        code = j->s->outdir ? batch_run(&j->batch, err) : make_file(j, err);
    j->seconds = progress_now() - begun;
    if (!code && j->whole)
        code = merge_missing(&j->left, j->s->outdir, j->whole, j->all, err);
    if (!code && j->s->show)
        half_blocks_draw(stdout, &j->image_output.picture);
    return code;
}

static void report(const struct job *j)
{
    bool folder = j->s->outdir;
    int lost = folder ? j->batch.lost : j->generator.lost;
    const struct written w = {
        .where = folder ? j->s->outdir : output_of(j),
        .images = j->n - lost,
        .lost = lost,
        .folder = folder,
        .made = j->batch.made,
        .shard = &j->shard,
        .all = j->all,
        .seconds = j->seconds,
    };
    written_tell(&w, &command_sample, &j->s->common);
}

/* Returns the exit code; missing images of other shards count if --shard was not given. */
static int status_of(const struct job *j)
{
    if (j->generator.lost || j->batch.lost)
        return exit_code(DDPM_ENAN);
    return j->left ? exit_code(TRY_LATER) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    struct job j = { .s = settings, .batch.image_store.lock = folder_not_locked };
    ddpm_error err;
    int status;
    (void)argument;
    (void)arguments;

    interrupt_catch();
    int code = job_open(&j, &err);
    if (!code)
        code = make_images(&j, &err);
    if (code) {
        status = complain(&command_sample, &err);
    } else {
        report(&j);
        status = status_of(&j);
    }
    job_close(&j);
    return status;
}

#define FIELD(f) offsetof(struct sample_settings, f)
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
    { "fast", 0, OPTION_FLAG, NULL,
      "few steps: a solver that was tuned for the model and is near enough, else unipc with 10", NULL,
      FIELD(fast), 0, 0 },
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
    { "clip", 0, OPTION_CHOICE, "CHOICE", "clip the predicted x0 (default: as trained)",
      sample_settings_clips, FIELD(clip), 0, 0 },
    OPTION_GROUP("Where it goes"),
    { "output", 'o', OPTION_TEXT, "FILE",
      "one .png or .npy, a grid when N > 1; - is standard output (default: sample.png)", NULL, FIELD(output),
      0, 0 },
    { "outdir", 0, OPTION_TEXT, "DIR",
      "a file for each image, and manifest.jsonl; makes those that are missing", NULL, FIELD(outdir), 0, 0 },
    { "name", 0, OPTION_TEXT, "PATTERN", "their names (default: image-%06d.png)", NULL, FIELD(name), 0, 0 },
    { "format", 0, OPTION_CHOICE, "NAME", "npy: float32 [n,h,w,c] (default: by the name's ending, else png)",
      sample_settings_formats, FIELD(format), 0, 0 },
    { "keep-steps", 0, OPTION_INT, "K", "show K states of each image, side by side (default: 1, the last)",
      NULL, FIELD(keep_steps), 1, 1000 },
    { "scale", 0, OPTION_INT, "N",
      "make each pixel N x N of them (default: 1; several images in one file: what makes it 512 wide)", NULL,
      FIELD(scale), 1, SCALE_MOST },
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
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images --shard 2/8\n"
                "  ddpm sample -m model.ddpm -n 64 --steps auto --max-time 20m -o in-20-minutes.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct sample_settings),
    .defaults = &defaults,
};
