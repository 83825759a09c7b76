/* From a backward node to the layers that compute it.

   What a node applied to its input on load, x' = act(x scale + shift), is undone behind its own backward pass: that leaves dx' in scratch,
   or where dx goes when that has nothing to add to, and dd_pre_backward makes dx of it and the sums that the norm's node begins with.
   Scratch: dx' when it lies there, then the layer's own. */
#include "net/backward.h"
#include "layer/conv_gradient.h"
#include "layer/embed.h"
#include "layer/norm.h"
#include "layer/parallel.h"
#include "layer/pre.h"
#include "layer/resample.h"
#include "net/forward.h"
#include "net/params.h"

/* A norm's own node mentions its scale and shift too, but applies nothing. */
static bool has_pre(const struct dd_node *n)
{
    return n->op != DD_OP_NORM && (n->norm || n->pre != DD_ACT_NONE);
}

/* Images that a convolution's own pass and what undoes its pre go through at a time. */
static int images_of_pass(const ddpm_net *net, const struct dd_node *n)
{
    const struct dd_value *dx = &net->program.value[n->dx.value];
    return n->op == DD_OP_CONV
               ? dd_images_of_pass((size_t)dx->h * (size_t)dx->w * (size_t)dx->c, net->threads, net->batch)
               : net->batch;
}

/* Of dx' when it lies in scratch: when it is more or other than a term of dx, or when its layer cannot add. */
static size_t apart(const ddpm_net *net, const struct dd_node *n)
{
    const struct dd_value *dx = &net->program.value[n->dx.value];
    bool adds =
        n->op != DD_OP_CONV && n->op != DD_OP_ATTENTION && n->op != DD_OP_LINEAR_ATTENTION && !has_pre(n);
    if (!n->dx.add || adds || n->op == DD_OP_DROPOUT)
        return 0;
    return dd_aligned((size_t)images_of_pass(net, n) * (size_t)dx->h * (size_t)dx->w * (size_t)dx->c);
}

/* A backward node at work: dy; dx, no data: not asked for; dx', and whether it is added to; pre and the gradients by its scale and shift. */
struct step {
    ddpm_net *net;
    const struct dd_slice *s;
    const struct dd_node *n;
    struct dd_context ctx;
    struct dd_map dy, x, dx, inner;
    bool add;
    struct dd_pre pre;
    float *dscale, *dshift;
    float *dweight, *dbias; /* of the node's first part */
};

static struct step begin(ddpm_net *net, const struct dd_slice *s, const struct dd_node *n)
{
    const struct dd_part *part = dd_program_part(&net->program, n);
    size_t floats = apart(net, n);
    struct step b = { .net = net,
                      .s = s,
                      .n = n,
                      .ctx = { &net->kernels, net->threads, net->scratch + floats },
                      .add = n->dx.add && !floats };
    b.dy = dd_forward_map(net, s, n->y);
    b.x = dd_forward_map(net, s, n->x);
    b.pre = dd_forward_pre(net, s, n);
    if (n->dnorm.value) {
        b.dscale = dd_forward_map(net, s, n->dnorm.value).data;
        b.dshift = b.dscale + (size_t)b.x.n * (size_t)b.x.c;
    }
    if (n->dx.value)
        b.inner = b.dx = dd_forward_map(net, s, n->dx.value);
    if (n->op == DD_OP_DROPOUT)
        b.inner = b.dy;
    if (floats) {
        b.inner.data = net->scratch;
        b.inner.stride = (size_t)b.inner.c;
    }
    if (part) {
        b.dweight = net->sums[part->weight];
        b.dbias = part->bias < 0 ? NULL : net->sums[part->bias];
    }
    return b;
}

static const struct dd_map *map_of(struct dd_map *m, const struct step *b, int value)
{
    *m = dd_forward_map(b->net, b->s, value);
    return value ? m : NULL;
}

/* From dx' to dx. */
static void through_pre(const struct step *b)
{
    if (has_pre(b->n))
        dd_pre_backward(&b->ctx, &b->dx, b->n->dx.add, b->dscale, b->dshift, &b->inner, &b->x, &b->pre);
    else if (b->inner.data != b->dx.data)
        dd_resample_copy_backward(&b->ctx, &b->dx, true, &b->inner, 1);
}

/* The same node for n images from `first` on. */
static struct step images(const struct step *b, int first, int n)
{
    struct step part = *b;
    size_t at = (size_t)first * (size_t)b->x.c;
    part.dy = dd_map_images(&b->dy, first, n);
    part.x = dd_map_images(&b->x, first, n);
    part.dx = dd_map_images(&b->dx, first, n);
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

static void conv(const struct step *b, const struct dd_conv_gradient *g)
{
    const struct dd_node *n = b->n;
    struct dd_map residual, add;
    if (n->dresidual.value || n->dadd.value || n->scale != 1)
        dd_pre_store_backward(&b->ctx, &b->dy, map_of(&residual, b, n->dresidual.value), n->dresidual.add,
                              map_of(&add, b, n->dadd.value), n->dadd.add, &b->dy, NULL, n->scale,
                              DD_ACT_NONE);
    if (b->net->program.derivatives == DD_BY_PARAMETERS)
        dd_conv_gradient_weights(g, &b->ctx, b->dweight, b->dbias, &b->dy, &b->x,
                                 has_pre(n) ? &b->pre : NULL);
    if (!b->dx.data)
        return;
    for (int first = 0, most = images_of_pass(b->net, n); first < b->x.n; first += most) {
        struct step part = images(b, first, (int)dd_min((size_t)most, (size_t)(b->x.n - first)));
        dd_conv_gradient_data(g, &part.ctx, &part.inner, &part.dy);
        through_pre(&part);
    }
}

static void norm(const struct step *b, const float *gamma)
{
    const struct dd_node *n = b->n;
    const struct dd_program *p = &b->net->program;
    const float *beta = gamma + dd_params_second(p, dd_program_part(p, n));
    struct dd_map demb, emb, forward = dd_forward_map(b->net, b->s, n->norm);
    size_t nc = (size_t)b->x.n * (size_t)b->x.c;
    map_of(&demb, b, n->demb.value);
    map_of(&emb, b, n->emb);
    dd_norm_backward(&b->ctx, &b->dx, b->dweight, b->dbias, n->emb ? demb.data : NULL, demb.stride,
                     n->demb.add, b->dy.data, b->dy.data + nc, &b->x, n->groups, forward.data + 2 * nc, gamma,
                     beta, n->emb ? emb.data : NULL, emb.stride);
}

static void rms(const struct step *b, const float *gain)
{
    const struct dd_node *n = b->n;
    struct dd_map demb, emb, residual;
    map_of(&demb, b, n->demb.value);
    map_of(&emb, b, n->emb);
    dd_norm_rms_backward(&b->ctx, &b->dx, b->add, b->dweight, n->emb ? demb.data : NULL, demb.stride,
                         n->demb.add, map_of(&residual, b, n->dresidual.value), n->dresidual.add, &b->dy,
                         &b->x, gain, n->emb ? emb.data : NULL, emb.stride, n->act);
}

/* No dx': they read the network's input, whose gradient nobody asked for. */
static void resample(const struct step *b)
{
    if (!b->inner.data)
        return;
    switch (b->n->op) {
    case DD_OP_UPSAMPLE: dd_resample_up_backward(&b->ctx, &b->inner, b->add, &b->dy); break;
    case DD_OP_AVGPOOL: dd_resample_mean_backward(&b->ctx, &b->inner, b->add, &b->dy); break;
    case DD_OP_UNSHUFFLE: dd_resample_unshuffle_backward(&b->ctx, &b->inner, b->add, &b->dy); break;
    default: dd_resample_copy_backward(&b->ctx, &b->inner, b->add, &b->dy, b->n->a); break;
    }
}

void dd_backward_node(ddpm_net *net, const struct dd_slice *s, int node)
{
    const struct dd_node *n = &net->program.node[node];
    struct step step = begin(net, s, n), *b = &step;
    const float *w = net->packed[n->of - 1];
    switch (n->op) {
    case DD_OP_CLASS: dd_embed_class_backward(&b->ctx, b->dweight, &b->dy, s->classes); break;
    case DD_OP_CONV: conv(b, net->reverse[node]); break;
    case DD_OP_NORM: norm(b, w); break;
    case DD_OP_RMS: rms(b, w); break;
    case DD_OP_ATTENTION:
        dd_attention_backward(&b->ctx, &b->inner, b->dweight, &b->dy, &b->x, &n->attention, w);
        break;
    case DD_OP_LINEAR_ATTENTION:
        dd_linear_attention_backward(&b->ctx, &b->inner, b->dweight, &b->dy, &b->x, &n->attention, w);
        break;
    case DD_OP_UPSAMPLE:
    case DD_OP_AVGPOOL:
    case DD_OP_UNSHUFFLE:
    case DD_OP_COPY: resample(b); break;
    case DD_OP_DROPOUT: dd_dropout_backward(&b->ctx, &b->dy, n->p, s->masks, (uint32_t)(n->of - 1)); break;
    case DD_OP_EMBED:
        if (s->dt)
            dd_embed_backward(s->dt, &b->dy, &b->x, w, n->cos_first);
        break;
    case DD_OPS: break;
    }
    if (b->dx.data && n->op != DD_OP_CONV)
        through_pre(b);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t dd_backward_scratch(const ddpm_net *net, int node)
{
    const struct dd_node *n = &net->program.node[node];
    const struct dd_value *x = &net->program.value[n->x], *y = &net->program.value[n->y];
    size_t own = n->norm ? dd_pre_scratch(net->batch, x->h, x->w, x->c) : 0;
    switch (n->op) {
    case DD_OP_CONV:
        own = larger(own, dd_conv_gradient_scratch(net->reverse[node]));
        own = larger(own, n->dadd.value ? dd_pre_scratch(net->batch, y->h, y->w, y->c) : 0);
        break;
    case DD_OP_NORM: own = dd_norm_backward_scratch(net->batch, x->c); break;
    case DD_OP_RMS: own = dd_norm_rms_backward_scratch(net->batch, x->h, x->w, x->c, net->threads); break;
    case DD_OP_ATTENTION:
        own = dd_attention_backward_scratch(&net->kernels, &n->attention, net->batch, net->threads);
        break;
    case DD_OP_LINEAR_ATTENTION:
        own = dd_linear_attention_backward_scratch(&net->kernels, &n->attention, net->batch, net->threads);
        break;
    default: break;
    }
    return apart(net, n) * sizeof(float) + own;
}
