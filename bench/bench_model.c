/* Makes the networks and inputs that several measurements use. */
#include "bench/bench.h"
#include "tests/known_nets.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the configuration of a network with another height and width to out [n]. */
static int resized(char *out, size_t n, const char *net, int size)
{
    const char *height = strstr(net, "\"height\""), *after = height ? strstr(height, "\"channels\"") : NULL;

    if (!after)
        return -1;
    int length = snprintf(out, n, "%.*s\"height\": %d, \"width\": %d, %s", (int)(height - net), net, size,
                          size, after);
    return length < 0 || (size_t)length >= n ? -1 : 0;
}

int bench_model_open(ddpm_model **m, const char *name, int size, ddpm_error *err)
{
    const struct known_net *known = known_net_find(name);
    char net[2048], json[4096];

    if (!known)
        return ddpm_model_open(m, name, err);
    if (size && resized(net, sizeof net, known->net, size)) {
        snprintf(err->text, sizeof err->text, "the configuration of %s has no height", name);
        return 1;
    }

    known_net_json(json, sizeof json, size ? net : known->net, known->diffusion);
    int code = ddpm_model_create(m, json, err);
    if (!code)
        ddpm_model_init(*m, 0);
    return code;
}

int bench_input_create(struct bench_input *in, const ddpm_about *a, int n)
{
    size_t pixels = (size_t)n * (size_t)a->height * (size_t)a->width, floats = pixels * (size_t)a->channels;

    *in = (struct bench_input){ malloc(floats * sizeof *in->x),
                                malloc(pixels * (size_t)a->outputs * sizeof *in->y),
                                calloc((size_t)n, sizeof *in->t),
                                a->classes ? calloc((size_t)n, sizeof *in->classes) : NULL, n };
    if (!in->x || !in->y || !in->t || (a->classes && !in->classes))
        return -1;

    for (size_t i = 0; i < floats; i++)
        in->x[i] = (float)(i * 7919 % 2001) / 1000 - 1;
    return 0;
}

void bench_input_free(struct bench_input *in)
{
    free(in->x);
    free(in->y);
    free(in->t);
    free(in->classes);
}

int bench_step(struct bench_step *r, const ddpm_model *m, const ddpm_net_options *o, double least,
               ddpm_error *err)
{
    struct bench_input in = { 0 };
    ddpm_net *net = NULL;
    int code = ddpm_net_create(&net, m, o, err);

    *r = (struct bench_step){ .seconds = 1e9 };
    if (!code && bench_input_create(&in, ddpm_model_about(m), o->batch))
        code = snprintf(err->text, sizeof err->text, "out of memory");

    /* The first step is not timed. */
    double begin = bench_now();
    for (int i = 0; !code && (i < 2 || bench_now() - begin < least); i++) {
        double start = bench_now();
        code = ddpm_net_run(net, in.y, in.x, in.t, in.classes, in.n, err);
        if (i && bench_now() - start < r->seconds)
            r->seconds = bench_now() - start;
    }

    if (!code) {
        const ddpm_net_about *a = ddpm_net_describe(net);
        const ddpm_node *list;
        r->nodes = ddpm_net_nodes(net, &list);
        r->flops = a->flops * a->batch;
        r->weights = a->packed ? (double)a->packed : (double)a->weights;

        /* Each node writes its output, and another node reads it: twice four bytes for a value. */
        for (size_t i = 0; i < r->nodes; i++)
            r->values += 8.0 * a->batch * list[i].height * list[i].width * list[i].channels;
        r->held = (double)(a->weights + a->packed + a->activations + a->scratch);
    }
    bench_input_free(&in);
    ddpm_net_free(net);
    return code;
}
