/* Chooses the engine of a convolution, and computes whatever the engine does not take:

     y = (conv(x') + bias + add + residual) * scale,   x' = act(x * scale + shift)

   x' is what `pre` says, the sum and its scale are what `post` says (map.h).  If the engine does not take
   pre, one pass writes x' into scratch; if it does not take post, one pass changes the output.  Padding is
   zeros of x'. */
#include "layer/conv_engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "layer/parallel.h"

/* how many pixels a task of the two passes has */
enum { PIXELS = 64 };

/* Adds an engine to the list if this build has it. */
#define ENGINE(name, built) DD_IF_BUILT(built, &dd_conv_##name, )
#define NAME(name, built) DD_IF_BUILT(built, #name, )
static const struct dd_conv_engine *const engines[] = { DD_CONV_ENGINES(ENGINE) NULL };

const char *const *dd_conv_engines(void)
{
    static const char *const names[] = { DD_CONV_ENGINES(NAME) NULL };
    return names;
}

void dd_conv_library(char text[32])
{
#if HAVE_DNNL
    dd_conv_dnnl_version(text);
#else
    snprintf(text, 32, "no oneDNN");
#endif
}

int dd_conv_height(const struct dd_conv_shape *s)
{
    return ((s->h << s->doubled) + s->top + s->bottom - s->kernel) / s->stride + 1;
}

int dd_conv_width(const struct dd_conv_shape *s)
{
    return ((s->w << s->doubled) + s->left + s->right - s->kernel) / s->stride + 1;
}

double dd_conv_flops(const struct dd_conv_shape *s)
{
    return 2.0 * dd_conv_height(s) * dd_conv_width(s) * s->cout * s->cin * s->kernel * s->kernel;
}

/* Returns the engine that is tried first.  Winograd pays where an image has several tiles and enough
   channels to pay for the transforms.  The bounds were measured; see bench/RESULTS.md, "Which engine takes
   a layer". */
static const struct dd_conv_engine *rule(const struct dd_conv_shape *s)
{
    enum { PIXELS_LEAST = 4 * 4, CHANNELS_LEAST = 32 };

    int large = dd_conv_height(s) * dd_conv_width(s) >= PIXELS_LEAST && s->cin >= CHANNELS_LEAST &&
                s->cout >= CHANNELS_LEAST;
    return large ? &dd_conv_winograd : &dd_conv_gemm;
}

static int try_engine(struct dd_conv *c, const struct dd_conv_engine *e, const struct dd_conv_setup *setup,
                      ddpm_error *err)
{
    c->engine = e == &dd_conv_gemm && dd_conv_taps_takes(&c->shape) ? &dd_conv_taps : e;
    snprintf(c->label, sizeof c->label, "%s", e->name);
    return c->engine->open(c, setup, err);
}

static int find_engine(const struct dd_conv_engine **e, const char *name, ddpm_error *err)
{
    *e = NULL;
    if (!name || !strcmp(name, "auto"))
        return DDPM_OK;
    for (int i = 0; engines[i]; i++)
        if (!strcmp(engines[i]->name, name))
            *e = engines[i];
    if (!*e)
        return dd_error(err, DDPM_EUSAGE, "no convolution engine of this build is called \"%s\"", name);
    return DDPM_OK;
}

int dd_conv_open(struct dd_conv **out, const struct dd_conv_shape *s, const struct dd_conv_setup *setup,
                 ddpm_error *err)
{
    const struct dd_conv_engine *forced;
    int code = find_engine(&forced, setup->engine, err);
    if (code)
        return code;

    struct dd_conv *c = calloc(1, sizeof *c);
    if (!c)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin,
                        s->cout);
    *c = (struct dd_conv){
        .shape = *s,
        .k = setup->k,
        .batch = setup->batch,
        .threads = setup->threads,
        .team = setup->team,
    };

    /* An engine that does not take the shape leaves it to the next; gemm takes every shape. */
    const struct dd_conv_engine *order[] = { forced, rule(s), &dd_conv_gemm };
    code = DDPM_EUNSUPPORTED;
    for (size_t i = 0; i < sizeof order / sizeof *order && code == DDPM_EUNSUPPORTED; i++)
        if (order[i])
            code = try_engine(c, order[i], setup, err);

    if (code) {
        free(c);
        return code;
    }
    *out = c;
    return DDPM_OK;
}

void dd_conv_close(struct dd_conv *c)
{
    if (c && c->engine->close)
        c->engine->close(c);
    free(c);
}

const char *dd_conv_engine(const struct dd_conv *c)
{
    return c->label;
}

int dd_conv_alone(const struct dd_conv *c)
{
    return (c->engine->takes & DD_CONV_ALONE) != 0;
}

size_t dd_conv_packed(const struct dd_conv *c)
{
    return c->packed_size;
}

/* Returns how many images go through the input pass and the engine at a time. */
static int images_of_pass(const struct dd_conv *c)
{
    size_t image = (size_t)c->shape.h * (size_t)c->shape.w * (size_t)c->shape.cin;
    return c->engine->takes & DD_CONV_WHOLE ? c->batch : dd_images_of_pass(image, c->threads, c->batch);
}

static size_t input_floats(const struct dd_conv *c)
{
    if (c->engine->takes & DD_CONV_PRE && c->engine->takes & DD_CONV_STRIDED_X)
        return 0;
    return dd_aligned((size_t)images_of_pass(c) * c->shape.h * c->shape.w * c->shape.cin);
}

static size_t output_floats(const struct dd_conv *c)
{
    if (c->engine->takes & DD_CONV_STRIDED_Y)
        return 0;
    return dd_aligned((size_t)c->batch * dd_conv_height(&c->shape) * dd_conv_width(&c->shape) *
                      c->shape.cout);
}

size_t dd_conv_scratch(const struct dd_conv *c)
{
    return (input_floats(c) + output_floats(c)) * sizeof(float) + c->scratch_size;
}

void dd_conv_pack_weights(struct dd_conv *c, void *packed, const struct dd_conv_weights *w, const float *bias)
{
    c->packed = packed;
    c->engine->pack(c, w, bias);
}

void dd_conv_pack(struct dd_conv *c, void *packed, const float *w, const float *bias)
{
    size_t taps = (size_t)c->shape.kernel * (size_t)c->shape.kernel;
    dd_conv_pack_weights(c, packed, &(struct dd_conv_weights){ w, taps * (size_t)c->shape.cin, taps, 0 },
                         bias);
}

void dd_conv_load(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                  const struct dd_pre *pre)
{
    size_t pixels = (size_t)x->h * x->w, blocks = dd_blocks(pixels, PIXELS), c = (size_t)x->c;
    DD_TASKS(ctx->worker, task, (size_t)x->n * blocks) {
        size_t image = task / blocks, first = task % blocks * PIXELS, at = image * pixels + first;
        struct dd_affine_terms terms = dd_pre_terms(pre, image, c);
        ctx->k->affine(dd_map_out(y, at), dd_map_in(x, at), &terms, dd_min(PIXELS, pixels - first), c);
    }
}

static void output_pass(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                        const struct dd_post *post)
{
    static const struct dd_post copy = { .scale = 1 };
    size_t pixels = (size_t)y->h * y->w, blocks = dd_blocks(pixels, PIXELS);
    if (!post)
        post = &copy;

    DD_TASKS(ctx->worker, task, (size_t)y->n * blocks) {
        size_t image = task / blocks, first = task % blocks * PIXELS, at = image * pixels + first;
        struct dd_post_terms terms = {
            .bias = post->add ? post->add + image * post->add_stride : NULL,
            .residual = post->residual ? dd_map_in(post->residual, at) : (struct dd_in){ 0 },
            .scale = post->scale,
        };
        ctx->k->post(dd_map_out(y, at), dd_map_in(x, at), &terms, dd_min(PIXELS, pixels - first),
                     (size_t)y->c);
    }
}

static int dense(const struct dd_map *m)
{
    return m->stride == (size_t)m->c || m->n * m->h * m->w == 1;
}

/* Computes all images of the maps.  If there is an input pass, the maps have at most images_of_pass(c)
   images. */
static void forward_images(struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                           const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post,
                           int input_pass)
{
    unsigned takes = c->engine->takes;
    struct dd_map in = *x, out = *y;
    struct dd_context inner = *ctx;
    if (input_pass) {
        in.data = inner.scratch;
        in.stride = (size_t)in.c;
        dd_conv_load(ctx, &in, x, pre);
        pre = NULL;
    }
    inner.scratch += input_floats(c);

    if (!dense(y) && !(takes & DD_CONV_STRIDED_Y)) {
        out.data = inner.scratch;
        out.stride = (size_t)out.c;
    }
    inner.scratch += output_floats(c);

    c->engine->forward(c, &inner, &out, &in, pre, takes & DD_CONV_POST ? post : NULL);
    /* Applies post if the engine has not, and copies to a strided y. */
    if (out.data != y->data || (post && !(takes & DD_CONV_POST)))
        output_pass(ctx, y, &out, post);
}

void dd_conv_forward(struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                     const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    unsigned takes = c->engine->takes;
    int input_pass = (pre && !(takes & DD_CONV_PRE)) || (!dense(x) && !(takes & DD_CONV_STRIDED_X));

    /* An input pass takes a few images at a time, so that the engine finds them in the cache. */
    int most = input_pass ? images_of_pass(c) : x->n;
    for (int first = 0; first < x->n; first += most) {
        int n = (int)dd_min((size_t)most, (size_t)(x->n - first));
        struct dd_map in = dd_map_images(x, first, n), out = dd_map_images(y, first, n), residual;
        struct dd_pre its_pre = pre ? *pre : (struct dd_pre){ 0 };
        struct dd_post its_post = post ? *post : (struct dd_post){ 0 };

        if (its_pre.scale) {
            its_pre.scale += (size_t)first * (size_t)x->c;
            its_pre.shift += (size_t)first * (size_t)x->c;
        }
        if (its_post.add)
            its_post.add += (size_t)first * its_post.add_stride;
        if (its_post.residual) {
            residual = dd_map_images(its_post.residual, first, n);
            its_post.residual = &residual;
        }

        forward_images(c, ctx, &out, &in, pre ? &its_pre : NULL, post ? &its_post : NULL, input_pass);
    }
}
