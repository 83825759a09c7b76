/* Computes one backward node of the list.

   The forward node may apply x' = act(x scale + shift) to its input on load.  The operation's own backward
   pass leaves dx'.  From dx', dd_pre_backward computes dx and the two sums that the norm's backward node
   needs. dx' usually lies where dx goes.  It lies in scratch if that place already holds other terms of dx,
   which it must not overwrite.

   Scratch holds dx' if it lies there, then what the operation itself needs. */
#include "net/backward.h"
#include "layer/parallel.h"
#include "layer/pre.h"
#include "layer/resample.h"
#include "net/forward.h"

int dd_backward_images_of_pass(const ddpm_net *net, const struct dd_node *n)
{
    const struct dd_value *dx = &net->program.value[n->dx.value];
    if (!dd_operation(n)->in_passes)
        return net->batch;
    return dd_images_of_pass((size_t)dx->h * (size_t)dx->w * (size_t)dx->c, net->threads, net->batch);
}

/* Returns the floats of dx' in scratch, or 0 if it does not lie there.  It lies there if dx is added to,
   and either the operation cannot add or dx' still has to go through pre. */
static size_t apart(const ddpm_net *net, const struct dd_node *n)
{
    const struct dd_operation *o = dd_operation(n);
    const struct dd_value *dx = &net->program.value[n->dx.value];
    if (!n->dx.add || o->in_place || (o->adds && !dd_forward_has_pre(n)))
        return 0;
    return dd_aligned((size_t)dd_backward_images_of_pass(net, n) * (size_t)dx->h * (size_t)dx->w *
                      (size_t)dx->c);
}

static struct dd_backward begin(ddpm_net *net, const struct dd_slice *s, int node, struct dd_worker *worker)
{
    const struct dd_node *n = &net->program.node[node];
    const struct dd_part *part = dd_program_part(&net->program, n);
    size_t floats = apart(net, n);
    struct dd_backward b = {
        .net = net,
        .s = s,
        .n = n,
        .node = node,
        .ctx = { &net->kernels, net->threads, net->scratch + floats, worker },
        .dy = dd_forward_map(net, s, n->y),
        .x = dd_forward_map(net, s, n->x),
        .add = n->dx.add && !floats,
        .pre = dd_forward_pre(net, s, n),
        .weights = net->packed[n->of - 1],
    };

    if (n->dnorm.value) {
        b.dscale = dd_forward_map(net, s, n->dnorm.value).data;
        b.dshift = b.dscale + (size_t)b.x.n * (size_t)b.x.c;
    }
    if (part) {
        b.dweight = net->sums[part->weight];
        b.dbias = part->bias < 0 ? NULL : net->sums[part->bias];
    }

    /* dx' lies where dx does, in dy, or in scratch. */
    if (n->dx.value)
        b.inner = b.dx = dd_forward_map(net, s, n->dx.value);
    if (dd_operation(n)->in_place)
        b.inner = b.dy;
    if (floats) {
        b.inner.data = net->scratch;
        b.inner.stride = (size_t)b.inner.c;
    }
    return b;
}

const struct dd_map *dd_backward_map(struct dd_map *m, const struct dd_backward *b, int value)
{
    *m = dd_forward_map(b->net, b->s, value);
    return value ? m : NULL;
}

void dd_backward_pre(const struct dd_backward *b)
{
    if (dd_forward_has_pre(b->n))
        dd_pre_backward(&b->ctx, (struct dd_grad_map){ &b->dx, b->n->dx.add },
                        (struct dd_pre_sums){ b->dscale, b->dshift }, &b->inner, &b->x, &b->pre);
    else if (b->inner.data != b->dx.data)
        dd_resample_copy_backward(&b->ctx, &b->dx, true, &b->inner, 1);
}

struct dd_backward dd_backward_images(const struct dd_backward *b, int first, int n)
{
    struct dd_backward part = *b;
    size_t at = (size_t)first * (size_t)b->x.c;

    part.dy = dd_map_images(&b->dy, first, n);
    part.x = dd_map_images(&b->x, first, n);
    part.dx = dd_map_images(&b->dx, first, n);
    /* dx' in scratch has room for these images only. */
    part.inner = b->inner.data == b->dx.data ? part.dx : dd_map_images(&b->inner, 0, n);

    if (b->pre.scale) {
        part.pre.scale += at;
        part.pre.shift += at;
    }
    if (b->dscale) {
        part.dscale += at;
        part.dshift += at;
    }
    return part;
}

void dd_backward_node(ddpm_net *net, const struct dd_slice *s, int node, struct dd_worker *worker)
{
    struct dd_backward b = begin(net, s, node, worker);
    const struct dd_operation *o = dd_operation(b.n);
    o->backward(&b);
    if (b.dx.data && !o->in_passes)
        dd_backward_pre(&b);
}

size_t dd_backward_scratch(const ddpm_net *net, int node)
{
    const struct dd_node *n = &net->program.node[node];
    const struct dd_operation *o = dd_operation(n);
    const struct dd_value *x = &net->program.value[n->x];

    size_t own = o->backward_scratch ? o->backward_scratch(net, n, node) : 0, pre = 0;
    if (n->norm && dd_forward_has_pre(n))
        pre = dd_pre_scratch(net->batch, x->h, x->w, x->c);
    return apart(net, n) * sizeof(float) + (own > pre ? own : pre);
}
