/* Computes one node of the list: finds the maps of its values and what it applies on load, and calls its
   operation. */
#include "net/forward.h"
#include "net/operation.h"

struct dd_map dd_forward_map(const ddpm_net *net, const struct dd_slice *s, int value)
{
    const struct dd_value *v = &net->program.value[value];
    const struct dd_home *h = &net->program.home[v->home];
    float *data = NULL;
    switch (h->place) {
    case DD_PLACE_BLOCK: data = net->activations + net->plan.offset[v->home] + v->offset; break;
    case DD_PLACE_INPUT: data = (float *)(uintptr_t)s->x; break;
    case DD_PLACE_OUTPUT: data = s->out; break;
    case DD_PLACE_INPUT_GRADIENT: data = s->dx; break;
    case DD_PLACE_OUTPUT_GRADIENT: data = (float *)(uintptr_t)s->dout; break;
    }
    return (struct dd_map){ data, s->n, v->h, v->w, v->c, (size_t)h->c };
}

struct dd_pre dd_forward_pre(const ddpm_net *net, const struct dd_slice *s, const struct dd_node *n)
{
    struct dd_pre pre = { NULL, NULL, n->pre };
    if (n->norm) {
        struct dd_map norm = dd_forward_map(net, s, n->norm);
        pre.scale = norm.data;
        pre.shift = norm.data + (size_t)norm.n * (size_t)norm.c / 2;
    }
    return pre;
}

/* A norm's backward node names its own scale and shift, too, but does not apply them. */
bool dd_forward_has_pre(const struct dd_node *n)
{
    return !dd_operation(n)->leaves_moments && (n->norm || n->pre != DD_ACT_NONE);
}

void dd_forward_node(ddpm_net *net, const struct dd_slice *s, int node, struct dd_worker *worker)
{
    const struct dd_node *n = &net->program.node[node];
    struct dd_pre pre = dd_forward_pre(net, s, n);
    struct dd_forward f = {
        .net = net,
        .s = s,
        .n = n,
        .node = node,
        .ctx = { &net->kernels, net->threads, net->scratch, worker },
        .y = dd_forward_map(net, s, n->y),
        .x = dd_forward_map(net, s, n->x),
        .pre = dd_forward_has_pre(n) ? &pre : NULL,
        .weights = net->packed[node],
    };

    dd_operation(n)->forward(&f);
}

size_t dd_forward_scratch(const ddpm_net *net, int node)
{
    const struct dd_node *n = &net->program.node[node];
    const struct dd_operation *o = dd_operation(n);
    return o->scratch ? o->scratch(net, n, node) : 0;
}
