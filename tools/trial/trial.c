/* A round runs every trial once, on the round's share of the images, so that a disturbance of
   the machine hits all trials.  If the processor was slowed down for heat during a run, its time
   is discarded, and the run is repeated up to RETRIES times; its images are the same every time.

   The time of an image is that of its batch, from the first noise to the last step, divided by
   the images of the batch.  Making the network ready is not counted. */
#include "trial/trial.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "sample/generator.h"
#include "trial/bench_quality.h"
#include "trial/trial_plan.h"

enum { RETRIES = 3 };

/* Opens a generator for the trial.  r points to steps; both must outlive the generator. */
static int open_generator(struct generator *s, struct recipe *r, struct trials *t, const struct trial *one,
                          char steps[16], ddpm_error *err)
{
    const ddpm_sampler_traits *traits = ddpm_sampler_traits_of(one->sampler);

    snprintf(steps, 16, "%d", one->K);
    *r = (struct recipe){
        .seed = t->seed,
        .sampler = one->sampler,
        .variance = traits->takes_variance ? t->variance : "auto",
        .spacing = t->spacing,
        .steps = steps,
        .clip = t->about->clip,
        .snr = 0.16,
        .keep_steps = 1,
        .class = t->about->classes || t->classifier ? CLASS_ALL : CLASS_NONE,
        .guidance = t->guidance,
        .format = "npy",
    };
    const struct generator_options o = {
        .model = t->model,
        .classifier = t->classifier,
        .command = t->command,
        .common = &t->silent,
        .batch = t->batch,
        .last = 2 * (uint32_t)t->n,
    };
    return generator_open(s, r, &o, err);
}

/* Keeps the facts about the network for the report: engine, threads, and the names of its
   operations. */
static int note_network(struct trials *t, const struct generator *s, ddpm_error *err)
{
    const ddpm_net_about *a = ddpm_net_describe(s->net);
    const ddpm_node *node;

    t->layers = ddpm_net_nodes(s->net, &node);
    t->features = a->features;
    t->threads = a->threads;
    snprintf(t->cpu, sizeof t->cpu, "%s", a->cpu);
    snprintf(t->engine_class, sizeof t->engine_class, "%s", a->engine_class);
    if (!(t->layer = calloc(t->layers + 1, sizeof *t->layer)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for the profile of %zu layers", t->layers);

    for (size_t i = 0; i < t->layers; i++) {
        snprintf(t->layer[i].name, sizeof t->layer[i].name, "%s", node[i].name);
        snprintf(t->layer[i].op, sizeof t->layer[i].op, "%s", node[i].op);
        snprintf(t->layer[i].engine, sizeof t->layer[i].engine, "%s", node[i].engine);
    }
    return DDPM_OK;
}

/* Gives p room for `images` images as bytes, one below the other, and keeps those that it has.
   They may have more channels than a PNG. */
static int make_room(struct picture *p, const ddpm_about *a, int images, ddpm_error *err)
{
    size_t row = (size_t)a->width * (size_t)a->channels, rows = (size_t)a->height * (size_t)images;
    unsigned char *pixel = realloc(p->pixel, rows * row);
    if (!pixel)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d images of %d x %d", images, a->width,
                        a->height);
    *p = (struct picture){ a->width, a->height * images, a->channels, 1, pixel, 0 };
    return DDPM_OK;
}

/* Checks that a trial can be run, and makes room for its images. */
static int check_one(struct trials *t, struct trial *one, int images, ddpm_error *err)
{
    struct generator s;
    struct recipe r;
    char steps[16];
    int code = open_generator(&s, &r, t, one, steps, err);
    if (code)
        return code;

    one->fixed = !ddpm_sampler_noisy(s.sampler);
    if (*s.warning && t->common->verbose)
        remark(t->command, t->common, "%s, %d steps: %s", one->sampler, one->K, s.warning);

    /* The network is the same in all trials, so it is described once. */
    code = t->layer ? DDPM_OK : note_network(t, &s, err);
    generator_close(&s);
    return code ? code : make_room(&one->images, t->about, images, err);
}

int trials_check(struct trials *t, ddpm_error *err)
{
    int code = DDPM_OK;

    t->silent = *t->common;
    t->silent.quiet = true;
    t->silent.verbose = false;
    for (int i = 0; i < t->count && !code; i++) {
        code = check_one(t, &t->trial[i], 1, err);
        t->largest = t->trial[i].K > t->largest ? t->trial[i].K : t->largest;
    }
    return code;
}

/* A run of a trial, which takes the images from generator_run. */
struct run {
    struct trials *t;
    struct trial *one;
    int first;      /* place of the run's first image in the set */
    bool counted;   /* the images are kept */
    double seconds; /* time for all images of the run */
    int lost;       /* images that became NaN */
};

/* Adds the time of an image, and keeps the image as bytes if it is counted. */
static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct run *r = user;
    const ddpm_about *a = r->t->about;

    (void)err;
    r->seconds += seconds;
    r->lost += lost != 0;
    if (!r->counted)
        return DDPM_OK;
    if (lost)
        picture_cross(&r->one->images, r->first + place, 1, a->height, a->width);
    else
        picture_tile(&r->one->images, r->first + place, 1, frame, a->height, a->width);
    return DDPM_OK;
}

/* Makes n images from number `index` on.  *network: seconds that were spent in the network. */
static int run_once(struct run *r, uint32_t index, int n, double *network, ddpm_error *err)
{
    struct trials *t = r->t;
    struct generator s;
    struct recipe recipe;
    const ddpm_node *node;
    char steps[16];
    uint32_t list[TRIAL_IMAGES_MOST];

    r->seconds = 0;
    r->lost = 0;
    *network = 0;
    int code = open_generator(&s, &recipe, t, r->one, steps, err);
    if (code)
        return code;

    for (int i = 0; i < n; i++)
        list[i] = index + (uint32_t)i;
    s.progress = &t->progress;
    s.done = t->done;
    code = generator_run(&s, list, n, take_image, r, err);

    ddpm_net_nodes(s.net, &node);
    for (size_t i = 0; i < t->layers; i++) {
        *network += node[i].seconds;
        t->layer[i].seconds += node[i].seconds;
    }
    t->image_steps += (double)n * r->one->K;
    generator_close(&s);
    return code;
}

/* Times a trial on the next n images; repeats the run if heat slowed the processor down. */
static int run_trial(struct trials *t, struct trial *one, int round, int n, ddpm_error *err)
{
    struct run r = { .t = t, .one = one, .first = t->made, .counted = true };
    double begun = progress_now();

    one->seconds[round] = NAN;
    for (int tries = 0; tries <= RETRIES && !interrupted; tries++) {
        struct dd_system_state before, after;
        double network;

        dd_system_state(&before, "");
        dd_system_memory_begin();
        int code = run_once(&r, (uint32_t)t->made, n, &network, err);
        if (code)
            return code;
        dd_system_state(&after, "");

        /* The images are the same in every try, so the lost ones are counted once. */
        one->lost += tries ? 0 : r.lost;
        if (!machine_state_throttled(&before, &after)) {
            one->seconds[round] = r.seconds / n;
            one->network += network;
            one->whole += r.seconds;
            one->memory = fmax(one->memory, dd_system_memory_peak());
            break;
        }
        one->discarded++;
    }
    t->done += (double)n * one->K;
    one->step = (progress_now() - begun) / ((double)n * one->K);
    return DDPM_OK;
}

/* Makes room for n images in every set.  The data are compared as far as the sets go. */
static int resize_sets(struct trials *t, ddpm_error *err)
{
    int code = DDPM_OK;
    for (int i = 0; i < t->count && !code; i++)
        code = make_room(&t->trial[i].images, t->about, t->n, err);
    if (t->data)
        t->data->count = t->data->count < (size_t)t->n ? t->data->count : (size_t)t->n;
    else if (!code && t->reference.images.pixel)
        code = make_room(&t->reference.images, t->about, t->n, err);
    return code;
}

/* Runs every trial on the round's share of the images, and plans again from what that took. */
static int run_round(struct trials *t, int round, ddpm_error *err)
{
    int left = t->rounds - round, share = (t->n - t->made) / left, code = DDPM_OK;
    for (int i = 0; i < t->count && !code && !interrupted; i++)
        code = run_trial(t, &t->trial[i], round, share, err);
    if (code || interrupted)
        return code;

    t->made += share;
    if (left > 1) {
        trial_plan_again(t, progress_now() - t->begun, left - 1);
        t->progress.total = trial_plan_steps(t) * t->n;
        code = resize_sets(t, err);
    }
    return code;
}

/* Runs the fewest steps of each sampler for a batch of images.  This time is not reported; it
   serves to estimate the time of all that follows. */
static int warm_up(struct trials *t, ddpm_error *err)
{
    int fewest = trial_plan_fewest(t), code = DDPM_OK;
    double network;

    for (int i = 0; i < t->count && !code && !interrupted; i++) {
        struct run r = { .t = t, .one = &t->trial[i] };
        if (t->trial[i].K != fewest)
            continue;
        code = run_once(&r, 0, t->batch, &network, err);
        for (int k = 0; k < t->count; k++)
            if (t->trial[k].sampler == t->trial[i].sampler)
                t->trial[k].step = r.seconds / t->batch / fewest;
    }

    /* The warm-up is not part of the profile. */
    for (size_t i = 0; i < t->layers; i++)
        t->layer[i].seconds = 0;
    t->image_steps = 0;
    return code;
}

/* Warms up, and decides how many images and steps there is time for.  Smaller sets go through
   the network in smaller batches, in which an image takes longer.  So it warms up again until
   the batch does not change. */
static int prepare(struct trials *t, ddpm_error *err)
{
    int code = DDPM_OK, batch = t->batch + 1;

    t->most = t->n;
    t->reference.sampler = t->trial[0].sampler;
    t->reference.K = trial_plan_most(t);
    while (!interrupted) {
        t->batch = t->n / t->rounds < t->batch ? t->n / t->rounds : t->batch;
        if (t->batch == batch)
            break;
        batch = t->batch;
        code = warm_up(t, err);
        if (code)
            return code;
        trial_plan_leave_out_slow(t);

        /* With data no set is compared with that of the most steps, whose trials may have been
           removed. */
        if (t->data)
            t->reference.K = trial_plan_most(t);
        trial_plan_fit(t);
    }

    if (!code && !interrupted)
        code = resize_sets(t, err);
    return code || t->data ? code : check_one(t, &t->reference, t->n, err);
}

/* Makes the images of the reference, whose numbers follow those of the trials' images. */
static int run_reference(struct trials *t, ddpm_error *err)
{
    struct run r = { .t = t, .one = &t->reference, .counted = true };
    double network;
    int code = run_once(&r, (uint32_t)t->n, t->n, &network, err);

    t->reference.lost = r.lost;
    t->done += (double)t->n * t->reference.K;
    return code;
}

int trials_run(struct trials *t, ddpm_error *err)
{
    progress_begin(&t->progress, t->common, "image steps", 0);
    int code = prepare(t, err);
    if (code || interrupted)
        return code;

    progress_begin(&t->progress, t->common, "image steps", trial_plan_steps(t) * t->n);
    dd_system_state(&t->before, "");
    t->begun = progress_now();
    for (int round = 0; round < t->rounds && !code && !interrupted; round++)
        code = run_round(t, round, err);
    dd_system_state(&t->after, "");
    t->work = t->count ? trial_plan_seconds(t) : 0;
    if (!code && !interrupted && !t->data)
        code = run_reference(t, err);
    progress_clear(&t->progress);

    for (int i = 0; i < t->count; i++) {
        t->trial[i].median = quality_median(t->trial[i].seconds, t->rounds);
        t->trial[i].spread = quality_spread(t->trial[i].seconds, t->rounds);
    }
    return code;
}

int trials_discarded(const struct trials *t)
{
    int sum = 0;
    for (int i = 0; i < t->count; i++)
        sum += t->trial[i].discarded;
    return sum;
}

double trials_noise(const struct trials *t)
{
    double spread[TRIALS_MAX];
    for (int i = 0; i < t->count; i++)
        if (isnan(spread[i] = t->trial[i].spread))
            return NAN;
    return quality_median(spread, t->count);
}

void trials_free(struct trials *t)
{
    for (int i = 0; i < t->count; i++)
        picture_free(&t->trial[i].images);
    picture_free(&t->reference.images);
    free(t->layer);
}
