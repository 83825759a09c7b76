/* Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), 36 multiplications where the sum has 144, on small images
   F(2x2, 3x3), 16 where it has 36, or on large ones F(6x6, 3x3), 64 where it has 324.  Of an image that is doubled as it is read 25, 9 and 49 are left.
   Where an image is no multiple of 6, F(6x6)'s last tiles of a side have 4 rows or columns, by the same weights: 32 is 6, 6, 6, 6, 4, 4.

   An image is cut into tiles of, say, 4x4 output pixels.  For a block of tiles
     V[k] [tiles, cin]  = B^T d B of each tile's 6x6 inputs            k < 36
     M[k] [tiles, cout] = V[k] U[k],  U = G g G^T                      36 matrix products
     y                  = A^T M A + bias + add + residual, times scale.
   M is made for nr columns at a time and goes to the output at once, by the thread that made it.  Few tiles, as in one small image: all
   threads share V and meet once it is there; many: every thread has a run of tiles of its own, which lies where the passes over pixels
   before and behind have left it in that core's cache.  Either way each element is one sum in order of channels.
   U is four times g and made once, but for small images in every run: then by each thread for its columns and some channels at a time,
   which stay in that core's cache, while all tiles there are, of V that all share, are multiplied by them.

   Packed: U [cout / nr][36][cin][nr] or g [cout / nr][cin][9][nr], bias [cout], zeros [cin].  Scratch: V [parts][36][tiles][depth] of a block or of
   one per thread; per thread U [36][depth][nr], if it is made in every run, M of nr columns, and where the tiles lie; bias + add [n][cout]. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

/* Floats of V in a block of one thread, and in a block that all share; tiles a thread must have to work alone. */
enum {
    PLANES_MOST = 64,
    PIXELS_MOST = 36,
    OWN_FLOATS = 160 << 10,
    SHARED_FLOATS = 512 << 10,
    ALONE = 24,
    GROUP = 4,
    LATER = 2,
    NR_MOST = 32
};

/* The same of V where U is made in every run; of U made at a time. */
enum { MADE_FLOATS = 1280 << 10, U_FLOATS = 80 << 10 };

struct winograd {
    size_t tile, planes; /* outputs of a tile along a side; products of a tile, with those that are 0 */
    size_t used, plane[PLANES_MOST]; /* the others */
    bool made;                       /* U: in every run */
    void (*weights)(float *u, size_t plane, const float *w, size_t count);
    void (*input)(float *v, size_t plane, const float *const *x, size_t channels); /* but of F(6x6) */
    void (*output)(float *const *y, const float *m, size_t plane, const float *bias,
                   const float *const *residual, float scale, size_t channels);
    size_t cin, cout, mr, nr, panels;

    struct side {
        size_t large, all;
    } across, down; /* tiles of an image: the first `large` are `tile` wide, the others 4 */

    size_t own, shared;     /* tiles of a block, at most */
    size_t parts, depth;    /* input channels are added up in parts, `depth` at a time */
    size_t bias, zero;      /* where in the packed block */
    size_t v, u, m, places; /* floats: V of all threads; U, M and places of a block of one */
};

/* Where a tile lies: its image, and its outputs' first row and column, and how many. */
struct place {
    size_t image;
    int row, column, rows, columns;
};

/* Rows x columns of F(6x6)'s tiles, 6x4, 6x6, 4x6 and 4x4, in an order in which those that have the points 1/2 and -1/2 along a side follow each
   other. */
enum kind { TALL, LARGE, WIDE, SMALL, KINDS };

/* One block at work. */
struct block {
    const struct winograd *g;
    const struct dd_kernels *k;
    const struct dd_map *x, *y;
    const struct dd_post *post;
    const float *packed, *bias;
    float *v;
    int doubled;
    size_t plane, part;  /* floats from one plane of V to the next, and from `depth` channels to the next */
    size_t first, tiles; /* of the tiles of all images */
    const struct place *place; /* of its tiles, by kind; NULL: not found yet */
    size_t kind[KINDS + 1];    /* where each kind begins */
};

/* Floats of a plane of some rows: planes a power of two apart would meet in few sets of the cache. */
static size_t plane_floats(size_t rows, size_t columns)
{
    return dd_aligned(rows * columns) | 16;
}

static size_t tiles_in(size_t floats, const struct winograd *g)
{
    return g->mr * (1 + floats / (g->planes * g->mr * g->cin));
}

/* How n outputs are cut into tiles of F(6x6): some sixes, then one or two fours where these save a twentieth of the products along the side, which
   are returned. */
static size_t cut_by_six(struct side *side, size_t n)
{
    size_t all = dd_blocks(n, 6), least = 8 * all;
    *side = (struct side){ all, all };
    for (size_t fours = 1; fours <= 2; fours++) {
        size_t sixes = n > 4 * fours ? dd_blocks(n - 4 * fours, 6) : 0, products = 8 * sixes + 6 * fours;
        if (20 * products < 19 * 8 * all && products < least)
            least = products, *side = (struct side){ sixes, sixes + fours };
    }
    return least;
}

/* Large tiles need the fewest products.  The largest have the most weights, and go to images they fit well enough; the smallest have the fewest,
   and go to images so small that making U of more takes longer than what it saves.  Made in every run is U where streaming it takes longer, or
   with many channels more memory than it is worth. */
static void cut(struct winograd *g, const struct dd_conv_shape *s)
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
    g->tile = large ? 6 : pixels >= LEAST_PIXELS ? 4 : 2;
    if (g->tile < 6) {
        g->down.large = g->down.all = dd_blocks(h, g->tile);
        g->across.large = g->across.all = dd_blocks(w, g->tile);
    }
}

/* Of an image doubled as it is read, row 2 of B^T gives 0, whatever the tile, since its pixels come in equal pairs. */
static void choose_tile(struct winograd *g, const struct dd_conv_shape *s, const struct dd_kernels *k)
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
    struct winograd *g = calloc(1, sizeof *g);
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
    g->own = g->made ? 0 : dd_min(all, tiles_in(OWN_FLOATS, g));
    g->shared = dd_min(all, tiles_in(g->made ? MADE_FLOATS : SHARED_FLOATS, g));
    g->parts = g->made ? dd_blocks(g->cin, U_FLOATS / (g->planes * g->nr)) : 1;
    g->depth = dd_blocks(g->cin, g->parts);
    g->bias = (g->made ? 9 : g->used) * g->panels * g->cin * g->nr;
    g->zero = g->bias + g->cout;
    size_t alone = (size_t)c->threads * g->planes * plane_floats(g->own, g->depth);
    size_t together = g->parts * g->planes * plane_floats(g->shared, g->depth);
    g->v = alone > together ? alone : together;
    g->u = g->made ? g->planes * plane_floats(g->depth, g->nr) : 0;
    g->m = g->planes * plane_floats(g->shared, g->nr);
    g->places = dd_aligned(g->shared * sizeof(struct place) / sizeof(float));
    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->cin);
    c->scratch_size = sizeof(float) * (g->v + (size_t)c->threads * (g->u + g->m + g->places) +
                                       (size_t)c->batch * dd_aligned(g->cout));
    return DDPM_OK;
}

/* g [9][nr] of input channel i and output channels o .. o + n; 0 beyond them. */
static void side_by_side(float *to, const struct dd_conv_weights *w, size_t o, size_t n, size_t i, size_t nr)
{
    memset(to, 0, sizeof(float) * 9 * nr);
    for (size_t j = 0; j < n; j++)
        for (size_t tap = 0; tap < 9; tap++)
            to[tap * nr + j] = w->at[(o + j) * w->out + i * w->in + (w->flipped ? 8 - tap : tap)];
}

static void pack_winograd(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    const struct winograd *g = c->state;
    memset(c->packed + g->bias, 0, sizeof(float) * (g->cout + g->cin));
    if (bias)
        memcpy(c->packed + g->bias, bias, sizeof(float) * g->cout);
    DD_PARALLEL(c->team, task, g->panels * g->cin) {
        size_t panel = task / g->cin, i = task % g->cin, o = panel * g->nr;
        float own[9 * NR_MOST], *taps = g->made ? c->packed + task * 9 * g->nr : own,
                                u[PLANES_MOST * NR_MOST];
        side_by_side(taps, w, o, dd_min(g->nr, g->cout - o), i, g->nr);
        if (g->made)
            continue;
        g->weights(u, g->nr, taps, 1);
        for (size_t k = 0; k < g->used; k++)
            memcpy(c->packed + ((panel * g->used + k) * g->cin + i) * g->nr, u + g->plane[k] * g->nr,
                   sizeof(float) * g->nr);
    }
}

/* Tile (i, j) of an image. */
static struct place place_of(const struct winograd *g, size_t image, size_t i, size_t j)
{
    size_t down = dd_min(i, g->down.large), across = dd_min(j, g->across.large);
    return (struct place){ image, (int)(down * g->tile + (i - down) * 4),
                           (int)(across * g->tile + (j - across) * 4), i < g->down.large ? (int)g->tile : 4,
                           j < g->across.large ? (int)g->tile : 4 };
}

static enum kind kind_of(const struct winograd *g, size_t i, size_t j)
{
    return i < g->down.large ? (j < g->across.large ? LARGE : TALL) : j < g->across.large ? WIDE : SMALL;
}

/* Counts and sorts the block's tiles. */
static void find_places(struct block *b, struct place *place)
{
    const struct winograd *g = b->g;
    size_t first = b->first, tiles = b->tiles;
    size_t across = g->across.all, down = g->down.all, next[KINDS];
    b->place = place;
    for (size_t t = first; t < first + tiles; t++)
        b->kind[kind_of(g, t / across % down, t % across) + 1]++;
    for (int k = 0; k < KINDS; k++)
        next[k] = b->kind[k], b->kind[k + 1] += b->kind[k];
    for (size_t t = first; t < first + tiles; t++) {
        size_t i = t / across % down, j = t % across;
        place[next[kind_of(g, i, j)]++] = place_of(g, t / across / down, i, j);
    }
}

/* V of tile t of the block.  Doubled, pixels come in pairs, and tiles begin with the second of one. */
static void input_tile(const struct block *b, size_t t)
{
    const struct winograd *g = b->g;
    const struct dd_map *x = b->x;
    const struct place *at = b->place + t;
    int rows = at->rows + 2, columns = at->columns + 2;
    const float *pixel[PLANES_MOST], *image = x->data + at->image * (size_t)x->h * (size_t)x->w * x->stride,
                                     *zero = b->packed + g->zero;
    if (!b->doubled) {
        dd_rectangle_ahead(x, at->image, at->row + rows - 1, at->column, rows - 2, columns - 2, 0, g->cin);
        dd_rectangle(pixel, image, x->h, x->w, x->stride, at->row - 1, at->column - 1, rows, columns, zero);
    } else {
        const float *single[PLANES_MOST];
        dd_rectangle(single, image, x->h, x->w, x->stride, at->row / 2 - 1, at->column / 2 - 1, rows / 2 + 1,
                     columns / 2 + 1, zero);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                pixel[i * columns + j] = single[(i + 1) / 2 * (columns / 2 + 1) + (j + 1) / 2];
    }
    for (size_t part = 0; part < g->parts; part++) {
        float *v = b->v + part * b->part + t * g->depth;
        size_t depth = dd_min(g->depth, g->cin - part * g->depth);
        for (int i = 0; i < rows * columns && part > 0; i++)
            pixel[i] += g->depth;
        if (g->tile == 6)
            b->k->winograd6_input(v, b->plane, pixel, depth, at->rows, at->columns);
        else
            g->input(v, b->plane, pixel, depth);
    }
}

/* The outputs of a tile in columns `column` .. + n, from its M. */
static void output_tile(const struct block *b, const float *m, size_t plane, const struct place *at,
                        size_t column, size_t n)
{
    const struct winograd *g = b->g;
    const struct dd_map *y = b->y, *r = b->post ? b->post->residual : NULL;
    float *pixel[PIXELS_MOST], **to = pixel;
    const float *residual[PIXELS_MOST], *const *residuals = r ? residual : NULL,
                                               *bias = b->bias + at->image * dd_aligned(g->cout) + column;
    float scale = b->post ? b->post->scale : 1;
    size_t first = (at->image * (size_t)y->h + (size_t)at->row) * (size_t)y->w + (size_t)at->column;
    for (int i = 0; i < at->rows; i++)
        for (int j = 0; j < at->columns; j++)
            *to++ = i < y->h - at->row && j < y->w - at->column
                        ? y->data + (first + (size_t)i * (size_t)y->w + (size_t)j) * y->stride + column
                        : NULL;
    if (r)
        dd_rectangle(residual, r->data + at->image * (size_t)y->h * (size_t)y->w * r->stride + column, y->h,
                     y->w, r->stride, at->row, at->column, at->rows, at->columns, NULL);
    if (g->tile == 6)
        b->k->winograd6_output(pixel, m, plane, bias, residuals, scale, n, at->rows, at->columns);
    else
        g->output(pixel, m, plane, bias, residuals, scale, n);
}

/* The tiles of the block that have product k. */
static void range_of(const struct block *b, size_t k, size_t *first, size_t *end)
{
    bool six = b->g->tile == 6, rows = six && (k / 8 == 5 || k / 8 == 6),
         columns = six && (k % 8 == 5 || k % 8 == 6);
    *first = columns ? b->kind[LARGE] : 0;
    *end = rows ? b->kind[WIDE] : columns ? b->kind[SMALL] : b->tiles;
}

/* What the channels of one part add to M of tiles first .. first + tiles of the block, and n columns.  The rows of a product are split evenly, so
   that no tile of it is nearly empty; `fetch` floats from `ahead` on are fetched during each. */
static void add_products(const struct block *b, float *m, const float *u, size_t part, size_t first,
                         size_t tiles, size_t n, const float *ahead, size_t fetch)
{
    const struct winograd *g = b->g;
    size_t plane = plane_floats(tiles, g->nr), depth = dd_min(g->depth, g->cin - part * g->depth);
    const float *a[DD_GEMM_MR_MAX];
    for (size_t k = 0; k < g->used; k++) {
        size_t t, end;
        range_of(b, g->plane[k], &t, &end);
        t = t > first ? t : first;
        end = dd_min(end, first + tiles);
        if (t >= end)
            continue;
        size_t calls = dd_blocks(end - t, g->mr), rows = dd_blocks(end - t, calls),
               step = dd_blocks(fetch, calls * depth);
        const float *v = b->v + part * b->part + g->plane[k] * b->plane + t * g->depth,
                    *next = ahead + k * fetch;
        const float *uk = g->made ? u + g->plane[k] * plane_floats(g->depth, g->nr) : u + k * depth * g->nr;
        for (; t < end; t += rows, next += step * depth) {
            size_t count = dd_min(rows, end - t);
            for (size_t i = 0; i < count; i++, v += g->depth)
                a[i] = v;
            b->k->gemm(m + g->plane[k] * plane + (t - first) * g->nr, g->nr, a, uk, 1, depth, count, n,
                       part > 0, NULL, next, step);
        }
    }
}

/* What tile t of those in work will write and add, in columns `column` .. + n; behind the last, that of the next panel.
   Always inlined, as dd_rectangle_ahead. */
static inline __attribute__((always_inline)) void output_ahead(const struct block *b, size_t t, size_t first,
                                                               size_t tiles, size_t column, size_t n)
{
    bool beyond = t >= first + tiles;
    const struct place *at = b->place + (beyond ? dd_min(t - tiles, first + tiles - 1) : t);
    if (beyond && column + n >= b->g->cout)
        return;
    column += beyond ? n : 0;
    dd_rectangle_ahead(b->y, at->image, at->row, at->column, at->rows, at->columns, column, n);
    if (b->post && b->post->residual)
        dd_rectangle_ahead(b->post->residual, at->image, at->row, at->column, at->rows, at->columns, column,
                           n);
}

/* All that is left once V is there, for one panel of columns and tiles first .. first + tiles of the block. */
static void run_panel(const struct block *b, float *u, float *m, size_t panel, size_t first, size_t tiles)
{
    const struct winograd *g = b->g;
    size_t column = panel * g->nr, n = dd_min(g->nr, g->cout - column), plane = plane_floats(tiles, g->nr),
           size = g->cin * g->nr;
    for (size_t k = 0; k < g->planes && g->used < g->planes; k++)
        memset(m + k * plane, 0, sizeof(float) * tiles * g->nr);
    for (size_t part = 0; part < g->parts && g->made; part++) {
        size_t from = part * g->depth, depth = dd_min(g->depth, g->cin - from);
        const float *taps = b->packed + (panel * g->cin + from) * 9 * g->nr;
        g->weights(u, plane_floats(g->depth, g->nr), taps, depth);
        add_products(b, m, u, part, first, tiles, n, taps + 9 * depth * g->nr,
                     dd_blocks(9 * depth * g->nr, g->used));
    }
    if (!g->made)
        add_products(b, m, b->packed + panel * g->used * size, 0, first, tiles, n,
                     b->packed + (panel * g->used + 1) * size, size);
    for (size_t t = first; t < first + tiles; t++) {
        output_ahead(b, t + LATER, first, tiles, column, n);
        output_tile(b, m + (t - first) * g->nr, plane, b->place + t, column, n);
    }
}

/* Block i of `blocks`, of `total` tiles. */
static struct block block_of(const struct block *all, size_t total, size_t i, size_t blocks)
{
    struct block b = *all;
    b.first = total * i / blocks;
    b.tiles = total * (i + 1) / blocks - b.first;
    return b;
}

/* All of a block, by one thread. */
static void run_alone(struct block *b, float *u, float *m, struct place *places)
{
    find_places(b, places);
    for (size_t t = 0; t < b->tiles; t++)
        input_tile(b, t);
    for (size_t panel = 0; panel < b->g->panels; panel++)
        run_panel(b, u, m, panel, 0, b->tiles);
}

/* A block by the team: panels, and where these do not go round, parts of a panel's tiles.  A thread finds the places when it has its first
   task: they lie in its scratch, which is its own only then. */
static void run_together(struct block *b, float *u, float *m, struct place *places, struct dd_worker *worker,
                         size_t threads)
{
    const struct winograd *g = b->g;
    size_t parts =
        g->panels % threads ? dd_min(dd_blocks(4 * threads, g->panels), dd_blocks(b->tiles, g->mr)) : 1;
    DD_TASKS(worker, group, dd_blocks(b->tiles, GROUP)) {
        if (!b->place)
            find_places(b, places);
        for (size_t t = group * GROUP; t < dd_min(b->tiles, (group + 1) * GROUP); t++)
            input_tile(b, t);
    }
    DD_TASKS(worker, task, g->panels * parts) {
        size_t part = task % parts, first = b->tiles * part / parts;
        if (!b->place)
            find_places(b, places);
        run_panel(b, u, m, task / parts, first, b->tiles * (part + 1) / parts - first);
    }
}

/* bias [n][cout], with each image's add. */
static void add_bias(float *bias, const struct dd_conv *c, const struct dd_post *post, size_t n,
                     struct dd_worker *worker)
{
    const struct winograd *g = c->state;
    DD_TASKS(worker, image, n)
        for (size_t o = 0; o < g->cout; o++)
            bias[image * dd_aligned(g->cout) + o] =
                c->packed[g->bias + o] + (post && post->add ? post->add[image * post->add_stride + o] : 0);
}

static void forward_winograd(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                             const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    const struct winograd *g = c->state;
    size_t threads = (size_t)ctx->threads, total = g->across.all * g->down.all * (size_t)x->n,
           me = dd_thread(ctx->worker);
    bool shared = g->made || (threads > 1 && total < ALONE * threads);
    size_t most = shared ? g->shared : g->own, plane = plane_floats(most, g->depth),
           own = g->u + g->m + g->places, blocks = dd_blocks(total, most);
    float *bias = ctx->scratch + g->v + threads * own, *u = ctx->scratch + g->v + me * own, *m = u + g->u;
    struct place *places = (struct place *)(void *)(m + g->m);
    struct block all = { .g = g,
                         .k = ctx->k,
                         .x = x,
                         .y = y,
                         .post = post,
                         .packed = c->packed,
                         .bias = bias,
                         .v = ctx->scratch + (shared ? 0 : me * g->planes * plane),
                         .doubled = c->shape.doubled,
                         .plane = plane,
                         .part = g->planes * plane };
    (void)pre;
    add_bias(bias, c, post, (size_t)x->n, ctx->worker);
    if (shared) {
        for (size_t i = 0; i < blocks; i++) {
            struct block b = block_of(&all, total, i, blocks);
            run_together(&b, u, m, places, ctx->worker, threads);
        }
        return;
    }
    blocks = dd_blocks(blocks, threads) * threads;
    DD_TASKS(ctx->worker, i, blocks) {
        struct block b = block_of(&all, total, i, blocks);
        run_alone(&b, u, m, places);
    }
}

static void close_winograd(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_winograd = {
    "winograd",       DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
    open_winograd,    pack_winograd,
    forward_winograd, close_winograd
};
