/* Runs a network in training: its vectors of weights and sums, and the walks over its list.  differentiate.c
   appends the backward nodes.

   In the vectors the weights of a node's parts lie one behind the other, and the biases follow.  So the
   stacked rows of a convolution (q, k and v; the projections of the timestep) are one matrix without a
   copy. */
#include "net/gradient.h"
#include <stdlib.h>
#include <string.h>
#include "layer/conv_gradient.h"
#include "net/forward.h"
#include "net/params.h"

struct dd_gradient {
    ddpm_net *net;
    int forward; /* how many nodes the forward pass has */
    size_t count,
        *offset;    /* count is the length of the vectors; offset [params] is where each parameter begins */
    float *weights; /* [count] */
    float *sums;    /* [room]; room is count, or by inputs the size of the largest parameter */
    size_t room;
};

/* Places a parameter at `at`; returns where the next one begins. */
static size_t place(struct dd_gradient *g, int param, size_t at)
{
    if (param < 0 || g->net->program.param[param].init == DD_INIT_FREQUENCY)
        return at;
    g->offset[param] = at;
    return at + (size_t)g->net->program.param[param].count;
}

/* Finds where every parameter lies in the vectors, and how long these are. */
static void lay_out(struct dd_gradient *g)
{
    const struct dd_program *p = &g->net->program;
    size_t at = 0;

    for (int i = 0; i < p->params; i++)
        g->offset[i] = SIZE_MAX;

    for (int i = 0; i < g->forward; i++) {
        for (int k = 0; k < p->parts; k++)
            if (p->part[k].node == i)
                at = place(g, p->part[k].weight, at);
        for (int k = 0; k < p->parts; k++)
            if (p->part[k].node == i)
                at = place(g, p->part[k].bias, at);
    }
    g->count = at;
}

/* Returns how many numbers the largest parameter has. */
static size_t largest(const struct dd_program *p)
{
    int64_t most = 0;
    for (int i = 0; i < p->params; i++)
        most = p->param[i].count > most ? p->param[i].count : most;
    return (size_t)most;
}

static int fill(struct dd_gradient *g, const ddpm_model *m, ddpm_error *err)
{
    const struct dd_program *p = &g->net->program;
    bool by_parameters = p->derivatives == DD_BY_PARAMETERS;

    if (!(g->offset = malloc((size_t)p->params * sizeof *g->offset)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for the list of parameters");
    lay_out(g);

    /* By inputs nobody reads the gradients by parameters, so that all layers may add them in one place. */
    g->room = by_parameters ? g->count : largest(p);
    g->weights = dd_memory(g->count, sizeof *g->weights);
    g->sums = dd_memory(g->room, sizeof *g->sums);
    if (!g->weights || !g->sums)
        return dd_error(err, DDPM_ENOMEM, "out of memory: %zu bytes for weights and gradients",
                        (g->count + g->room) * sizeof(float));

    for (int i = 0; i < p->params; i++) {
        if (g->offset[i] == SIZE_MAX)
            continue;
        dd_params_read(g->weights + g->offset[i], &p->param[i], m);
        g->net->sums[i] = by_parameters ? g->sums + g->offset[i] : g->sums;
    }
    dd_gradient_pack(g);
    return DDPM_OK;
}

static int create(struct dd_gradient **out, const ddpm_model *m, const ddpm_net_options *o,
                  enum dd_derivatives derivatives, double dropout, ddpm_error *err)
{
    struct dd_gradient *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a network in training");

    int code = dd_net_create_training(&g->net, m, o, derivatives, dropout, err);
    if (!code) {
        g->forward = dd_program_forward(&g->net->program);
        code = fill(g, m, err);
    }
    if (code)
        dd_gradient_free(g);
    else
        *out = g;
    return code;
}

int dd_gradient_create(struct dd_gradient **out, const ddpm_model *m, const ddpm_net_options *o,
                       double dropout, ddpm_error *err)
{
    *out = NULL;
    dropout = dropout < 0 ? m->config.dropout : dropout;
    if (!(dropout < 1))
        return dd_error(err, DDPM_EUSAGE, "dropout is %g, expected less than 1", dropout);
    return create(out, m, o, DD_BY_PARAMETERS, dropout, err);
}

int dd_gradient_create_by_inputs(struct dd_gradient **out, const ddpm_model *m, const ddpm_net_options *o,
                                 ddpm_error *err)
{
    *out = NULL;
    int code = create(out, m, o, DD_BY_INPUTS, 0, err);
    if (code)
        return code;

    /* The layers have packed what they need from the weights. */
    dd_memory_free((*out)->weights);
    (*out)->weights = NULL;
    return DDPM_OK;
}

size_t dd_gradient_count(const struct dd_gradient *g)
{
    return g->count;
}

size_t dd_gradient_offset(const struct dd_gradient *g, int param)
{
    return g->offset[param];
}

float *dd_gradient_weights(struct dd_gradient *g)
{
    return g->weights;
}

float *dd_gradient_sums(struct dd_gradient *g)
{
    return g->sums;
}

struct dd_team *dd_gradient_team(struct dd_gradient *g)
{
    return g->net->team;
}

const ddpm_net *dd_gradient_net(const struct dd_gradient *g)
{
    return g->net;
}

const ddpm_net_about *dd_gradient_describe(const struct dd_gradient *g)
{
    return &g->net->about;
}

size_t dd_gradient_nodes(const struct dd_gradient *g, const ddpm_node **list, size_t *forward)
{
    *list = g->net->list;
    *forward = (size_t)g->forward;
    return (size_t)g->net->program.nodes;
}

void dd_gradient_pack(struct dd_gradient *g)
{
    ddpm_net *net = g->net;
    for (int i = 0; i < net->program.nodes; i++) {
        const struct dd_part *part = dd_program_part(&net->program, &net->program.node[i]);
        if (!part || g->offset[part->weight] == SIZE_MAX)
            continue;

        const float *weight = g->weights + g->offset[part->weight], *bias = NULL;
        if (part->bias >= 0)
            bias = g->weights + g->offset[part->bias];
        /* A convolution packs its weights twice: backward reads them transposed. */
        if (net->reverse[i])
            dd_conv_gradient_pack(net->reverse[i], net->packed[i], weight);
        else if (i < g->forward)
            dd_params_repack(net->packed[i], &net->program, i, net->conv[i], weight, bias);
    }
}

void dd_gradient_forward(struct dd_gradient *g, const struct dd_slice *s)
{
    dd_net_walk(g->net, s, 0, g->forward, NULL, NULL);
}

void dd_gradient_backward(struct dd_gradient *g, const struct dd_slice *s)
{
    dd_net_walk(g->net, s, g->forward, g->net->program.nodes, NULL, NULL);
}

/* ---- where a NaN comes from ---- */

struct search {
    const ddpm_net *net;
    const struct dd_slice *s;
    int node; /* the last node that was looked at */
};

static bool finite_value(const struct search *f, int value)
{
    struct dd_map m = dd_forward_map(f->net, f->s, value);
    return !value || !m.data || dd_net_finite(&m);
}

static bool finite_sums(const ddpm_net *net, int param)
{
    if (param < 0)
        return true;
    struct dd_map all = { net->sums[param], 1, 1, 1, (int)net->program.param[param].count, 0 };
    return dd_net_finite(&all);
}

/* Ends the walk at the first node that writes something not finite. */
static int find_bad(void *user, int node, const struct dd_map *y)
{
    struct search *f = user;
    const struct dd_program *p = &f->net->program;
    const struct dd_node *n = &p->node[node];
    f->node = node;
    if (!n->of)
        return !dd_net_finite(y);

    bool good = finite_value(f, n->dx.value) && finite_value(f, n->dnorm.value) &&
                finite_value(f, n->dadd.value) && finite_value(f, n->dresidual.value) &&
                finite_value(f, n->demb.value);
    for (int i = 0; i < p->parts && good; i++)
        if (p->part[i].node == n->of - 1)
            good = finite_sums(f->net, p->part[i].weight) && finite_sums(f->net, p->part[i].bias);
    return !good;
}

const ddpm_node *dd_gradient_bad(struct dd_gradient *g, const struct dd_slice *s)
{
    struct search f = { g->net, s, 0 };
    memset(g->sums, 0, g->room * sizeof *g->sums);
    return dd_net_walk(g->net, s, 0, g->net->program.nodes, find_bad, &f) ? &g->net->list[f.node] : NULL;
}

void dd_gradient_free(struct dd_gradient *g)
{
    if (!g)
        return;
    dd_net_free(g->net);
    free(g->offset);
    dd_memory_free(g->weights);
    dd_memory_free(g->sums);
    free(g);
}
