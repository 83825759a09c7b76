/* The gradient of any convolution by its weights, as a sum of outer products over output pixels q:

     dw[o, (tap, i)] += sum over q of dz[q, o] x'[q stride + tap - padding, i].

   The sum goes the other way round where x has more channels, the stride is 1 and padding leaves the size
   as it is, so that patches are copies of the smaller map:

     dw[o, (tap, i)] = sum over input pixels p of x'[p, i] dz[p + padding - tap, o].

   This is the same sum for the convolution that gives dx, with x' and dz exchanged.  In what follows z is
   the map that is read by pixels, and x the one that is read by patches.

   Blocks of pixels are copied into panels of channels, unless they can be read where they lie.  A pixel of z
   gives its channels, a pixel of x its patch of taps * cin numbers.  One of the two gives the rows of the
   product and the other the columns, such that fewer columns of the panels stay empty.  The pixels of a
   chunk are divided among several planes, which are added up in the end, so that small layers occupy many
   threads. */
#include <string.h>
#include "layer/conv_gradient_engine.h"

enum {
    BLOCK = 64,            /* how many pixels are copied at a time */
    CHUNK_LEAST = 1 << 16, /* a chunk has between CHUNK_LEAST and CHUNK_MOST floats */
    CHUNK_MOST = 1 << 20,
    ITEMS = 16, /* how many products threads should share at least */
    FEW = 4     /* runs of fewer floats are copied one by one */
};

/* Says whether the sum goes the other way round. */
static int exchanged(const struct dd_conv_shape *s)
{
    return s->kernel > 1 && s->stride == 1 && s->cin > s->cout && s->h == dd_conv_height(s) &&
           s->w == dd_conv_width(s);
}

void dd_conv_gradient_direct_plan(struct dd_conv_gradient *g)
{
    struct dd_conv_gradient_plan *p = &g->plan;
    const struct dd_conv_shape *s = &p->sum;
    p->exchanged = exchanged(&g->shape);
    p->sum = p->exchanged ? dd_conv_gradient_shape(&g->shape) : g->shape;

    size_t patch = (size_t)s->kernel * (size_t)s->kernel * (size_t)s->cin, cout = (size_t)s->cout,
           nr = g->k->gemm_nr;
    size_t pixels = (size_t)dd_conv_height(s) * (size_t)dd_conv_width(s), total = pixels * (size_t)g->batch;

    /* Columns are padded to whole panels, rows are not, so the choice with less padding is taken. */
    p->swapped = dd_blocks(patch, nr) * nr * cout < dd_blocks(cout, nr) * nr * patch;

    /* There are enough planes for the threads to share, and enough pixels to make them worth it. */
    size_t planes = pixels < BLOCK ? 1 : dd_blocks(ITEMS, dd_blocks(patch, nr) * dd_blocks(cout, nr));
    size_t twice = 2 * patch * cout, chunk = dd_min(twice > CHUNK_LEAST ? twice : CHUNK_LEAST, CHUNK_MOST);
    size_t blocks =
        dd_min(dd_blocks(chunk, BLOCK * planes * (patch + cout)), dd_blocks(total, BLOCK * planes));
    p->outer = p->swapped ? dd_conv_outer_of(g->k, planes, cout, patch, blocks * BLOCK)
                          : dd_conv_outer_of(g->k, planes, patch, cout, blocks * BLOCK);
    dd_conv_gradient_place(g, nr * nr);
}

/* A map, and the pre for loading it. */
struct source {
    const struct dd_map *map;
    const struct dd_pre *pre;
};

static struct source source_of(const struct dd_conv_gradient_work *w, int of_z)
{
    return of_z == w->g->plan.exchanged ? (struct source){ w->x, w->pre } : (struct source){ w->dz, NULL };
}

/* Returns what the pre does to channels `first` .. of an image. */
static struct dd_affine_terms terms_from(const struct source *in, size_t image, size_t first)
{
    struct dd_affine_terms terms = dd_pre_terms(in->pre, image, (size_t)in->map->c);
    if (terms.scale) {
        terms.scale += first;
        terms.shift += first;
    }
    return terms;
}

/* Output pixels of one row: `count` of them, from (oy, ox) of an image on. */
struct run {
    size_t image;
    int oy, ox, count;
};

/* Copies n channels of x from i on, the pixels that lie under one tap of the pixels of a run. */
static void copy_run(const struct dd_conv_gradient_work *w, float *to, const struct run *run, size_t tap,
                     size_t i, size_t n)
{
    const struct dd_conv_shape *s = &w->g->plan.sum;
    const struct source in = source_of(w, 0);
    const struct dd_map *x = in.map;
    size_t nr = w->g->k->gemm_nr;
    int iy = run->oy * s->stride + (int)tap / s->kernel - s->top,
        ix = run->ox * s->stride + (int)tap % s->kernel - s->left, count = run->count, before = 0, last;

    /* Pixels before .. last - 1 lie inside of the image; the others become zeros. */
    if (iy < 0 || iy >= s->h)
        before = count;
    while (before < count && ix + before * s->stride < 0)
        before++;
    for (last = before; last < count && ix + last * s->stride < s->w;)
        last++;
    for (int q = 0; q < count; q = q + 1 == before ? last : q + 1)
        if (q < before || q >= last)
            memset(to + (size_t)q * nr, 0, n * sizeof *to);
    if (last == before)
        return;

    /* A strided run is a run of pixels that lie further apart. */
    const float *from =
        x->data +
        ((run->image * (size_t)s->h + (size_t)iy) * (size_t)s->w + (size_t)(ix + before * s->stride)) *
            x->stride +
        i;
    size_t step = x->stride * (size_t)s->stride;
    if (n >= FEW || in.pre) {
        struct dd_affine_terms terms = terms_from(&in, run->image, i);
        w->g->k->affine(dd_out(to + (size_t)before * nr, nr), dd_in(from, step), &terms,
                        (size_t)(last - before), n);
    } else
        for (int q = before; q < last; q++, from += step)
            for (size_t c = 0; c < n; c++)
                to[(size_t)q * nr + c] = from[c];
}

/* A part of a panel: pixels q .. q + count - 1, counted over all images, and from each pixel the n numbers of
   its patch, or of its channels, from `first` on. */
struct part {
    size_t q, count, first, n;
};

/* Copies a part from the patches at output pixels. */
static void copy_patches(const struct dd_conv_gradient_work *w, float *to, const struct part *p)
{
    size_t width = (size_t)w->dz->w, height = (size_t)w->dz->h, cin = (size_t)w->g->plan.sum.cin,
           nr = w->g->k->gemm_nr, end = p->q + p->count;

    for (size_t q = p->q, count; q < end; q += count, to += count * nr) {
        count = dd_min(end - q, width - q % width);
        struct run run = { q / width / height, (int)(q / width % height), (int)(q % width), (int)count };
        for (size_t done = 0, n; done < p->n; done += n) {
            size_t i = (p->first + done) % cin;
            n = dd_min(p->n - done, cin - i);
            copy_run(w, to + done, &run, (p->first + done) / cin, i, n);
        }
    }
}

/* Copies the same of z, or of x if its patches are single pixels. */
static void copy_pixels(const struct dd_kernels *k, const struct source *in, float *to, const struct part *p)
{
    const struct dd_map *x = in->map;
    size_t pixels = (size_t)x->h * (size_t)x->w, nr = k->gemm_nr, end = p->q + p->count;
    for (size_t q = p->q, count; q < end; q += count, to += count * nr) {
        struct dd_affine_terms terms = terms_from(in, q / pixels, p->first);
        count = terms.scale ? dd_min(end - q, pixels - q % pixels) : end - q;
        k->affine(dd_out(to, nr), dd_in(x->data + q * x->stride + p->first, x->stride), &terms, count, p->n);
    }
}

/* Says whether z or x needs no copy: it has no pre, and as columns it fills every panel. */
static int in_place(const struct dd_conv_gradient_work *w, int of_z)
{
    const struct dd_conv_shape *s = &w->g->plan.sum;
    int rows = of_z == w->g->plan.swapped, channels = of_z ? s->cout : s->cin;
    return (of_z || dd_conv_is_pointwise(s)) && !source_of(w, of_z).pre &&
           (rows || (size_t)channels % w->g->k->gemm_nr == 0);
}

/* Pixels start .. start + pixels - 1, counted over all images.  Each plane has `share` of them, in whole
   blocks. */
struct chunk {
    size_t start, pixels, share;
    struct dd_conv_side z, x;
};

static struct dd_conv_side side_of(const struct dd_conv_gradient_work *w, int of_z, size_t start,
                                   size_t share)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_map *map = source_of(w, of_z).map;
    if (in_place(w, of_z))
        return (struct dd_conv_side){ map->data + start * map->stride, map->stride, p->outer.nr,
                                      share * map->stride };
    return of_z == p->swapped ? dd_conv_outer_copy(&p->outer, w->scratch + p->a, p->outer.a_plane)
                              : dd_conv_outer_copy(&p->outer, w->scratch + p->b, p->outer.b_plane);
}

static struct chunk chunk_of(const struct dd_conv_gradient_work *w, size_t start, size_t pixels)
{
    size_t share = dd_blocks(dd_blocks(pixels, BLOCK), w->g->plan.outer.planes) * BLOCK;
    return (struct chunk){ start, pixels, share, side_of(w, 1, start, share), side_of(w, 0, start, share) };
}

/* Returns how many pixels of a chunk a plane has; the last planes may have fewer than `share`. */
static size_t terms(const struct chunk *c, size_t plane)
{
    return dd_min(c->share, c->pixels - dd_min(c->pixels, plane * c->share));
}

/* Copies the channels of panel `panel` of z or x, for a block of the chunk. */
static void load_block(const struct dd_conv_gradient_work *w, const struct chunk *c, int of_z, size_t block,
                       size_t panel)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    const struct dd_conv_side *side = of_z ? &c->z : &c->x;
    int rows = of_z == p->swapped;
    size_t at = block * BLOCK, first = panel * o->nr;
    const struct part part = {
        .q = c->start + at,
        .count = dd_min(BLOCK, c->pixels - at),
        .first = first,
        .n = dd_min(o->nr, (rows ? o->rows : o->columns) - first),
    };
    float *to = w->scratch + (rows ? p->a : p->b) + at / c->share * side->plane + panel * side->panel +
                at % c->share * o->nr;
    const struct source in = source_of(w, of_z);

    if (of_z || dd_conv_is_pointwise(&p->sum))
        copy_pixels(w->g->k, &in, to, &part);
    else
        copy_patches(w, to, &part);
}

/* Returns how many panels z or x is copied to; 0: it is read where it lies. */
static size_t panels_of(const struct dd_conv_gradient_work *w, int of_z)
{
    const struct dd_conv_outer *o = &w->g->plan.outer;
    if (in_place(w, of_z))
        return 0;
    return of_z == w->g->plan.swapped ? o->row_panels : o->column_panels;
}

/* Copies z and x, unless they are read where they lie. */
static void load(const struct dd_conv_gradient_work *w, const struct chunk *c, struct dd_worker *worker)
{
    size_t blocks = dd_blocks(c->pixels, BLOCK), x = panels_of(w, 0), z = panels_of(w, 1);
    DD_TASKS(worker, task, blocks * (x + z)) {
        int of_z = task >= blocks * x;
        size_t item = of_z ? task - blocks * x : task, panels = of_z ? z : x;
        load_block(w, c, of_z, item / panels, item % panels);
    }
}

/* Adds up db for the output channels of a panel.  If dz is not z itself, it has as many pixels as z. */
static void add_bias(const struct dd_conv_gradient_work *w, const struct chunk *c, size_t panel)
{
    const struct dd_map *dz = w->dz;
    for (size_t at = 0, n; at < c->pixels; at += n) {
        n = dd_min(BLOCK, c->pixels - at);
        struct dd_in z = dd_map_in(dz, c->start + at);
        z.at += panel * w->g->k->gemm_nr;
        dd_conv_gradient_bias(w, panel, z, n, c->start + at > 0);
    }
}

/* Adds a row of sums to dw: channel o of z, and patch numbers first .. first + m - 1. */
static void add_row(const struct dd_conv_gradient_work *w, const float *sum, size_t o, size_t first, size_t m)
{
    const struct dd_conv_shape *s = &w->g->plan.sum;
    int exchanged = w->g->plan.exchanged;
    size_t taps = (size_t)s->kernel * (size_t)s->kernel, cin = (size_t)s->cin,
           step = exchanged ? (size_t)s->cout * taps : taps;
    for (size_t n; m; first += n, sum += n, m -= n) {
        size_t tap = first / cin, i = first % cin;
        float *dw = w->dw + (exchanged ? i * step + o * taps + taps - 1 - tap : (o * cin + i) * taps + tap);
        n = dd_min(m, cin - i);
        for (size_t j = 0; j < n; j++)
            dw[j * step] += sum[j];
    }
}

/* Adds to dw the sums of a panel of rows and a panel of columns. */
static void store_panels(const struct dd_conv_gradient_work *w, float *own, size_t row, size_t column)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t nr = o->nr, m = dd_min(nr, o->rows - row * nr), n = dd_min(nr, o->columns - column * nr);
    float *c = w->scratch + p->c + (column * o->rows + row * nr) * nr;

    const struct dd_post_terms sum = { .residual = dd_in(c, nr), .scale = 1 };
    for (size_t plane = 1; plane < o->planes; plane++)
        w->g->k->post(dd_out(c, nr), dd_in(c + plane * o->c_plane, nr), &sum, m, n);
    if (!p->swapped)
        w->g->k->transpose(dd_out(own, nr), dd_in(c, nr), m, n);

    for (size_t i = 0; i < (p->swapped ? m : n); i++)
        if (p->swapped)
            add_row(w, c + i * nr, row * nr + i, column * nr, n);
        else
            add_row(w, own + i * nr, column * nr + i, row * nr, m);
}

/* Adds the chunk of pixels start .. start + pixels - 1. */
static void run_chunk(const struct dd_conv_gradient_work *w, size_t start, size_t pixels,
                      struct dd_worker *worker)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    const struct chunk c = chunk_of(w, start, pixels);
    const struct dd_conv_side *rows = p->swapped ? &c.z : &c.x, *columns = p->swapped ? &c.x : &c.z;
    size_t items = dd_conv_outer_items(o), biases = w->db ? dd_blocks((size_t)w->g->shape.cout, o->nr) : 0;

    load(w, &c, worker);

    /* Products and sums of dz go on side by side. */
    DD_TASKS(worker, item, items + biases) {
        if (item < items)
            dd_conv_outer_add(o, w->scratch + p->c, rows, columns, item,
                              terms(&c, item / (o->row_panels * o->column_panels)), start > 0);
        else
            add_bias(w, &c, item - items);
    }
}

void dd_conv_gradient_direct_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    size_t total = (size_t)w->dz->n * (size_t)w->dz->h * (size_t)w->dz->w,
           most = p->outer.planes * p->outer.room;
    for (size_t start = 0; start < total; start += most)
        run_chunk(w, start, dd_min(most, total - start), worker);
    dd_conv_gradient_store(w, worker, store_panels);
}
