/* Convolution by oneDNN, C API of 2.x and 3.x: dense NHWC maps, bias, direct algorithms only.

   Only implementations on the list below are taken.  Tests have shown that their bits do not depend on
   threads, batch or place, and they can be faster than our GEMM.  There is one primitive for the full batch
   and one for a single image; they must agree in the layout of the packed weights.  Packed: weights as
   oneDNN wants them, then bias.  Scratch: oneDNN's scratchpad.

   oneDNN knows one instruction set ceiling per process, which can be set only before its first use.  So the
   first engine that is opened sets it, and an engine that wants another is refused.  oneDNN runs on as many
   threads as OpenMP allows at the call; this file sets that number and restores it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <oneapi/dnnl/dnnl.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"
#if HAVE_OPENMP
#include <omp.h>
#endif

/* Says whether oneDNN has the API of 3.x. */
#define V3 (DNNL_VERSION_MAJOR >= 3)

static const char *const allowed[] = { "jit:avx2", "jit:avx512_core", NULL };

#if V3
typedef dnnl_memory_desc_t layout; /* a handle */
typedef const_dnnl_memory_desc_t const_layout;
#else
typedef dnnl_memory_desc_t layout; /* a struct */
typedef const dnnl_memory_desc_t *const_layout;
#endif

/* A convolution of one shape for one number of images. */
struct primitive {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t run;
    dnnl_memory_t src, weights, bias, dst, scratchpad;
};

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct primitive one, batch; /* batch.run is NULL when the largest batch is 1 */
    dnnl_memory_t plain, packed; /* the two ends of `reorder`, which packs weights */
    dnnl_primitive_t reorder;
    size_t bias; /* the offset of the bias in the packed block, in floats */
};

/* Sets the threads that oneDNN will use; returns how many were set before. */
static int use_threads(int threads)
{
#if HAVE_OPENMP
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    return before;
#else
    return threads;
#endif
}

/* Makes oneDNN use the instruction sets of cpu and no others.  Returns whether it does. */
static int set_ceiling(unsigned cpu)
{
    dnnl_cpu_isa_t isa = cpu & DD_CPU_AVX512 ? dnnl_cpu_isa_avx512_core : dnnl_cpu_isa_avx2;
    if (!(cpu & DD_CPU_AVX2))
        return 0;

    /* The call fails when the ceiling was set before, so the ceiling that holds is asked for. */
    dnnl_set_max_cpu_isa(isa);
    return dnnl_get_effective_cpu_isa() == isa;
}

static dnnl_status_t make_layout(layout *l, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
#if V3
    return dnnl_memory_desc_create_with_tag(l, rank, dims, dnnl_f32, tag);
#else
    return dnnl_memory_desc_init_by_tag(l, rank, dims, dnnl_f32, tag);
#endif
}

static void free_layout(layout *l)
{
#if V3
    dnnl_memory_desc_destroy(*l);
#else
    (void)l;
#endif
}

static const_layout view(layout *l)
{
#if V3
    return *l;
#else
    return l;
#endif
}

static const char *implementation(const_dnnl_primitive_desc_t desc)
{
    const char *name = "none";
    if (desc)
        dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return name;
}

static int is_allowed(const char *name)
{
    for (int i = 0; allowed[i]; i++)
        if (!strcmp(allowed[i], name))
            return 1;
    return 0;
}

enum { SRC, WEIGHTS, BIAS, DST, LAYOUTS };

/* Sets *desc to the first allowed implementation, or returns dnnl_unimplemented. */
static dnnl_status_t find_implementation(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, layout *l,
                                         const struct dd_conv_shape *s, dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t strides = { s->stride, s->stride }, begin = { s->top, s->left },
                      end = { s->bottom, s->right };
#if V3
    const dnnl_dims_t dilates = { 0, 0 };
    dnnl_status_t status =
        dnnl_convolution_forward_primitive_desc_create(desc, engine, dnnl_forward_inference,
                                                       dnnl_convolution_direct, l[SRC], l[WEIGHTS], l[BIAS],
                                                       l[DST], strides, dilates, begin, end, attr);
    while (!status && !is_allowed(implementation(*desc)))
        status = dnnl_primitive_desc_next_impl(*desc) ? dnnl_unimplemented : dnnl_success;
    return status;
#else
    dnnl_convolution_desc_t d;
    dnnl_primitive_desc_iterator_t each;
    dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct, &l[SRC],
                                           &l[WEIGHTS], &l[BIAS], &l[DST], strides, begin, end);
    if (status || (status = dnnl_primitive_desc_iterator_create(&each, &d, attr, engine, NULL)))
        return status;
    do {
        *desc = dnnl_primitive_desc_iterator_fetch(each);
        if (*desc && is_allowed(implementation(*desc)))
            break;
        dnnl_primitive_desc_destroy(*desc);
        *desc = NULL;
    } while (!dnnl_primitive_desc_iterator_next(each));
    dnnl_primitive_desc_iterator_destroy(each);
    return *desc ? dnnl_success : dnnl_unimplemented;
#endif
}

/* Describes the convolution of n images.  Maps and bias are dense; oneDNN chooses the layout of the
   weights. */
static dnnl_status_t describe(dnnl_primitive_desc_t *desc, dnnl_engine_t engine,
                              const struct dd_conv_shape *s, int n)
{
    const dnnl_dims_t dims[LAYOUTS] = {
        { n, s->cin, s->h, s->w },
        { s->cout, s->cin, s->kernel, s->kernel },
        { s->cout },
        { n, s->cout, dd_conv_height(s), dd_conv_width(s) },
    };
    static const dnnl_format_tag_t tags[LAYOUTS] = { dnnl_nhwc, dnnl_format_tag_any, dnnl_x, dnnl_nhwc };
    layout l[LAYOUTS];
    dnnl_status_t status = dnnl_success;
    int made = 0;
    while (made < LAYOUTS && !status) {
        status = make_layout(&l[made], made == BIAS ? 1 : 4, dims[made], tags[made]);
        made += !status;
    }

    dnnl_primitive_attr_t attr = NULL;
    if (!status && !(status = dnnl_primitive_attr_create(&attr)) &&
        !(status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user)))
        status = find_implementation(desc, engine, l, s, attr);

    if (attr)
        dnnl_primitive_attr_destroy(attr);
    while (made > 0)
        free_layout(&l[--made]);
    return status;
}

static const_layout layout_of(const struct primitive *p, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(p->desc, what, 0);
}

static dnnl_status_t make_memory(dnnl_memory_t *m, const struct primitive *p, dnnl_query_t what,
                                 dnnl_engine_t engine)
{
    return dnnl_memory_create(m, layout_of(p, what), engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t open_primitive(struct primitive *p, dnnl_engine_t engine, const struct dd_conv_shape *s,
                                    int n)
{
    dnnl_status_t status = describe(&p->desc, engine, s, n);
    if (status)
        return status;

    /* || stops at the first call that fails. */
    (void)((status = dnnl_primitive_create(&p->run, p->desc)) ||
           (status = make_memory(&p->src, p, dnnl_query_src_md, engine)) ||
           (status = make_memory(&p->weights, p, dnnl_query_weights_md, engine)) ||
           (status =
                dnnl_memory_create(&p->bias, dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 1),
                                   engine, DNNL_MEMORY_NONE)) ||
           (status = make_memory(&p->dst, p, dnnl_query_dst_md, engine)) ||
           (status = make_memory(&p->scratchpad, p, dnnl_query_scratchpad_md, engine)));
    return status;
}

static void close_primitive(struct primitive *p)
{
    dnnl_memory_t memory[] = { p->src, p->weights, p->bias, p->dst, p->scratchpad };
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    if (p->run)
        dnnl_primitive_destroy(p->run);
    if (p->desc)
        dnnl_primitive_desc_destroy(p->desc);
}

/* Opens the reorder from w OIHW into the packed block. */
static dnnl_status_t open_reorder(struct onednn *o, const struct dd_conv_shape *s)
{
    const dnnl_dims_t dims = { s->cout, s->cin, s->kernel, s->kernel };
    const_layout to = layout_of(&o->one, dnnl_query_weights_md);
    dnnl_primitive_desc_t desc;
    layout from;
    dnnl_status_t status = make_layout(&from, 4, dims, dnnl_oihw);
    if (status)
        return status;

    status = dnnl_reorder_primitive_desc_create(&desc, view(&from), o->engine, to, o->engine, NULL);
    if (!status) {
        status = dnnl_primitive_create(&o->reorder, desc);
        dnnl_primitive_desc_destroy(desc);
    }
    (void)(status || (status = dnnl_memory_create(&o->plain, view(&from), o->engine, DNNL_MEMORY_NONE)) ||
           (status = dnnl_memory_create(&o->packed, to, o->engine, DNNL_MEMORY_NONE)));
    free_layout(&from);
    return status;
}

static void close_state(struct onednn *o)
{
    close_primitive(&o->one);
    close_primitive(&o->batch);

    if (o->plain)
        dnnl_memory_destroy(o->plain);
    if (o->packed)
        dnnl_memory_destroy(o->packed);
    if (o->reorder)
        dnnl_primitive_destroy(o->reorder);
    if (o->stream)
        dnnl_stream_destroy(o->stream);
    if (o->engine)
        dnnl_engine_destroy(o->engine);
    free(o);
}

static size_t scratch_of(const struct primitive *p)
{
    return p->run ? dnnl_memory_desc_get_size(layout_of(p, dnnl_query_scratchpad_md)) : 0;
}

static dnnl_status_t open_all(struct onednn *o, const struct dd_conv *c)
{
    dnnl_status_t status;
    (void)((status = dnnl_engine_create(&o->engine, dnnl_cpu, 0)) ||
           (status = dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags)) ||
           (status = open_primitive(&o->one, o->engine, &c->shape, 1)) ||
           (status =
                c->batch > 1 ? open_primitive(&o->batch, o->engine, &c->shape, c->batch) : dnnl_success) ||
           (status = open_reorder(o, &c->shape)));
    return status;
}

/* Says whether both primitives are of one implementation and read the same packed weights. */
static int agree(const struct primitive *a, const struct primitive *b)
{
    return !strcmp(implementation(a->desc), implementation(b->desc)) &&
           dnnl_memory_desc_equal(layout_of(a, dnnl_query_weights_md), layout_of(b, dnnl_query_weights_md));
}

static int open_dnnl(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    if (s->kernel == 1)
        return dd_error(err, DDPM_EUNSUPPORTED, "the dnnl engine leaves 1x1 convolutions to gemm");
    if (s->doubled)
        return dd_error(err, DDPM_EUNSUPPORTED, "the dnnl engine does not double its input");
    if (!set_ceiling(setup->cpu))
        return dd_error(err, DDPM_EUNSUPPORTED,
                        "oneDNN does not run at this instruction set: it has one ceiling per process, set at "
                        "its first use");

    struct onednn *o = calloc(1, sizeof *o);
    if (!o)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin,
                        s->cout);
    int before = use_threads(c->threads);
    dnnl_status_t status = open_all(o, c);
    use_threads(before);
    if (status || (o->batch.run && !agree(&o->one, &o->batch))) {
        close_state(o);
        if (status == dnnl_out_of_memory)
            return dd_error(err, DDPM_ENOMEM, "oneDNN is out of memory for a convolution");
        return dd_error(err, DDPM_EUNSUPPORTED,
                        "oneDNN has no implementation of this shape that is on the list");
    }

    snprintf(c->label, sizeof c->label, "dnnl:%s", implementation(o->one.desc));
    o->bias = dd_aligned(
        dd_blocks(dnnl_memory_desc_get_size(layout_of(&o->one, dnnl_query_weights_md)), sizeof(float)));
    c->state = o;
    c->packed_size = sizeof(float) * (o->bias + (size_t)s->cout);
    c->scratch_size =
        scratch_of(&o->one) > scratch_of(&o->batch) ? scratch_of(&o->one) : scratch_of(&o->batch);
    return DDPM_OK;
}

/* Executes a primitive.  An error of oneDNN cannot be returned from here.  It becomes NaN, which the caller
   sees in the output. */
static void run(const struct dd_conv *c, dnnl_primitive_t p, int arguments, const dnnl_exec_arg_t *argument,
                float *out, size_t floats)
{
    struct onednn *o = c->state;
    int before = use_threads(c->threads);
    if (dnnl_primitive_execute(p, o->stream, arguments, argument) || dnnl_stream_wait(o->stream))
        for (size_t i = 0; i < floats; i++)
            out[i] = NAN;
    use_threads(before);
}

static void pack_dnnl(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    struct onednn *o = c->state;
    float *b = c->packed + o->bias;
    for (int i = 0; i < c->shape.cout; i++)
        b[i] = bias ? bias[i] : 0;

    dnnl_memory_set_data_handle(o->plain, (void *)(size_t)w->at);
    dnnl_memory_set_data_handle(o->packed, c->packed);
    run(c, o->reorder, 2, (dnnl_exec_arg_t[]){ { DNNL_ARG_FROM, o->plain }, { DNNL_ARG_TO, o->packed } },
        c->packed, o->bias);

    /* Both primitives read the same weights and bias. */
    for (struct primitive *p = &o->one; p; p = p == &o->one && o->batch.run ? &o->batch : NULL) {
        dnnl_memory_set_data_handle(p->weights, c->packed);
        dnnl_memory_set_data_handle(p->bias, b);
    }
}

static void primitive_forward(const struct dd_conv *c, const struct primitive *p, float *y, float *x,
                              float *scratch, size_t floats)
{
    dnnl_memory_set_data_handle(p->src, x);
    dnnl_memory_set_data_handle(p->dst, y);
    dnnl_memory_set_data_handle(p->scratchpad, scratch);

    const dnnl_exec_arg_t arguments[] = {
        { DNNL_ARG_SRC, p->src }, { DNNL_ARG_WEIGHTS, p->weights },       { DNNL_ARG_BIAS, p->bias },
        { DNNL_ARG_DST, p->dst }, { DNNL_ARG_SCRATCHPAD, p->scratchpad },
    };
    run(c, p->run, (int)(sizeof arguments / sizeof *arguments), arguments, y, floats);
}

static void forward_dnnl(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                         const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    const struct onednn *o = c->state;
    size_t in = (size_t)x->h * x->w * x->c, out = (size_t)y->h * y->w * y->c;
    (void)pre;
    (void)post;

    /* A batch of another size goes image by image. */
    if (o->batch.run && x->n == c->batch)
        primitive_forward(c, &o->batch, y->data, x->data, ctx->scratch, out * (size_t)x->n);
    else
        for (size_t i = 0; i < (size_t)x->n; i++)
            primitive_forward(c, &o->one, y->data + i * out, x->data + i * in, ctx->scratch, out);
}

static void close_dnnl(struct dd_conv *c)
{
    close_state(c->state);
}

void dd_conv_dnnl_version(char text[32])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, 32, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

const struct dd_conv_engine dd_conv_dnnl = {
    .name = "dnnl",
    .takes = DD_CONV_WHOLE | DD_CONV_ALONE,
    .open = open_dnnl,
    .pack = pack_dnnl,
    .forward = forward_dnnl,
    .close = close_dnnl,
};
