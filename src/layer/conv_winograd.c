/* Computes 3x3 convolutions of stride 1 by Winograd's algorithms (Lavin and Gray 2016, arXiv 1509.09308):

     F(4x4, 3x3)   36 multiplications instead of 144;
     F(2x2, 3x3)   16 instead of 36, on small images;
     F(6x6, 3x3)   64 instead of 324, on large images.

   An image that is doubled as it is read needs only 25, 9 and 49 of them.  F(6x6) cuts a side into tiles of 6
   outputs and, if 6 does not divide it, one or two tiles of 4 at the end.  A side of 32 is 6, 6, 6, 6, 4, 4.
   Both widths use the same weights.

   An image is cut into tiles of, say, 4x4 output pixels.  For a block of tiles

     V[k] [tiles, cin]  = B^T d B of each tile's 6x6 inputs            k < 36
     M[k] [tiles, cout] = V[k] U[k],  U = G g G^T                      36 matrix products
     y                  = A^T M A + bias + add + residual, times scale.

   A thread computes M for nr columns at a time and turns it into outputs at once.  With few tiles, as in one
   small image, all threads share V: one loop fills it, the next reads it.  With many tiles every thread has a
   block of tiles of its own.  The passes over pixels before and after the convolution divide the image alike,
   so that a thread finds its pixels in its core's cache.  Either way each element is one sum in order of
   channels.

   U takes four times the memory of g and is normally built once.  For small images each thread rebuilds its
   columns in every run, a few channels at a time, so that they stay in its cache while all tiles of a shared
   V are multiplied by them.

   Packed are U [cout / nr][36][cin][nr], or g [cout / nr][cin][9][nr] if U is rebuilt in every run, then bias
   [cout], then zeros [cin].  Scratch holds

     V            [parts][36][tiles][depth], for one shared block or for a block of each thread
     U            [36][depth][nr] for each thread, if U is rebuilt in every run
     M            [36][tiles][nr] for each thread
     places       of the tiles, for each thread
     bias + add   [n][cout] */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "layer/conv_winograd.h"

enum {
    OWN_FLOATS = 160 << 10,    /* floats of V in a block of one thread */
    SHARED_FLOATS = 512 << 10, /* floats of V in a block that all threads share */
    MADE_FLOATS = 1280 << 10,  /* floats of V in a shared block if U is rebuilt in every run */
    U_FLOATS = 80 << 10,       /* floats of U that are rebuilt at a time */
    ALONE = 24,                /* how many tiles a thread must have to work on a block of its own */
    NR_MOST = 32
};

/* Returns how many tiles have about this many floats of V, a multiple of the gemm kernel's rows. */
static size_t tiles_in(size_t floats, const struct dd_winograd *g)
{
    return g->mr * (1 + floats / (g->planes * g->mr * g->cin));
}

/* Cuts n outputs into tiles of F(6x6): tiles of 6, then one or two tiles of 4 if these save a twentieth of
   the products along the side.  Returns the number of these products. */
static size_t cut_by_six(struct dd_winograd_side *side, size_t n)
{
    size_t all = dd_blocks(n, 6), least = 8 * all;
    *side = (struct dd_winograd_side){ all, all };
    for (size_t fours = 1; fours <= 2; fours++) {
        size_t sixes = n > 4 * fours ? dd_blocks(n - 4 * fours, 6) : 0, products = 8 * sixes + 6 * fours;
        if (20 * products < 19 * 8 * all && products < least) {
            least = products;
            *side = (struct dd_winograd_side){ sixes, sixes + fours };
        }
    }
    return least;
}

/* Chooses the tile, and whether U is rebuilt in every run.  Large tiles need the fewest products but the
   most weights.  F(6x6) is for images that its tiles fit well enough.  F(2x2) is for images so small that
   computing the U of a larger tile takes longer than it saves.  U is rebuilt when reading it from memory
   takes longer, or when it has many channels and takes more memory than it is worth. */
static void cut(struct dd_winograd *g, const struct dd_conv_shape *s)
{
    enum { LEAST_PIXELS = 8 * 8, FEW_PIXELS = 16 * 16, MANY_PIXELS = 32 * 32, MOST_PIXELS = 64 * 64 };

    enum { WEIGHTS_FEW = 384 * 128, WEIGHTS_MORE = 256 * 256, WEIGHTS_MOST = 512 * 256 };

    int64_t weights = (int64_t)s->cin * s->cout;
    size_t h = (size_t)dd_conv_height(s), w = (size_t)dd_conv_width(s), pixels = h * w;
    size_t six = cut_by_six(&g->down, h) * cut_by_six(&g->across, w),
           four = dd_blocks(h, 4) * dd_blocks(w, 4) * 36;

    g->made = pixels < FEW_PIXELS || (pixels < MANY_PIXELS && weights > WEIGHTS_MOST);
    bool large = pixels >= MANY_PIXELS && 10 * six <= 9 * four &&
                 weights <= (pixels >= MOST_PIXELS ? WEIGHTS_MORE : WEIGHTS_FEW);
    if (large)
        g->tile = 6;
    else
        g->tile = pixels >= LEAST_PIXELS ? 4 : 2;

    if (g->tile < 6) {
        g->down.large = g->down.all = dd_blocks(h, g->tile);
        g->across.large = g->across.all = dd_blocks(w, g->tile);
    }
}

/* Chooses tile, kernels and products.  In an image that is doubled as it is read, pixels come in equal
   pairs, so row 2 of B^T gives 0 for every tile. */
static void choose_tile(struct dd_winograd *g, const struct dd_conv_shape *s, const struct dd_kernels *k)
{
    cut(g, s);
    switch (g->tile) {
    case 6: g->weights = k->winograd6_weights; break;
    case 4:
        g->weights = k->winograd_weights;
        g->input = k->winograd_input;
        g->output = k->winograd_output;
        break;
    default:
        g->weights = k->winograd2_weights;
        g->input = k->winograd2_input;
        g->output = k->winograd2_output;
        break;
    }

    size_t side = g->tile + 2;
    g->planes = side * side;
    for (size_t i = 0; i < g->planes; i++)
        if (!s->doubled || (i / side != 2 && i % side != 2))
            g->plane[g->used++] = i;
}

static int open_winograd(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    if (s->kernel != 3 || s->stride != 1 || s->top != 1 || s->left != 1 || s->bottom != 1 || s->right != 1)
        return dd_error(err, DDPM_EUNSUPPORTED,
                        "the winograd engine takes 3x3 convolutions of stride 1, padded by 1 on every side");

    struct dd_winograd *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin,
                        s->cout);

    choose_tile(g, s, setup->k);
    g->cin = (size_t)s->cin;
    g->cout = (size_t)s->cout;
    g->mr = setup->k->gemm_mr;
    g->nr = setup->k->gemm_nr;
    g->panels = dd_blocks(g->cout, g->nr);

    size_t all = g->across.all * g->down.all * (size_t)c->batch;

    /* How many tiles and channels a block has. */
    g->own = g->made ? 0 : dd_min(all, tiles_in(OWN_FLOATS, g));
    g->shared = dd_min(all, tiles_in(g->made ? MADE_FLOATS : SHARED_FLOATS, g));
    g->parts = g->made ? dd_blocks(g->cin, U_FLOATS / (g->planes * g->nr)) : 1;
    g->depth = dd_blocks(g->cin, g->parts);
    g->bias = (g->made ? 9 : g->used) * g->panels * g->cin * g->nr;
    g->zero = g->bias + g->cout;

    size_t alone = (size_t)c->threads * g->planes * dd_winograd_plane(g->own, g->depth);
    size_t together = g->parts * g->planes * dd_winograd_plane(g->shared, g->depth);
    g->v = alone > together ? alone : together;
    g->u = g->made ? g->planes * dd_winograd_plane(g->depth, g->nr) : 0;
    g->m = g->planes * dd_winograd_plane(g->shared, g->nr);
    g->places = dd_aligned(g->shared * sizeof(struct dd_winograd_place) / sizeof(float));

    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->cin);
    c->scratch_size = sizeof(float) * (g->v + (size_t)c->threads * (g->u + g->m + g->places) +
                                       (size_t)c->batch * dd_aligned(g->cout));
    return DDPM_OK;
}

/* Fills g [9][nr] for input channel i and output channels o .. o + n - 1, with zeros behind them. */
static void side_by_side(float *to, const struct dd_conv_weights *w, size_t o, size_t n, size_t i, size_t nr)
{
    memset(to, 0, sizeof(float) * 9 * nr);
    for (size_t j = 0; j < n; j++)
        for (size_t tap = 0; tap < 9; tap++)
            to[tap * nr + j] = w->at[(o + j) * w->out + i * w->in + (w->flipped ? 8 - tap : tap)];
}

/* The weights that pack_panels packs in one run of the team. */
struct packing {
    const struct dd_conv *c;
    const struct dd_conv_weights *w;
};

static void pack_panels(struct dd_worker *worker, void *user)
{
    const struct dd_conv *c = ((struct packing *)user)->c;
    const struct dd_conv_weights *w = ((struct packing *)user)->w;
    const struct dd_winograd *g = c->state;

    DD_TASKS(worker, task, g->panels * g->cin) {
        size_t panel = task / g->cin, i = task % g->cin, o = panel * g->nr;
        float own[9 * NR_MOST], *taps = g->made ? c->packed + task * 9 * g->nr : own,
                                u[DD_WINOGRAD_PLANES * NR_MOST];
        side_by_side(taps, w, o, dd_min(g->nr, g->cout - o), i, g->nr);
        if (g->made)
            continue;

        g->weights(dd_out(u, g->nr), taps, 1);
        for (size_t k = 0; k < g->used; k++)
            memcpy(c->packed + ((panel * g->used + k) * g->cin + i) * g->nr, u + g->plane[k] * g->nr,
                   sizeof(float) * g->nr);
    }
}

static void pack_winograd(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    const struct dd_winograd *g = c->state;
    memset(c->packed + g->bias, 0, sizeof(float) * (g->cout + g->cin));
    if (bias)
        memcpy(c->packed + g->bias, bias, sizeof(float) * g->cout);
    dd_parallel_run(c->team, pack_panels, &(struct packing){ c, w });
}

/* Returns block i of `blocks` equal blocks of `total` tiles. */
static struct dd_winograd_block block_of(const struct dd_winograd_block *all, size_t total, size_t i,
                                         size_t blocks)
{
    struct dd_winograd_block b = *all;
    b.first = total * i / blocks;
    b.tiles = total * (i + 1) / blocks - b.first;
    return b;
}

static void forward_winograd(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                             const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    const struct dd_winograd *g = c->state;
    size_t threads = (size_t)ctx->threads, total = g->across.all * g->down.all * (size_t)x->n,
           me = dd_thread(ctx->worker);
    bool shared = g->made || (threads > 1 && total < ALONE * threads);
    size_t most = shared ? g->shared : g->own, plane = dd_winograd_plane(most, g->depth),
           own = g->u + g->m + g->places, blocks = dd_blocks(total, most);
    float *bias = ctx->scratch + g->v + threads * own, *u = ctx->scratch + g->v + me * own, *m = u + g->u;
    struct dd_winograd_place *places = (struct dd_winograd_place *)(void *)(m + g->m);
    struct dd_winograd_block all = {
        .g = g,
        .k = ctx->k,
        .x = x,
        .y = y,
        .post = post,
        .packed = c->packed,
        .bias = bias,
        .v = ctx->scratch + (shared ? 0 : me * g->planes * plane),
        .doubled = c->shape.doubled,
        .plane = plane,
        .part = g->planes * plane,
    };
    (void)pre;

    /* Either all threads share each block, one after the other, or each thread has blocks of its own. */
    if (shared) {
        for (size_t i = 0; i < blocks; i++) {
            struct dd_winograd_block b = block_of(&all, total, i, blocks);
            dd_conv_winograd_block_together(&b, u, m, places, ctx->worker, threads);
        }
        return;
    }

    DD_TASKS(ctx->worker, image, (size_t)x->n)
        dd_conv_winograd_block_bias(&all, image);
    blocks = dd_blocks(blocks, threads) * threads;
    DD_TASKS(ctx->worker, i, blocks) {
        struct dd_winograd_block b = block_of(&all, total, i, blocks);
        dd_conv_winograd_block_alone(&b, u, m, places);
    }
}

static void close_winograd(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_winograd = {
    .name = "winograd",
    .takes = DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
    .open = open_winograd,
    .pack = pack_winograd,
    .forward = forward_winograd,
    .close = close_winograd,
};
