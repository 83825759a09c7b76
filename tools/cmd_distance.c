/* ddpm distance: measures the Frechet distance between two sets of images by the network's mid-block
   activations, with a 95 % interval (frechet.c, set_features.c).

   Each image goes through the network as it is, without noise, at step T / 10.  Its point is the mean of the
   middle block's activations over space.  Batch and threads change no bit of a point. */
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "measure/checked_data.h"
#include "measure/frechet.h"
#include "measure/set_features.h"

enum { BATCH = 16 };

struct settings {
    struct common common;
    const char *model, *fit;
    int64_t images, batch, class;
    uint64_t seed;
    bool skip_bad;
};
static const struct settings defaults = { .class = -1 };

/* The two sets and the network that they go through. */
struct job {
    const struct settings *s;
    ddpm_model *model;
    ddpm_net *net;
    struct checked_data data[2];
    double *point[2]; /* [images of the set, features] */
    struct frechet found;
};

static int job_open(struct job *j, char **path, ddpm_error *err)
{
    const struct settings *s = j->s;
    struct checked_data_options o = {
        .fit = s->fit, .images = (size_t)s->images, .class = (int)s->class, .skip_bad = s->skip_bad
    };
    int code = model_open_whole(&j->model, s->model, err);

    for (int k = 0; k < 2 && !code; k++) {
        j->data[k].command = &command_distance;
        j->data[k].common = &s->common;
        code = checked_data_open(&j->data[k], path[k], ddpm_model_about(j->model), &o, err);
    }
    if (!code)
        code = model_net(&j->net, j->model, &s->common, s->batch ? (int)s->batch : BATCH, err);
    for (int k = 0; k < 2 && !code; k++)
        checked_data_tell(&j->data[k]);
    return code;
}

static void job_close(struct job *j)
{
    for (int k = 0; k < 2; k++) {
        free(j->point[k]);
        checked_data_close(&j->data[k]);
    }
    ddpm_net_free(j->net);
    ddpm_model_close(j->model);
}

/* Computes the points of both sets and their distance. */
static int measure(struct job *j, ddpm_error *err)
{
    const struct dataset *a = &j->data[0].set, *b = &j->data[1].set;
    struct progress p;
    struct set_features of = { .net = j->net, .class = (int)j->s->class, .progress = &p };

    progress_begin(&p, &j->s->common, "images", (double)(a->count + b->count));
    of.data = a;
    int code = set_features(&j->point[0], &of, err);
    of.data = b;
    of.done = a->count;
    if (!code)
        code = set_features(&j->point[1], &of, err);
    progress_clear(&p);
    if (code || interrupted)
        return code;

    struct frechet_sets sets = { .a = j->point[0],
                                 .b = j->point[1],
                                 .n = a->count,
                                 .m = b->count,
                                 .d = (size_t)ddpm_net_describe(j->net)->features };
    return frechet_distance(&j->found, &sets, j->s->seed, err);
}

static void print(const struct job *j)
{
    const struct frechet *f = &j->found;
    size_t n = j->data[0].set.count, m = j->data[1].set.count;
    int features = ddpm_net_describe(j->net)->features;
    double t = set_features_t(ddpm_model_about(j->model));

    if (!j->s->common.json) {
        printf("Frechet distance %.4g, 95 %% interval %.4g to %.4g; %zu and %zu images, %d activations of "
               "the middle block at t = %g (no FID)\n",
               f->distance, f->low, f->high, n, m, features, t);
        return;
    }
    printf("{\"distance\":%.17g,\"interval\":[%.17g,%.17g],\"plain\":%.17g,", f->distance, f->low, f->high,
           f->plain);
    printf("\"images\":[%zu,%zu],\"skipped\":[%zu,%zu],\"features\":%d,\"t\":%g}\n", n, m, j->data[0].skipped,
           j->data[1].skipped, features, t);
}

static int run(void *settings, char **argument, int arguments)
{
    struct job j = { .s = settings };
    ddpm_error err;

    (void)arguments;
    int code = job_open(&j, argument, &err);
    if (!code) {
        interrupt_catch();
        code = measure(&j, &err);
    }
    if (!code && interrupted)
        notice(&command_distance, "interrupted, and nothing is kept");
    else if (!code)
        print(&j);

    job_close(&j);
    if (code)
        return complain(&command_distance, &err);
    return interrupted ? INTERRUPTED : 0;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "images", 'n', OPTION_INT, "N", "the first N images of each (default: all)", NULL, FIELD(images), 1,
      INT32_MAX },
    { "class", 0, OPTION_INT, "K", "class of all images (default: the data's)", NULL, FIELD(class), 0,
      INT32_MAX },
    { "seed", 0, OPTION_SEED, "S", "of the draws behind the interval, 64 bits (default: 0)", NULL,
      FIELD(seed), 0, 0 },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "images of another size than the model's: pad with black, crop the middle, or resize and crop",
      view_fit_names, FIELD(fit), 0, 0 },
    { "skip-bad", 0, OPTION_FLAG, NULL, "leave out images that cannot be used, and count them", NULL,
      FIELD(skip_bad), 0, 0 },
    OPTION_GROUP("Processor"),
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: 16)", NULL,
      FIELD(batch), 1, 4096 },
};
const struct command command_distance = {
    .name = "distance",
    .arguments = "A B",
    .least = 2,
    .most = 2,
    .run = run,
    .does =
        "Measures how far two sets of images are apart: the Frechet distance of the model's own mid-block "
        "activations, corrected for the number of images, with a 95 % interval.\n"
        "A and B are folders of images (or of sub-folders, one a class), IDX files (.gz too), CIFAR-10's "
        "binary batches (a file or their folder), or .npy or .npz arrays.",
    .examples = "  ddpm distance samples t10k-images-idx3-ubyte.gz --fit pad -n 1000\n"
                "  ddpm distance -m model.ddpm samples photos --json\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
