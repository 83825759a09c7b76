/* Measures the time that each sampler adds to that of the network: the time of a step less that of the
   network's nodes.  A sampler spends it on arithmetic, noise, and conversion between float and double.

     ddpm-bench sampler [NAME|MODEL] [--batch N] [--threads N] [--steps N]  */
#include "bench/bench.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    const char *model, *steps;
    ddpm_net_options net;
};

/* Returns the seconds that the network's nodes have taken so far. */
static double in_nodes(const ddpm_net *net)
{
    const ddpm_node *list;
    size_t nodes = ddpm_net_nodes(net, &list);
    double seconds = 0;

    for (size_t i = 0; i < nodes; i++)
        seconds += list[i].seconds;
    return seconds;
}

/* Runs a whole chain and prints its times, without the first step. */
static int one_sampler(const char *name, const ddpm_about *a, const ddpm_chain *c, ddpm_net *net,
                       const struct settings *s, ddpm_error *err)
{
    int batch = ddpm_net_describe(net)->batch, steps = 0;
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    uint32_t *index = calloc((size_t)batch, sizeof *index);
    int32_t *classes = a->classes ? calloc((size_t)batch, sizeof *classes) : NULL;
    ddpm_sampler *sampler = NULL;
    ddpm_sampler_options o;

    ddpm_sampler_defaults(&o, a);
    o.sampler = name;
    o.eps = ddpm_net_eps;
    o.eps_user = net;

    for (int i = 0; index && i < batch; i++)
        index[i] = (uint32_t)i;

    int code = ddpm_sampler_create(&sampler, c, &o, d, batch, NULL, err);
    if (!code)
        code = ddpm_sampler_start(sampler, index, classes, batch, NULL, 0, err);

    /* The first step is not timed, since it touches fresh memory. */
    if (!code)
        code = ddpm_sampler_step(sampler, err);
    double network = in_nodes(net), begin = bench_now();
    for (; !code && ddpm_sampler_left(sampler); steps++)
        code = ddpm_sampler_step(sampler, err);

    double all = bench_now() - begin;
    network = in_nodes(net) - network;
    if (!code)
        printf("  %-16s %8.3f ms a step and image, network %9.3f ms: %5.2f %% of the network's time (%s "
               "steps)\n",
               name, 1e3 * (all - network) / steps / batch, 1e3 * network / steps / batch,
               100 * (all - network) / network, s->steps);

    ddpm_sampler_free(sampler);
    free(index);
    free(classes);
    return code;
}

static int parse(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){ .model = "cifar10", .steps = "20" };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (argv[i][0] != '-') {
            s->model = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--batch"))
            s->net.batch = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--threads"))
            s->net.threads = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--steps"))
            s->steps = value;
        else {
            fprintf(stderr, "ddpm-bench sampler: unknown argument %s\n", argv[i]);
            return 64;
        }
        i++;
    }
    return 0;
}

int bench_sampler(int argc, char **argv)
{
    struct settings s;
    ddpm_model *m = NULL;
    ddpm_chain *c = NULL;
    ddpm_net *net = NULL;
    ddpm_error err;
    int code = parse(&s, argc, argv);
    if (code)
        return code;

    code = bench_model_open(&m, s.model, 0, &err);
    if (!code)
        code = ddpm_chain_respace(&c, ddpm_model_about(m), s.steps, NULL, &err);
    if (!code)
        code = ddpm_net_create(&net, m, &s.net, &err);
    if (!code)
        printf("%s, batch %d, %d threads\n", s.model, ddpm_net_describe(net)->batch,
               ddpm_net_describe(net)->threads);
    for (const char *const *name = ddpm_sampler_names(); !code && *name; name++)
        code = one_sampler(*name, ddpm_model_about(m), c, net, &s, &err);
    ddpm_net_free(net);
    ddpm_chain_free(c);
    ddpm_model_close(m);
    if (!code)
        return 0;
    fprintf(stderr, "ddpm-bench sampler: %s\n", err.text);
    return 1;
}
