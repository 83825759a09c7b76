/* Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016): 36 multiplications where the sum has 144.

   An image is cut into tiles of 4x4 output pixels.  For a block of tiles
     V[k] [tiles, cin]  = B^T d B of each tile's 6x6 inputs            k < 36
     M[k] [tiles, cout] = V[k] U[k],  U = G g G^T made once            36 matrix products
     y                  = A^T M A + bias + add + residual, times scale, act.
   Few tiles, as in one small image: all threads share a block and meet after each of the three; many: every thread has blocks of its own,
   which stay in its second-level cache.  Either way each element is one sum in order of channels.

   Packed: U [36][cout / nr][cin][nr], bias [cout], zeros [cin].  Scratch: per thread V and M of a block, and bias + add [cout]. */
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

enum { PLANES = 36, BLOCK_FLOATS = 256 << 10, SHARE = 2 };       /* V and M of a block; blocks a thread must have to work alone */

struct winograd {
    size_t cin, cout, mr, nr, panels;
    size_t across, down;                        /* tiles of an image */
    size_t tiles;                               /* of a block, at most */
    size_t bias, zero;                          /* where in the packed block */
    size_t v, m, thread;                        /* floats of V, of M, of a thread's scratch */
};

/* One block at work. */
struct block {
    const struct winograd *g;
    const struct dd_kernels *k;
    const struct dd_map *x, *y;
    const struct dd_post *post;
    const float *packed;
    float *v, *m;
    size_t size, first, tiles;                  /* tiles there is room for; of all tiles of all images */
};

static int open_winograd(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    if (s->kernel != 3 || s->stride != 1 || s->top != 1 || s->left != 1 || s->bottom != 1 || s->right != 1)
        return dd_error(err, DDPM_EUNSUPPORTED, "the winograd engine takes 3x3 convolutions of stride 1, padded by 1 on every side");
    struct winograd *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin, s->cout);
    g->cin = (size_t)s->cin;
    g->cout = (size_t)s->cout;
    g->mr = setup->k->gemm_mr;
    g->nr = setup->k->gemm_nr;
    g->panels = dd_blocks(g->cout, g->nr);
    g->across = dd_blocks((size_t)s->w, 4);
    g->down = dd_blocks((size_t)s->h, 4);
    g->tiles = g->mr * (1 + BLOCK_FLOATS / (PLANES * g->mr * (g->cin + g->cout)));
    g->bias = PLANES * g->panels * g->cin * g->nr;
    g->zero = g->bias + g->cout;
    g->v = dd_aligned(PLANES * g->tiles * g->cin);
    g->m = dd_aligned(PLANES * g->tiles * g->cout);
    g->thread = g->v + g->m;
    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->cin);
    c->scratch_size = sizeof(float) * (size_t)c->threads * g->thread + sizeof(float) * (size_t)c->batch * dd_aligned(g->cout);
    return DDPM_OK;
}

static void pack_winograd(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    const struct winograd *g = c->state;
    size_t plane = g->panels * g->cin * g->nr;
    memset(c->packed + g->bias, 0, sizeof(float) * (g->cout + g->cin));
    if (bias)
        memcpy(c->packed + g->bias, bias, sizeof(float) * g->cout);
    DD_PARALLEL(c->threads)
    for (size_t task = 0; task < g->panels * g->cin; task++)
        c->k->winograd_weights(c->packed + task * g->nr, plane, w->at + task / g->cin * g->nr * w->out + task % g->cin * w->in, w->out,
                               dd_min(g->nr, g->cout - task / g->cin * g->nr), w->flipped);
}

/* Where tile t lies: its image, and the first row and column of its outputs. */
struct place { size_t image; int row, column; };

static struct place find_tile(const struct winograd *g, size_t t)
{
    size_t rest = t % (g->across * g->down);
    return (struct place){ t / (g->across * g->down), (int)(rest / g->across) * 4, (int)(rest % g->across) * 4 };
}

/* V of tile t of the block. */
static void input_tile(const struct block *b, size_t t)
{
    const struct winograd *g = b->g;
    const struct dd_map *x = b->x;
    struct place at = find_tile(g, b->first + t);
    const float *pixel[PLANES], *image = x->data + at.image * (size_t)x->h * (size_t)x->w * x->stride;
    for (int i = 0; i < PLANES; i++) {
        int iy = at.row - 1 + i / 6, ix = at.column - 1 + i % 6;
        pixel[i] = iy >= 0 && iy < x->h && ix >= 0 && ix < x->w ? image + ((size_t)iy * (size_t)x->w + (size_t)ix) * x->stride : b->packed + g->zero;
    }
    b->k->winograd_input(b->v + t * g->cin, b->size * g->cin, pixel, g->cin);
}

/* M[k] of one panel of columns: task is k, then the panel.  The rows are split evenly, so that no tile of the product is nearly empty. */
static void multiply_panel(const struct block *b, size_t task)
{
    const struct winograd *g = b->g;
    size_t k = task / g->panels, column = task % g->panels * g->nr, n = dd_min(g->nr, g->cout - column);
    size_t rows = dd_blocks(b->tiles, dd_blocks(b->tiles, g->mr));
    const float *v = b->v + k * b->size * g->cin, *u = b->packed + task * g->cin * g->nr, *a[DD_GEMM_MR_MAX];
    for (size_t t = 0; t < b->tiles; t += rows) {
        size_t m = dd_min(rows, b->tiles - t);
        for (size_t i = 0; i < m; i++)
            a[i] = v + (t + i) * g->cin;
        b->k->gemm(b->m + (k * b->size + t) * g->cout + column, g->cout, a, u, 1, g->cin, m, n, 0, NULL);
    }
}

/* The outputs of tile t of the block. */
static void output_tile(const struct block *b, const float *bias, size_t t)
{
    const struct winograd *g = b->g;
    const struct dd_map *y = b->y, *r = b->post ? b->post->residual : NULL;
    struct place at = find_tile(g, b->first + t);
    float *pixel[16];
    const float *residual[16];
    for (int i = 0; i < 16; i++) {
        int iy = at.row + i / 4, ix = at.column + i % 4, inside = iy < y->h && ix < y->w;
        size_t p = inside ? (at.image * (size_t)y->h + (size_t)iy) * (size_t)y->w + (size_t)ix : 0;
        pixel[i] = inside ? y->data + p * y->stride : NULL;
        residual[i] = r ? r->data + p * r->stride : NULL;
    }
    b->k->winograd_output(pixel, b->m + t * g->cout, b->size * g->cout, bias + at.image * dd_aligned(g->cout), r ? residual : NULL,
                          b->post ? b->post->scale : 1, g->cout, b->post ? b->post->act : DD_ACT_NONE);
}

/* Share `me` of the `team` that works on a block; they wait for each other between the phases. */
static void run_block(const struct block *b, const float *bias, size_t me, size_t team)
{
    size_t products = PLANES * b->g->panels;
    for (size_t t = b->tiles * me / team; t < b->tiles * (me + 1) / team; t++)
        input_tile(b, t);
    dd_meet(team);
    for (size_t task = products * me / team; task < products * (me + 1) / team; task++)
        multiply_panel(b, task);
    dd_meet(team);
    for (size_t t = b->tiles * me / team; t < b->tiles * (me + 1) / team; t++)
        output_tile(b, bias, t);
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
    size_t shared = dd_blocks(total, g->tiles) < SHARE * threads, size = shared ? g->tiles * threads : g->tiles;
    float *bias = ctx->scratch + threads * g->thread;
    add_bias(bias, c, post, (size_t)x->n);
    (void)pre;
    DD_TEAM(ctx->threads)
    {
        size_t me = shared ? 0 : dd_thread(), team = shared ? 1 : dd_team();
        float *scratch = ctx->scratch + me * g->thread;
        for (size_t first = me * size; first < total; first += team * size) {
            size_t tiles = dd_min(size, total - first);
            struct block b = { g, ctx->k, x, y, post, c->packed, scratch, scratch + PLANES * size * g->cin, size, first, tiles };
            run_block(&b, bias, shared ? dd_thread() : 0, shared ? dd_team() : 1);
        }
    }
}

static void close_winograd(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_winograd = { "winograd", DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
                                                 open_winograd, pack_winograd, forward_winograd, close_winograd };
