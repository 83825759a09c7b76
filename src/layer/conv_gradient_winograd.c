/* The gradient of a 3x3 convolution of stride 1 by its weights, by Winograd's F(4x4, 3x3).  Forward is
   y = A^T [(G g G^T) * (B^T d B)] A for each tile, summed over input channels, so by the chain rule

     dw = G^T (sum over tiles of (B^T d B) * (A dz A^T)) G,

   with an outer product over channels in the place of *.  This takes 36 multiplications instead of 144.

   A strip is some rows of tiles of one image, which a thread transforms at a time, so that its input x' stays
   in the cache.  One loop transforms the strips of a chunk, the next computes the products of the 36 planes.
   Plane 7 of A dz A^T is the sum of the tile's dz, which db needs, because the second row of A is all
   ones. */
#include <string.h>
#include "layer/conv_gradient_engine.h"

enum {
    PLANES = 36,
    SUMS = 7,               /* the plane that holds sums of dz */
    STRIP_TILES = 32,       /* how many tiles a strip has at least */
    CHUNK_FLOATS = 1 << 19, /* about how many floats a chunk takes */
    CHUNK_TILES = 128,      /* how many tiles a chunk has at least */
    BIAS_ROWS = 64
};

void dd_conv_gradient_winograd_plan(struct dd_conv_gradient *g)
{
    const struct dd_conv_shape *s = &g->shape;
    struct dd_conv_gradient_plan *p = &g->plan;
    size_t cin = (size_t)s->cin, cout = (size_t)s->cout, nr = g->k->gemm_nr;
    p->across = dd_blocks((size_t)s->w, 4);
    p->down = dd_blocks((size_t)s->h, 4);
    p->rows = dd_min(dd_blocks(STRIP_TILES, p->across), p->down);
    p->strips = dd_blocks(p->down, p->rows);
    size_t strip = p->rows * p->across, tiles = CHUNK_FLOATS / (PLANES * (cin + cout));
    tiles = tiles > CHUNK_TILES ? tiles : CHUNK_TILES;
    p->outer = dd_conv_outer_of(g->k, PLANES, cin, cout,
                                strip * dd_min(dd_blocks(tiles, strip), p->strips * (size_t)g->batch));
    /* A thread's own part first holds the rows of a strip, and later dw of two panels. */
    size_t load = (4 * p->rows + 2) * (size_t)s->w * cin, store = 2 * 9 * nr * nr;
    dd_conv_gradient_place(g, load > store ? load : store);
}

/* Returns how many tiles lie before strip s, counted over all images. */
static size_t strip_start(const struct dd_conv_gradient_plan *p, size_t s)
{
    return s / p->strips * p->across * p->down + dd_min(s % p->strips * p->rows, p->down) * p->across;
}

/* Some rows of an image in memory, from its row `first` on. */
struct window {
    struct dd_conv_image rows;
    int first;
};

/* Returns the rows, after pre, that the tile rows first .. last - 1 of an image read. */
static struct window strip_window(const struct dd_conv_gradient_work *w, float *own, size_t image,
                                  size_t first, size_t last)
{
    const struct dd_map *x = w->x;
    size_t width = (size_t)x->w, c = (size_t)x->c, start = image * (size_t)x->h * width;
    if (!w->pre)
        return (struct window){ dd_conv_image_of(x, image), 0 };

    int top = first ? (int)first * 4 - 1 : 0, end = (int)dd_min((size_t)x->h, last * 4 + 1);
    const struct dd_affine_terms terms = dd_pre_terms(w->pre, image, c);
    w->g->k->affine(dd_out(own, c), dd_map_in(x, start + (size_t)top * width), &terms,
                    (size_t)(end - top) * width, c);
    return (struct window){ { dd_in(own, c), end - top, x->w }, top };
}

typedef void transform(struct dd_out v, const float *const *x, size_t channels);

/* Transforms all channels of the `pixels` pixels of a tile into the planes of `to`.  The panels of nr
   channels lie room * nr floats apart. */
static void tile_panels(const struct dd_conv_outer *o, transform *f, struct dd_out to, const float **pixel,
                        int pixels, size_t channels)
{
    for (size_t c = 0; c < channels; c += o->nr, to.at += o->room * o->nr) {
        f(to, pixel, dd_min(o->nr, channels - c));
        for (int i = 0; i < pixels; i++)
            pixel[i] += o->nr;
    }
}

/* Transforms strip s, counted over all images, into A and B from term t on. */
static void load_strip(const struct dd_conv_gradient_work *w, float *own, size_t s, size_t t)
{
    const struct dd_conv_gradient *g = w->g;
    const struct dd_conv_gradient_plan *p = &g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t image = s / p->strips, first = s % p->strips * p->rows, last = dd_min(first + p->rows, p->down);
    struct window x = strip_window(w, own, image, first, last);
    const struct dd_conv_image z = dd_conv_image_of(w->dz, image);
    const float *pixel[PLANES], *zero = w->scratch + p->zero;
    float *a = w->scratch + p->a + t * o->nr, *b = w->scratch + p->b + t * o->nr;

    for (size_t tile = first * p->across; tile < last * p->across; tile++, a += o->nr, b += o->nr) {
        int row = (int)((unsigned)tile / (unsigned)p->across) * 4,
            column = (int)((unsigned)tile % (unsigned)p->across) * 4;
        if (!w->pre)
            dd_rectangle_ahead(w->x, image, (struct dd_rectangle){ row + 5, column, 4, 4 }, 0, o->rows);
        dd_rectangle(pixel, x.rows, (struct dd_rectangle){ row - 1 - x.first, column - 1, 6, 6 }, zero);
        tile_panels(o, g->k->winograd_input, dd_out(a, o->a_plane), pixel, 36, o->rows);

        dd_rectangle_ahead(w->dz, image, (struct dd_rectangle){ row + 4, column, 4, 4 }, 0, o->columns);
        dd_rectangle(pixel, z, (struct dd_rectangle){ row, column, 4, 4 }, zero);
        tile_panels(o, g->k->winograd_output_adjoint, dd_out(b, o->b_plane), pixel, 16, o->columns);
    }
}

/* Sums one panel of B's plane SUMS for db: fills the bias with it or, with `add`, adds it. */
static void add_bias(const struct dd_conv_gradient_work *w, size_t panel, size_t count, bool add)
{
    const struct dd_conv_outer *o = &w->g->plan.outer;
    const float *z = w->scratch + w->g->plan.b + SUMS * o->b_plane + panel * o->room * o->nr;
    for (size_t t = 0; t < count; t += BIAS_ROWS)
        dd_conv_gradient_bias(w, panel, dd_in(z + t * o->nr, o->nr), dd_min(BIAS_ROWS, count - t),
                              add || t > 0);
}

/* Adds G^T C G to dw, for a panel of input and a panel of output channels, turned from [i][tap][o] to
   [o][i][tap]. */
static void store_panels(const struct dd_conv_gradient_work *w, float *own, size_t row, size_t column)
{
    const struct dd_kernels *k = w->g->k;
    const struct dd_conv_outer *o = &w->g->plan.outer;
    size_t nr = o->nr, m = dd_min(nr, o->rows - row * nr), n = dd_min(nr, o->columns - column * nr);
    const float *c = w->scratch + w->g->plan.c + (column * o->rows + row * nr) * nr;
    float *turned = own + 9 * nr * nr, *dw = w->dw + (column * nr * o->rows + row * nr) * 9;
    for (size_t i = 0; i < m; i++)
        k->winograd_weights_adjoint(dd_out(own + i * 9 * nr, nr), dd_in(c + i * nr, o->c_plane), n);
    k->transpose(dd_out(turned, 9 * nr), dd_in(own, nr), 9 * m, n);
    const struct dd_post_terms sum = { .residual = dd_in(dw, 9 * o->rows), .scale = 1 };
    k->post(dd_out(dw, 9 * o->rows), dd_in(turned, 9 * nr), &sum, n, 9 * m);
}

/* Adds up strips first .. last - 1. */
static void run_chunk(const struct dd_conv_gradient_work *w, size_t first, size_t last,
                      struct dd_worker *worker)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    size_t start = strip_start(p, first), count = strip_start(p, last) - start,
           items = dd_conv_outer_items(&p->outer);
    DD_TASKS(worker, strip, last - first)
        load_strip(w, w->scratch + p->thread + dd_thread(worker) * p->own, first + strip,
                   strip_start(p, first + strip) - start);

    const struct dd_conv_outer *o = &p->outer;
    struct dd_conv_side a = dd_conv_outer_copy(o, w->scratch + p->a, o->a_plane),
                        b = dd_conv_outer_copy(o, w->scratch + p->b, o->b_plane);
    DD_TASKS(worker, item, items + (w->db ? p->outer.column_panels : 0)) {
        if (item < items)
            dd_conv_outer_add(o, w->scratch + p->c, &a, &b, item, count, first > 0);
        else
            add_bias(w, item - items, count, first > 0);
    }
}

void dd_conv_gradient_winograd_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    size_t strips = p->strips * (size_t)w->dz->n, most = p->outer.room / (p->rows * p->across);
    DD_ONCE(worker)
        memset(w->scratch + p->zero, 0, sizeof(float) * (p->thread - p->zero));
    for (size_t first = 0; first < strips; first += most)
        run_chunk(w, first, dd_min(first + most, strips), worker);
    dd_conv_gradient_store(w, worker, store_panels);
}
