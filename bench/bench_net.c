/* Times whole steps of a network: time, rate, share of each kind of node, the slowest nodes, start-up and
   memory.

     ddpm-bench net [NAME|MODEL] [--batch N] [--threads N] [--conv ENGINE] [--cpu SET] [--steps N]
                    [--save FILE] [--json]

   NAME is one of tests/known_nets.c (cifar10, celebahq, openai64, lucid64, ...), with random weights.  --save
   writes it as a model file; the start-up time of MODEL is that of reading a file. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bench/bench.h"
#include "ddpm.h"
#include "tests/process_memory.h"

enum { STEPS_MOST = 10000, SLOWEST = 20, KINDS_MOST = 16 };

struct settings {
    const char *model, *save;
    ddpm_net_options net;
    int steps, json;
};

struct measured {
    int steps;
    double least, median, wall; /* seconds of a step; wall: of all timed steps */
    double startup;             /* seconds from the start of the process to the first step */
    double *nodes;              /* [nodes] seconds in each node, in all timed steps */
};

static int fail(const ddpm_error *err)
{
    fprintf(stderr, "ddpm-bench net: %s\n", err->text);
    return 1;
}

static int usage(const char *what)
{
    fprintf(stderr, "ddpm-bench net: unknown or incomplete argument %s\n", what);
    return 64;
}

static int parse(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){ .model = "cifar10" };
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
            s->net.batch = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--threads"))
            s->net.threads = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--conv"))
            s->net.conv = value;
        else if (!strcmp(argv[i], "--cpu"))
            s->net.cpu = value;
        else if (!strcmp(argv[i], "--steps"))
            s->steps = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--save"))
            s->save = value;
        else
            return usage(argv[i]);
        i++;
    }
    return 0;
}

/* Returns the seconds since this process was started, to 10 ms. */
static double since_exec(void)
{
    double age = 0;

#ifdef __linux__
    FILE *f = fopen("/proc/self/stat", "r");
    char line[1024] = "";
    unsigned long long ticks = 0;
    struct timespec t;
    const char *after = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;

    /* Field 22 is the start of the process, in ticks since the machine was started. */
    clock_gettime(CLOCK_BOOTTIME, &t);
    if (after &&
        sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) == 1)
        age = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - (double)ticks / (double)sysconf(_SC_CLK_TCK);
    if (f)
        fclose(f);
#endif
    return age;
}

static int ascending(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Runs a first step, which counts as start-up, then times s->steps steps; 0: 5 seconds, but at least 3
   steps. */
static int measure(struct measured *r, ddpm_net *net, const struct bench_input *in, const struct settings *s,
                   ddpm_error *err)
{
    static double seconds[STEPS_MOST];
    const ddpm_node *list;
    size_t nodes = ddpm_net_nodes(net, &list);
    int code = ddpm_net_run(net, in->y, in->x, in->t, in->classes, in->n, err);

    r->startup = since_exec();

    /* A node's seconds include the first step, which is subtracted. */
    for (size_t i = 0; i < nodes; i++)
        r->nodes[i] = -list[i].seconds;

    double begin = bench_now();
    while (!code && r->steps < STEPS_MOST && (s->steps ? r->steps < s->steps : r->steps < 3 || r->wall < 5)) {
        double start = bench_now();
        code = ddpm_net_run(net, in->y, in->x, in->t, in->classes, in->n, err);
        seconds[r->steps++] = bench_now() - start;
        r->wall = bench_now() - begin;
    }
    for (size_t i = 0; i < nodes; i++)
        r->nodes[i] += list[i].seconds;

    qsort(seconds, (size_t)r->steps, sizeof *seconds, ascending);
    r->least = seconds[0];
    r->median = seconds[r->steps / 2];

    /* The clock was read after the first step, so the time of a usual step is subtracted. */
    r->startup -= r->median;
    return code;
}

/* Prints the share of each kind of node. */
static void print_kinds(const struct measured *r, const ddpm_node *list, size_t nodes)
{
    const char *kind[KINDS_MOST];
    double spent[KINDS_MOST], sum = 0;
    int kinds = 0;

    for (size_t i = 0; i < nodes; i++) {
        int k = 0;
        while (k < kinds && strcmp(kind[k], list[i].op))
            k++;
        if (k == kinds) {
            kind[kinds] = list[i].op;
            spent[kinds++] = 0;
        }
        spent[k] += r->nodes[i];
        sum += r->nodes[i];
    }

    for (int k = 0; k < kinds; k++)
        printf("  %-16s %8.3f ms %6.2f %%\n", kind[k], 1e3 * spent[k] / r->steps, 100 * spent[k] / r->wall);
    printf("  nodes sum to %.2f %% of the wall time\n", 100 * sum / r->wall);
}

/* Prints the slowest nodes. */
static void print_slowest(const struct measured *r, const ddpm_node *list, size_t nodes, int batch)
{
    char *printed = calloc(nodes, 1);

    printf("  %9s %7s %8s  %-12s %-10s %-20s %s\n", "ms/step", "%", "GFLOP/s", "output", "op", "engine",
           "node");
    for (int k = 0; printed && k < SLOWEST && k < (int)nodes; k++) {
        /* Finds the slowest node that was not printed yet. */
        size_t worst = nodes;
        for (size_t i = 0; i < nodes; i++)
            if (!printed[i] && (worst == nodes || r->nodes[i] > r->nodes[worst]))
                worst = i;

        const ddpm_node *n = &list[worst];
        double seconds = r->nodes[worst] / r->steps;
        char shape[32];
        printed[worst] = 1;
        snprintf(shape, sizeof shape, "%dx%dx%d", n->height, n->width, n->channels);
        printf("  %9.3f %7.2f %8.1f  %-12s %-10s %-20s %s\n", 1e3 * seconds, 100 * r->nodes[worst] / r->wall,
               n->flops * batch / seconds * 1e-9, shape, n->op, n->engine, n->name);
    }
    free(printed);
}

static void print(const struct measured *r, const ddpm_net *net, const struct settings *s)
{
    const ddpm_net_about *a = ddpm_net_describe(net);
    const ddpm_node *list;
    size_t nodes = ddpm_net_nodes(net, &list);
    double mb = 1024 * 1024, peak = process_memory("VmHWM") / mb;

    if (s->json) {
        printf("{\"model\": \"%s\", \"cpu\": \"%s\", \"threads\": %d, \"batch\": %d, \"steps\": %d, "
               "\"ms_step_min\": %.4f, "
               "\"ms_step_median\": %.4f, \"gflops\": %.2f, \"startup\": %.3f, \"peak_mb\": %.1f}\n",
               s->model, a->cpu, a->threads, a->batch, r->steps, 1e3 * r->least, 1e3 * r->median,
               a->flops * a->batch / r->least * 1e-9, r->startup, peak);
        return;
    }

    printf("%s: %.1f M parameters, %.2f GFLOP an image and step\n  %s, %d threads, batch %d\n", s->model,
           (double)a->parameters * 1e-6, a->flops * 1e-9, a->engine_class, a->threads, a->batch);
    printf("  weights %.1f MB, packed %.1f, activations %.1f, scratch %.1f; peak %.1f MB\n",
           (double)a->weights / mb, (double)a->packed / mb, (double)a->activations / mb,
           (double)a->scratch / mb, peak);
    printf("  start to the end of the first step, less a median step: %.2f s\n", r->startup);
    printf("  an image and step: %.3f ms least, %.3f ms median of %d steps; %.1f GFLOP/s\n",
           1e3 * r->least / a->batch, 1e3 * r->median / a->batch, r->steps,
           a->flops * a->batch / r->least * 1e-9);

    print_kinds(r, list, nodes);
    print_slowest(r, list, nodes, a->batch);
}

static int run(ddpm_net *net, const ddpm_about *a, const struct settings *s, ddpm_error *err)
{
    const ddpm_node *list;
    struct measured r = { .nodes = calloc(ddpm_net_nodes(net, &list), sizeof(double)) };
    struct bench_input in;
    int code = 1;

    if (bench_input_create(&in, a, ddpm_net_describe(net)->batch) || !r.nodes)
        snprintf(err->text, sizeof err->text, "out of memory");
    else
        code = measure(&r, net, &in, s, err);
    if (!code)
        print(&r, net, s);

    bench_input_free(&in);
    free(r.nodes);
    return code;
}

int bench_net(int argc, char **argv)
{
    struct settings s;
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    ddpm_error err;
    int code = parse(&s, argc, argv);
    if (code)
        return code;

    code = bench_model_open(&m, s.model, 0, &err);
    if (!code && s.save)
        code = ddpm_model_save(m, s.save, DDPM_SAVE_REPLACE, &err);
    if (!code)
        code = ddpm_net_create(&net, m, &s.net, &err);
    if (!code)
        code = run(net, ddpm_model_about(m), &s, &err);
    ddpm_net_free(net);
    ddpm_model_close(m);
    return code ? fail(&err) : 0;
}
