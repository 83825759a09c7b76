/* Computes the backward pass of u = act(x scale + shift), which a layer computes while it loads x, and of
   y = act((z + add + residual) scale), which a layer computes while it stores z.

   scale and shift [n, c] come from the group norm of x itself (norm.c), so the norm wants the sums

     dscale = sum of g (x - p),   dshift = sum of g,   g = du act'(x scale + shift),

   p is the channel's value at the image's first pixel: with x - p the sums stay exact even if the mean is
   large.  Sums are float over chunks of 64 pixels, then double over the chunks, in order.  Scratch is
   [n, chunks, 2, c]. */
#include "layer/pre.h"
#include "layer/parallel.h"

/* how many pixels a partial sum has, and how many channels a task has */
enum { CHUNK = 64, CHANNELS = 64 };

size_t dd_pre_scratch(int n, int h, int w, int c)
{
    return sizeof(float) * (size_t)n * dd_blocks((size_t)h * (size_t)w, CHUNK) * 2 * (size_t)c;
}

/* A chunk of pixels of one image: the pixel of the map at which it begins, and its length. */
struct chunk {
    size_t image, at, pixels;
};

static struct chunk chunk_of(const struct dd_map *x, size_t task)
{
    size_t pixels = (size_t)x->h * (size_t)x->w, chunks = dd_blocks(pixels, CHUNK),
           first = task % chunks * CHUNK;
    return (struct chunk){ task / chunks, task / chunks * pixels + first, dd_min(CHUNK, pixels - first) };
}

static size_t chunks_of(const struct dd_map *x)
{
    return dd_blocks((size_t)x->h * (size_t)x->w, CHUNK);
}

/* Sums of one kind, of images `stride` floats apart: total fills them, or with `add` adds to them. */
struct totals {
    float *data;
    size_t stride;
    bool add;
};

/* Computes y [kinds] [x->n, x->c], each the sum over the chunks of scratch [n, chunks, kinds, c]. */
static void total(const struct dd_context *ctx, const struct totals *y, size_t kinds, const struct dd_map *x)
{
    size_t n = (size_t)x->n, c = (size_t)x->c, chunks = chunks_of(x), blocks = dd_blocks(c, CHANNELS);
    DD_TASKS(ctx->worker, task, kinds * n * blocks) {
        size_t kind = task / (n * blocks), image = task / blocks % n, first = task % blocks * CHANNELS,
               width = dd_min(CHANNELS, c - first);
        const float *sums = ctx->scratch + (image * chunks * kinds + kind) * c + first;
        float *to = y[kind].data + image * y[kind].stride + first;

        double sum[CHANNELS] = { 0 };
        for (size_t i = 0; i < chunks; i++)
            for (size_t j = 0; j < width; j++)
                sum[j] += sums[i * kinds * c + j];
        for (size_t j = 0; j < width; j++)
            to[j] = (float)(y[kind].add ? to[j] + sum[j] : sum[j]);
    }
}

void dd_pre_backward(const struct dd_context *ctx, struct dd_grad_map dx, struct dd_pre_sums sums,
                     const struct dd_map *du, const struct dd_map *x, const struct dd_pre *pre)
{
    size_t c = (size_t)x->c, chunks = chunks_of(x);

    DD_TASKS(ctx->worker, task, (size_t)x->n * chunks) {
        struct chunk k = chunk_of(x, task);
        struct dd_affine_terms terms = dd_pre_terms(pre, k.image, c);
        struct dd_affine_sums part = { 0 };
        if (sums.dscale)
            part = (struct dd_affine_sums){
                .sum = ctx->scratch + task * 2 * c,
                .product = ctx->scratch + (task * 2 + 1) * c,
                .pivot = x->data + (k.at - task % chunks * CHUNK) * x->stride,
            };
        ctx->k->affine_backward(dd_grad_map_out(dx, k.at), sums.dscale ? &part : NULL, dd_map_in(du, k.at),
                                dd_map_in(x, k.at), &terms, k.pixels, c);
    }

    if (sums.dscale)
        total(ctx, (struct totals[]){ { sums.dshift, c, false }, { sums.dscale, c, false } }, 2, x);
}

/* Computes dz for one chunk. */
static void store_chunk(const struct dd_kernels *k, const struct chunk *at, const struct dd_map *dz,
                        const struct dd_map *dy, const struct dd_pre_store *store)
{
    size_t c = (size_t)dy->c;
    struct dd_out to = dd_map_out(dz, at->at);
    struct dd_in from = dd_map_in(dy, at->at);
    /* Applies the activation's derivative, or copies dy if dz lies elsewhere; then scales. */
    if (store->act != DD_ACT_NONE)
        k->affine_backward((struct dd_grad_out){ to.at, to.stride, 0 }, NULL, from,
                           dd_map_in(store->v, at->at), &(struct dd_affine_terms){ .act = store->act },
                           at->pixels, c);
    else if (to.at != from.at)
        k->affine(to, from, NULL, at->pixels, c);
    if (store->scale != 1)
        k->post(to, dd_map_in(dz, at->at), &(struct dd_post_terms){ .scale = store->scale }, at->pixels, c);
}

void dd_pre_store_backward(const struct dd_context *ctx, const struct dd_map *dz,
                           struct dd_grad_map dresidual, struct dd_grad_map dadd, const struct dd_map *dy,
                           const struct dd_pre_store *store)
{
    size_t c = (size_t)dy->c, n = (size_t)dy->n, chunks = chunks_of(dy);

    DD_TASKS(ctx->worker, task, n * chunks) {
        struct chunk k = chunk_of(dy, task);
        struct dd_in z = dd_map_in(dz, k.at);
        store_chunk(ctx->k, &k, dz, dy, store);
        if (dadd.map)
            ctx->k->sums(ctx->scratch + task * c, z, k.pixels, c);
        if (dresidual.map)
            dd_grad_map_store(ctx->k, dresidual, k.at, z, k.pixels);
    }

    if (dadd.map)
        total(ctx, &(struct totals){ dadd.map->data, dadd.map->stride, dadd.add }, 1, dy);
}
