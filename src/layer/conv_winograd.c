/* Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), 36 multiplications where the sum has 144, on small images
   F(2x2, 3x3), 16 where it has 36, or on large ones F(6x6, 3x3), 64 where it has 324.  Of an image that is doubled as it is read 25, 9 and 49 are left.

   An image is cut into tiles of, say, 4x4 output pixels.  For a block of tiles
     V[k] [tiles, cin]  = B^T d B of each tile's 6x6 inputs            k < 36
     M[k] [tiles, cout] = V[k] U[k],  U = G g G^T made once            36 matrix products
     y                  = A^T M A + bias + add + residual, times scale.
   M is made for nr columns at a time and goes to the output at once, by the thread that made it.  Few tiles, as in one small image: all
   threads share V and meet once it is there; many: every thread has a run of tiles of its own, which lies where the passes over pixels
   before and behind have left it in that core's cache.  Either way each element is one sum in order of channels.

   Packed: U [cout / nr][36][cin][nr], bias [cout], zeros [cin].  Scratch: V of a block or of one per thread; per thread M of nr columns;
   bias + add [n][cout]. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

/* Floats of V in a block of one thread, and in a block that all share; tiles a thread must have to work alone. */
enum { PLANES_MOST = 64, PIXELS_MOST = 36, OWN_FLOATS = 160 << 10, SHARED_FLOATS = 512 << 10, ALONE = 24, LATER = 2, NR_MOST = 32 };

struct winograd {
    size_t tile, planes;                        /* outputs of a tile along a side; products of a tile, with those that are 0 */
    size_t used, plane[PLANES_MOST];            /* the others */
    void (*weights)(float *u, size_t plane, const float *w, size_t ws, size_t n, int flipped);
    void (*input)(float *v, size_t plane, const float *const *x, size_t channels);
    void (*output)(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual, float scale,
                   size_t channels);
    size_t cin, cout, mr, nr, panels;
    size_t across, down;                        /* tiles of an image */
    size_t own, shared;                         /* tiles of a block, at most */
    size_t bias, zero;                          /* where in the packed block */
    size_t v, m;                                /* floats: V of all threads, M of one */
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
    size_t plane, first, tiles;                 /* floats from one plane of V to the next; of all tiles of all images */
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

/* Large tiles need the fewest products, but more weights: where an image has few tiles, streaming those takes longer than
   what is saved, or, with many channels, saves little for the memory it takes.  The largest where those that reach beyond the image leave it
   worth while. */
static size_t tile_of(const struct dd_conv_shape *s)
{
    enum { FEW_PIXELS = 16 * 16, MANY_PIXELS = 32 * 32, MOST_PIXELS = 64 * 64, WEIGHTS_FEW = 256 * 256, WEIGHTS_MOST = 512 * 256 };
    int64_t weights = (int64_t)s->cin * s->cout;
    size_t h = (size_t)dd_conv_height(s), w = (size_t)dd_conv_width(s), pixels = h * w;
    size_t six = dd_blocks(h, 6) * dd_blocks(w, 6) * 64, four = dd_blocks(h, 4) * dd_blocks(w, 4) * 36;
    if (pixels >= MOST_PIXELS && 10 * six <= 9 * four && weights <= WEIGHTS_FEW)
        return 6;
    return pixels >= MANY_PIXELS || (pixels >= FEW_PIXELS && weights <= WEIGHTS_MOST) ? 4 : 2;
}

/* Of an image doubled as it is read, row 2 of B^T gives 0, whatever the tile, since its pixels come in equal pairs. */
static void choose_tile(struct winograd *g, const struct dd_conv_shape *s, const struct dd_kernels *k)
{
    g->tile = tile_of(s);
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
    g->own = dd_min(all, tiles_in(OWN_FLOATS, g));
    g->shared = dd_min(all, tiles_in(SHARED_FLOATS, g));
    g->bias = g->used * g->panels * g->cin * g->nr;
    g->zero = g->bias + g->cout;
    size_t alone = (size_t)c->threads * g->planes * plane_floats(g->own, g->cin), together = g->planes * plane_floats(g->shared, g->cin);
    g->v = alone > together ? alone : together;
    g->m = g->planes * plane_floats(g->shared, g->nr);
    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->cin);
    c->scratch_size = sizeof(float) * (g->v + (size_t)c->threads * g->m + (size_t)c->batch * dd_aligned(g->cout));
    return DDPM_OK;
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
        float u[PLANES_MOST * NR_MOST];
        g->weights(u, g->nr, w->at + o * w->out + i * w->in, w->out, dd_min(g->nr, g->cout - o), w->flipped);
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
    g->input(b->v + t * g->cin, b->plane, pixel, g->cin);
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

/* All that is left once V is there, for one panel of columns and tiles first .. first + tiles of the block.  The rows of a product are
   split evenly, so that no tile of it is nearly empty. */
static void run_panel(const struct block *b, float *m, size_t panel, size_t first, size_t tiles)
{
    const struct winograd *g = b->g;
    size_t column = panel * g->nr, n = dd_min(g->nr, g->cout - column), plane = plane_floats(tiles, g->nr);
    size_t rows = dd_blocks(tiles, dd_blocks(tiles, g->mr));
    size_t size = g->cin * g->nr, step = dd_blocks(g->nr * rows, tiles), part = step * g->cin;
    const float *u = b->packed + panel * g->used * size, *a[DD_GEMM_MR_MAX];
    for (size_t k = 0; k < g->planes && g->used < g->planes; k++)
        memset(m + k * plane, 0, sizeof(float) * tiles * g->nr);
    for (size_t k = 0; k < g->used; k++, u += size) {
        const float *v = b->v + g->plane[k] * b->plane + first * g->cin, *ahead = u + size;
        for (size_t t = 0; t < tiles; t += rows, ahead += part) {
            size_t count = dd_min(rows, tiles - t);
            for (size_t i = 0; i < count; i++, v += g->cin)
                a[i] = v;
            b->k->gemm(m + g->plane[k] * plane + t * g->nr, g->nr, a, u, 1, g->cin, count, n, 0, NULL, ahead, step);
        }
    }
    struct place at = find_tile(g, b->first + first), later = find_tile(g, b->first + first + LATER);
    for (size_t t = 0; t < tiles; t++, next_tile(g, &at), next_tile(g, &later)) {
        dd_square_ahead(b->y, later.image, later.row, later.column, (int)g->tile, column, n);
        if (b->post && b->post->residual)
            dd_square_ahead(b->post->residual, later.image, later.row, later.column, (int)g->tile, column, n);
        output_tile(b, m + t * g->nr, plane, &at, column, n);
    }
}

/* Share `me` of the `team` that works on a block: panels, and where these do not go round, parts of a panel's tiles. */
static void run_block(const struct block *b, float *m, size_t me, size_t team)
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
        run_panel(b, m, task / parts, first, b->tiles * (part + 1) / parts - first);
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
    bool shared = threads > 1 && total < ALONE * threads;
    size_t most = shared ? g->shared : g->own, plane = plane_floats(most, g->cin);
    float *bias = ctx->scratch + g->v + threads * g->m;
    add_bias(bias, c, post, (size_t)x->n);
    (void)pre;
    DD_TEAM(ctx->threads)
    {
        size_t me = shared ? 0 : dd_thread(), team = shared ? 1 : dd_team(), first = total * me / team, end = total * (me + 1) / team;
        float *v = ctx->scratch + me * g->planes * plane, *m = ctx->scratch + g->v + dd_thread() * g->m;
        for (size_t blocks = dd_blocks(end - first, most), size; blocks; blocks--, first += size) {
            size = dd_blocks(end - first, blocks);
            struct block b = { g, ctx->k, x, y, post, c->packed, bias, v, c->shape.doubled, plane, first, size };
            run_block(&b, m, shared ? dd_thread() : 0, shared ? dd_team() : 1);
        }
    }
}

static void close_winograd(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_winograd = { "winograd", DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
                                                 open_winograd, pack_winograd, forward_winograd, close_winograd };
