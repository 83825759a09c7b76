/* Times steps with 1 and 2 threads, and estimates the time on 8 and 64 cores by a model:

     T(p) = max(A / p, M / B(p)) + N b log2 p

   A   seconds of arithmetic on one core: the step with 1 thread
   M   bytes that must come from memory: the packed weights, once a step, and the values between nodes if they
       take more than CACHE
   B   bytes/s of memory, read here with all threads; more cores have either the same memory or one that
       grows with them
   N   nodes, between which the threads meet
   b   seconds that a node loses when two threads share it (by waiting and by uneven pieces): the time of the
       step with 2 threads beyond the first term, but at least that of an empty loop; log2 p is the depth of a
       tree of meetings

     ddpm-bench scaling [--cpu SET] */
#include "base/cpu.h"
#include "bench/bench.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double CACHE = 32 << 20;

static const struct {
    const char *net;
    int batch;
} cases[] = { { "cifar10", 1 }, { "cifar10", 16 }, { "celebahq", 1 } };

/* A, M, b and N of the model. */
struct terms {
    double arithmetic, bytes, lost;
    size_t nodes;
};

/* Returns T(p) of the model. */
static double model(const struct terms *t, int cores, double bandwidth)
{
    return fmax(t->arithmetic / cores, t->bytes / bandwidth) + (double)t->nodes * t->lost * log2(cores);
}

/* Returns the terms that follow from the measured steps with 1 and 2 threads. */
static struct terms terms_of(const struct bench_step *one, const struct bench_step *two, double bandwidth,
                             double loop)
{
    struct terms t = { one->seconds, one->weights + (one->values > CACHE ? one->values : 0), 0, one->nodes };
    t.lost = fmax(loop, (two->seconds - model(&t, 2, bandwidth)) / (double)t.nodes);
    return t;
}

/* Times a network with 1 and 2 threads, and prints the estimates of the model. */
static int one_case(const char *name, int batch, const char *cpu, const double *bandwidth, double loop,
                    ddpm_error *err)
{
    ddpm_model *m = NULL;
    struct bench_step one, two;
    int code = bench_model_open(&m, name, 0, err);

    if (!code)
        code = bench_step(&one, m, &(ddpm_net_options){ .batch = batch, .threads = 1, .cpu = cpu }, 3, err);
    if (!code)
        code = bench_step(&two, m, &(ddpm_net_options){ .batch = batch, .threads = 2, .cpu = cpu }, 3, err);
    ddpm_model_close(m);
    if (code)
        return code;

    struct terms t = terms_of(&one, &two, bandwidth[1], loop);
    printf("%s, batch %d: %.1f GFLOP, A = %.2f ms (%.0f GFLOP/s a core), M = %.0f MB (weights %.0f, values "
           "%.0f), N = %zu, b = %.2f us\n",
           name, batch, 1e-9 * one.flops, 1e3 * t.arithmetic, 1e-9 * one.flops / one.seconds, 1e-6 * t.bytes,
           1e-6 * one.weights, 1e-6 * one.values, t.nodes, 1e6 * t.lost);
    printf("  measured: 1 thread %.2f ms a step, 2 threads %.2f ms (x %.2f)\n", 1e3 * one.seconds,
           1e3 * two.seconds, one.seconds / two.seconds);

    /* Memory is either the same, or grows with the cores. */
    for (int cores = 8; cores <= 64; cores *= 8) {
        double same = model(&t, cores, bandwidth[1]), more = model(&t, cores, bandwidth[0] * cores);
        printf("  model: %2d cores %.2f ms (x %.1f) with this memory, %.2f ms (x %.1f) with memory in "
               "proportion\n",
               cores, 1e3 * same, one.seconds / same, 1e3 * more, one.seconds / more);
    }
    return 0;
}

int bench_scaling(int argc, char **argv)
{
    const char *cpu = argc > 2 && !strcmp(argv[1], "--cpu") ? argv[2] : NULL;
    double bandwidth[] = { bench_read(1), bench_read(2) }, loop = bench_loop(2);
    ddpm_error err;
    int code = 0;

    printf("B: %.1f GB/s with 1 thread, %.1f with 2; an empty loop of 2 threads %.2f us\n",
           1e-9 * bandwidth[0], 1e-9 * bandwidth[1], 1e6 * loop);
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !code; i++)
        code = one_case(cases[i].net, cases[i].batch, cpu, bandwidth, loop, &err);
    if (!code)
        return 0;
    fprintf(stderr, "ddpm-bench scaling: %s\n", err.text);
    return 1;
}
