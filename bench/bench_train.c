/* Times steps of training: milliseconds per image in each part, the share of each kind of node forward and
   backward, the slowest nodes, memory.

     ddpm-bench train [NAME|MODEL] [--batch N] [--threads N] [--dropout P] [--steps N] [--cpu SET] [--json]

   NAME is as for `net`.  Without --dropout the network's own dropout is used.  The times of the parts are
   those of the fastest step. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"
#include "tests/process_memory.h"
#include "layer/parallel.h"
#include "train/average.h"
#include "train/trainer.h"

enum { SLOWEST = 20, KINDS_MOST = 32 };

struct settings {
    const char *model;
    ddpm_trainer_options o;
    int steps, json;
};

/* Seconds of the fastest step and of its parts. */
struct measured {
    double step, forward, backward, pack, optimiser;
    double *nodes;          /* [count] seconds per step in each node, as a mean over all timed steps */
    size_t count, forwards; /* nodes; the first `forwards` are the forward pass */
    const ddpm_node *list;  /* [count] */
};

static int usage(const char *what)
{
    fprintf(stderr, "ddpm-bench train: unknown or incomplete argument %s\n", what);
    return 64;
}

static int parse(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){ .model = "cifar10", .steps = 4 };
    ddpm_trainer_defaults(&s->o);
    s->o.batch = 16;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (argv[i][0] != '-') {
            s->model = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--json")) {
            s->json = 1;
            continue;
        }
        if (!value)
            return usage(argv[i]);
        else if (!strcmp(argv[i], "--batch"))
            s->o.batch = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--threads"))
            s->o.threads = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--dropout"))
            s->o.dropout = bench_number(argv[i], value, 0, 1);
        else if (!strcmp(argv[i], "--steps"))
            s->steps = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--cpu"))
            s->o.cpu = value;
        else
            return usage(argv[i]);
        i++;
    }
    return 0;
}

/* Returns the seconds that nodes first to end - 1 have taken so far. */
static double nodes_from(const struct measured *r, size_t first, size_t end)
{
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += r->list[i].seconds;
    return sum;
}

static void change_weights(struct dd_worker *worker, void *user)
{
    ddpm_trainer *t = user;
    float *w = dd_gradient_weights(t->gradient), *g = dd_gradient_sums(t->gradient);
    struct dd_context ctx = { &t->kernels, (int)worker->threads, t->scratch, worker };
    double norm = dd_optimiser_norm(&ctx, g, t->count);
    const struct dd_optimiser_vectors x = { w, t->m, t->v, g, t->count };
    dd_optimiser_step(&t->optimiser, &ctx, &x, norm, t->done);
    dd_average_step(&ctx, t->average, t->low, w, t->count, 0.999);
}

/* Times the parts of a step outside of the network by running them alone: packing, optimiser and average. */
static void measure_rest(struct measured *r, ddpm_trainer *t)
{
    r->pack = r->optimiser = 1e9;
    for (int i = 0; i < 3; i++) {
        double start = bench_now(), packed, end;
        dd_gradient_pack(t->gradient);
        packed = bench_now();
        dd_parallel_run(t->team, change_weights, t);
        end = bench_now();

        r->pack = packed - start < r->pack ? packed - start : r->pack;
        r->optimiser = end - packed < r->optimiser ? end - packed : r->optimiser;
    }
}

/* Does one step that is not timed, then times s->steps of them. */
static int measure(struct measured *r, ddpm_trainer *t, const struct bench_input *in,
                   const struct settings *s, ddpm_error *err)
{
    ddpm_trainer_report report;
    int code = ddpm_trainer_step(t, in->x, in->classes, &report, err);

    /* The seconds of the first step are subtracted. */
    for (size_t i = 0; i < r->count; i++)
        r->nodes[i] = -r->list[i].seconds;

    r->step = 1e9;
    for (int i = 0; i < s->steps && !code; i++) {
        double forward = nodes_from(r, 0, r->forwards), backward = nodes_from(r, r->forwards, r->count),
               start = bench_now();
        code = ddpm_trainer_step(t, in->x, in->classes, &report, err);
        double seconds = bench_now() - start;

        /* Keeps the parts of the fastest step.  Nodes only count up, so the times before the step are
           subtracted. */
        if (seconds < r->step) {
            r->step = seconds;
            r->forward = nodes_from(r, 0, r->forwards) - forward;
            r->backward = nodes_from(r, r->forwards, r->count) - backward;
        }
    }

    for (size_t i = 0; i < r->count; i++)
        r->nodes[i] = (r->nodes[i] + r->list[i].seconds) / s->steps;
    if (!code)
        measure_rest(r, t);
    return code;
}

/* Prints the time of each kind of node among nodes first to end - 1. */
static void print_kinds(const struct measured *r, const char *pass, size_t first, size_t end)
{
    const char *kind[KINDS_MOST];
    double spent[KINDS_MOST] = { 0 }, all = 0;
    int kinds = 0;

    for (size_t i = 0; i < r->count; i++)
        all += r->nodes[i];
    for (size_t i = first; i < end; i++) {
        int k = 0;
        while (k < kinds && strcmp(kind[k], r->list[i].op))
            k++;
        if (k == kinds)
            kind[kinds++] = r->list[i].op;
        spent[k] += r->nodes[i];
    }

    for (int k = 0; k < kinds; k++)
        printf("  %-8s %-16s %9.3f ms %6.2f %%\n", pass, kind[k], 1e3 * spent[k], 100 * spent[k] / all);
}

/* Prints the slowest nodes. */
static void print_slowest(const struct measured *r)
{
    char *printed = calloc(r->count, 1);

    for (int k = 0; printed && k < SLOWEST && k < (int)r->count; k++) {
        size_t worst = r->count;
        for (size_t i = 0; i < r->count; i++)
            if (!printed[i] && (worst == r->count || r->nodes[i] > r->nodes[worst]))
                worst = i;

        const ddpm_node *n = &r->list[worst];
        printed[worst] = 1;
        printf("  %9.3f ms  %s %dx%dx%d %s %s\n", 1e3 * r->nodes[worst],
               worst < r->forwards ? "forward " : "backward", n->height, n->width, n->channels, n->op,
               n->name);
    }
    free(printed);
}

static void print(const struct measured *r, const ddpm_trainer *t, const struct settings *s)
{
    const ddpm_net_about *a = dd_gradient_describe(t->gradient);
    double mb = 1024 * 1024, ms = 1e3 / s->o.batch, peak = process_memory("VmHWM") / mb;

    if (s->json) {
        printf("{\"model\": \"%s\", \"cpu\": \"%s\", \"threads\": %d, \"batch\": %d, \"ms_image\": %.4f, "
               "\"forward\": %.4f, \"backward\": %.4f, "
               "\"pack\": %.4f, \"optimiser\": %.4f, \"peak_mb\": %.1f}\n",
               s->model, a->cpu, a->threads, s->o.batch, ms * r->step, ms * r->forward, ms * r->backward,
               ms * r->pack, ms * r->optimiser, peak);
        return;
    }

    printf("%s: %.1f M parameters, %s, %d threads, batch %d\n", s->model, (double)a->parameters * 1e-6,
           a->engine_class, a->threads, s->o.batch);
    printf("  weights and gradients %.1f MB, Adam and average %.1f, packed %.1f, activations %.1f, scratch "
           "%.1f; peak %.1f MB\n",
           2 * (double)a->weights / mb, 4 * (double)a->weights / mb, (double)a->packed / mb,
           (double)a->activations / mb, (double)a->scratch / mb, peak);
    printf("  an image: %.3f ms; forward %.3f, backward %.3f, packing %.3f, optimiser and average %.3f\n",
           ms * r->step, ms * r->forward, ms * r->backward, ms * r->pack, ms * r->optimiser);

    print_kinds(r, "forward", 0, r->forwards);
    print_kinds(r, "backward", r->forwards, r->count);
    print_slowest(r);
}

static int run(ddpm_trainer *t, const ddpm_about *a, const struct settings *s, ddpm_error *err)
{
    struct measured r = { 0 };
    struct bench_input in;
    int code = 1;

    r.count = dd_gradient_nodes(t->gradient, &r.list, &r.forwards);
    r.nodes = calloc(r.count, sizeof *r.nodes);
    if (bench_input_create(&in, a, s->o.batch) || !r.nodes)
        snprintf(err->text, sizeof err->text, "out of memory");
    else
        code = measure(&r, t, &in, s, err);
    if (!code)
        print(&r, t, s);

    bench_input_free(&in);
    free(r.nodes);
    return code;
}

int bench_train(int argc, char **argv)
{
    struct settings s;
    ddpm_model *m = NULL;
    ddpm_trainer *t = NULL;
    ddpm_error err;
    int code = parse(&s, argc, argv);
    if (code)
        return code;

    code = bench_model_open(&m, s.model, 0, &err);
    if (!code) {
        s.o.loss = ddpm_model_about(m)->variance == DDPM_LEARNED_RANGE ? DDPM_HYBRID : DDPM_SIMPLE;
        code = ddpm_trainer_create(&t, m, &s.o, &err);
    }
    if (!code)
        code = run(t, ddpm_model_about(m), &s, &err);
    ddpm_trainer_free(t);
    ddpm_model_close(m);
    if (code)
        fprintf(stderr, "ddpm-bench train: %s\n", err.text);
    return code ? 1 : 0;
}
