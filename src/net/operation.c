/* Calls the layer that computes a node.  Each operation has a forward pass, a backward pass, and functions
   for the scratch that they need.  The table at the end is made from operation.def. */
#include "layer/conv_gradient.h"
#include "layer/embed.h"
#include "layer/norm.h"
#include "layer/parallel.h"
#include "layer/pre.h"
#include "layer/resample.h"
#include "layer/tokens.h"
#include "net/backward.h"
#include "net/forward.h"
#include "net/operation.h"
#include "net/params.h"

/* ---- timestep and class ---- */

static void embed_forward(const struct dd_forward *f)
{
    dd_embed_forward(&f->ctx, &f->y, f->s->t, f->weights, f->n->cos_first);
}

static void embed_backward(const struct dd_backward *b)
{
    if (b->s->dt)
        dd_embed_backward(&b->ctx, b->s->dt, &b->dy, &b->x, b->weights, b->n->cos_first);
}

static void class_forward(const struct dd_forward *f)
{
    dd_embed_class_forward(&f->ctx, &f->y, f->n->x != 0, f->weights, f->s->classes);
}

static void class_backward(const struct dd_backward *b)
{
    dd_embed_class_backward(&b->ctx, b->dweight, &b->dy, b->s->classes);
}

/* ---- convolution ---- */

static void conv_forward(const struct dd_forward *f)
{
    const struct dd_node *n = f->n;
    struct dd_post post = { .scale = n->scale };
    struct dd_map add, residual;
    if (n->add) {
        add = dd_forward_map(f->net, f->s, n->add);
        post.add = add.data;
        post.add_stride = add.stride;
    }
    if (n->residual) {
        residual = dd_forward_map(f->net, f->s, n->residual);
        post.residual = &residual;
    }

    bool plain = !n->add && !n->residual && n->scale == 1;
    dd_conv_forward(f->net->conv[f->node], &f->ctx, &f->y, &f->x, f->pre, plain ? NULL : &post);
}

static size_t conv_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)n;
    return dd_conv_scratch(net->conv[node]);
}

static double conv_flops(const struct dd_program *p, const struct dd_node *n)
{
    struct dd_conv_shape shape = dd_program_shape(p, n);
    return dd_conv_flops(&shape);
}

/* Undoes the post of forward first, in place in dy. */
static void conv_backward(const struct dd_backward *b)
{
    const struct dd_node *n = b->n;
    const struct dd_conv_gradient *g = b->net->reverse[b->node];
    struct dd_map residual, add;
    if (n->dresidual.value || n->dadd.value || n->scale != 1) {
        struct dd_grad_map dresidual = { dd_backward_map(&residual, b, n->dresidual.value),
                                         n->dresidual.add },
                           dadd = { dd_backward_map(&add, b, n->dadd.value), n->dadd.add };
        dd_pre_store_backward(&b->ctx, &b->dy, dresidual, dadd, &b->dy,
                              &(struct dd_pre_store){ .scale = n->scale });
    }

    if (b->net->program.derivatives == DD_BY_PARAMETERS)
        dd_conv_gradient_weights(g, &b->ctx, b->dweight, b->dbias, &b->dy, &b->x,
                                 dd_forward_has_pre(n) ? &b->pre : NULL);
    if (!b->dx.data)
        return;

    int most = dd_backward_images_of_pass(b->net, n);
    for (int first = 0; first < b->x.n; first += most) {
        int images = (int)dd_min((size_t)most, (size_t)(b->x.n - first));
        struct dd_backward part = dd_backward_images(b, first, images);
        dd_conv_gradient_data(g, &part.ctx, &part.inner, &part.dy);
        dd_backward_pre(&part);
    }
}

static size_t conv_backward_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    const struct dd_value *y = &net->program.value[n->y];
    size_t gradient = dd_conv_gradient_scratch(net->reverse[node]);
    size_t store = n->dadd.value ? dd_pre_scratch(net->batch, y->h, y->w, y->c) : 0;
    return gradient > store ? gradient : store;
}

/* ---- norms ---- */

/* Returns the map emb, which holds s and b of a norm, or no map. */
static struct dd_norm_emb emb_of(const ddpm_net *net, const struct dd_slice *s, const struct dd_node *n)
{
    if (!n->emb)
        return (struct dd_norm_emb){ NULL, 0 };
    struct dd_map emb = dd_forward_map(net, s, n->emb);
    return (struct dd_norm_emb){ emb.data, emb.stride };
}

/* Returns the norm of a node.  Its beta lies behind its gamma. */
static struct dd_norm norm_of(const ddpm_net *net, const struct dd_slice *s, const struct dd_node *n,
                              const float *weights)
{
    const struct dd_part *part = dd_program_part(&net->program, n);
    return (struct dd_norm){
        .groups = n->groups,
        .eps = n->eps,
        .gamma = weights,
        .beta = weights + dd_params_second(&net->program, part),
        .emb = emb_of(net, s, n),
    };
}

/* Returns where the gradients by the parameters of a norm or an RMS norm go. */
static struct dd_norm_gradients gradients_of(const struct dd_backward *b)
{
    struct dd_map demb;
    dd_backward_map(&demb, b, b->n->demb.value);
    return (struct dd_norm_gradients){
        .dgamma = b->dweight,
        .dbeta = b->dbias,
        .demb = b->n->emb ? demb.data : NULL,
        .demb_stride = demb.stride,
        .demb_add = b->n->demb.add,
    };
}

static void norm_forward(const struct dd_forward *f)
{
    struct dd_norm norm = norm_of(f->net, f->s, f->n, f->weights);
    size_t nc = (size_t)f->y.n * (size_t)f->x.c;
    float *scale = f->y.data, *shift = scale + nc;
    float *moments = f->net->program.training ? shift + nc : NULL;
    dd_norm_forward(&f->ctx, scale, shift, moments, &f->x, &norm);
}

static size_t norm_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    const struct dd_value *x = &net->program.value[n->x];
    (void)node;
    return dd_norm_scratch(net->batch, x->h, x->w, x->c);
}

static void norm_backward(const struct dd_backward *b)
{
    struct dd_norm norm = norm_of(b->net, b->s, b->n, b->weights);
    struct dd_norm_gradients d = gradients_of(b);
    struct dd_map forward = dd_forward_map(b->net, b->s, b->n->norm);
    size_t nc = (size_t)b->x.n * (size_t)b->x.c;

    struct dd_norm_sums sums = { b->dy.data, b->dy.data + nc, forward.data + 2 * nc };
    dd_norm_backward(&b->ctx, &b->dx, &d, &sums, &b->x, &norm);
}

static size_t norm_backward_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)node;
    return dd_norm_backward_scratch(net->batch, net->program.value[n->x].c);
}

static void rms_forward(const struct dd_forward *f)
{
    struct dd_norm_rms rms = { f->weights, emb_of(f->net, f->s, f->n), f->n->act };
    struct dd_map residual;
    if (f->n->residual)
        residual = dd_forward_map(f->net, f->s, f->n->residual);
    dd_norm_rms_forward(&f->ctx, &f->y, &f->x, &rms, f->n->residual ? &residual : NULL);
}

static void rms_backward(const struct dd_backward *b)
{
    struct dd_norm_rms rms = { b->weights, emb_of(b->net, b->s, b->n), b->n->act };
    struct dd_norm_gradients d = gradients_of(b);
    struct dd_map residual;
    struct dd_grad_map dresidual = {
        .map = dd_backward_map(&residual, b, b->n->dresidual.value),
        .add = b->n->dresidual.add,
    };
    dd_norm_rms_backward(&b->ctx, (struct dd_grad_map){ &b->dx, b->add }, &d, dresidual, &b->dy, &b->x, &rms);
}

static size_t rms_backward_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    const struct dd_value *x = &net->program.value[n->x];
    (void)node;
    return dd_norm_rms_backward_scratch(net->batch, x->h, x->w, x->c, net->threads);
}

/* ---- attention ---- */

static void attention_forward(const struct dd_forward *f)
{
    dd_attention_forward(&f->ctx, &f->y, &f->x, &f->n->attention, f->weights);
}

static size_t attention_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)node;
    return dd_attention_scratch(&net->kernels, &n->attention, net->batch, net->threads);
}

static void attention_backward(const struct dd_backward *b)
{
    dd_attention_backward(&b->ctx, &b->inner, b->dweight, &b->dy, &b->x, &b->n->attention, b->weights);
}

static size_t attention_backward_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)node;
    return dd_attention_backward_scratch(&net->kernels, &n->attention, net->batch, net->threads);
}

static double attention_flops(const struct dd_program *p, const struct dd_node *n)
{
    (void)p;
    return dd_attention_flops(&n->attention);
}

static void linear_forward(const struct dd_forward *f)
{
    dd_linear_attention_forward(&f->ctx, &f->y, &f->x, &f->n->attention, f->weights);
}

static size_t linear_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)node;
    return dd_linear_attention_scratch(&net->kernels, &n->attention, net->batch, net->threads);
}

static void linear_backward(const struct dd_backward *b)
{
    dd_linear_attention_backward(&b->ctx, &b->inner, b->dweight, &b->dy, &b->x, &b->n->attention, b->weights);
}

static size_t linear_backward_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    (void)node;
    return dd_linear_attention_backward_scratch(&net->kernels, &n->attention, net->batch, net->threads);
}

static double linear_flops(const struct dd_program *p, const struct dd_node *n)
{
    (void)p;
    return dd_linear_attention_flops(&n->attention);
}

/* ---- attention pooling ---- */

static void tokens_forward(const struct dd_forward *f)
{
    dd_tokens_forward(&f->ctx, &f->y, &f->x, f->weights);
}

static void tokens_backward(const struct dd_backward *b)
{
    dd_tokens_backward(&b->ctx, &b->inner, b->dweight, &b->dy);
}

static void first_forward(const struct dd_forward *f)
{
    dd_tokens_first_forward(&f->ctx, &f->y, &f->x);
}

static void first_backward(const struct dd_backward *b)
{
    dd_tokens_first_backward(&b->ctx, &b->inner, &b->dy);
}

/* ---- resolution, copies, dropout ---- */

/* These backward passes may read the network's input.  dx' has no data if nobody asks for its gradient. */

static size_t resample_scratch(const ddpm_net *net, const struct dd_node *n, int node)
{
    const struct dd_value *x = &net->program.value[n->x];
    (void)node;
    return dd_forward_has_pre(n) ? dd_resample_scratch(net->batch, x->h, x->w, x->c) : 0;
}

static void upsample_forward(const struct dd_forward *f)
{
    dd_resample_up_forward(&f->ctx, &f->y, &f->x, f->pre);
}

static void upsample_backward(const struct dd_backward *b)
{
    if (b->inner.data)
        dd_resample_up_backward(&b->ctx, &b->inner, b->add, &b->dy);
}

static void avgpool_forward(const struct dd_forward *f)
{
    dd_resample_mean_forward(&f->ctx, &f->y, &f->x, f->pre);
}

static void avgpool_backward(const struct dd_backward *b)
{
    if (b->inner.data)
        dd_resample_mean_backward(&b->ctx, &b->inner, b->add, &b->dy);
}

static void unshuffle_forward(const struct dd_forward *f)
{
    dd_resample_unshuffle_forward(&f->ctx, &f->y, &f->x);
}

static void unshuffle_backward(const struct dd_backward *b)
{
    if (b->inner.data)
        dd_resample_unshuffle_backward(&b->ctx, &b->inner, b->add, &b->dy);
}

static void copy_forward(const struct dd_forward *f)
{
    dd_resample_copy_forward(&f->ctx, &f->y, &f->x, f->pre, f->n->a, f->n->b);
}

static void copy_backward(const struct dd_backward *b)
{
    if (b->inner.data)
        dd_resample_copy_backward(&b->ctx, &b->inner, b->add, &b->dy, b->n->a);
}

static void dropout_forward(const struct dd_forward *f)
{
    const struct dd_dropout_layer d = { f->n->p, (uint32_t)f->node, f->s->masks };
    dd_dropout_forward(&f->ctx, &f->y, &f->x, f->pre, &d);
}

static void dropout_backward(const struct dd_backward *b)
{
    const struct dd_dropout_layer d = { b->n->p, (uint32_t)(b->n->of - 1), b->s->masks };
    dd_dropout_backward(&b->ctx, &b->dy, &d);
}

const struct dd_operation *dd_operation(const struct dd_node *n)
{
    static const struct dd_operation operations[] = {
#define OPERATION(NAME, text, ...) \
    [DD_OP_##NAME] = { .name = text, .backward_name = text " backward", __VA_ARGS__ },
#include "net/operation.def"
#undef OPERATION
    };
    return &operations[n->op];
}

const char *dd_operation_name(const struct dd_node *n)
{
    return n->of ? dd_operation(n)->backward_name : dd_operation(n)->name;
}

/* Backward has twice as many operations: a convolution has a gradient by weights and one by its input, and
   a product in attention has one by each factor. */
double dd_operation_flops(const struct dd_program *p, const struct dd_node *n)
{
    const struct dd_operation *o = dd_operation(n);
    if (!o->flops)
        return 0;
    return n->of ? 2 * o->flops(p, &p->node[n->of - 1]) : o->flops(p, n);
}
