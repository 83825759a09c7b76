/* Shows how the time of a step grows with the size of the images and with the batch.  The network is that for
   CelebA-HQ, which can be used for every size from 32 on.

     ddpm-bench growth [--threads N] [--cpu SET]

   A cell of the table is left out if, by the cell before it, it would take longer than CELL seconds. */
#include "bench/bench.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double CELL = 6;
static const int sizes[] = { 32, 64, 128, 256 }, batches[] = { 1, 2, 4, 8, 16, 32, 64 };

enum { SIZES = sizeof sizes / sizeof *sizes, BATCHES = sizeof batches / sizeof *batches };

/* Prints the times for one size of images and every batch. */
static int row(const ddpm_model *m, int size, ddpm_net_options *o, ddpm_error *err)
{
    struct bench_step r = { 0 };
    int code = 0;

    printf("%4d", size);
    for (int i = 0; i < BATCHES && !code; i++) {
        o->batch = batches[i];

        /* The time is expected to grow with the batch. */
        if (i && r.seconds * batches[i] / batches[i - 1] > CELL) {
            printf("  %22s", "-");
            r.seconds = 1e9; /* leaves out all larger batches too */
            continue;
        }
        code = bench_step(&r, m, o, 0.5, err);
        if (!code)
            printf("  %8.2f %6.0f %6.0f", 1e3 * r.seconds / o->batch, 1e-9 * r.flops / r.seconds,
                   r.held / (1 << 20));
        fflush(stdout);
    }
    putchar('\n');
    return code;
}

int bench_growth(int argc, char **argv)
{
    ddpm_net_options o = { 0 };
    ddpm_error err;
    int code = 0;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--threads"))
            o.threads = (int)bench_number(argv[i], argv[i + 1], 1, INT_MAX);
        else if (i + 1 < argc && !strcmp(argv[i], "--cpu"))
            o.cpu = argv[i + 1];
        else {
            fprintf(stderr, "ddpm-bench growth: unknown or incomplete argument %s\n", argv[i]);
            return 64;
        }
    }

    printf("celebahq's network; ms an image and step, GFLOP/s, MB held, for a batch of\nsize");
    for (int i = 0; i < BATCHES; i++)
        printf("  %22d", batches[i]);
    putchar('\n');

    for (int i = 0; i < SIZES && !code; i++) {
        ddpm_model *m = NULL;
        code = bench_model_open(&m, "celebahq", sizes[i], &err);
        if (!code)
            code = row(m, sizes[i], &o, &err);
        ddpm_model_close(m);
    }
    if (!code)
        return 0;
    fprintf(stderr, "ddpm-bench growth: %s\n", err.text);
    return 1;
}
