/* From a node to the layer that computes it. */
#include "net/forward.h"
#include "layer/embed.h"
#include "layer/norm.h"
#include "layer/resample.h"
#include "net/params.h"

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

static void conv(ddpm_net *net, const struct dd_context *ctx, const struct dd_slice *s,
                 const struct dd_node *n, struct dd_conv *c)
{
    struct dd_map y = dd_forward_map(net, s, n->y), x = dd_forward_map(net, s, n->x), add, residual;
    struct dd_pre pre = dd_forward_pre(net, s, n);
    struct dd_post post = { .scale = n->scale };
    if (n->add) {
        add = dd_forward_map(net, s, n->add);
        post.add = add.data;
        post.add_stride = add.stride;
    }
    if (n->residual) {
        residual = dd_forward_map(net, s, n->residual);
        post.residual = &residual;
    }
    bool plain = !n->add && !n->residual && n->scale == 1;
    dd_conv_forward(c, ctx, &y, &x, n->norm || n->pre != DD_ACT_NONE ? &pre : NULL, plain ? NULL : &post);
}

static void norm(ddpm_net *net, const struct dd_context *ctx, const struct dd_slice *s, int node)
{
    const struct dd_node *n = &net->program.node[node];
    struct dd_map y = dd_forward_map(net, s, n->y), x = dd_forward_map(net, s, n->x), emb = { .data = NULL };
    const float *gamma = net->packed[node],
                *beta = gamma + dd_params_second(&net->program, dd_program_part(&net->program, n));
    if (n->emb)
        emb = dd_forward_map(net, s, n->emb);
    float *shift = y.data + (size_t)y.n * (size_t)x.c,
          *moments = net->program.training ? shift + (size_t)y.n * (size_t)x.c : NULL;
    dd_norm_forward(ctx, y.data, shift, moments, &x, n->groups, n->eps, gamma, beta, emb.data, emb.stride);
}

static void rms(ddpm_net *net, const struct dd_context *ctx, const struct dd_slice *s, int node)
{
    const struct dd_node *n = &net->program.node[node];
    struct dd_map y = dd_forward_map(net, s, n->y), x = dd_forward_map(net, s, n->x), emb = { .data = NULL },
                  residual;
    if (n->emb)
        emb = dd_forward_map(net, s, n->emb);
    if (n->residual)
        residual = dd_forward_map(net, s, n->residual);
    dd_norm_rms_forward(ctx, &y, &x, net->packed[node], emb.data, emb.stride, n->residual ? &residual : NULL,
                        n->act);
}

void dd_forward_node(ddpm_net *net, const struct dd_slice *s, int node)
{
    const struct dd_node *n = &net->program.node[node];
    struct dd_context context = { &net->kernels, net->threads, net->scratch }, *ctx = &context;
    struct dd_map y = dd_forward_map(net, s, n->y), x = dd_forward_map(net, s, n->x);
    struct dd_pre pre = dd_forward_pre(net, s, n), *p = n->norm || n->pre != DD_ACT_NONE ? &pre : NULL;
    const float *w = net->packed[node];
    switch (n->op) {
    case DD_OP_EMBED: dd_embed_forward(ctx, &y, s->t, w, n->cos_first); break;
    case DD_OP_CLASS: dd_embed_class_forward(ctx, &y, w, s->classes); break;
    case DD_OP_CONV: conv(net, ctx, s, n, net->conv[node]); break;
    case DD_OP_NORM: norm(net, ctx, s, node); break;
    case DD_OP_RMS: rms(net, ctx, s, node); break;
    case DD_OP_ATTENTION: dd_attention_forward(ctx, &y, &x, &n->attention, w); break;
    case DD_OP_LINEAR_ATTENTION: dd_linear_attention_forward(ctx, &y, &x, &n->attention, w); break;
    case DD_OP_UPSAMPLE: dd_resample_up_forward(ctx, &y, &x, p); break;
    case DD_OP_AVGPOOL: dd_resample_mean_forward(ctx, &y, &x, p); break;
    case DD_OP_UNSHUFFLE: dd_resample_unshuffle_forward(ctx, &y, &x); break;
    case DD_OP_COPY: dd_resample_copy_forward(ctx, &y, &x, p, n->a, n->b); break;
    case DD_OP_DROPOUT: dd_dropout_forward(ctx, &y, &x, p, n->p, s->masks, (uint32_t)node); break;
    case DD_OPS: break;
    }
}

size_t dd_forward_scratch(const ddpm_net *net, int node)
{
    const struct dd_node *n = &net->program.node[node];
    const struct dd_value *x = &net->program.value[n->x];
    switch (n->op) {
    case DD_OP_CONV: return dd_conv_scratch(net->conv[node]);
    case DD_OP_NORM: return dd_norm_scratch(net->batch, x->h, x->w, x->c);
    case DD_OP_ATTENTION: return dd_attention_scratch(&net->kernels, &n->attention, net->batch, net->threads);
    case DD_OP_LINEAR_ATTENTION:
        return dd_linear_attention_scratch(&net->kernels, &n->attention, net->batch, net->threads);
    case DD_OP_UPSAMPLE:
    case DD_OP_AVGPOOL:
        return n->norm || n->pre != DD_ACT_NONE ? dd_resample_scratch(net->batch, x->h, x->w, x->c) : 0;
    default: return 0;
    }
}
