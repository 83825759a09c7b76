/* ddpm train: trains a model on images.  All checks come before the first step.  From then on the last
   checkpoint can always be loaded, and the same command with --resume goes on from it, to the same bits as
   without a stop. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "cli/ending.h"
#include "cli/interrupt.h"
#include "training/training.h"

static const struct train_settings defaults = {
    .preset = "tiny", .fit = "resize", .held_out = -1, .keep = 3, .grid_every = -1, .cache = 1024
};

/* Checks the options that need no data. */
static int check(struct training *t, const char *data, ddpm_error *err)
{
    const struct train_settings *s = t->s;

    if (!dd_system_exists(data))
        return dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be opened: %s", data,
                        strerror(errno));
    if (!s->output)
        return dd_error(err, DDPM_EUSAGE, "where to? add -o MODEL.ddpm");
    if (!s->steps && !s->time && !s->converged)
        return dd_error(err, DDPM_EUSAGE, "how long? add --steps N, --time 2h or --until-converged N");
    if (s->size && !s->init)
        return dd_error(
            err, DDPM_EUSAGE,
            "--size is of a model's images: add --init MODEL, or give a new network's size by --set "
            "net.width=48 --set net.height=64");
    if (s->resume && s->force)
        return dd_error(err, DDPM_EUSAGE,
                        "--resume goes on with what is there and replaces MODEL by itself, "
                        "--force begins anew: leave one out");
    return ending_check(s->output, err);
}

static void announce(const struct training *t)
{
    const struct train_settings *s = t->s;

    if (t->saved >= 0)
        remark(t->command, &s->common, "going on after step %lld", (long long)t->saved);
    remark(t->command, &s->common,
           "%zu images of %d x %d x %d to train with, %zu held out; %zu a step; checkpoints, log and "
           "pictures in %s",
           t->used.count, t->about->height, t->about->width, t->about->channels, t->held.count, t->images,
           t->folder.path);
    if (t->skipped)
        remark(t->command, &s->common, "%zu image%s skipped", t->skipped, t->skipped == 1 ? "" : "s");
}

/* Says how to go on after an interruption, and returns its exit code. */
static int interrupted_at(const struct training *t)
{
    if (t->written)
        notice(t->command,
               "interrupted while statistics were measured; %s is whole but for them, and "
               "the same command with --resume measures them",
               t->s->output);
    else if (t->saved >= 0)
        notice(t->command, "interrupted after step %lld; the same command with --resume goes on from there",
               (long long)t->saved);
    else
        notice(t->command, "interrupted before the first step");
    return INTERRUPTED;
}

/* Prints the bits per dimension of the model that was written. */
static void print_result(const struct training *t)
{
    const struct statistics_plan *m = &t->measured;
    long long step = (long long)ddpm_trainer_done(t->trainer);

    if (t->s->common.json && !m->images)
        printf("{\"step\":%lld,\"bits\":null}\n", step);
    else if (t->s->common.json)
        printf("{\"step\":%lld,\"bits\":%.17g,\"images\":%zu,\"terms\":%d}\n", step, t->bits, m->images,
               m->terms);
    else if (m->images && m->terms < t->about->steps)
        printf("%.4g bits/dim of %zu held-out images in %d of the %d steps\n", t->bits, m->images, m->terms,
               t->about->steps);
    else if (m->images)
        printf("%.4g bits/dim of %zu held-out images\n", t->bits, m->images);
}

static int finish(struct training *t, ddpm_error *err)
{
    int code = training_finish(t, err);
    if (code || interrupted)
        return code;

    remark(t->command, &t->s->common, "step %lld, written to %s", (long long)ddpm_trainer_done(t->trainer),
           t->s->output);
    print_result(t);
    return code;
}

/* Says that nothing is left to do. */
static void tell_done(const struct training *t)
{
    double bits = training_output_bits(t);

    remark(t->command, &t->s->common,
           "step %lld is reached and %s is written: nothing to do (a greater "
           "--steps goes on)",
           (long long)t->saved, t->s->output);
    if (!t->s->common.json)
        return;
    if (isnan(bits))
        printf("{\"step\":%lld,\"bits\":null}\n", (long long)t->saved);
    else
        printf("{\"step\":%lld,\"bits\":%.17g}\n", (long long)t->saved, bits);
}

static int run(void *settings, char **argument, int arguments)
{
    struct training t = { .s = settings, .command = &command_train };
    ddpm_error err;
    (void)arguments;

    if (check(&t, argument[0], &err))
        return complain(&command_train, &err);

    interrupt_catch();
    t.began = progress_now();
    int code = training_open(&t, argument[0], &err);
    if (!code && t.done) {
        tell_done(&t);
    } else if (!code) {
        announce(&t);
        code = training_run(&t, &err);
    }
    if (!code && !t.done && !interrupted)
        code = finish(&t, &err);

    /* DDPM_ECALLBACK means that the user interrupted while the data were read. */
    int status;
    if (interrupted && (!code || code == DDPM_ECALLBACK))
        status = interrupted_at(&t);
    else
        status = code ? complain(&command_train, &err) : 0;
    training_close(&t);
    return status;
}

#define FIELD(f) offsetof(struct train_settings, f)
static const struct option options[] = {
    OPTION_GROUP("What is trained"),
    { "output", 'o', OPTION_TEXT, "MODEL",
      "the model file; checkpoints, log and pictures go to the folder MODEL.train", NULL, FIELD(output), 0,
      0 },
    { "preset", 0, OPTION_CHOICE, "NAME", "network and recipe to begin with (default: tiny)",
      training_presets, FIELD(preset), 0, 0 },
    { "config", 0, OPTION_TEXTS, "FILE", "JSON with some of net, diffusion (keys of a model file) and train",
      NULL, FIELD(config), 0, 0 },
    { "set", 0, OPTION_TEXTS, "KEY=VALUE",
      "one such value: net.widths=64,128, diffusion.steps=500, batch=32, lr=1e-4", NULL, FIELD(set), 0, 0 },
    { "init", 0, OPTION_TEXT, "MODEL", "begin with the network and weights of a model file", NULL,
      FIELD(init), 0, 0 },
    { "size", 0, OPTION_TEXT, "WxH",
      "with --init: width x height of the images from now on (default: as MODEL was trained)", NULL,
      FIELD(size), 0, 0 },
    { "seed", 0, OPTION_SEED, "S",
      "of weights, order, timesteps, noise and dropout, 64 bits, or random (default: 0)", NULL, FIELD(seed),
      0, 0 },
    OPTION_GROUP("With which images"),
    { "images", 'n', OPTION_INT, "N", "the first N images (default: all)", NULL, FIELD(images), 1,
      INT32_MAX },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "images of another size: pad with black, crop, or resize and crop (default: resize)", view_fit_names,
      FIELD(fit), 0, 0 },
    { "gray", 0, OPTION_FLAG, NULL, "make images in colour gray, and the model", NULL, FIELD(gray), 0, 0 },
    { "color", 0, OPTION_FLAG, NULL, "give gray images three channels, and the model", NULL, FIELD(color), 0,
      0 },
    { "skip-bad", 0, OPTION_FLAG, NULL, "leave out images that cannot be used, and count them", NULL,
      FIELD(skip_bad), 0, 0 },
    { "holdout", 0, OPTION_INT, "N", "images kept back to measure with (default: a twentieth, at most 128)",
      NULL, FIELD(held_out), 0, INT32_MAX },
    { "cache", 0, OPTION_INT, "MB",
      "memory for images that have been read; others are read again (default: 1024)", NULL, FIELD(cache), 0,
      1 << 20 },
    OPTION_GROUP("When it ends"),
    { "steps", 0, OPTION_INT, "N", "end after step N of the optimiser", NULL, FIELD(steps), 1, INT32_MAX },
    { "time", 0, OPTION_TIME, "TIME", "end after so long, statistics included: 90s, 45m, 2h, 1.5d", NULL,
      FIELD(time), 0, 0 },
    { "until-converged", 0, OPTION_INT, "N",
      "end when the held-out loss has not improved N times in a row; keeps the best", NULL, FIELD(converged),
      1, INT32_MAX },
    OPTION_GROUP("What is kept on the way"),
    { "eval-every", 0, OPTION_INT, "N",
      "steps between measurements of their loss (default: --save-every, else 1000; more at first)", NULL,
      FIELD(eval_every), 1, INT32_MAX },
    { "save-every", 0, OPTION_INT, "N", "steps between checkpoints (default: every 10 minutes)", NULL,
      FIELD(save_every), 1, INT32_MAX },
    { "keep", 0, OPTION_INT, "N", "checkpoints that are kept (default: 3)", NULL, FIELD(keep), 1, INT32_MAX },
    { "grid-every", 0, OPTION_INT, "N",
      "steps between pictures, 0: none (default: every 10 minutes; one at the end)", NULL, FIELD(grid_every),
      0, INT32_MAX },
    { "resume", 0, OPTION_FLAG, NULL,
      "go on from the last whole checkpoint, if there is one, and replace MODEL", NULL, FIELD(resume), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL,
      "begin anew and replace MODEL; what is in MODEL.train stays, as MODEL.train.1", NULL, FIELD(force), 0,
      0 },
};
const struct command command_train = {
    .name = "train",
    .arguments = "DATA",
    .least = 1,
    .most = 1,
    .run = run,
    .does = "Trains a network on images: a folder of them (or of sub-folders, one a class), an IDX file (.gz "
            "too; classes beside it), CIFAR-10's\n"
            "binary batches, or a .npy or .npz array.  SIGTERM and Ctrl-C save and exit 75 within a step; "
            "the same command with --resume goes on.",
    .examples =
        "  ddpm train photos -o photos.ddpm --preset small --time 8h\n"
        "  ddpm train train-images-idx3-ubyte.gz -o digits.ddpm --set net.classes=10 --fit pad --set "
        "net.height=32 --set net.width=32 --steps 20000\n"
        "  ddpm train cifar-10-batches-bin -o cifar10.ddpm --preset cifar10 --steps 800000 --resume\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct train_settings),
    .defaults = &defaults,
};
