/* Times convolution engines on the layers of the full-size nets: milliseconds per image, as the minimum over
   interleaved rounds, and GFLOP/s.

     ddpm-bench conv [NET] [--batch N] [--threads N] [--cpu SET] [--rounds N] [--gradients]

   With --gradients it times the passes of training instead: forward, the gradients by input and by weights,
   and packing for each of them.  NET is cifar (google/ddpm-cifar10-32), celebahq (google/ddpm-celebahq-256),
   openai (guided-diffusion 64x64, 192 channels), lucidrains (dim 64, 64x64) or small (widths 32, 64, 64, gray
   32x32).  `count` says how often the net has the layer; the totals in the last line are weighted by it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "bench/bench.h"
#include "bench/bench_gradient.h"
#include "layer/conv.h"
#include "layer/parallel.h"

enum { ENGINES = 4 };

struct layer {
    const char *net;
    int size, cin, cout, kernel, stride, count;
};

static const struct layer layers[] = {
    { "cifar", 32, 3, 128, 3, 1, 1 },        { "cifar", 32, 128, 128, 3, 1, 7 },
    { "cifar", 32, 256, 128, 3, 1, 2 },      { "cifar", 32, 384, 128, 3, 1, 1 },
    { "cifar", 32, 256, 256, 3, 1, 1 },      { "cifar", 32, 128, 3, 3, 1, 1 },
    { "cifar", 32, 128, 128, 3, 2, 1 },      { "cifar", 16, 128, 256, 3, 1, 1 },
    { "cifar", 16, 256, 256, 3, 1, 7 },      { "cifar", 16, 384, 256, 3, 1, 1 },
    { "cifar", 16, 512, 256, 3, 1, 2 },      { "cifar", 16, 256, 256, 3, 2, 1 },
    { "cifar", 8, 256, 256, 3, 1, 8 },       { "cifar", 8, 512, 256, 3, 1, 3 },
    { "cifar", 8, 256, 256, 3, 2, 1 },       { "cifar", 4, 256, 256, 3, 1, 11 },
    { "cifar", 4, 512, 256, 3, 1, 3 },       { "cifar", 32, 256, 128, 1, 1, 2 },
    { "cifar", 32, 384, 128, 1, 1, 1 },      { "cifar", 16, 128, 256, 1, 1, 1 },
    { "cifar", 16, 384, 256, 1, 1, 1 },      { "cifar", 16, 512, 256, 1, 1, 2 },
    { "cifar", 8, 512, 256, 1, 1, 3 },       { "cifar", 4, 512, 256, 1, 1, 3 },
    { "cifar", 16, 256, 768, 1, 1, 5 },      { "cifar", 16, 256, 256, 1, 1, 5 },
    { "cifar", 4, 256, 768, 1, 1, 1 },       { "cifar", 1, 512, 256, 1, 1, 17 },
    { "celebahq", 256, 3, 128, 3, 1, 1 },    { "celebahq", 256, 128, 128, 3, 1, 8 },
    { "celebahq", 256, 256, 128, 3, 1, 3 },  { "celebahq", 256, 128, 3, 3, 1, 1 },
    { "celebahq", 256, 128, 128, 3, 2, 1 },  { "celebahq", 128, 128, 128, 3, 1, 7 },
    { "celebahq", 128, 384, 128, 3, 1, 1 },  { "celebahq", 128, 256, 128, 3, 1, 2 },
    { "celebahq", 128, 256, 256, 3, 1, 1 },  { "celebahq", 128, 128, 128, 3, 2, 1 },
    { "celebahq", 64, 128, 256, 3, 1, 1 },   { "celebahq", 64, 256, 256, 3, 1, 7 },
    { "celebahq", 64, 512, 256, 3, 1, 2 },   { "celebahq", 64, 384, 256, 3, 1, 1 },
    { "celebahq", 32, 256, 256, 3, 1, 7 },   { "celebahq", 32, 768, 256, 3, 1, 1 },
    { "celebahq", 32, 512, 256, 3, 1, 2 },   { "celebahq", 32, 512, 512, 3, 1, 1 },
    { "celebahq", 16, 256, 512, 3, 1, 1 },   { "celebahq", 16, 512, 512, 3, 1, 7 },
    { "celebahq", 16, 1024, 512, 3, 1, 2 },  { "celebahq", 16, 768, 512, 3, 1, 1 },
    { "celebahq", 16, 512, 512, 3, 2, 1 },   { "celebahq", 8, 512, 512, 3, 1, 11 },
    { "celebahq", 8, 1024, 512, 3, 1, 3 },   { "celebahq", 256, 256, 128, 1, 1, 3 },
    { "celebahq", 16, 512, 1536, 1, 1, 5 },  { "openai", 64, 3, 192, 3, 1, 1 },
    { "openai", 64, 192, 192, 3, 1, 10 },    { "openai", 64, 576, 192, 3, 1, 1 },
    { "openai", 64, 384, 192, 3, 1, 3 },     { "openai", 64, 384, 384, 3, 1, 2 },
    { "openai", 64, 192, 6, 3, 1, 1 },       { "openai", 32, 192, 192, 3, 1, 2 },
    { "openai", 32, 192, 384, 3, 1, 1 },     { "openai", 32, 384, 384, 3, 1, 9 },
    { "openai", 32, 576, 576, 3, 1, 2 },     { "openai", 32, 960, 384, 3, 1, 1 },
    { "openai", 32, 768, 384, 3, 1, 2 },     { "openai", 32, 576, 384, 3, 1, 1 },
    { "openai", 16, 384, 576, 3, 1, 1 },     { "openai", 16, 576, 576, 3, 1, 9 },
    { "openai", 16, 1344, 576, 3, 1, 1 },    { "openai", 16, 1152, 576, 3, 1, 2 },
    { "openai", 16, 768, 768, 3, 1, 2 },     { "openai", 8, 576, 768, 3, 1, 1 },
    { "openai", 8, 768, 768, 3, 1, 13 },     { "openai", 8, 1536, 768, 3, 1, 3 },
    { "openai", 32, 384, 1152, 1, 1, 7 },    { "openai", 16, 576, 1728, 1, 1, 7 },
    { "openai", 8, 768, 2304, 1, 1, 8 },     { "lucidrains", 64, 3, 64, 7, 1, 1 },
    { "lucidrains", 64, 64, 64, 3, 1, 8 },   { "lucidrains", 64, 128, 64, 3, 1, 4 },
    { "lucidrains", 32, 64, 64, 3, 1, 4 },   { "lucidrains", 32, 192, 128, 3, 1, 2 },
    { "lucidrains", 32, 128, 128, 3, 1, 2 }, { "lucidrains", 32, 256, 128, 3, 1, 1 },
    { "lucidrains", 16, 128, 128, 3, 1, 4 }, { "lucidrains", 16, 384, 256, 3, 1, 2 },
    { "lucidrains", 16, 256, 256, 3, 1, 2 }, { "lucidrains", 16, 512, 256, 3, 1, 1 },
    { "lucidrains", 8, 256, 256, 3, 1, 4 },  { "lucidrains", 8, 256, 512, 3, 1, 1 },
    { "lucidrains", 8, 768, 512, 3, 1, 2 },  { "lucidrains", 8, 512, 512, 3, 1, 6 },
    { "lucidrains", 64, 64, 384, 1, 1, 2 },  { "lucidrains", 32, 256, 64, 1, 1, 1 },
    { "lucidrains", 64, 64, 3, 1, 1, 1 },    { "small", 32, 1, 32, 3, 1, 1 },
    { "small", 32, 32, 32, 3, 1, 7 },        { "small", 32, 64, 32, 3, 1, 2 },
    { "small", 32, 96, 32, 3, 1, 1 },        { "small", 32, 64, 64, 3, 1, 1 },
    { "small", 32, 32, 1, 3, 1, 1 },         { "small", 32, 32, 32, 3, 2, 1 },
    { "small", 16, 32, 64, 3, 1, 1 },        { "small", 16, 64, 64, 3, 1, 7 },
    { "small", 16, 128, 64, 3, 1, 2 },       { "small", 16, 96, 64, 3, 1, 1 },
    { "small", 16, 64, 64, 3, 2, 1 },        { "small", 8, 64, 64, 3, 1, 11 },
    { "small", 8, 128, 64, 3, 1, 3 },        { "small", 32, 64, 32, 1, 1, 2 },
    { "small", 16, 128, 64, 1, 1, 2 },       { "small", 1, 128, 64, 1, 1, 11 },
};

struct options {
    const char *net;
    int batch, threads, rounds, gradients;
    unsigned cpu;
    struct dd_team *team;
};

/* A layer that is ready to be run by one engine. */
struct engine {
    struct dd_conv *conv;
    float *packed, *scratch;
    double best;
};

/* Returns n floats from -1 to 1 that look random, allocated. */
static float *filled(size_t n)
{
    float *x = dd_memory(n, sizeof(float));
    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)(i * 2654435761u % 2001) / 1000 - 1;
    return x;
}

/* Opens a layer for an engine; e->conv is NULL if the engine does not take the layer. */
static int open_engine(struct engine *e, const char *name, const struct dd_conv_shape *s,
                       const struct dd_kernels *k, const struct options *o, const float *w)
{
    ddpm_error err;

    *e = (struct engine){ .best = 1e9 };
    if (dd_conv_open(&e->conv, s, &(struct dd_conv_setup){ k, o->cpu, name, o->batch, o->threads, o->team },
                     &err)) {
        fprintf(stderr, "ddpm-bench: %s\n", err.text);
        return 1;
    }

    /* A layer that the engine does not take is opened with another engine. */
    if (strncmp(dd_conv_engine(e->conv), name, strlen(name))) {
        dd_conv_close(e->conv);
        e->conv = NULL;
        return 0;
    }

    e->packed = dd_memory(dd_conv_packed(e->conv), 1);
    e->scratch = dd_memory(dd_conv_scratch(e->conv) + 1, 1);
    if (!e->packed || !e->scratch) {
        fprintf(stderr, "ddpm-bench: out of memory\n");
        return 1;
    }
    dd_conv_pack(e->conv, e->packed, w, NULL);
    return 0;
}

static void close_engine(struct engine *e)
{
    dd_conv_close(e->conv);
    dd_memory_free(e->packed);
    dd_memory_free(e->scratch);
}

/* A layer for all threads. */
struct run {
    struct dd_conv *conv;
    const struct dd_context *ctx;
    const struct dd_map *y, *x;
};

static void run_layer(struct dd_worker *worker, void *user)
{
    const struct run *r = user;
    struct dd_context own = *r->ctx;
    own.worker = worker;
    dd_conv_forward(r->conv, &own, r->y, r->x, NULL, NULL);
}

static void run_once(const struct engine *e, const struct options *o, const struct dd_context *ctx,
                     const struct dd_map *y, const struct dd_map *x)
{
    dd_parallel_run(dd_conv_alone(e->conv) ? NULL : o->team, run_layer, &(struct run){ e->conv, ctx, y, x });
}

/* Times all engines on a layer in turns.  A round runs each engine for at least 2 ms. */
static void time_engines(struct engine *e, int engines, const struct options *o, const struct dd_kernels *k,
                         const struct dd_map *y, const struct dd_map *x)
{
    for (int round = 0; round < o->rounds; round++)
        for (int i = 0; i < engines; i++) {
            struct dd_context ctx = { k, o->threads, e[i].scratch, NULL };
            double start = bench_now(), end = start;
            for (; e[i].conv && end - start < 2e-3; end = bench_now()) {
                double one = bench_now();
                run_once(&e[i], o, &ctx, y, x);
                one = bench_now() - one;
                e[i].best = one < e[i].best ? one : e[i].best;
            }
        }
}

/* Times all engines on a layer, prints a line, and adds to the totals. */
static int bench_layer(const struct layer *l, const struct dd_kernels *k, const struct options *o,
                       double *total)
{
    int pad = l->kernel / 2, engines = 0, failed = 0;
    struct dd_conv_shape s = {
        l->size, l->size, l->cin, l->cout, l->kernel, l->stride, pad, pad, pad, pad, 0
    };
    struct dd_map x = { NULL, o->batch, s.h, s.w, s.cin, (size_t)s.cin };
    struct dd_map y = { NULL, o->batch, dd_conv_height(&s), dd_conv_width(&s), s.cout, (size_t)s.cout };
    float *w = filled((size_t)(s.cin * s.cout * s.kernel * s.kernel));
    struct engine e[ENGINES];

    x.data = filled((size_t)(x.n * x.h * x.w * x.c));
    y.data = filled((size_t)(y.n * y.h * y.w * y.c));
    if (!w || !x.data || !y.data) {
        fprintf(stderr, "ddpm-bench: out of memory\n");
        return 1;
    }

    /* The reference engine is too slow to be of interest. */
    for (const char *const *name = dd_conv_engines(); *name && !failed; name++)
        if (strcmp(*name, "ref"))
            failed = open_engine(&e[engines++], *name, &s, k, o, w);
    if (!failed)
        time_engines(e, engines, o, k, &y, &x);

    printf("%-10s %4d %5d %5d  %dx%d/%d %3d", l->net, l->size, l->cin, l->cout, l->kernel, l->kernel,
           l->stride, l->count);
    double best = 1e9;
    for (int i = 0; i < engines; i++) {
        double ms = 1e3 * e[i].best / o->batch;
        best = e[i].best < best ? e[i].best : best;
        if (e[i].conv)
            printf("  %9.3f %6.1f", ms, dd_conv_flops(&s) * 1e-6 / ms);
        else
            printf("  %9s %6s", "-", "-");

        /* If an engine does not take the layer, its total counts the time of the last engine. */
        total[i] += l->count * (e[i].conv ? ms : 1e3 * e[engines - 1].best / o->batch);
        close_engine(&e[i]);
    }

    /* Behind the engines' totals: the fastest engine of each layer, and the operations. */
    total[engines] += l->count * 1e3 * best / o->batch;
    total[engines + 1] += l->count * dd_conv_flops(&s) * 1e-9;
    putchar('\n');

    dd_memory_free(w);
    dd_memory_free(x.data);
    dd_memory_free(y.data);
    return failed;
}

static int parse(struct options *o, int argc, char **argv)
{
    ddpm_error err;
    const char *cpu = NULL;

    *o = (struct options){ NULL, 1, dd_cpu_threads(""), 5, 0, 0, NULL };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (argv[i][0] != '-' || !strcmp(argv[i], "--gradients")) {
            if (argv[i][0] == '-')
                o->gradients = 1;
            else
                o->net = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--batch"))
            o->batch = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--threads"))
            o->threads = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--rounds"))
            o->rounds = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--cpu"))
            cpu = value;
        else {
            fprintf(stderr, "ddpm-bench conv: unknown argument %s\n", argv[i]);
            return 64;
        }
        i++;
    }
    if (!dd_cpu_ceiling(&o->cpu, cpu, &err))
        return 0;
    fprintf(stderr, "ddpm-bench conv: %s\n", err.text);
    return 64;
}

/* Times the passes of training on all layers of the net. */
static int run_gradients(const struct options *o, const struct dd_kernels *k)
{
    struct bench_gradient sum = { 0 };
    int failed = 0;

    printf("convolution: %s, %d threads, batch %d; ms of the batch; GFLOP/s of the definition, and times "
           "forward\n%-10s %4s %5s %5s %6s %3s\n",
           dd_cpu_name(o->cpu), o->threads, o->batch, "net", "size", "cin", "cout", "kernel", "n");
    for (size_t i = 0; i < sizeof layers / sizeof *layers && !failed; i++) {
        const struct layer *l = &layers[i];
        int pad = l->kernel / 2;
        struct dd_conv_shape s = { l->size, l->size, l->cin, l->cout, l->kernel, l->stride,
                                   pad,     pad,     pad,    pad,     0 };
        struct bench_gradient one;

        if (o->net && strcmp(o->net, l->net))
            continue;

        failed =
            bench_gradient_layer(&one, &s,
                                 &(struct dd_conv_setup){ k, o->cpu, NULL, o->batch, o->threads, o->team },
                                 o->rounds);
        printf("%-10s %4d %5d %5d  %dx%d/%d %3d", l->net, l->size, l->cin, l->cout, l->kernel, l->kernel,
               l->stride, l->count);
        bench_gradient_print(&one, dd_conv_flops(&s) * o->batch);
        bench_gradient_add(&sum, &one, l->count);
    }
    printf("all of the net's layers:");
    bench_gradient_print(&sum, 0);
    return failed;
}

/* Times all engines on all layers of the net. */
static int run_engines(const struct options *o, const struct dd_kernels *k)
{
    double total[ENGINES + 2] = { 0 };
    int engines = 0, failed = 0;

    printf("convolution: %s, %d threads, batch %d; ms an image, GFLOP/s\n%-10s %4s %5s %5s %6s %3s",
           dd_cpu_name(o->cpu), o->threads, o->batch, "net", "size", "cin", "cout", "kernel", "n");
    for (const char *const *name = dd_conv_engines(); *name; name++)
        if (strcmp(*name, "ref")) {
            printf("  %9s %6s", *name, "");
            engines++;
        }
    putchar('\n');

    for (size_t i = 0; i < sizeof layers / sizeof *layers && !failed; i++)
        if (!o->net || !strcmp(o->net, layers[i].net))
            failed = bench_layer(&layers[i], k, o, total);
    if (!failed && total[engines + 1] == 0) {
        fprintf(stderr, "ddpm-bench conv: no layers of a net called %s; without a name all are run\n",
                o->net);
        return 64;
    }
    printf("all, where an engine takes no layer its right neighbour:");
    for (int i = 0; i < engines; i++)
        printf("  %.2f ms", total[i]);
    printf("; the faster of each layer %.2f ms; %.2f GFLOP\n", total[engines], total[engines + 1]);
    return failed;
}

int bench_conv(int argc, char **argv)
{
    struct options o;
    struct dd_kernels k;
    int failed = parse(&o, argc, argv);

    if (failed)
        return failed;
    if (!(o.team = dd_parallel_create(o.threads))) {
        fprintf(stderr, "ddpm-bench: out of memory\n");
        return 1;
    }
    dd_kernels_init(&k, o.cpu);
    failed = (o.gradients ? run_gradients : run_engines)(&o, &k);
    dd_parallel_free(o.team);
    return failed;
}
