/* Opens a run of `ddpm sample`: reads and checks the settings, takes the shard's part of the
   images, locks the folder, and opens model, generator and output.  Everything that can fail
   fails here, before the first step. */
#include "outdir/sample_job.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/interrupt.h"
#include "cli/memory_limit.h"
#include "outdir/auto_steps.h"
#include "outdir/image_name.h"
#include "sample/class_list.h"
#include "sample/index_list.h"
#include "sample/start_place.h"

/* How many images are made, and go through the network together, if nothing else is asked for. */
enum { IMAGES = 16, BATCH = 16 };

/* Reads which part of the images this run makes.  Without --outdir a process always makes all
   images. */
static int read_shard(struct sample_job *j, ddpm_error *err)
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

    /* Without --shard the whole list is kept, to tell at the end whether all images are there. */
    if (!j->shard.asked) {
        j->whole = malloc((size_t)j->n * sizeof *j->whole);
        if (!j->whole)
            return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", j->n);
        memcpy(j->whole, j->index, (size_t)j->n * sizeof *j->whole);
    }

    shard_take(&j->shard, j->index, &j->n);
    shard_tell(&j->shard, j->command, &s->common, j->n, j->all);
    return DDPM_OK;
}

const char *sample_job_output(const struct sample_job *j)
{
    if (j->s->output)
        return j->s->output;

    const struct image_format *format = sample_settings_format(j->s);
    if (format->film)
        return "sample.webp";
    if (format->archive)
        return "sample.npz";
    return format->picture ? "sample.png" : "sample.npy";
}

/* Returns the pictures that sampling starts from, or NULL. */
static const char *pictures_of(const struct sample_job *j)
{
    return j->s->between ? j->pictures : j->s->from;
}

/* Puts the way between two images into the recipe. */
static void set_between(struct sample_job *j)
{
    if (!j->s->between)
        return;
    j->recipe.between = between_text(j->between_text, &j->between);
    j->recipe.frames = sample_settings_frames(j->s);
}

/* Reads and checks everything that does not need the model. */
static int read_settings(struct sample_job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    int images = IMAGES, pictures = 1;
    int code = input_check(s->model, err);
    if (!code)
        code = input_check(s->classifier, err);
    if (!code && s->between)
        code = between_read(&j->between, &j->pictures, s->between, err);
    if (!code && pictures_of(j))
        code = start_place_check(&pictures, s, pictures_of(j), sample_job_output(j), err);
    if (pictures > 1)
        images = pictures;
    if (s->between)
        images = sample_settings_frames(s);
    if (!code)
        code = input_check(s->mask, err);
    if (!code)
        code = input_check(s->noise, err);

    if (!code)
        code = sample_settings_check(s, err);
    if (!code)
        sample_settings_recipe(&j->recipe, s);
    if (!code)
        set_between(j);
    if (!code && s->name)
        code = image_name_check(s->name, err);
    if (s->images)
        images = (int)s->images;
    if (!code)
        code = index_list(&j->index, &j->n, s->index, images, err);
    if (!code)
        code = read_shard(j, err);
    return code ? code : time_budget_begin(&j->time_budget, s->max_time, s->deadline, err);
}

static int open_image_output(struct sample_job *j, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    struct image_output *g = &j->image_output;
    *g = (struct image_output){
        .about = ddpm_model_about(j->model),
        .classes = j->generator.classes_known,
        .recipe = &j->recipe,
        .index = j->index,
        .n = j->n,
        .format = sample_settings_format(j->s),
        .force = s->force,
    };

    /* Several images in one file are enlarged to a size that can be looked at. */
    if (g->format->picture) {
        struct layout l = layout_of(g->about, &j->recipe, g->n);
        j->recipe.scale = layout_scale(&l, (int)s->scale);
    }

    int code = image_output_open(g, sample_job_output(j), err);
    interrupt_removes(g->output.temporary);
    if (!code && g->output.standard && (s->common.json || s->show))
        return dd_error(err, DDPM_EUSAGE, "the image itself goes to standard output: leave out %s",
                        s->show ? "--show" : "--json");
    return code;
}

static const char *pattern_of(const struct sample_job *j)
{
    if (j->s->name)
        return j->s->name;
    return sample_settings_format(j->s)->picture ? "image-%06d.png" : "image-%06d.npy";
}

static int open_batch(struct sample_job *j, ddpm_error *err)
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
        .format = sample_settings_format(j->s),
        .force = s->force,
        .check = s->check_existing,
        .retry = s->retry_nan,
        .part = j->shard.part,
        .asked = s->index ? s->index : j->range,
        .lock = b->image_store.lock,
    };
    return batch_open(b, err);
}

/* Says before the work what the user may want to change: warnings, damaged images, the chosen
   steps. */
static void announce(const struct sample_job *j)
{
    const struct sample_settings *s = j->s;
    const struct image_store *a = &j->batch.image_store;
    const ddpm_tables *t = ddpm_chain_tables(j->generator.chain);

    if (s->between && !s->sampler && !s->fast)
        remark(j->command, &s->common, "--between takes sampler %s, which adds no noise", j->recipe.sampler);
    if (t->warning)
        remark(j->command, &s->common, "%s", t->warning);
    if (*j->generator.warning)
        remark(j->command, &s->common, "%s", j->generator.warning);

    if (s->outdir && *a->warning)
        remark(j->command, &s->common, "%s", a->warning);
    if (s->outdir && a->damaged)
        remark(j->command, &s->common, "%s: %d images are damaged and made again", s->outdir, a->damaged);
    if (s->outdir && s->name && a->named)
        remark(j->command, &s->common, "%s: %d images are there under other names, and keep them", s->outdir,
               a->named);

    if (s->common.verbose)
        remark(j->command, &s->common, "%s, variance %s, %d steps: %s", j->recipe.sampler, j->recipe.variance,
               t->K, j->recipe.steps);
}

/* Opens the generator.  --steps auto chooses the steps by the time left; a single file is then
   made to its end, as a stop would leave nothing of it. */
static int open_generator(struct sample_job *j, int batch, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    const struct auto_steps a = {
        .recipe = &j->recipe,
        .model = j->model,
        .classifier = j->classifier,
        .command = j->command,
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
        .classifier = j->classifier,
        .command = j->command,
        .common = &s->common,
        .batch = batch,
        .noise_path = s->noise,
        .from_path = pictures_of(j),
        .mask_path = s->mask,
        .last = index_list_largest(j->index, j->n),
    };
    return generator_open(&j->generator, &j->recipe, &o, err);
}

/* Chooses the batch: as many images as were asked for and as memory has room for.  An image that is guided
   without a classifier goes through the network twice. */
static int pick_batch(const struct sample_job *j, int *batch, ddpm_error *err)
{
    const struct sample_settings *s = j->s;
    struct memory_limit l = {
        .bytes = s->memory,
        .name = "--memory-limit",
        .images = s->outdir ? 1 : j->n,
        .frames = (int)s->keep_steps,
        .model = j->model,
        .classifier = j->classifier,
        .command = j->command,
        .common = &s->common,
    };
    bool twice = s->guidance != 1 && s->guidance != 0 && !s->classifier;
    int wanted = s->batch ? (int)s->batch : BATCH, runs = twice ? 2 : 1;

    *batch = wanted / runs < j->n ? wanted : j->n * runs;
    memory_limit_find(&l, "");
    return memory_limit_batch(batch, s->batch > 0, &l, err);
}

/* Locks the folder of images before the model is read, so that a second start is refused at once. */
static int lock_folder(struct sample_job *j, ddpm_error *err)
{
    struct image_store *a = &j->batch.image_store;
    a->folder = j->s->outdir;
    a->part = j->shard.part;
    return a->folder ? image_store_lock(a, j->s->wait, err) : DDPM_OK;
}

/* Chooses the steps, and with --fast the sampler, where the model's tuned solvers decide. */
static int choose_steps(struct sample_job *j, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(j->model);
    bool tuned = ddpm_sampler_traits_of(j->recipe.sampler)->own_steps && !j->s->steps;
    if (!j->s->fast && !tuned)
        return DDPM_OK;

    j->steps = j->s->fast ? sample_settings_fast(&j->recipe, a) : sample_settings_tuned(&j->recipe, a);
    if (!j->steps)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    j->recipe.resample = sample_settings_resample(j->s, j->recipe.sampler);
    if (j->s->fast)
        remark(j->command, &j->s->common, "--fast takes sampler %s with %s steps", j->recipe.sampler,
               j->steps);
    else if (a->tuned_count)
        remark(j->command, &j->s->common, "without --steps sampler tuned takes %s", j->steps);
    return DDPM_OK;
}

/* Turns --strength, the part of all steps, into the step up to which the picture is noised.  An inpainting
   without it starts from noise alone, beyond the last step. */
static void set_noise_to(struct sample_job *j)
{
    const struct sample_settings *s = j->s;
    int T = ddpm_model_about(j->model)->steps;
    if (s->strength >= 0)
        j->recipe.noise_to = s->strength * (T - 1);
    else if (s->mask && s->noise_to < 0)
        j->recipe.noise_to = T;
}

/* Returns the model whose classes --class names: the model itself or, if it has none, the classifier. */
static const ddpm_about *about_of_classes(const struct sample_job *j)
{
    const ddpm_about *a = ddpm_model_about(j->model);
    return a->classes || !j->classifier ? a : ddpm_model_about(j->classifier);
}

static int open_model(struct sample_job *j, ddpm_error *err)
{
    int code = model_open(&j->model, j->s->model, err);
    if (!code)
        code = model_check(j->model, j->s->model, err);
    if (!code)
        code = image_size_apply(j->model, j->s->size, &j->recipe.size, j->command, &j->s->common, err);
    if (!code && j->s->classifier)
        code = model_open_classifier(&j->classifier, j->s->classifier, err);
    if (!code)
        code = class_list_read(&j->recipe, &j->classes, j->s->class, about_of_classes(j), err);
    if (!code)
        set_noise_to(j);
    if (!code)
        j->recipe.clip = clip_bound(j->s->clip, ddpm_model_about(j->model));
    return code ? code : choose_steps(j, err);
}

int sample_job_open(struct sample_job *j, ddpm_error *err)
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

void sample_job_close(struct sample_job *j)
{
    image_output_free(&j->image_output);
    interrupt_removes(NULL);
    batch_close(&j->batch);
    generator_close(&j->generator);
    ddpm_model_close(j->model);
    ddpm_model_close(j->classifier);
    free(j->index);
    free(j->pictures);
    free(j->steps);
    free(j->classes);
    free(j->whole);
}
