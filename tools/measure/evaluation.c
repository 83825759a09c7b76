/* Evaluates the variational bound (paper, equation 5) or the likelihood by the ODE on the images of a data
   set, in their order.  An image that the network loses to NaN is named; the others do not change by it. */
#include "measure/evaluation.h"
#include <stdlib.h>
#include <zlib.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

enum { BATCH = 16, SAVE_SECONDS = 30 };

const char *const *evaluation_probe_names(void)
{
    static const char *const names[] = { "rademacher", "gaussian", NULL };
    return names;
}

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

static int open_likelihood(struct evaluation *e, const struct evaluation_options *given, ddpm_error *err)
{
    ddpm_likelihood_options o;

    ddpm_likelihood_defaults(&o, e->about);
    o.steps = given->ode->steps;
    o.tolerance = given->ode->tolerance;
    o.probe = given->ode->probe;
    o.seed = given->seed;
    o.vjp = ddpm_vjp_run;
    o.vjp_user = e->vjp;
    return ddpm_likelihood_create(&e->likelihood, e->chain, &o, e->d, e->batch, err);
}

static int open_all(struct evaluation *e, const struct evaluation_options *o, ddpm_error *err)
{
    bool ode = o->ode != NULL;
    int code = ddpm_chain_respace(&e->chain, e->about, ode ? "all" : o->steps, ode ? NULL : o->spacing, err);
    if (!code && ode)
        code = model_vjp(&e->vjp, o->model, e->common, e->batch, err);
    else if (!code)
        code = model_net(&e->net, o->model, e->common, e->batch, err);
    if (!code)
        code = ode ? open_likelihood(e, o, err) : open_bound(e, o, err);
    if (!code)
        code = eval_sums_create(&e->eval_sums, ode ? 0 : ddpm_chain_tables(e->chain)->K, e->data->count, err);
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
    ddpm_likelihood_free(e->likelihood);
    ddpm_vjp_free(e->vjp);
    ddpm_chain_free(e->chain);
    free(e->x0);
    free(e->index);
    free(e->classes);
    *e = (struct evaluation){ .batch = 0 };
}

/* ---- one batch, by either method ---- */

const char *evaluation_engine_class(const struct evaluation *e)
{
    return (e->vjp ? ddpm_vjp_describe(e->vjp) : ddpm_net_describe(e->net))->engine_class;
}

/* Reads n images from image `first` on, and begins them. */
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
    const int32_t *classes = e->about->classes ? e->classes : NULL;
    if (e->likelihood)
        return ddpm_likelihood_start(e->likelihood, e->x0, e->index, classes, n, err);
    return ddpm_bound_start(e->bound, e->x0, e->index, classes, n, err);
}

/* Returns what is left to do: terms of each image, or by the ODE the part of its way. */
static double left_of(const struct evaluation *e)
{
    return e->likelihood ? ddpm_likelihood_left(e->likelihood) : ddpm_bound_left(e->bound);
}

static int take_step(struct evaluation *e, ddpm_error *err)
{
    return e->likelihood ? ddpm_likelihood_step(e->likelihood, err) : ddpm_bound_step(e->bound, err);
}

static void add(struct evaluation *e, int row)
{
    uint32_t index = e->index[row], check = evaluation_check(e->x0 + (size_t)row * e->d, e->d);
    if (e->likelihood)
        eval_sums_add_likelihood(&e->eval_sums, index, check, ddpm_likelihood_read(e->likelihood, row));
    else
        eval_sums_add(&e->eval_sums, index, check, ddpm_bound_read(e->bound, row));
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

/* Returns the units of progress of an image: its terms, or by the ODE itself. */
static double units(const struct evaluation *e)
{
    return e->likelihood ? 1 : e->eval_sums.K;
}

/* Returns whether a batch of n images would end too late, by the rate of its terms since
   `begun`; left: how many terms each image still needs. */
static bool too_late(struct evaluation *e, double begun, int n, double left)
{
    double terms = e->eval_sums.K - left;
    double now = progress_now();

    /* Nothing is known before the first term. */
    if (!e->until || terms <= 0)
        return false;
    e->call = (now - begun) / (terms * n);
    return now + e->call * left * n > e->until;
}

/* Measures n images from image `first` on, and adds them to the sums.  If the user
   interrupts, or the batch would end too late, nothing is added. */
static int measure(struct evaluation *e, size_t first, int n, struct progress *p, ddpm_error *err)
{
    int code = load_batch(e, first, n, err);
    double begun = progress_now(), each = units(e), left;

    while (!code && !interrupted && !e->late && (left = left_of(e)) > 0) {
        e->late = too_late(e, begun, n, left);
        progress_at(p, (double)first * each + (each - left) * n);
        code = take_step(e, err);

        /* A lost image drops out of its batch; the others go on. */
        if (code == DDPM_ENAN) {
            progress_clear(p);
            if (e->likelihood)
                complain(e->command, err);
            else
                name_lost(e, n, (int)left - 1, err);
            code = DDPM_OK;
        }
    }

    for (int row = 0; row < n && !code && !interrupted && !e->late; row++)
        add(e, row);
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

    progress_begin(&p, e->common, e->likelihood ? "images" : "terms", (double)e->data->count * units(e));
    p.first = (double)begun * units(e);
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
