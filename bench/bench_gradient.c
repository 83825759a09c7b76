/* Times a convolution's passes in a step of training: forward with the engine that training uses, the
   gradients by input and by weights (also through scale, shift and SiLU), and packing the changed weights.
   The passes take turns, so that a disturbance hits all of them. */
#include "bench/bench_gradient.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/memory.h"
#include "bench/bench.h"
#include "layer/conv_gradient.h"
#include "layer/parallel.h"

/* The layer, its arrays and the team that runs it. */
struct state {
    struct dd_conv *conv;
    struct dd_conv_gradient *gradient;
    struct dd_context ctx;
    struct dd_team *team;
    struct dd_map x, y, dx;
    struct dd_pre pre;
    float *packed, *packed_data, *w, *dw, *db, *scale;
};

static float *filled(size_t n)
{
    float *x = dd_memory(n, sizeof(float));
    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)(i * 2654435761u % 2001) / 1000 - 1;
    return x;
}

static struct dd_map map(int n, int h, int w, int c)
{
    return (struct dd_map){ filled((size_t)n * (size_t)h * (size_t)w * (size_t)c), n, h, w, c, (size_t)c };
}

/* Allocates all arrays.  Returns 0, or 1 if there is not enough memory. */
static int open_state(struct state *t, const struct dd_conv_shape *s, const struct dd_conv_setup *setup)
{
    size_t weights = (size_t)s->cin * (size_t)s->cout * (size_t)s->kernel * (size_t)s->kernel;
    size_t forward = dd_conv_scratch(t->conv), backward = dd_conv_gradient_scratch(t->gradient);

    t->ctx = (struct dd_context){ setup->k, setup->threads,
                                  dd_memory(forward > backward ? forward : backward, 1), NULL };
    t->team = setup->team;
    t->x = map(setup->batch, s->h, s->w, s->cin);
    t->dx = map(setup->batch, s->h, s->w, s->cin);
    t->y = map(setup->batch, dd_conv_height(s), dd_conv_width(s), s->cout);
    t->packed = dd_memory(dd_conv_packed(t->conv), 1);
    t->packed_data = dd_memory(dd_conv_gradient_packed(t->gradient), 1);
    t->w = filled(weights);
    t->dw = filled(weights);
    t->db = filled((size_t)s->cout);
    t->scale = filled((size_t)setup->batch * (size_t)s->cin);
    t->pre = (struct dd_pre){ t->scale, t->scale, DD_ACT_SILU };
    return !(t->ctx.scratch && t->x.data && t->dx.data && t->y.data && t->packed && t->packed_data && t->w &&
             t->dw && t->db && t->scale);
}

static void close_state(struct state *t)
{
    dd_conv_close(t->conv);
    dd_conv_gradient_close(t->gradient);
    dd_memory_free(t->ctx.scratch);
    dd_memory_free(t->x.data);
    dd_memory_free(t->dx.data);
    dd_memory_free(t->y.data);
    dd_memory_free(t->packed);
    dd_memory_free(t->packed_data);
    dd_memory_free(t->w);
    dd_memory_free(t->dw);
    dd_memory_free(t->db);
    dd_memory_free(t->scale);
}

/* A pass other than packing. */
struct pass {
    struct state *t;
    int pass;
};

/* Does one thread's part of it. */
static void run_layer(struct dd_worker *worker, void *user)
{
    struct state *t = ((struct pass *)user)->t;
    int pass = ((struct pass *)user)->pass;
    struct dd_context ctx = t->ctx;

    ctx.worker = worker;
    if (pass == PASS_FORWARD)
        dd_conv_forward(t->conv, &ctx, &t->y, &t->x, NULL, NULL);
    else if (pass == PASS_DATA)
        dd_conv_gradient_data(t->gradient, &ctx, &t->dx, &t->y);
    else
        dd_conv_gradient_weights(t->gradient, &ctx, t->dw, t->db, &t->y, &t->x,
                                 pass == PASS_WEIGHTS ? NULL : &t->pre);
}

static void run(struct state *t, int pass)
{
    if (pass == PASS_PACK)
        dd_conv_pack(t->conv, t->packed, t->w, NULL);
    else if (pass == PASS_PACK_DATA)
        dd_conv_gradient_pack(t->gradient, t->packed_data, t->w);
    else
        dd_parallel_run(t->team, run_layer, &(struct pass){ t, pass });
}

int bench_gradient_layer(struct bench_gradient *b, const struct dd_conv_shape *s,
                         const struct dd_conv_setup *setup, int rounds)
{
    struct state t = { 0 };
    ddpm_error err = { .text = "out of memory" };
    struct dd_conv_setup forward = *setup;

    /* The forward pass uses training's engine, which may be another than sampling's. */
    forward.engine = dd_conv_gradient_engine(s, NULL);
    int failed = dd_conv_open(&t.conv, s, &forward, &err) ||
                 dd_conv_gradient_open(&t.gradient, s, setup, &err) || open_state(&t, s, setup);

    /* The passes take turns; each keeps its least time. */
    for (int pass = 0; pass < PASSES; pass++)
        b->seconds[pass] = failed ? 0 : 1e9;
    for (int i = 0; i < rounds * PASSES && !failed; i++) {
        double start = bench_now(), end;
        run(&t, i % PASSES);
        end = bench_now();
        b->seconds[i % PASSES] = end - start < b->seconds[i % PASSES] ? end - start : b->seconds[i % PASSES];
    }
    close_state(&t);

    if (failed)
        fprintf(stderr, "ddpm-bench: %s\n", err.text);
    return failed;
}

void bench_gradient_add(struct bench_gradient *sum, const struct bench_gradient *b, int count)
{
    for (int pass = 0; pass < PASSES; pass++)
        sum->seconds[pass] += count * b->seconds[pass];
}

void bench_gradient_print(const struct bench_gradient *b, double flops)
{
    static const char *const names[PASSES] = { "pack", "pack for data", "forward",
                                               "data", "weights",       "weights with SiLU" };

    for (int pass = PASS_FORWARD; pass < PASSES; pass++) {
        printf("  %s %.3f", names[pass], 1e3 * b->seconds[pass]);
        if (flops > 0)
            printf(" (%.0f)", 1e-9 * flops / b->seconds[pass]);
        if (pass > PASS_FORWARD)
            printf(" %.2fx", b->seconds[pass] / b->seconds[PASS_FORWARD]);
    }
    printf("  %s %.3f, %s %.3f\n", names[PASS_PACK], 1e3 * b->seconds[PASS_PACK], names[PASS_PACK_DATA],
           1e3 * b->seconds[PASS_PACK_DATA]);
}
