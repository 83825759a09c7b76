/* Trains a model by algorithm 1 of Ho et al. 2020.  One step takes the images k = images ..
   images + accumulate * batch - 1 of the run, in passes of `batch`:

     draw t_k and eps_k;   loss = mean over k of loss_k;   g = its gradient by w;
     w, m, v by optimiser.c;   average by average.c

   Passes add to one sum, in order.  The random numbers of an image depend on its number alone (loss.c), and
   its gradient does not depend on other images.  The sum over images has the same bits for every number of
   threads. Another division into passes changes its rounding.

   Nothing changes before loss and norm are known to be finite; from then on nothing can fail. */
#include "train/trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cpu.h"
#include "base/memory.h"
#include "layer/parallel.h"
#include "train/average.h"
#include "train/snapshot.h"

enum { BATCH_MOST = 4096, PASSES_MOST = 65536, CHUNK = 1 << 16 };

void dd_trainer_defaults(ddpm_trainer_options *o)
{
    *o = (ddpm_trainer_options){
        .batch = 64,
        .accumulate = 1,
        .rate = 2e-4,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .clip = 1,
        .ema = 0.9999,
        .dropout = -1,
    };
}

/* ---- create ---- */

static int take_options(struct ddpm_trainer *t, const ddpm_trainer_options *o, ddpm_error *err)
{
    t->optimiser = (struct dd_optimiser){
        .rate = o->rate,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .epsilon = o->epsilon,
        .decay = o->decay,
        .clip = o->clip,
        .warmup = o->warmup,
        .steps = o->steps,
    };
    t->batch = o->batch;
    t->accumulate = o->accumulate;
    t->ema = o->ema;
    t->class_dropout = o->class_dropout;
    t->seed = o->seed;

    if (o->batch < 1 || o->batch > BATCH_MOST)
        return dd_error(err, DDPM_EUSAGE, "batch is %d, expected 1 to %d", o->batch, BATCH_MOST);
    if (o->accumulate < 1 || o->accumulate > PASSES_MOST)
        return dd_error(err, DDPM_EUSAGE, "accumulate is %d, expected 1 to %d passes", o->accumulate,
                        PASSES_MOST);
    if (!(o->ema >= 0 && o->ema < 1))
        return dd_error(err, DDPM_EUSAGE, "ema is %g, expected at least 0 and below 1", o->ema);
    if (!(o->dropout < 1))
        return dd_error(err, DDPM_EUSAGE, "dropout is %g, expected below 1, or negative for the model's own",
                        o->dropout);
    if (!(o->class_dropout >= 0 && o->class_dropout < 1))
        return dd_error(err, DDPM_EUSAGE, "class_dropout is %g, expected at least 0 and below 1",
                        o->class_dropout);
    return dd_optimiser_check(&t->optimiser, err);
}

static int allocate(struct ddpm_trainer *t, ddpm_error *err)
{
    size_t batch = (size_t)t->batch, scratch = dd_optimiser_scratch(t->count);
    t->average = dd_memory(t->count, sizeof(float));
    t->low = dd_memory(t->count, sizeof(float));
    t->m = dd_memory(t->count, sizeof(float));
    t->v = dd_memory(t->count, sizeof(float));
    t->x = dd_memory(batch * t->loss.d, sizeof(float));
    t->t = dd_memory(batch, sizeof(float));
    t->out = dd_memory(batch * t->loss.pixels * t->loss.outputs, sizeof(float));
    t->dout = dd_memory(batch * t->loss.pixels * t->loss.outputs, sizeof(float));
    t->classes = dd_memory(batch, sizeof *t->classes);
    t->scratch = dd_memory(scratch, 1);
    if (!t->average || !t->low || !t->m || !t->v || !t->x || !t->t || !t->out || !t->dout || !t->classes ||
        !t->scratch)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for training %zu weights; Adam and the average take "
                        "4 floats of each",
                        t->count);
    return DDPM_OK;
}

static int build(struct ddpm_trainer *t, const ddpm_model *m, const ddpm_trainer_options *o, ddpm_error *err)
{
    ddpm_net_options net = { .batch = o->batch, .threads = o->threads, .cpu = o->cpu, .conv = o->conv };
    unsigned cpu;
    int code = dd_model_makes_images(m, err);
    if (!code)
        code = take_options(t, o, err);
    if (!code && t->class_dropout > 0 && !m->config.null_class)
        code = dd_error(err, DDPM_EUSAGE, "class_dropout is %g, but the model has no null class to train",
                        t->class_dropout);
    if (!code)
        code = dd_cpu_ceiling(&cpu, o->cpu, err);
    if (!code)
        code = dd_loss_create(&t->loss, &m->about, o->loss, o->min_snr, o->batch, err);
    if (!code)
        code = dd_gradient_create(&t->gradient, m, &net, o->dropout, err);
    if (code)
        return code;

    dd_kernels_init(&t->kernels, cpu);
    t->team = dd_gradient_team(t->gradient);
    t->count = dd_gradient_count(t->gradient);

    code = allocate(t, err);
    if (!code)
        code = dd_snapshot_begin(t, m, err);
    return code || !m->training ? code : dd_snapshot_resume(t, m, err);
}

int dd_trainer_create(ddpm_trainer **t, const ddpm_model *m, const ddpm_trainer_options *o, ddpm_error *err)
{
    *t = NULL;
    struct ddpm_trainer *made = calloc(1, sizeof *made);
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a trainer");

    int code = build(made, m, o, err);
    if (code)
        dd_trainer_free(made);
    else
        *t = made;
    return code;
}

void dd_trainer_free(ddpm_trainer *t)
{
    if (!t)
        return;

    dd_model_free(t->plain);
    dd_gradient_free(t->gradient);
    dd_loss_free(&t->loss);
    dd_memory_free(t->average);
    dd_memory_free(t->low);
    dd_memory_free(t->m);
    dd_memory_free(t->v);
    dd_memory_free(t->x);
    dd_memory_free(t->t);
    dd_memory_free(t->out);
    dd_memory_free(t->dout);
    dd_memory_free(t->classes);
    dd_memory_free(t->scratch);
    free(t);
}

/* ---- what goes through the network ---- */

static int check_images(const ddpm_trainer *t, const float *x0, const int32_t *classes, size_t n,
                        ddpm_error *err)
{
    int known = t->plain->config.classes, rows = dd_config_class_rows(&t->plain->config);

    if (!classes != !known)
        return dd_error(err, DDPM_EUSAGE,
                        known ? "the model has classes: one is needed for every image"
                              : "classes are given to a model that has none");

    for (size_t i = 0; i < n; i++) {
        if (classes && (classes[i] < 0 || classes[i] >= rows))
            return dd_error(err, DDPM_EUSAGE, "the class of image %zu is %d, expected 0 to %d", i,
                            (int)classes[i], rows - 1);
        for (size_t e = i * t->loss.d; e < (i + 1) * t->loss.d; e++)
            if (!isfinite(x0[e]))
                return dd_error(err, DDPM_EUSAGE, "image %zu holds a number that is not finite", i);
    }
    return DDPM_OK;
}

/* Gives the layers the weights, unless they have the present ones. */
static void pack(ddpm_trainer *t)
{
    if (!t->packed)
        dd_gradient_pack(t->gradient);
    t->packed = true;
}

/* A pass: a part of a step's images on their way through the network. */
struct pass {
    const float *x0; /* [n, d], n <= batch */
    const int32_t *classes;
    int n;
    struct dd_loss_draw draw; /* the random numbers of the pass */
    double scale;             /* the factor of the gradient */
    struct dd_dropout masks;
};

static struct dd_slice slice_of(ddpm_trainer *t, const struct pass *p)
{
    return (struct dd_slice){
        .out = t->out,
        .x = t->x,
        .t = t->t,
        .classes = p->classes,
        .n = p->n,
        .masks = p->draw.held_out ? NULL : &p->masks,
        .dout = t->dout,
    };
}

/* Returns the sum of the losses of a pass, and leaves their gradient in dout. */
static double run_forward(ddpm_trainer *t, const struct pass *p)
{
    struct dd_slice s = slice_of(t, p);

    dd_loss_begin(&t->loss, &p->draw, t->x, t->t, p->x0, p->n, t->team);
    dd_gradient_forward(t->gradient, &s);
    return dd_loss_end(&t->loss, t->dout, t->out, p->x0, p->scale, p->n, t->team);
}

/* Fills t->classes with those of a pass, some of which are dropped for the null class; returns it. */
static const int32_t *drop_classes(ddpm_trainer *t, const int32_t *classes, uint64_t first)
{
    for (int i = 0; i < t->batch; i++) {
        bool drops = dd_loss_drops_class(t->seed, first + (uint64_t)i, t->class_dropout);
        t->classes[i] = drops ? t->plain->config.classes : classes[i];
    }
    return t->classes;
}

/* Returns pass k of a step.  Its classes last until the next pass. */
static struct pass pass_of(ddpm_trainer *t, const float *x0, const int32_t *classes, int k)
{
    size_t at = (size_t)k * (size_t)t->batch;
    uint64_t first = (uint64_t)t->images + at;
    return (struct pass){
        .x0 = x0 + at * t->loss.d,
        .classes = classes ? drop_classes(t, classes + at, first) : NULL,
        .n = t->batch,
        .draw = { t->seed, first, false },
        .scale = 1 / ((double)t->batch * t->accumulate),
        .masks = { t->seed, first },
    };
}

/* Names the first layer of a pass whose output or gradient is not finite.  Returns whether there is one. */
static bool name_layer(ddpm_trainer *t, const struct pass *p, ddpm_error *err)
{
    struct dd_slice s = slice_of(t, p);

    run_forward(t, p);
    const ddpm_node *bad = dd_gradient_bad(t->gradient, &s);
    if (bad)
        dd_error(err, DDPM_ENAN, "NaN or infinity, first after or behind %s (%s)", bad->name, bad->op);
    return bad != NULL;
}

/* ---- one step ---- */

/* Reports the layer that made a step not finite. */
static int lost(ddpm_trainer *t, const float *x0, const int32_t *classes, double loss, double norm,
                ddpm_error *err)
{
    bool named = false;
    for (int k = 0; k < t->accumulate && !named; k++) {
        struct pass p = pass_of(t, x0, classes, k);
        named = name_layer(t, &p, err);
    }
    if (!named)
        dd_error(err, DDPM_ENAN,
                 "the loss is %g and the norm of the gradient %g, though every layer is finite", loss, norm);

    dd_error_context(err, "step %lld was not taken", (long long)t->done + 1);
    return DDPM_ENAN;
}

static void zero(struct dd_worker *worker, void *user)
{
    const ddpm_trainer *t = user;
    float *sums = dd_gradient_sums(t->gradient);
    DD_TASKS(worker, c, dd_blocks(t->count, CHUNK))
        memset(sums + c * CHUNK, 0, dd_min(CHUNK, t->count - c * CHUNK) * sizeof *sums);
}

static struct dd_context context_of(const ddpm_trainer *t, struct dd_worker *worker)
{
    return (struct dd_context){ &t->kernels, (int)worker->threads, t->scratch, worker };
}

/* The norm of a trainer's gradient. */
struct norm {
    ddpm_trainer *t;
    double norm;
};

static void take_norm(struct dd_worker *worker, void *user)
{
    struct norm *n = user;
    struct dd_context ctx = context_of(n->t, worker);
    double own = dd_optimiser_norm(&ctx, dd_gradient_sums(n->t->gradient), n->t->count);
    if (worker->me == 0)
        n->norm = own;
}

static double norm_of(ddpm_trainer *t)
{
    struct norm n = { t, 0 };
    dd_parallel_run(t->team, take_norm, &n);
    return n.norm;
}

/* Changes the weights by the gradient, whose norm is known. */
static void change_weights(struct dd_worker *worker, void *user)
{
    const struct norm *n = user;
    ddpm_trainer *t = n->t;
    struct dd_context ctx = context_of(t, worker);
    float *w = dd_gradient_weights(t->gradient), *sums = dd_gradient_sums(t->gradient);
    const struct dd_optimiser_vectors x = { w, t->m, t->v, sums, t->count };
    dd_optimiser_step(&t->optimiser, &ctx, &x, n->norm, t->done);
    dd_average_step(&ctx, t->average, t->low, w, t->count, dd_average_decay(t->ema, t->done));
}

int dd_trainer_step(ddpm_trainer *t, const float *x0, const int32_t *classes, ddpm_trainer_report *r,
                    ddpm_error *err)
{
    size_t n = (size_t)t->batch * (size_t)t->accumulate;
    double loss = 0, norm = INFINITY;
    int code = check_images(t, x0, classes, n, err);
    if (code)
        return code;

    /* Sums the gradient over all passes. */
    pack(t);
    dd_parallel_run(t->team, zero, t);
    for (int k = 0; k < t->accumulate && isfinite(loss); k++) {
        struct pass p = pass_of(t, x0, classes, k);
        struct dd_slice s = slice_of(t, &p);
        loss += run_forward(t, &p);
        if (isfinite(loss))
            dd_gradient_backward(t->gradient, &s);
    }

    if (isfinite(loss))
        norm = norm_of(t);
    if (!isfinite(norm))
        return lost(t, x0, classes, loss, norm, err);

    /* From here on nothing can fail. */
    dd_parallel_run(t->team, change_weights, &(struct norm){ t, norm });
    t->packed = false;

    if (r) {
        double rate = dd_optimiser_rate(&t->optimiser, t->done);
        *r = (ddpm_trainer_report){ t->done + 1, loss / (double)n, rate, norm };
    }
    t->done++;
    t->images += (int64_t)n;
    return DDPM_OK;
}

/* ---- images held out ---- */

static void exchange_chunks(struct dd_worker *worker, void *user)
{
    const ddpm_trainer *t = user;
    float *w = dd_gradient_weights(t->gradient);
    DD_TASKS(worker, c, dd_blocks(t->count, CHUNK))
        for (size_t i = c * CHUNK; i < dd_min(t->count, (c + 1) * CHUNK); i++) {
            float own = w[i];
            w[i] = t->average[i];
            t->average[i] = own;
        }
}

/* Exchanges the trained weights and the averaged ones. */
static void exchange(ddpm_trainer *t)
{
    dd_parallel_run(t->team, exchange_chunks, t);
    t->packed = false;
}

/* Sums the losses of images held out. */
static int held_out(ddpm_trainer *t, const float *x0, const int32_t *classes, int n, uint32_t first,
                    double *sum, ddpm_error *err)
{
    pack(t);
    *sum = 0;
    for (int i = 0; i < n; i += t->batch) {
        struct pass p = {
            .x0 = x0 + (size_t)i * t->loss.d,
            .classes = classes ? classes + i : NULL,
            .n = n - i < t->batch ? n - i : t->batch,
            .draw = { t->seed, (uint64_t)first + (uint64_t)i, true },
            .scale = 1,
        };
        double loss = run_forward(t, &p);
        *sum += loss;
        if (isfinite(loss))
            continue;

        if (!name_layer(t, &p, err))
            dd_error(err, DDPM_ENAN, "the loss is %g, though every layer is finite", loss);
        dd_error_context(err, "averaged weights after %lld steps", (long long)t->done);
        return DDPM_ENAN;
    }
    return DDPM_OK;
}

int dd_trainer_loss(ddpm_trainer *t, const float *x0, const int32_t *classes, int n, uint32_t first,
                    double *loss, ddpm_error *err)
{
    double sum;
    if (n < 1)
        return dd_error(err, DDPM_EUSAGE, "%d images, expected 1 or more", n);
    if ((uint64_t)first + (uint64_t)n > (uint64_t)1 << 32)
        return dd_error(err, DDPM_EUSAGE,
                        "%d images from number %lu on; numbers end at 2^32 - 1, behind "
                        "which noise would repeat",
                        n, (unsigned long)first);
    int code = check_images(t, x0, classes, (size_t)n, err);
    if (code)
        return code;

    /* While the losses are computed, the network has the averaged weights. */
    exchange(t);
    code = held_out(t, x0, classes, n, first, &sum, err);
    exchange(t);
    if (!code && loss)
        *loss = sum / n;
    return code;
}
