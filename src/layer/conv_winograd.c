/* Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), 36 multiplications where the sum has 144, on small images
   F(2x2, 3x3), 16 where it has 36, or on large ones F(6x6, 3x3), 64 where it has 324.  Of an image that is doubled as it is read 25, 9 and 49 are left.

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
   one per thread; per thread U [36][depth][nr], if it is made in every run, and M of nr columns; bias + add [n][cout]. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

/* Floats of V in a block of one thread, and in a block that all share; tiles a thread must have to work alone. */
enum { PLANES_MOST = 64, PIXELS_MOST = 36, OWN_FLOATS = 160 << 10, SHARED_FLOATS = 512 << 10, ALONE = 24, LATER = 2, NR_MOST = 32 };
/* The same of V where U is made in every run; of U made at a time. */
enum { MADE_FLOATS = 1280 << 10, U_FLOATS = 80 << 10 };

struct winograd {
    size_t tile, planes;                        /* outputs of a tile along a side; products of a tile, with those that are 0 */
    size_t used, plane[PLANES_MOST];            /* the others */
    bool made;                                  /* U: in every run */
    void (*weights)(float *u, size_t plane, const float *w, size_t count);
    void (*input)(float *v, size_t plane, const float *const *x, size_t channels);
    void (*output)(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual, float scale,
                   size_t channels);
    size_t cin, cout, mr, nr, panels;
    size_t across, down;                        /* tiles of an image */
    size_t own, shared;                         /* tiles of a block, at most */
    size_t parts, depth;                        /* input channels are added up in parts, `depth` at a time */
    size_t bias, zero;                          /* where in the packed block */
    size_t v, u, m;                             /* floats: V of all threads, U and M of one */
};

/* One block at work. */
struct block {
    const struct winograd *g;
    const struct dd_kernels *k;
    const struct dd_map *x, *y;
    const struct dd_post *post;
    const float *packed, *bias;
    float *v;
    int doubled;
    size_t plane, part;                         /* floats from one plane of V to the next, and from `depth` channels to the next */
    size_t first, tiles;                        /* of all tiles of all images */
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

/* Large tiles need the fewest products.  The largest have the most weights, and go to images they fit well enough; the smallest have the fewest,
   and go to images so small that making U of more takes longer than what it saves.  *made: streaming U takes longer than making it, or with
   many channels more memory than it is worth. */
static size_t tile_of(const struct dd_conv_shape *s, bool *made)
{
    enum { LEAST_PIXELS = 8 * 8, FEW_PIXELS = 16 * 16, MANY_PIXELS = 32 * 32, MOST_PIXELS = 64 * 64 };
    enum { WEIGHTS_FEW = 256 * 256, WEIGHTS_MOST = 512 * 256 };
    int64_t weights = (int64_t)s->cin * s->cout;
    size_t h = (size_t)dd_conv_height(s), w = (size_t)dd_conv_width(s), pixels = h * w;
    size_t six = dd_blocks(h, 6) * dd_blocks(w, 6) * 64, four = dd_blocks(h, 4) * dd_blocks(w, 4) * 36;
    *made = pixels < FEW_PIXELS || (pixels < MANY_PIXELS && weights > WEIGHTS_MOST);
    if (pixels >= MOST_PIXELS && 10 * six <= 9 * four && weights <= WEIGHTS_FEW)
        return 6;
    return pixels >= LEAST_PIXELS ? 4 : 2;
}

/* Of an image doubled as it is read, row 2 of B^T gives 0, whatever the tile, since its pixels come in equal pairs. */
static void choose_tile(struct winograd *g, const struct dd_conv_shape *s, const struct dd_kernels *k)
{
    g->tile = tile_of(s, &g->made);
    switch (g->tile) {
    case 6:  g->weights = k->winograd6_weights; g->input = k->winograd6_input; g->output = k->winograd6_output; break;
    case 4:  g->weights = k->winograd_weights;  g->input = k->winograd_input;  g->output = k->winograd_output; break;
    default: g->weights = k->winograd2_weights; g->input = k->winograd2_input; g->output = k->winograd2_output; break;
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
        return dd_error(err, DDPM_EUNSUPPORTED, "the winograd engine takes 3x3 convolutions of stride 1, padded by 1 on every side");
    struct winograd *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin, s->cout);
    choose_tile(g, s, setup->k);
    g->cin = (size_t)s->cin;
    g->cout = (size_t)s->cout;
    g->mr = setup->k->gemm_mr;
    g->nr = setup->k->gemm_nr;
    g->panels = dd_blocks(g->cout, g->nr);
    g->across = dd_blocks((size_t)dd_conv_width(s), g->tile);
    g->down = dd_blocks((size_t)dd_conv_height(s), g->tile);
    size_t all = g->across * g->down * (size_t)c->batch;
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
    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->cin);
    c->scratch_size = sizeof(float) * (g->v + (size_t)c->threads * (g->u + g->m) + (size_t)c->batch * dd_aligned(g->cout));
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
    DD_PARALLEL(c->threads)
    for (size_t task = 0; task < g->panels * g->cin; task++) {
        size_t panel = task / g->cin, i = task % g->cin, o = panel * g->nr;
        float own[9 * NR_MOST], *taps = g->made ? c->packed + task * 9 * g->nr : own, u[PLANES_MOST * NR_MOST];
        side_by_side(taps, w, o, dd_min(g->nr, g->cout - o), i, g->nr);
        if (g->made)
            continue;
        g->weights(u, g->nr, taps, 1);
        for (size_t k = 0; k < g->used; k++)
            memcpy(c->packed + ((panel * g->used + k) * g->cin + i) * g->nr, u + g->plane[k] * g->nr, sizeof(float) * g->nr);
    }
}

/* Where tile t lies: its image, and the first row and column of its outputs. */
struct place { size_t image; int row, column; };

static struct place find_tile(const struct winograd *g, size_t t)
{
    size_t rest = t % (g->across * g->down);
    return (struct place){ t / (g->across * g->down), (int)(rest / g->across * g->tile), (int)(rest % g->across * g->tile) };
}

static void next_tile(const struct winograd *g, struct place *at)
{
    at->column += (int)g->tile;
    if (at->column < (int)(g->across * g->tile))
        return;
    at->column = 0;
    at->row += (int)g->tile;
    if (at->row < (int)(g->down * g->tile))
        return;
    at->row = 0;
    at->image++;
}

/* V of tile t of the block, which lies at `at`.  Doubled, pixels come in pairs, and tiles begin with the second of one. */
static void input_tile(const struct block *b, size_t t, const struct place *at)
{
    const struct winograd *g = b->g;
    const struct dd_map *x = b->x;
    int side = (int)g->tile + 2;
    const float *pixel[PLANES_MOST], *image = x->data + at->image * (size_t)x->h * (size_t)x->w * x->stride, *zero = b->packed + g->zero;
    if (!b->doubled) {
        dd_square_ahead(x, at->image, at->row + side - 1, at->column, side - 2, 0, g->cin);
        dd_square(pixel, image, x->h, x->w, x->stride, at->row - 1, at->column - 1, side, zero);
    } else {
        const float *single[PLANES_MOST];
        int half = side / 2 + 1;
        dd_square(single, image, x->h, x->w, x->stride, at->row / 2 - 1, at->column / 2 - 1, half, zero);
        for (int i = 0; i < side; i++)
            for (int j = 0; j < side; j++)
                pixel[i * side + j] = single[(i + 1) / 2 * half + (j + 1) / 2];
    }
    for (size_t part = 0; part < g->parts; part++) {
        for (size_t i = 0; i < g->planes && part > 0; i++)
            pixel[i] += g->depth;
        g->input(b->v + part * b->part + t * g->depth, b->plane, pixel, dd_min(g->depth, g->cin - part * g->depth));
    }
}

/* The outputs of the tile at `at` in columns `column` .. + n, from its M. */
static void output_tile(const struct block *b, const float *m, size_t plane, const struct place *at, size_t column, size_t n)
{
    const struct winograd *g = b->g;
    const struct dd_map *y = b->y, *r = b->post ? b->post->residual : NULL;
    float *pixel[PIXELS_MOST], **to = pixel;
    const float *residual[PIXELS_MOST];
    size_t first = (at->image * (size_t)y->h + (size_t)at->row) * (size_t)y->w + (size_t)at->column;
    int tile = (int)g->tile, rows = y->h - at->row, columns = y->w - at->column;
    for (int i = 0; i < tile; i++)
        for (int j = 0; j < tile; j++)
            *to++ = i < rows && j < columns ? y->data + (first + (size_t)i * (size_t)y->w + (size_t)j) * y->stride + column : NULL;
    if (r)
        dd_square(residual, r->data + at->image * (size_t)y->h * (size_t)y->w * r->stride + column, y->h, y->w, r->stride, at->row, at->column,
                  tile, NULL);
    g->output(pixel, m, plane, b->bias + at->image * dd_aligned(g->cout) + column, r ? residual : NULL, b->post ? b->post->scale : 1, n);
}

/* What the channels of one part add to M of tiles first .. first + tiles of the block, and n columns.  The rows of a product are split evenly, so
   that no tile of it is nearly empty; `fetch` floats from `ahead` on are fetched during each. */
static void add_products(const struct block *b, float *m, const float *u, size_t part, size_t first, size_t tiles, size_t n, const float *ahead,
                         size_t fetch)
{
    const struct winograd *g = b->g;
    size_t plane = plane_floats(tiles, g->nr), depth = dd_min(g->depth, g->cin - part * g->depth);
    size_t calls = dd_blocks(tiles, g->mr), rows = dd_blocks(tiles, calls), step = dd_blocks(fetch, calls * depth);
    const float *a[DD_GEMM_MR_MAX];
    for (size_t k = 0; k < g->used; k++) {
        const float *v = b->v + part * b->part + g->plane[k] * b->plane + first * g->depth, *next = ahead + k * fetch;
        const float *uk = g->made ? u + g->plane[k] * plane_floats(g->depth, g->nr) : u + k * depth * g->nr;
        for (size_t t = 0; t < tiles; t += rows, next += step * depth) {
            size_t count = dd_min(rows, tiles - t);
            for (size_t i = 0; i < count; i++, v += g->depth)
                a[i] = v;
            b->k->gemm(m + g->plane[k] * plane + t * g->nr, g->nr, a, uk, 1, depth, count, n, part > 0, NULL, next, step);
        }
    }
}

/* All that is left once V is there, for one panel of columns and tiles first .. first + tiles of the block. */
static void run_panel(const struct block *b, float *u, float *m, size_t panel, size_t first, size_t tiles)
{
    const struct winograd *g = b->g;
    size_t column = panel * g->nr, n = dd_min(g->nr, g->cout - column), plane = plane_floats(tiles, g->nr), size = g->cin * g->nr;
    for (size_t k = 0; k < g->planes && g->used < g->planes; k++)
        memset(m + k * plane, 0, sizeof(float) * tiles * g->nr);
    for (size_t part = 0; part < g->parts && g->made; part++) {
        size_t from = part * g->depth, depth = dd_min(g->depth, g->cin - from);
        const float *taps = b->packed + (panel * g->cin + from) * 9 * g->nr;
        g->weights(u, plane_floats(g->depth, g->nr), taps, depth);
        add_products(b, m, u, part, first, tiles, n, taps + 9 * depth * g->nr, dd_blocks(9 * depth * g->nr, g->used));
    }
    if (!g->made)
        add_products(b, m, b->packed + panel * g->used * size, 0, first, tiles, n, b->packed + (panel * g->used + 1) * size, size);
    struct place at = find_tile(g, b->first + first), later = find_tile(g, b->first + first + LATER);
    for (size_t t = 0; t < tiles; t++, next_tile(g, &at), next_tile(g, &later)) {
        dd_square_ahead(b->y, later.image, later.row, later.column, (int)g->tile, column, n);
        if (b->post && b->post->residual)
            dd_square_ahead(b->post->residual, later.image, later.row, later.column, (int)g->tile, column, n);
        output_tile(b, m + t * g->nr, plane, &at, column, n);
    }
}

/* Share `me` of the `team` that works on a block: panels, and where these do not go round, parts of a panel's tiles. */
static void run_block(const struct block *b, float *u, float *m, size_t me, size_t team)
{
    const struct winograd *g = b->g;
    size_t parts = g->panels % team ? dd_min(dd_blocks(4 * team, g->panels), dd_blocks(b->tiles, g->mr)) : 1;
    size_t tasks = g->panels * parts;
    struct place at = find_tile(g, b->first + b->tiles * me / team);
    for (size_t t = b->tiles * me / team; t < b->tiles * (me + 1) / team; t++, next_tile(g, &at))
        input_tile(b, t, &at);
    dd_meet(team);
    for (size_t task = tasks * me / team; task < tasks * (me + 1) / team; task++) {
        size_t part = task % parts, first = b->tiles * part / parts;
        run_panel(b, u, m, task / parts, first, b->tiles * (part + 1) / parts - first);
    }
    dd_meet(team);
}

/* bias [n][cout], with each image's add. */
static void add_bias(float *bias, const struct dd_conv *c, const struct dd_post *post, size_t n)
{
    const struct winograd *g = c->state;
    for (size_t image = 0; image < n; image++)
        for (size_t o = 0; o < g->cout; o++)
            bias[image * dd_aligned(g->cout) + o] = c->packed[g->bias + o] + (post && post->add ? post->add[image * post->add_stride + o] : 0);
}

static void forward_winograd(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                             const struct dd_pre *pre, const struct dd_post *post)
{
    const struct winograd *g = c->state;
    size_t threads = (size_t)ctx->threads, total = g->across * g->down * (size_t)x->n;
    bool shared = g->made || (threads > 1 && total < ALONE * threads);
    size_t most = shared ? g->shared : g->own, plane = plane_floats(most, g->depth);
    float *bias = ctx->scratch + g->v + threads * (g->u + g->m);
    add_bias(bias, c, post, (size_t)x->n);
    (void)pre;
    DD_TEAM(ctx->threads)
    {
        size_t me = shared ? 0 : dd_thread(), team = shared ? 1 : dd_team(), first = total * me / team, end = total * (me + 1) / team;
        float *v = ctx->scratch + me * g->planes * plane, *u = ctx->scratch + g->v + dd_thread() * (g->u + g->m), *m = u + g->u;
        for (size_t blocks = dd_blocks(end - first, most), size; blocks; blocks--, first += size) {
            size = dd_blocks(end - first, blocks);
            struct block b = { g, ctx->k, x, y, post, c->packed, bias, v, c->shape.doubled, plane, g->planes * plane, first, size };
            run_block(&b, u, m, shared ? dd_thread() : 0, shared ? dd_team() : 1);
        }
    }
}

static void close_winograd(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_winograd = { "winograd", DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
                                                 open_winograd, pack_winograd, forward_winograd, close_winograd };
