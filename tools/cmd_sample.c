/* ddpm sample: makes images from noise, into one file or, in as many starts as it takes, into a
   folder.  Everything that can fail fails before the first step.  A NaN in one image is named and
   does not change the others. */
#include <stdio.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "image/view.h"
#include "outdir/merge.h"
#include "outdir/sample_job.h"
#include "outdir/written.h"
#include "sample/half_blocks.h"
#include "sample/index_list.h"

static const struct sample_settings defaults = {
    .variance = "auto", .keep_steps = 1, .snr = SNR_UNSET, .guidance = 1, .noise_to = -1, .strength = -1
};

static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct sample_job *j = user;
    (void)seconds;
    return image_output_add(&j->image_output, place, lost ? NULL : frame, err);
}

static int make_file(struct sample_job *j, ddpm_error *err)
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

#define FIELD(f) offsetof(struct sample_settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is made"),
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "size", 0, OPTION_TEXT, "WxH",
      "width x height of the images, which the network's levels must divide (default: as trained)", NULL,
      FIELD(size), 0, 0 },
    { "images", 'n', OPTION_INT, "N", "how many (default: 16; from several pictures: as many as they are)",
      NULL, FIELD(images), 1, INDEX_LIST_MAX },
    { "seed", 0, OPTION_SEED, "S", "64 bits, or random (default: 0)", NULL, FIELD(seed), 0, 0 },
    { "index", 0, OPTION_TEXT, "LIST", "which images of the seed, such as 0,5,7-9 (default: 0 to N-1)", NULL,
      FIELD(index), 0, 0 },
    { "class", 0, OPTION_TEXT, "K", "class of the images; all: index mod classes; none: no class", NULL,
      FIELD(class), 0, 0 },
    { "from", 0, OPTION_TEXT, "IMAGE",
      "start from this picture with noise on it; from several: a list A,B or a folder, index mod their "
      "number",
      NULL, FIELD(from), 0, 0 },
    { "strength", 0, OPTION_NUMBER, "S", "how much noise: 0 leaves the picture, 1 is noise alone", NULL,
      FIELD(strength), 0, 1 },
    { "noise-to", 0, OPTION_NUMBER, "T", "the same by the step: the noise of the last step up to T", NULL,
      FIELD(noise_to), 0, 65535 },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "pictures of another size: pad with black, crop the middle, or resize and crop", view_fit_names,
      FIELD(fit), 0, 0 },
    { "mask", 0, OPTION_TEXT, "MASK", "paint anew what is white in this picture, and keep the rest of IMAGE",
      NULL, FIELD(mask), 0, 0 },
    { "resample", 0, OPTION_INT, "R",
      "with --mask: go R times through each part of the chain (default: 10 with ddpm, else 1)", NULL,
      FIELD(resample), 1, RESAMPLE_MOST },
    { "jump", 0, OPTION_INT, "J", "with --mask: parts of J steps (default: 10)", NULL, FIELD(jump), 1,
      JUMP_MOST },
    { "encode", 0, OPTION_FLAG, NULL, "carry the image up to T by the ODE instead (ode, ddim)", NULL,
      FIELD(encode), 0, 0 },
    { "between", 0, OPTION_TEXT, "A,B",
      "the way from image A to image B: each is an index of the seed, or a picture, which the ODE encodes",
      NULL, FIELD(between), 0, 0 },
    { "frames", 0, OPTION_INT, "N", "with --between: how many images it has, both ends too (default: 24)",
      NULL, FIELD(frames), 2, FRAMES_MOST },
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
    { "guidance", 0, OPTION_NUMBER, "W",
      "show more of the class: none + W (class - none) of what a model with a null class predicts "
      "(default: 1, no guidance)",
      NULL, FIELD(guidance), 0, GUIDANCE_MOST },
    { "eta", 0, OPTION_NUMBER, "X", "noise of a ddim or dpmpp step, 0 to 1 (default: 0)", NULL, FIELD(eta), 0,
      1 },
    { "order", 0, OPTION_INT, "N",
      "of dpmpp (1 to 3; lower where it is unstable), ipndm (1 to 4), unipc, ode (1, 2) "
      "(default: 2; ipndm, dpmpp-diffusers: 3)",
      NULL, FIELD(order), 1, 4 },
    { "corrector", 0, OPTION_INT, "N", "Langevin steps before each step (default: 0; langevin: 1)", NULL,
      FIELD(corrector), 0, 10000 },
    { "snr", 0, OPTION_NUMBER, "X", "signal-to-noise ratio of a Langevin step, below 1 (default: 0.16)", NULL,
      FIELD(snr), 0, 1 },
    { "clip", 0, OPTION_CHOICE, "CHOICE", "clip the predicted x0 (default: as trained)", clip_choices,
      FIELD(clip), 0, 0 },
    OPTION_GROUP("Where it goes"),
    { "output", 'o', OPTION_TEXT, "FILE",
      "one .png or .npy, a grid when N > 1; - is standard output (default: sample.png)", NULL, FIELD(output),
      0, 0 },
    { "outdir", 0, OPTION_TEXT, "DIR",
      "a file for each image, and manifest.jsonl; makes those that are missing", NULL, FIELD(outdir), 0, 0 },
    { "name", 0, OPTION_TEXT, "PATTERN", "their names (default: image-%06d.png)", NULL, FIELD(name), 0, 0 },
    { "format", 0, OPTION_CHOICE, "NAME",
      "png16: 16 bits a value; npy: float32 [n,h,w,c] (default: by the name's ending, else png)",
      image_format_names, FIELD(format), 0, 0 },
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
                "  ddpm sample --sampler unipc --steps 10\n  ddpm sample --from a.png --strength 0.5 -n 4 -o "
                "like-a.png\n"
                "  ddpm sample --from a.png --noise-to 999 --encode --sampler ode -n 1 --keep-steps 2 -o "
                "latent-and-back.npy\n"
                "  ddpm sample --between 3,14 --frames 12 -o between.png\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images\n"
                "  ddpm sample -m model.ddpm --class all -n 1000 --outdir images --shard 2/8\n"
                "  ddpm sample -m model.ddpm -n 64 --steps auto --max-time 20m -o in-20-minutes.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct sample_settings),
    .defaults = &defaults,
};
