/* Times every kernel in kernels.def with every instruction set of the machine, at the sizes of the 32x32
   level of a CIFAR-10 net.  It prints the time, the GB/s that are read and written, the GFLOP/s of kernels
   that multiply, the speed relative to the reference, and the share of the machine's limit.  The limit is the
   peak of fused multiply-adds for kernels that multiply, and the rate of a copy within the cache for the
   others. */
#include "base/memory.h"
#include "bench/bench.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { H = 32, W = 32, C = 128, PIXELS = H * W, FLOATS = 4 * PIXELS * C, DEPTH = 512, TILES = 8 };

enum { ROUNDS = 7 };

static const double LEAST = 0.005;

/* The arrays of all runs: images x and y, vectors of channels v, a packed panel b.  A run sets the bytes that
   it moves and the operations that it does. */
struct work {
    const struct dd_kernels *k;
    float *x, *y, *v, *b;
    size_t depth, m;
    const struct dd_post_terms *post;
    double bytes, flops;
};

static void run_affine(struct work *w)
{
    const struct dd_affine_terms terms = { w->v, w->v + C, DD_ACT_SILU };
    w->k->affine(dd_out(w->y, C), dd_in(w->x, C), &terms, PIXELS, C);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_post(struct work *w)
{
    const struct dd_post_terms terms = { w->v, dd_in(w->x + PIXELS * C, C), 1 };
    w->k->post(dd_out(w->y, C), dd_in(w->x, C), &terms, PIXELS, C);
    w->bytes = 12.0 * PIXELS * C;
}

static void run_moments(struct work *w)
{
    for (size_t p = 0; p < PIXELS; p += 64)
        w->k->moments(w->y, w->y + C, dd_in(w->x + p * C, C), w->v, 64, C);
    w->bytes = 4.0 * PIXELS * C;
}

static void run_rms(struct work *w)
{
    const struct dd_rms_terms terms = { w->v, w->v, w->v + C, DD_ACT_SILU };
    w->k->rms(dd_out(w->y, C), dd_in(w->x, C), &terms, (struct dd_in){ 0 }, PIXELS, C);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_affine_backward(struct work *w)
{
    const struct dd_affine_sums sums = { w->v + 4 * C, w->v + 5 * C, w->v + 2 * C };
    const struct dd_affine_terms terms = { w->v, w->v + C, DD_ACT_SILU };
    for (size_t p = 0; p < PIXELS; p += 64)
        w->k->affine_backward((struct dd_grad_out){ w->y + p * C, C, 0 }, &sums,
                              dd_in(w->x + (PIXELS + p) * C, C), dd_in(w->x + p * C, C), &terms, 64, C);
    w->bytes = 12.0 * PIXELS * C;
}

static void run_affine_add(struct work *w)
{
    w->k->affine_add(dd_out(w->y, C), dd_in(w->x, C), w->v, w->v, PIXELS, C);
    w->bytes = 12.0 * PIXELS * C;
}

static void run_sums(struct work *w)
{
    for (size_t p = 0; p < PIXELS; p += 64)
        w->k->sums(w->y, dd_in(w->x + p * C, C), 64, C);
    w->bytes = 4.0 * PIXELS * C;
}

static void run_rms_backward(struct work *w)
{
    const struct dd_rms_sums sums = { w->v + 4 * C, w->v + 5 * C, w->v + 6 * C };
    const struct dd_rms_terms terms = { w->v, w->v + C, w->v + 2 * C, DD_ACT_SILU };
    for (size_t p = 0; p < PIXELS; p += 64)
        w->k->rms_backward((struct dd_grad_out){ w->y + p * C, C, 0 }, &sums,
                           dd_in(w->x + (PIXELS + p) * C, C), dd_in(w->x + p * C, C), &terms, 64, C);
    w->bytes = 12.0 * PIXELS * C;
}

static void run_softmax_backward(struct work *w)
{
    w->k->softmax_backward(dd_out(w->y, 256), dd_in(w->x, 256), 1, 256, 256);
    w->bytes = 12.0 * 256 * 256;
}

static void run_upsample_backward(struct work *w)
{
    w->k->upsample_backward((struct dd_grad_out){ w->y, C, 0 }, dd_in(w->x, C), H / 2, W / 2, C);
    w->bytes = 5.0 * PIXELS * C;
}

static void run_avgpool_backward(struct work *w)
{
    w->k->avgpool_backward((struct dd_grad_out){ w->y, C, 0 }, dd_in(w->x, C), H, W, C);
    w->bytes = 5.0 * PIXELS * C;
}

static void run_unshuffle_backward(struct work *w)
{
    w->k->unshuffle_backward((struct dd_grad_out){ w->y, C, 0 }, dd_in(w->x, 4 * C), H, W, C);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_softmax(struct work *w)
{
    w->k->softmax(dd_out(w->y, 256), 1, 256, 256);
    w->bytes = 8.0 * 256 * 256;
}

static void run_sincos(struct work *w)
{
    w->k->sincos(w->y, w->y + C, w->v, 999, C);
    w->bytes = 12.0 * C;
}

static void run_upsample(struct work *w)
{
    w->k->upsample(dd_out(w->y, C), dd_in(w->x, C), H / 2, W / 2, C);
    w->bytes = 5.0 * PIXELS * C;
}

static void run_avgpool(struct work *w)
{
    w->k->avgpool(dd_out(w->y, C), dd_in(w->x, C), H, W, C);
    w->bytes = 5.0 * PIXELS * C;
}

static void run_unshuffle(struct work *w)
{
    w->k->unshuffle(dd_out(w->y, 4 * C), dd_in(w->x, C), H, W, C);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_transpose(struct work *w)
{
    w->k->transpose(dd_out(w->y, PIXELS), dd_in(w->x, C), PIXELS, C);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_adam(struct work *w)
{
    struct dd_adam a = { 1, 0.9f, 0.1f, 0.999f, 0.001f, 1, 1, 1e-4f, 1 };
    w->k->adam(w->y, w->y + PIXELS * C, w->y + 2 * PIXELS * C, w->x, PIXELS * C, &a);
    w->bytes = 28.0 * PIXELS * C;
}

static void run_lerp(struct work *w)
{
    w->k->lerp(w->y, w->y + PIXELS * C, w->x, 1e-4f, PIXELS * C);
    w->bytes = 20.0 * PIXELS * C;
}

static void run_dropout(struct work *w)
{
    const struct dd_dropout_terms terms = { .limit = 1u << 29, .scale = 1 };
    for (size_t p = 0; p < PIXELS; p++)
        w->k->dropout(w->y + p * C, C, &terms);
    w->bytes = 8.0 * PIXELS * C;
}

static void run_squares(struct work *w)
{
    for (size_t p = 0; p < PIXELS; p += 8)
        w->y[p] = w->k->squares(w->x + p * C, 8 * C);
    w->bytes = 4.0 * PIXELS * C;
}

/* Multiplies TILES tiles of rows by one panel, as an engine does: a comes from L1 or L2, and the panel stays
   in L1. */
static void run_gemm(struct work *w)
{
    const float *a[DD_GEMM_MR_MAX];
    size_t mr = w->k->gemm_mr, nr = w->k->gemm_nr;
    const struct dd_gemm product = { a, w->b, 1, w->depth, w->m, nr, 0, w->post, dd_in(w->b, 0) };

    for (size_t tile = 0; tile < TILES; tile++) {
        for (size_t i = 0; i < mr; i++)
            a[i] = w->x + (tile * mr + i) * w->depth;
        w->k->gemm(dd_out(w->y + tile * mr * nr, nr), &product);
    }
    w->flops = 2.0 * TILES * (double)(w->m * nr * w->depth);
    w->bytes = 4.0 * TILES * (double)(nr * w->depth);
}

/* Returns the distance between planes for 16 tiles.  It is an odd number of cache lines, as in the layer, so
   that planes do not share sets of the cache.  The transforms below go over all tiles; those back take a
   panel of columns at a time. */
static size_t plane_of(size_t columns)
{
    return 16 * columns + 16;
}

/* Transforms the inputs of Winograd tiles with tile * tile outputs. */
static void run_input(struct work *w, size_t tile)
{
    const float *pixel[64];
    size_t pixels = (tile + 2) * (tile + 2);

    for (size_t t = 0; t < PIXELS / 16; t++) {
        struct dd_out v = dd_out(w->y + t % 16 * C, plane_of(C));
        for (size_t i = 0; i < pixels; i++)
            pixel[i] = w->x + (t * 16 + i) % PIXELS * C;
        if (tile == 6)
            w->k->winograd6_input(v, pixel, C, 6, 6);
        else
            (tile == 4 ? w->k->winograd_input : w->k->winograd2_input)(v, pixel, C);
    }
    w->bytes = 8.0 * (double)pixels * PIXELS / 16 * C;
}

/* Transforms products back to the outputs of Winograd tiles, tile * tile each. */
static void run_output(struct work *w, size_t tile)
{
    const struct dd_winograd_post post = { w->v, NULL, 1 };
    float *pixel[36];
    size_t nr = w->k->gemm_nr;

    for (size_t t = 0; t < PIXELS / 16; t++)
        for (size_t column = 0; column < C; column += nr) {
            const struct dd_in m = dd_in(w->x + t % 16 * nr, plane_of(nr));
            for (size_t i = 0; i < tile * tile; i++)
                pixel[i] = w->y + (t * tile * tile + i) * C + column;
            if (tile == 6)
                w->k->winograd6_output(pixel, m, &post, nr, 6, 6);
            else
                (tile == 4 ? w->k->winograd_output : w->k->winograd2_output)(pixel, m, &post, nr);
        }
    w->bytes = 4.0 * (double)(tile * tile + (tile + 2) * (tile + 2)) * PIXELS / 16 * C;
}

static void run_winograd_input(struct work *w)
{
    run_input(w, 4);
}

static void run_winograd2_input(struct work *w)
{
    run_input(w, 2);
}

static void run_winograd6_input(struct work *w)
{
    run_input(w, 6);
}

static void run_winograd_output(struct work *w)
{
    run_output(w, 4);
}

static void run_winograd2_output(struct work *w)
{
    run_output(w, 2);
}

static void run_winograd6_output(struct work *w)
{
    run_output(w, 6);
}

static void run_weights(struct work *w, void (*transform)(struct dd_out u, const float *w, size_t count),
                        size_t planes)
{
    size_t nr = w->k->gemm_nr;
    transform(dd_out(w->y, C * nr + 16), w->x, C);
    w->bytes = 4.0 * (double)(9 + planes) * C * (double)nr;
}

static void run_winograd_weights(struct work *w)
{
    run_weights(w, w->k->winograd_weights, 36);
}

static void run_winograd2_weights(struct work *w)
{
    run_weights(w, w->k->winograd2_weights, 16);
}

static void run_winograd6_weights(struct work *w)
{
    run_weights(w, w->k->winograd6_weights, 64);
}

/* Adds outer products of two panels, over the 128 tiles of a block. */
static void run_outer(struct work *w)
{
    size_t mr = w->k->gemm_mr, nr = w->k->gemm_nr;
    for (size_t i = 0; i + mr <= nr; i += mr)
        w->k->outer(w->y + i * nr, dd_in(w->x + i, nr), dd_in(w->b, nr), 128, mr, 1);
    w->flops = 2.0 * 128 * (double)(nr / mr * mr * nr);
    w->bytes = 8.0 * 128 * (double)nr;
}

static void run_winograd_output_adjoint(struct work *w)
{
    const float *pixel[16];

    for (size_t t = 0; t < PIXELS / 16; t++) {
        for (size_t i = 0; i < 16; i++)
            pixel[i] = w->x + (t * 16 + i) * C;
        w->k->winograd_output_adjoint(dd_out(w->y + t % 16 * C, plane_of(C)), pixel, C);
    }
    w->bytes = 4.0 * 52 * PIXELS / 16 * C;
}

static void run_winograd_weights_adjoint(struct work *w)
{
    for (size_t i = 0; i < C; i++)
        w->k->winograd_weights_adjoint(dd_out(w->y + i * 9 * C, C), dd_in(w->x + i * C, C * C / 8), C);
    w->bytes = 4.0 * 45 * C * C;
}

#define KERNEL(name, ret, params) { #name, run_##name },

static const struct {
    const char *name;
    void (*run)(struct work *w);
} kernels[] = {

#include "kernel/kernels.def"
};
#undef KERNEL

enum { KERNELS = sizeof kernels / sizeof *kernels };

struct call {
    void (*run)(struct work *w);
    struct work *work;
};

/* Runs once, for bench_time. */
static void call(void *state)
{
    struct call *c = state;
    c->run(c->work);
}

static struct bench_time timed(struct work *w, void (*run)(struct work *w))
{
    struct call c = { run, w };
    return bench_time(call, &c, ROUNDS, LEAST);
}

/* Prints the rates of gemm for every number of rows, plain and with bias and residual. */
static void gemm_table(struct work *w)
{
    static const size_t depths[] = { 32, 64, 128, 256, 512, 1152 };
    struct dd_post_terms post = { w->v, dd_in(w->x, C), 1 };
    double top = bench_peak(w->k);

    printf("%s: one core's peak %.1f GFLOP/s; gemm, rows x %zu:\n", w->k->name, 1e-9 * top, w->k->gemm_nr);
    for (size_t m = w->k->gemm_mr; m; m = m > 2 ? m / 2 : m - 1)
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
            w->m = m;
            w->depth = depths[d];
            w->post = NULL;
            double plain = timed(w, run_gemm).best;
            w->post = &post;
            double posted = timed(w, run_gemm).best;

            plain = w->flops / plain;
            posted = w->flops / posted;
            printf("  rows %2zu depth %4zu  %7.1f GFLOP/s %5.1f %%   with bias and residual %7.1f GFLOP/s "
                   "%5.1f %%\n",
                   m, depths[d], 1e-9 * plain, top ? 100 * plain / top : 0, 1e-9 * posted,
                   top ? 100 * posted / top : 0);
        }
}

/* Prints a line for each kernel.  `reference` holds seconds per operation or byte, which the first table
   sets. */
static void table(struct work *w, double reference[KERNELS])
{
    double top = bench_peak(w->k), copy = bench_copy();

    for (int i = 0; i < KERNELS; i++) {
        w->m = w->k->gemm_mr;
        w->depth = DEPTH;
        w->post = NULL;
        w->flops = 0;

        /* Kernels that add to y begin with the same y every time. */
        for (size_t j = 0; j < FLOATS; j++)
            w->y[j] = w->x[j];

        /* Kernels that multiply are measured in operations, the others in bytes. */
        double t = timed(w, kernels[i].run).median;
        double amount = w->bytes, peak = copy;
        if (w->flops) {
            amount = w->flops;
            peak = top;
        }
        if (!reference[i])
            reference[i] = t / amount;
        printf("%-7s %-24s %9.2f us %7.2f GB/s", w->k->name, kernels[i].name, 1e6 * t, 1e-9 * w->bytes / t);
        if (w->flops)
            printf(" %7.1f GFLOP/s", 1e-9 * w->flops / t);
        printf("  %5.1f x the reference %5.1f %% of the peak\n", reference[i] * amount / t,
               100 * amount / peak / t);
    }
}

int bench_kernels(int argc, char **argv)
{
    static const unsigned masks[] = { 0, DD_CPU_AVX2, DD_CPU_AVX2 | DD_CPU_AVX512, DD_CPU_NEON };
    double reference[KERNELS] = { 0 };
    struct work w = { .x = dd_memory(FLOATS, sizeof(float)),
                      .y = dd_memory(FLOATS, sizeof(float)),
                      .v = dd_memory(FLOATS, sizeof(float)),
                      .b = dd_memory(FLOATS, sizeof(float)) };

    (void)argc;
    (void)argv;
    if (!w.x || !w.y || !w.v || !w.b)
        return 71;

    /* Small numbers with few digits: no kernel overflows or meets denormal numbers. */
    for (int i = 0; i < FLOATS; i++)
        w.x[i] = w.v[i] = w.b[i] = (float)(i * 7 % 64 - 32) / 32;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        struct dd_kernels k;
        if ((masks[i] & dd_cpu_detect()) != masks[i])
            continue;
        dd_kernels_init(&k, masks[i]);
        w.k = &k;
        table(&w, reference);
        if (masks[i])
            gemm_table(&w);
    }
    dd_memory_free(w.x);
    dd_memory_free(w.y);
    dd_memory_free(w.v);
    dd_memory_free(w.b);
    return 0;
}
