/* Evaluates the variational bound (paper, equation 5) on the images of a data set, in their
   order.  An image that the network loses to NaN is named; the others do not change by it. */
#include "measure/evaluation.h"
#include <stdlib.h>
#include <zlib.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

enum { BATCH = 16, SAVE_SECONDS = 30 };

uint32_t evaluation_check(const double *x, size_t n)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)x, (uInt)(n * sizeof *x));
}

static int open_bound(struct evaluation *e, const struct evaluation_options *given, ddpm_error *err)
{
    ddpm_sampler_options o;

    ddpm_sampler_defaults(&o, e->about);
    o.variance = given->variance;
    o.clip = given->clip;
    o.seed = given->seed;
    o.eps = ddpm_net_eps;
    o.eps_user = e->net;
    return ddpm_bound_create(&e->bound, e->chain, &o, e->d, e->batch, e->warning, err);
}

static int open_all(struct evaluation *e, const struct evaluation_options *o, ddpm_error *err)
{
    int code = ddpm_chain_respace(&e->chain, e->about, o->steps, o->spacing, err);
    if (!code)
        code = model_net(&e->net, o->model, e->common, e->batch, err);
    if (!code)
        code = open_bound(e, o, err);
    if (!code)
        code = eval_sums_create(&e->eval_sums, ddpm_chain_tables(e->chain)->K, e->data->count, err);
    if (code)
        return code;

    e->x0 = calloc((size_t)e->batch, e->d * sizeof *e->x0);
    e->index = calloc((size_t)e->batch, sizeof *e->index);
    e->classes = calloc((size_t)e->batch, sizeof *e->classes);
    if (e->x0 && e->index && e->classes)
        return DDPM_OK;
    return dd_error(err, DDPM_ENOMEM, "out of memory for %d images", e->batch);
}

int evaluation_open(struct evaluation *e, const struct evaluation_options *o, ddpm_error *err)
{
    *e = (struct evaluation){
        .command = o->command,
        .common = o->common,
        .about = ddpm_model_about(o->model),
        .data = o->data,
        .class = o->class,
    };
    e->d = (size_t)e->about->height * (size_t)e->about->width * (size_t)e->about->channels;
    e->batch = o->batch ? o->batch : BATCH;
    e->batch = (size_t)e->batch < o->data->count ? e->batch : (int)o->data->count;
    int code = open_all(e, o, err);
    if (code)
        evaluation_close(e);
    return code;
}

void evaluation_close(struct evaluation *e)
{
    eval_sums_free(&e->eval_sums);
    ddpm_bound_free(e->bound);
    ddpm_net_free(e->net);
    ddpm_chain_free(e->chain);
    free(e->x0);
    free(e->index);
    free(e->classes);
    *e = (struct evaluation){ .batch = 0 };
}

/* Reads n images from image `first` on, and begins their bound. */
static int load_batch(struct evaluation *e, size_t first, int n, ddpm_error *err)
{
    int code = DDPM_OK;

    for (int row = 0; row < n && !code; row++) {
        size_t k = first + (size_t)row;
        e->index[row] = e->data->index[k];
        e->classes[row] = e->class >= 0 ? (int32_t)e->class : dataset_class(e->data, k);
        code = dataset_read(e->data, e->x0 + (size_t)row * e->d, k, err);
    }
    if (code)
        return code;
    return ddpm_bound_start(e->bound, e->x0, e->index, e->about->classes ? e->classes : NULL, n, err);
}

/* Names every image that was lost at chain position i.  The step's sentence names the first;
   each other one gets a line. */
static void name_lost(const struct evaluation *e, int n, int i, const ddpm_error *sentence)
{
    ddpm_error also;
    bool first = true;

    complain(e->command, sentence);
    for (int row = 0; row < n; row++) {
        if (ddpm_bound_read(e->bound, row)->lost != 1 + i)
            continue;
        dd_error(&also, DDPM_ENAN, "image %u is lost at step t = %g as well", e->index[row],
                 ddpm_chain_tables(e->chain)->t[i]);
        if (!first)
            complain(e->command, &also);
        first = false;
    }
}

/* Returns whether a batch of n images would end too late, by the rate of its terms since
   `begun`; left: how many terms each image still needs. */
static bool too_late(struct evaluation *e, double begun, int n, int left)
{
    int terms = e->eval_sums.K - left;
    double now = progress_now();

    /* Nothing is known before the first term. */
    if (!e->until || !terms)
        return false;
    e->call = (now - begun) / ((double)terms * n);
    return now + e->call * left * n > e->until;
}

/* Measures all terms of n images from image `first` on, and adds them to the sums.  If the user
   interrupts, or the batch would end too late, nothing is added. */
static int measure(struct evaluation *e, size_t first, int n, struct progress *p, ddpm_error *err)
{
    int code = load_batch(e, first, n, err), left;
    double begun = progress_now(), done = (double)first * e->eval_sums.K;

    while (!code && !interrupted && !e->late && (left = ddpm_bound_left(e->bound)) > 0) {
        e->late = too_late(e, begun, n, left);
        progress_at(p, done + (double)(e->eval_sums.K - left) * n);
        code = ddpm_bound_step(e->bound, err);

        /* A lost image drops out of its batch; the others go on. */
        if (code == DDPM_ENAN) {
            progress_clear(p);
            name_lost(e, n, left - 1, err);
            code = DDPM_OK;
        }
    }

    for (int row = 0; row < n && !code && !interrupted && !e->late; row++)
        eval_sums_add(&e->eval_sums, e->index[row], evaluation_check(e->x0 + (size_t)row * e->d, e->d),
                      ddpm_bound_read(e->bound, row));
    return code;
}

int evaluation_try(struct evaluation *e, double *seconds, ddpm_error *err)
{
    int code = load_batch(e, 0, 1, err);
    double begun = progress_now();

    /* The first term also fetches the weights into memory; the second is timed. */
    for (int i = 0; i < 2 && !code && ddpm_bound_left(e->bound) > 0; i++) {
        begun = progress_now();
        code = ddpm_bound_step(e->bound, err);
    }
    *seconds = progress_now() - begun;
    return code == DDPM_ENAN ? DDPM_OK : code;
}

int evaluation_run(struct evaluation *e, evaluation_save_fn *save, void *user, ddpm_error *err)
{
    struct progress p;
    size_t begun = e->eval_sums.images;
    double saved = 0;
    int code = DDPM_OK;

    progress_begin(&p, e->common, "terms", (double)e->data->count * e->eval_sums.K);
    p.first = (double)begun * e->eval_sums.K;
    p.what = e->what;

    while (!code && !interrupted && !e->late && e->eval_sums.images < e->data->count) {
        size_t first = e->eval_sums.images, rest = e->data->count - first;
        int n = rest < (size_t)e->batch ? (int)rest : e->batch;
        code = measure(e, first, n, &p, err);

        bool last = interrupted || e->eval_sums.images == e->data->count;
        if (!code && save && (last || progress_seconds(&p) - saved > SAVE_SECONDS)) {
            saved = progress_seconds(&p);
            code = save(user, err);
        }
    }
    progress_clear(&p);
    return code;
}
