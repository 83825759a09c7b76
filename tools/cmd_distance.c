/* ddpm distance: measures how far two sets of images are apart by the network's mid-block activations
   (set_features.c): the sliced Wasserstein distance (sliced.c) and the Frechet distance (frechet.c),
   with 95 % intervals.  With --against it tells which of two sets is nearer to a third.

   Each image goes through the network as it is, without noise, at step T / 10.  Its point is the mean
   of the middle block's activations over space.  Batch and threads change no bit of a point. */
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
#include "measure/sliced.h"

enum { BATCH = 16 };

struct settings {
    struct common common;
    const char *model, *fit, *against;
    int64_t images, batch, class;
    uint64_t seed;
    bool skip_bad, gray, color;
};
static const struct settings defaults = { .class = -1 };

/* The sets A, B and, with --against, the data; and the network that they go through. */
enum { SETS = 3 };

struct job {
    const struct settings *s;
    int sets; /* 2, or 3 with --against */
    ddpm_model *model;
    ddpm_net *net;
    struct checked_data data[SETS];
    double *point[SETS]; /* [images of the set, features] */

    /* Results.  Without --against, sliced[0] and frechet are the distances of A and B from each other.  With
       it, sliced holds the distances of A and B from the data, and order compares them. */
    struct set_distance sliced[2], frechet;
    struct sliced_order order;
};

static int job_open(struct job *j, char **path, ddpm_error *err)
{
    const struct settings *s = j->s;
    const char *paths[SETS] = { path[0], path[1], s->against };
    struct checked_data_options o = { .fit = s->fit,
                                      .gray = s->gray,
                                      .color = s->color,
                                      .images = (size_t)s->images,
                                      .class = (int)s->class,
                                      .skip_bad = s->skip_bad };
    int code = model_open_whole(&j->model, s->model, err);

    j->sets = s->against ? 3 : 2;
    for (int k = 0; k < j->sets && !code; k++) {
        j->data[k].command = &command_distance;
        j->data[k].common = &s->common;
        code = checked_data_open(&j->data[k], paths[k], ddpm_model_about(j->model), &o, err);
        if (!code && j->data[k].set.count < 2)
            code = dd_error(err, DDPM_EUSAGE, "%s: a distance needs at least 2 images, and there is 1",
                            paths[k]);
    }
    if (!code)
        code = model_net(&j->net, j->model, &s->common, s->batch ? (int)s->batch : BATCH, err);
    for (int k = 0; k < j->sets && !code; k++)
        checked_data_tell(&j->data[k]);
    return code;
}

static void job_close(struct job *j)
{
    for (int k = 0; k < SETS; k++) {
        free(j->point[k]);
        checked_data_close(&j->data[k]);
    }
    ddpm_net_free(j->net);
    ddpm_model_close(j->model);
}

/* Computes the points of all sets. */
static int find_points(struct job *j, ddpm_error *err)
{
    struct progress p;
    struct set_features of = { .net = j->net, .class = (int)j->s->class, .progress = &p };
    size_t images = 0;
    int code = DDPM_OK;

    for (int k = 0; k < j->sets; k++)
        images += j->data[k].set.count;
    progress_begin(&p, &j->s->common, "images", (double)images);
    for (int k = 0; k < j->sets && !code && !interrupted; k++) {
        of.data = &j->data[k].set;
        code = set_features(&j->point[k], &of, err);
        of.done += of.data->count;
    }
    progress_clear(&p);
    return code;
}

/* Returns sets k and `other` with their points. */
static struct point_sets pair_of(const struct job *j, int k, int other)
{
    return (struct point_sets){ .a = j->point[k],
                                .b = j->point[other],
                                .n = j->data[k].set.count,
                                .m = j->data[other].set.count,
                                .d = (size_t)ddpm_net_describe(j->net)->features };
}

/* Measures the distance of A and B. */
static int measure_two(struct job *j, ddpm_error *err)
{
    struct point_sets sets = pair_of(j, 0, 1);
    struct sliced found;
    int code = sliced_measure(&found, &sets, j->s->seed, err);

    if (code || interrupted)
        return code;
    sliced_distance(&j->sliced[0], &found);
    return frechet_distance(&j->frechet, &sets, j->s->seed, err);
}

/* Measures the distances of A and B from the data, and which is nearer. */
static int measure_against(struct job *j, ddpm_error *err)
{
    struct sliced found[2];
    int code = DDPM_OK;

    for (int k = 0; k < 2 && !code && !interrupted; k++) {
        struct point_sets sets = pair_of(j, k, 2);
        code = sliced_measure(&found[k], &sets, j->s->seed, err);
        if (!code && !interrupted)
            sliced_distance(&j->sliced[k], &found[k]);
    }
    if (!code && !interrupted)
        sliced_compare(&j->order, &found[0], &found[1]);
    return code;
}

static int measure(struct job *j, ddpm_error *err)
{
    int code = find_points(j, err);

    if (code || interrupted)
        return code;
    return j->sets == 3 ? measure_against(j, err) : measure_two(j, err);
}

/* Prints the end of a JSON line: the sizes of the sets and what the points are. */
static void print_json_end(const struct job *j)
{
    printf("\"images\":[");
    for (int k = 0; k < j->sets; k++)
        printf("%s%zu", k ? "," : "", j->data[k].set.count);
    printf("],\"skipped\":[");
    for (int k = 0; k < j->sets; k++)
        printf("%s%zu", k ? "," : "", j->data[k].skipped);
    printf("],\"features\":%d,\"t\":%g}\n", ddpm_net_describe(j->net)->features,
           set_features_t(ddpm_model_about(j->model)));
}

static void print_points(const struct job *j)
{
    printf("%d activations of the middle block at t = %g (no FID)\n", ddpm_net_describe(j->net)->features,
           set_features_t(ddpm_model_about(j->model)));
}

static void print_two(const struct job *j)
{
    const struct set_distance *s = &j->sliced[0], *f = &j->frechet;

    if (j->s->common.json) {
        printf("{\"distance\":%.17g,\"interval\":[%.17g,%.17g],\"plain\":%.17g,", s->distance, s->low,
               s->high, s->plain);
        printf("\"frechet\":%.17g,\"frechet_interval\":[%.17g,%.17g],\"frechet_plain\":%.17g,", f->distance,
               f->low, f->high, f->plain);
        print_json_end(j);
        return;
    }
    printf("sliced Wasserstein distance %.4g, 95 %% interval %.4g to %.4g\n", s->distance, s->low, s->high);
    printf("Frechet distance %.4g, 95 %% interval %.4g to %.4g\n", f->distance, f->low, f->high);
    printf("%zu and %zu images, ", j->data[0].set.count, j->data[1].set.count);
    print_points(j);
}

/* Returns the set that is surely nearer to the data, 0 or 1, or -1 if the interval holds 0. */
static int nearer_of(const struct sliced_order *o)
{
    if (o->high < 0)
        return 0;
    return o->low > 0 ? 1 : -1;
}

static void print_order(const struct sliced_order *o)
{
    int nearer = nearer_of(o);
    double sign = nearer == 1 ? 1 : -1, from = nearer == 1 ? o->low : -o->high,
           to = nearer == 1 ? o->high : -o->low;

    if (nearer >= 0)
        printf("%c is nearer by %.4g, 95 %% interval %.4g to %.4g, in %.4g %% of %d draws\n", 'A' + nearer,
               sign * o->difference, from, to, 100 * (nearer ? 1 - o->share : o->share), BOOTSTRAP_ROUNDS);
    else
        printf(
            "not told apart: A's distance less B's is %.4g, 95 %% interval %.4g to %.4g, and A is nearer in "
            "%.4g %% of %d draws\n",
            o->difference, o->low, o->high, 100 * o->share, BOOTSTRAP_ROUNDS);
}

static void print_against(const struct job *j)
{
    const struct set_distance *a = &j->sliced[0], *b = &j->sliced[1];
    const struct sliced_order *o = &j->order;
    static const char *const names[] = { "null", "\"A\"", "\"B\"" };
    size_t n[SETS] = { j->data[0].set.count, j->data[1].set.count, j->data[2].set.count };

    if (j->s->common.json) {
        printf("{\"distance\":[%.17g,%.17g],\"interval\":[[%.17g,%.17g],[%.17g,%.17g]],", a->distance,
               b->distance, a->low, a->high, b->low, b->high);
        printf("\"difference\":%.17g,\"difference_interval\":[%.17g,%.17g],", o->difference, o->low, o->high);
        printf("\"share\":%.17g,\"nearer\":%s,", o->share, names[nearer_of(o) + 1]);
        print_json_end(j);
        return;
    }
    for (int k = 0; k < 2; k++)
        printf("%c: sliced Wasserstein distance %.4g, 95 %% interval %.4g to %.4g\n", 'A' + k,
               j->sliced[k].distance, j->sliced[k].low, j->sliced[k].high);
    print_order(o);

    /* An image that is left out moves those behind it: image k has another partner then. */
    if (n[0] == n[1] && !j->data[0].skipped && !j->data[1].skipped)
        printf("%zu pairs of images, %zu of the data, ", n[0], n[2]);
    else
        printf("%zu and %zu images, not in pairs, %zu of the data, ", n[0], n[1], n[2]);
    print_points(j);
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
        (j.sets == 3 ? print_against : print_two)(&j);

    job_close(&j);
    if (code)
        return complain(&command_distance, &err);
    return interrupted ? INTERRUPTED : 0;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "model", 'm', OPTION_TEXT, "MODEL", "model file (default: the embedded one)", NULL, FIELD(model), 0,
      0 },
    { "against", 0, OPTION_TEXT, "DATA", "tell which of A and B is nearer to DATA, and how sure that is",
      NULL, FIELD(against), 0, 0 },
    { "images", 'n', OPTION_INT, "N", "the first N images of each (default: all)", NULL, FIELD(images), 1,
      INT32_MAX },
    { "class", 0, OPTION_INT, "K", "class of all images (default: the data's)", NULL, FIELD(class), 0,
      INT32_MAX },
    { "seed", 0, OPTION_SEED, "S",
      "of the directions and of the draws behind the intervals, 64 bits, or random (default: 0)", NULL,
      FIELD(seed), 0, 0 },
    { "fit", 0, OPTION_CHOICE, "HOW",
      "images of another size than the model's: pad with black, crop the middle, or resize and crop",
      view_fit_names, FIELD(fit), 0, 0 },
    { "gray", 0, OPTION_FLAG, NULL, "make images in colour gray, for a model of gray images", NULL,
      FIELD(gray), 0, 0 },
    { "color", 0, OPTION_FLAG, NULL, "give gray images three channels, for a model of images in colour", NULL,
      FIELD(color), 0, 0 },
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
        "Measures how far two sets of images are apart: the sliced Wasserstein distance (squared) and the "
        "Frechet distance of the model's own mid-block activations, corrected for the number of images, with "
        "95 % intervals.  With --against, tells which of them is nearer to DATA: image k of A and image k of "
        "B are a pair, best made from the same noise.\n"
        "A, B and DATA are folders of images (or of sub-folders, one a class), IDX files (.gz too), "
        "CIFAR-10's "
        "binary batches (a file or their folder), or .npy or .npz arrays.",
    .examples = "  ddpm distance samples t10k-images-idx3-ubyte.gz --fit pad -n 1000\n"
                "  ddpm distance ten-steps twenty-steps --against t10k-images-idx3-ubyte.gz --fit pad\n"
                "  ddpm distance -m model.ddpm samples photos --json\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE | COMMON_LONG,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
