/* ddpm-bench NAME [argument]...: runs one measurement of the engine.  `make bench` runs those that are
   reported in RESULTS.md. */
#include "bench/bench.h"
#include "base/system.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct bench benches[] = {
    { "machine", "what the machine can do: peak, bandwidth, the cost of a parallel region", bench_machine },
    { "kernels", "every kernel per instruction set; gemm against the machine's peak", bench_kernels },
    { "conv", "every convolution engine on the layers of the full-size nets", bench_conv },
    { "net",
      "whole steps of a network: time, share of each kind of node, the slowest nodes, start-up, memory",
      bench_net },
    { "train",
      "whole steps of training: time of each part, share of each kind of node, the slowest nodes, memory",
      bench_train },
    { "growth", "steps of a network for images of 32 to 256 and batches of 1 to 64", bench_growth },
    { "scaling", "steps with more threads: measured, and by a model for more cores", bench_scaling },
    { "sampler", "what each sampler adds to the time of the network", bench_sampler },
    { "guidance", "what guidance, known pixels and other sizes add to the network's runs", bench_guidance },
};

enum { BENCHES = sizeof benches / sizeof *benches, ROUNDS = 32 };

double bench_number(const char *name, const char *text, double least, double most)
{
    char *end;
    double x = strtod(text, &end);
    bool whole = most == INT_MAX;

    if (end == text || *end || !(x >= least && x <= most) || (whole && x != (int)x)) {
        fprintf(stderr, "ddpm-bench: %s is \"%s\", expected a %snumber from %g to %.10g\n", name, text,
                whole ? "whole " : "", least, most);
        exit(64);
    }
    return x;
}

double bench_now(void)
{
    return dd_system_time(DD_TIME_RUNNING);
}

static int ascending(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

struct bench_time bench_time(void (*f)(void *state), void *state, int rounds, double least)
{
    double seconds[ROUNDS];
    long calls = 1;

    /* Doubles the calls until they fill half of `least`; these first calls also warm up. */
    for (;; calls *= 2) {
        double start = bench_now();
        for (long i = 0; i < calls; i++)
            f(state);
        if (bench_now() - start >= least / 2)
            break;
    }

    rounds = rounds < ROUNDS ? rounds : ROUNDS;
    for (int r = 0; r < rounds; r++) {
        double start = bench_now();
        for (long i = 0; i < calls; i++)
            f(state);
        seconds[r] = (bench_now() - start) / (double)calls;
    }

    qsort(seconds, (size_t)rounds, sizeof *seconds, ascending);
    return (struct bench_time){ seconds[rounds / 2], seconds[0] };
}

int main(int argc, char **argv)
{
    for (int i = 0; i < BENCHES && argc > 1; i++)
        if (!strcmp(argv[1], benches[i].name))
            return benches[i].run(argc - 1, argv + 1);
    fprintf(stderr, "ddpm-bench: no measurement is called \"%s\"; there are:\n", argc > 1 ? argv[1] : "");
    for (int i = 0; i < BENCHES; i++)
        fprintf(stderr, "  %-8s %s\n", benches[i].name, benches[i].does);
    return 64;
}
