/* ddpm sample: makes images from noise, into one file or, in as many starts as it takes, into a
   folder.  Everything that can fail fails before the first step.  A NaN in one image is named and
   does not change the others. */
#include <stdio.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "outdir/merge.h"
#include "outdir/sample_job.h"
#include "outdir/written.h"
#include "sample/half_blocks.h"
#include "sample/sample_options.h"

static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct sample_job *j = user;
    (void)seconds;
    return image_output_add(&j->image_output, place, lost ? NULL : frame, err);
}

static int make_file(struct sample_job *j, ddpm_error *err)
{
    int code = generator_run(&j->generator, j->index, j->n, take_image, j, err);
    if (!code)
        code = image_output_finish(&j->image_output, err);
    if (code == TRY_LATER)
        return dd_error(
            err, code,
            "interrupted, and nothing is written: --outdir is what can be stopped and gone on with");
    return code ? code : image_output_commit(&j->image_output, err);
}

/* Makes the images; counts those that other shards still have to make, if --shard was not given. */
static int make_images(struct sample_job *j, ddpm_error *err)
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

static void report(const struct sample_job *j)
{
    bool folder = j->s->outdir;
    int lost = folder ? j->batch.lost : j->generator.lost;
    const struct written w = {
        .where = folder ? j->s->outdir : sample_job_output(j),
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
static int status_of(const struct sample_job *j)
{
    if (j->generator.lost || j->batch.lost)
        return exit_code(DDPM_ENAN);
    return j->left ? exit_code(TRY_LATER) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    struct sample_job j = {
        .command = &command_sample,
        .s = settings,
        .batch.image_store.lock = folder_not_locked,
    };
    ddpm_error err;
    int status;
    (void)argument;
    (void)arguments;

    interrupt_catch();
    int code = sample_job_open(&j, &err);
    if (!code)
        code = make_images(&j, &err);
    if (code) {
        status = complain(&command_sample, &err);
    } else {
        report(&j);
        status = status_of(&j);
    }
    sample_job_close(&j);
    return status;
}

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
                "  ddpm sample --sampler unipc --steps 10\n  ddpm sample --from a.png --strength 0.5 -n 4 -o "
                "like-a.png\n"
                "  ddpm sample --from a.png --noise-to 999 --encode --sampler ode -n 1 --keep-steps 2 -o "
                "latent-and-back.npy\n"
                "  ddpm sample --between 3,14 --frames 12 -o between.png\n"
                "  ddpm sample --keep-steps 24 -o way.webp\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images --shard 2/8\n"
                "  ddpm sample -m model.ddpm -n 64 --steps auto --max-time 20m -o in-20-minutes.png\n",
    .options = sample_options,
    .count = SAMPLE_OPTIONS,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct sample_settings),
    .defaults = &sample_defaults,
};
