/* Gradients of a convolution, see conv_gradient.h.

   The gradient by x at stride 1 is a convolution of dz by the engines of conv.c.  Its weights are transposed
   and turned by half a circle, and its padding is kernel - 1 less the forward padding.  Other strides are in
   conv_gradient_stride.c.  The gradient by w is in conv_gradient_winograd.c and conv_gradient_direct.c. */
#include <stdlib.h>
#include <string.h>
#include "layer/conv_gradient_engine.h"

struct dd_conv_shape dd_conv_gradient_shape(const struct dd_conv_shape *s)
{
    int last = s->kernel - 1;
    return (struct dd_conv_shape){
        .h = dd_conv_height(s),
        .w = dd_conv_width(s),
        .cin = s->cout,
        .cout = s->cin,
        .kernel = s->kernel,
        .stride = 1,
        .top = last - s->top,
        .left = last - s->left,
        .bottom = last - s->bottom,
        .right = last - s->right,
    };
}

/* Says whether the gradient by the weights is computed by Winograd.  The forward pass must be able to, and
   there must be enough channels to pay for the transforms and tiles that are not mostly edge. */
static int tiled(const struct dd_conv_shape *s, const char *engine)
{
    enum { CHANNELS_LEAST = 16 };

    size_t tiles = dd_blocks((size_t)s->h, 4) * dd_blocks((size_t)s->w, 4);
    if (s->kernel != 3 || s->stride != 1 || s->top != 1 || s->left != 1 || s->bottom != 1 || s->right != 1)
        return 0;
    if (engine && !strcmp(engine, "winograd"))
        return 1;
    return s->cin >= CHANNELS_LEAST && s->cout >= CHANNELS_LEAST && 4 * tiles < (size_t)s->h * (size_t)s->w;
}

void dd_conv_gradient_place(struct dd_conv_gradient *g, size_t own)
{
    struct dd_conv_gradient_plan *p = &g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t cin = (size_t)g->shape.cin, cout = (size_t)g->shape.cout;
    p->own = dd_aligned(own);
    p->b = p->a + dd_aligned(o->planes * o->a_plane);
    p->c = p->b + dd_aligned(o->planes * o->b_plane);
    p->bias = p->c + dd_aligned(o->planes * o->c_plane);
    p->zero = p->bias + dd_aligned(cout * sizeof(double) / sizeof(float));
    p->thread = p->zero + dd_aligned(cin > cout ? cin : cout);
    p->all = p->thread + (size_t)g->threads * p->own;
}

void dd_conv_gradient_bias(const struct dd_conv_gradient_work *w, size_t panel, struct dd_in z, size_t count,
                           bool add)
{
    enum { NR_MOST = 64 };
    const struct dd_conv_gradient *g = w->g;
    size_t nr = g->k->gemm_nr, first = panel * nr, n = dd_min(nr, (size_t)g->shape.cout - first);
    double *bias = (double *)(void *)(w->scratch + g->plan.bias) + first;
    float sum[NR_MOST];
    g->k->sums(sum, z, count, n);
    for (size_t j = 0; j < n; j++)
        bias[j] = (add ? bias[j] : 0) + sum[j];
}

/* Adds bias to db, unless db is NULL. */
static void store_bias(const struct dd_conv_gradient_work *w)
{
    const double *bias = (const double *)(const void *)(w->scratch + w->g->plan.bias);
    for (int o = 0; w->db && o < w->g->shape.cout; o++)
        w->db[o] = (float)(w->db[o] + bias[o]);
}

void dd_conv_gradient_store(const struct dd_conv_gradient_work *w, struct dd_worker *worker,
                            dd_conv_gradient_panels *store_panels)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    size_t rows = p->outer.row_panels, panels = rows * p->outer.column_panels;
    DD_TASKS(worker, item, panels + 1)
        if (item == panels)
            store_bias(w);
        else
            store_panels(w, w->scratch + p->thread + dd_thread(worker) * p->own, item % rows, item / rows);
}

const char *dd_conv_gradient_engine(const struct dd_conv_shape *s, const char *asked)
{
    enum { PIXELS_LEAST = 8 * 8 };

    if (asked && strcmp(asked, "auto"))
        return asked;
    return tiled(s, NULL) && s->h * s->w >= PIXELS_LEAST ? "winograd" : NULL;
}

int dd_conv_gradient_open(struct dd_conv_gradient **out, const struct dd_conv_shape *s,
                          const struct dd_conv_setup *setup, ddpm_error *err)
{
    struct dd_conv_gradient *g = calloc(1, sizeof *g);
    struct dd_conv_setup own = *setup;
    if (!g)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for the gradient of a convolution of %d to %d channels", s->cin,
                        s->cout);

    *g = (struct dd_conv_gradient){
        .shape = *s,
        .k = setup->k,
        .batch = setup->batch,
        .threads = setup->threads,
        .team = setup->team,
        .tiled = tiled(s, setup->engine),
    };
    if (g->tiled)
        dd_conv_gradient_winograd_plan(g);
    else
        dd_conv_gradient_direct_plan(g);

    /* The dnnl engine does not take turned weights. */
    own.engine = dd_conv_gradient_engine(s, own.engine && !strcmp(own.engine, "dnnl") ? NULL : own.engine);
    struct dd_conv_shape t = dd_conv_gradient_shape(s);
    int code = s->stride == 1 ? dd_conv_open(&g->data, &t, &own, err) : DDPM_OK;
    if (code) {
        free(g);
        return code;
    }
    *out = g;
    return DDPM_OK;
}

void dd_conv_gradient_close(struct dd_conv_gradient *g)
{
    if (g && g->data)
        dd_conv_close(g->data);
    free(g);
}

size_t dd_conv_gradient_packed(const struct dd_conv_gradient *g)
{
    return g->data ? dd_conv_packed(g->data) : dd_conv_gradient_stride_packed(g);
}

/* Returns the floats of x' if a pass of its own computes x', else 0. */
static size_t input_floats(const struct dd_conv_gradient *g)
{
    const struct dd_conv_shape *s = &g->shape;
    if (g->tiled || g->plan.exchanged || s->kernel == 1)
        return 0;
    return dd_aligned((size_t)g->batch * (size_t)s->h * (size_t)s->w * (size_t)s->cin);
}

size_t dd_conv_gradient_scratch(const struct dd_conv_gradient *g)
{
    size_t data = g->data ? dd_conv_scratch(g->data) : 0,
           by_weights = sizeof(float) * (input_floats(g) + g->plan.all);
    return data > by_weights ? data : by_weights;
}

void dd_conv_gradient_pack(struct dd_conv_gradient *g, void *packed, const float *w)
{
    size_t taps = (size_t)g->shape.kernel * (size_t)g->shape.kernel;
    if (g->data)
        dd_conv_pack_weights(g->data, packed,
                             &(struct dd_conv_weights){ w, taps, taps * (size_t)g->shape.cin, 1 }, NULL);
    else
        dd_conv_gradient_stride_pack(g, packed, w);
    g->packed = packed;
}

void dd_conv_gradient_data(const struct dd_conv_gradient *g, const struct dd_context *ctx,
                           const struct dd_map *dx, const struct dd_map *dz)
{
    if (g->data)
        dd_conv_forward(g->data, ctx, dx, dz, NULL, NULL);
    else
        dd_conv_gradient_stride_data(g, ctx, dx, dz);
}

void dd_conv_gradient_weights(const struct dd_conv_gradient *g, const struct dd_context *ctx, float *dw,
                              float *db, const struct dd_map *dz, const struct dd_map *x,
                              const struct dd_pre *pre)
{
    struct dd_map in = *x;
    struct dd_conv_gradient_work w = { g, dz, x, pre, ctx->scratch + input_floats(g), dw, db };

    if (pre && input_floats(g)) {
        in.data = ctx->scratch;
        in.stride = (size_t)in.c;
        dd_conv_load(ctx, &in, x, pre);
        w.x = &in;
        w.pre = NULL;
    }

    if (g->tiled)
        dd_conv_gradient_winograd_run(&w, ctx->worker);
    else
        dd_conv_gradient_direct_run(&w, ctx->worker);
}
