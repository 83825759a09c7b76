/* Computes a block of tiles of the winograd engine, see conv_winograd.c: V of its inputs, then for each
   panel of columns the products M, and from these its outputs. */
#include <string.h>
#include "layer/conv_winograd.h"

enum {
    GROUP = 4, /* how many tiles a task of the input transform has */
    LATER = 2  /* how many tiles ahead of its writing an output is fetched */
};

/* Returns the place of tile (i, j) of an image. */
static struct dd_winograd_place place_of(const struct dd_winograd *g, size_t image, size_t i, size_t j)
{
    size_t down = dd_min(i, g->down.large), across = dd_min(j, g->across.large);
    struct dd_rectangle outputs = {
        .row = (int)(down * g->tile + (i - down) * 4),
        .column = (int)(across * g->tile + (j - across) * 4),
        .rows = i < g->down.large ? (int)g->tile : 4,
        .columns = j < g->across.large ? (int)g->tile : 4,
    };
    return (struct dd_winograd_place){ image, outputs };
}

static enum dd_winograd_kind kind_of(const struct dd_winograd *g, size_t i, size_t j)
{
    if (i < g->down.large)
        return j < g->across.large ? DD_WINOGRAD_LARGE : DD_WINOGRAD_TALL;
    return j < g->across.large ? DD_WINOGRAD_WIDE : DD_WINOGRAD_SMALL;
}

/* Finds the places of the block's tiles, sorted by kind. */
static void find_places(struct dd_winograd_block *b, struct dd_winograd_place *place)
{
    const struct dd_winograd *g = b->g;
    size_t first = b->first, tiles = b->tiles;
    size_t across = g->across.all, down = g->down.all, next[DD_WINOGRAD_KINDS];

    b->place = place;
    for (size_t t = first; t < first + tiles; t++)
        b->kind[kind_of(g, t / across % down, t % across) + 1]++;
    for (int k = 0; k < DD_WINOGRAD_KINDS; k++) {
        next[k] = b->kind[k];
        b->kind[k + 1] += b->kind[k];
    }

    for (size_t t = first; t < first + tiles; t++) {
        size_t i = t / across % down, j = t % across;
        place[next[kind_of(g, i, j)]++] = place_of(g, t / across / down, i, j);
    }
}

/* Computes V for tile t of the block.  In a doubled image pixels come in pairs, and a tile begins with the
   second pixel of a pair. */
static void input_tile(const struct dd_winograd_block *b, size_t t)
{
    const struct dd_winograd *g = b->g;
    const struct dd_map *x = b->x;
    const struct dd_rectangle at = b->place[t].outputs;
    int rows = at.rows + 2, columns = at.columns + 2;
    const struct dd_conv_image image = dd_conv_image_of(x, b->place[t].image);
    const float *pixel[DD_WINOGRAD_PLANES], *zero = b->packed + g->zero;

    if (!b->doubled) {
        const struct dd_rectangle below = { at.row + rows - 1, at.column, at.rows, at.columns };
        dd_rectangle_ahead(x, b->place[t].image, below, 0, g->cin);
        dd_rectangle(pixel, image, (struct dd_rectangle){ at.row - 1, at.column - 1, rows, columns }, zero);
    } else {
        const float *single[DD_WINOGRAD_PLANES];
        dd_rectangle(single, image,
                     (struct dd_rectangle){ at.row / 2 - 1, at.column / 2 - 1, rows / 2 + 1,
                                            columns / 2 + 1 },
                     zero);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                pixel[i * columns + j] = single[(i + 1) / 2 * (columns / 2 + 1) + (j + 1) / 2];
    }

    for (size_t part = 0; part < g->parts; part++) {
        struct dd_out v = dd_out(b->v + part * b->part + t * g->depth, b->plane);
        size_t depth = dd_min(g->depth, g->cin - part * g->depth);

        for (int i = 0; i < rows * columns && part > 0; i++)
            pixel[i] += g->depth;
        if (g->tile == 6)
            b->k->winograd6_input(v, pixel, depth, at.rows, at.columns);
        else
            g->input(v, pixel, depth);
    }
}

/* Some outputs of a block: n columns from `column` on, of `tiles` tiles from tile `first` of the block on. */
struct panel {
    size_t column, n, first, tiles;
    float *m;     /* their M, [planes][tiles][nr] */
    size_t plane; /* floats from one plane of M to the next */
};

/* Computes the panel's outputs of tile t of the block from its M. */
static void output_tile(const struct dd_winograd_block *b, const struct panel *p, size_t t)
{
    const struct dd_winograd *g = b->g;
    const size_t image = b->place[t].image;
    const struct dd_rectangle at = b->place[t].outputs;
    const struct dd_in m = dd_in(p->m + (t - p->first) * g->nr, p->plane);
    const struct dd_map *y = b->y, *r = b->post ? b->post->residual : NULL;
    float *pixel[DD_WINOGRAD_PIXELS], **to = pixel;
    const float *residual[DD_WINOGRAD_PIXELS];
    const struct dd_winograd_post post = {
        .bias = b->bias + image * dd_aligned(g->cout) + p->column,
        .residual = r ? residual : NULL,
        .scale = b->post ? b->post->scale : 1,
    };
    size_t first = (image * (size_t)y->h + (size_t)at.row) * (size_t)y->w + (size_t)at.column;

    /* Outputs beyond the edge of the image are not written. */
    for (int i = 0; i < at.rows; i++)
        for (int j = 0; j < at.columns; j++)
            *to++ = i < y->h - at.row && j < y->w - at.column
                        ? y->data + (first + (size_t)i * (size_t)y->w + (size_t)j) * y->stride + p->column
                        : NULL;
    if (r) {
        struct dd_conv_image from = dd_conv_image_of(r, image);
        from.pixels.at += p->column;
        dd_rectangle(residual, from, at, NULL);
    }

    if (g->tile == 6)
        b->k->winograd6_output(pixel, m, &post, p->n, at.rows, at.columns);
    else
        g->output(pixel, m, &post, p->n);
}

/* Finds the range of the block's tiles that have product k. */
static void range_of(const struct dd_winograd_block *b, size_t k, size_t *first, size_t *end)
{
    bool six = b->g->tile == 6, rows = six && (k / 8 == 5 || k / 8 == 6),
         columns = six && (k % 8 == 5 || k % 8 == 6);
    *first = columns ? b->kind[DD_WINOGRAD_LARGE] : 0;
    *end = b->tiles;
    if (rows)
        *end = b->kind[DD_WINOGRAD_WIDE];
    else if (columns)
        *end = b->kind[DD_WINOGRAD_SMALL];
}

/* Adds the channels of one part to M.  The rows of a product are split evenly, so that no tile of the gemm
   kernel is nearly empty.  Product k fetches row k of `ahead`, the `stride` floats of it. */
static void add_products(const struct dd_winograd_block *b, const struct panel *p, const float *u,
                         size_t part, struct dd_in ahead)
{
    const struct dd_winograd *g = b->g;
    size_t depth = dd_min(g->depth, g->cin - part * g->depth), fetch = ahead.stride;
    const float *a[DD_GEMM_MR_MAX];
    struct dd_gemm product = { .a = a, .taps = 1, .depth = depth, .n = p->n, .load = part > 0 };

    for (size_t k = 0; k < g->used; k++) {
        /* Only a range of the tiles has this product. */
        size_t t, end;
        range_of(b, g->plane[k], &t, &end);
        t = t > p->first ? t : p->first;
        end = dd_min(end, p->first + p->tiles);
        if (t >= end)
            continue;

        size_t calls = dd_blocks(end - t, g->mr), rows = dd_blocks(end - t, calls),
               step = dd_blocks(fetch, calls * depth);
        const float *v = b->v + part * b->part + g->plane[k] * b->plane + t * g->depth;
        product.b = g->made ? u + g->plane[k] * dd_winograd_plane(g->depth, g->nr) : u + k * depth * g->nr;
        product.ahead = dd_in(ahead.at + k * fetch, step);

        for (; t < end; t += rows, product.ahead.at += step * depth) {
            product.m = dd_min(rows, end - t);
            for (size_t i = 0; i < product.m; i++, v += g->depth)
                a[i] = v;
            b->k->gemm(dd_out(p->m + g->plane[k] * p->plane + (t - p->first) * g->nr, g->nr), &product);
        }
    }
}

/* Fetches the panel's outputs that tile t will write, and the residual that it will add.  Behind the last
   tile it fetches those of the next panel.  The function is always inlined for the same reason as
   dd_rectangle_ahead. */
static inline __attribute__((always_inline)) void output_ahead(const struct dd_winograd_block *b,
                                                               const struct panel *p, size_t t)
{
    bool beyond = t >= p->first + p->tiles;
    const struct dd_winograd_place *at =
        b->place + (beyond ? dd_min(t - p->tiles, p->first + p->tiles - 1) : t);
    if (beyond && p->column + p->n >= b->g->cout)
        return;

    size_t column = p->column + (beyond ? p->n : 0);
    dd_rectangle_ahead(b->y, at->image, at->outputs, column, p->n);
    if (b->post && b->post->residual)
        dd_rectangle_ahead(b->post->residual, at->image, at->outputs, column, p->n);
}

/* Computes the outputs from V, for one panel of columns and tiles first .. first + tiles - 1 of the block. */
static void run_panel(const struct dd_winograd_block *b, float *u, float *m, size_t panel, size_t first,
                      size_t tiles)
{
    const struct dd_winograd *g = b->g;
    const struct panel p = {
        .column = panel * g->nr,
        .n = dd_min(g->nr, g->cout - panel * g->nr),
        .first = first,
        .tiles = tiles,
        .m = m,
        .plane = dd_winograd_plane(tiles, g->nr),
    };
    size_t size = g->cin * g->nr;

    /* Products that are always 0 are not computed: their planes of M are cleared once. */
    for (size_t k = 0; k < g->planes && g->used < g->planes; k++)
        memset(m + k * p.plane, 0, sizeof(float) * tiles * g->nr);

    /* U is rebuilt for some channels at a time, while the next g are fetched; otherwise U lies in the
       packed block. */
    for (size_t part = 0; part < g->parts && g->made; part++) {
        size_t from = part * g->depth, depth = dd_min(g->depth, g->cin - from);
        const float *taps = b->packed + (panel * g->cin + from) * 9 * g->nr;
        g->weights(dd_out(u, dd_winograd_plane(g->depth, g->nr)), taps, depth);
        add_products(b, &p, u, part, dd_in(taps + 9 * depth * g->nr, dd_blocks(9 * depth * g->nr, g->used)));
    }
    if (!g->made)
        add_products(b, &p, b->packed + panel * g->used * size, 0,
                     dd_in(b->packed + (panel * g->used + 1) * size, size));

    for (size_t t = first; t < first + tiles; t++) {
        output_ahead(b, &p, t + LATER);
        output_tile(b, &p, t);
    }
}

void dd_conv_winograd_block_bias(const struct dd_winograd_block *b, size_t image)
{
    const struct dd_winograd *g = b->g;
    const float *add = b->post && b->post->add ? b->post->add + image * b->post->add_stride : NULL;
    float *bias = b->bias + image * dd_aligned(g->cout);
    for (size_t o = 0; o < g->cout; o++)
        bias[o] = b->packed[g->bias + o] + (add ? add[o] : 0);
}

void dd_conv_winograd_block_alone(struct dd_winograd_block *b, float *u, float *m,
                                  struct dd_winograd_place *places)
{
    find_places(b, places);
    for (size_t t = 0; t < b->tiles; t++)
        input_tile(b, t);
    for (size_t panel = 0; panel < b->g->panels; panel++)
        run_panel(b, u, m, panel, 0, b->tiles);
}

/* Computes a block with the team.  A task is a panel or, if there are too few panels, a part of a panel's
   tiles.  Each thread finds the places in its first task, because its scratch is its own only inside of a
   task. */
void dd_conv_winograd_block_together(struct dd_winograd_block *b, float *u, float *m,
                                     struct dd_winograd_place *places, struct dd_worker *worker,
                                     size_t threads)
{
    const struct dd_winograd *g = b->g;
    size_t parts =
        g->panels % threads ? dd_min(dd_blocks(4 * threads, g->panels), dd_blocks(b->tiles, g->mr)) : 1;
    size_t groups = dd_blocks(b->tiles, GROUP), images = b->first ? 0 : (size_t)b->x->n;

    DD_TASKS(worker, group, groups + images) {
        if (group >= groups) {
            dd_conv_winograd_block_bias(b, group - groups);
            continue;
        }
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
