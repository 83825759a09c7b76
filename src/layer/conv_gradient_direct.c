/* The gradient of any convolution by its weights as a sum of outer products over output pixels q:
     dw[o, (tap, i)] += sum over q of dz[q, o] x'[q stride + tap - padding, i].

   A block of pixels is copied into panels of channels, of dz and, as rows of taps * cin numbers, of x'.  Which of the two gives the rows is
   chosen so that fewer columns of a panel stay empty.  So that small layers occupy many threads, pixels are dealt to several planes, block by
   block; the planes are added up in the end. */
#include <string.h>
#include "layer/conv_gradient_engine.h"

enum { BLOCK = 64, CHUNK_FLOATS = 1 << 20, ITEMS = 16 };

void dd_conv_gradient_direct_plan(struct dd_conv_gradient *g)
{
    const struct dd_conv_shape *s = &g->shape;
    struct dd_conv_gradient_plan *p = &g->plan;
    size_t patch = (size_t)s->kernel * (size_t)s->kernel * (size_t)s->cin, cout = (size_t)s->cout, nr = g->k->gemm_nr;
    size_t pixels = (size_t)dd_conv_height(s) * (size_t)dd_conv_width(s), total = pixels * (size_t)g->batch;
    p->swapped = dd_blocks(patch, nr) * nr * cout < dd_blocks(cout, nr) * nr * patch;
    size_t planes = pixels < BLOCK ? 1 : dd_blocks(ITEMS, dd_blocks(patch, nr) * dd_blocks(cout, nr));
    size_t blocks = dd_min(dd_blocks(CHUNK_FLOATS, BLOCK * planes * (patch + cout)), dd_blocks(total, BLOCK * planes));
    p->outer = p->swapped ? dd_conv_outer_of(g->k, planes, cout, patch, blocks * BLOCK) : dd_conv_outer_of(g->k, planes, patch, cout, blocks * BLOCK);
    dd_conv_gradient_place(g, nr * nr);
}

/* Where block `block` of a chunk begins in the panel of a side that lies at `side`. */
static float *block_at(const struct dd_conv_outer *o, float *side, size_t plane_size, size_t panel, size_t block)
{
    return side + block % o->planes * plane_size + (panel * o->room + block / o->planes * BLOCK) * o->nr;
}

/* How many terms plane `plane` has of a chunk of `pixels`. */
static size_t plane_terms(const struct dd_conv_outer *o, size_t pixels, size_t plane)
{
    size_t blocks = dd_blocks(pixels, BLOCK), mine = (blocks + o->planes - 1 - plane) / o->planes, last = blocks - 1;
    return mine * BLOCK - (last % o->planes == plane ? blocks * BLOCK - pixels : 0);
}

/* n channels of x' from i on at `count` output pixels from (oy, ox) on, of one row, under one tap. */
static void copy_run(const struct dd_conv_gradient_work *w, float *to, size_t image, int oy, int ox, int count, size_t tap, size_t i, size_t n)
{
    const struct dd_conv_shape *s = &w->g->shape;
    const struct dd_map *x = w->x;
    const struct dd_pre *pre = w->pre;
    size_t nr = w->g->k->gemm_nr, at = image * (size_t)x->c + i;
    int iy = oy * s->stride + (int)tap / s->kernel - s->top, ix = ox * s->stride + (int)tap % s->kernel - s->left, before = 0, last;
    if (iy < 0 || iy >= s->h)
        before = count;
    while (before < count && ix + before * s->stride < 0)
        before++;
    for (last = before; last < count && ix + last * s->stride < s->w;)
        last++;
    for (int q = 0; q < count; q = q + 1 == before ? last : q + 1)
        if (q < before || q >= last)
            memset(to + (size_t)q * nr, 0, n * sizeof *to);
    if (last > before)
        w->g->k->affine(to + (size_t)before * nr, nr, x->data + ((image * (size_t)s->h + (size_t)iy) * (size_t)s->w + (size_t)(ix + before * s->stride)) *
                        x->stride + i, x->stride * (size_t)s->stride, pre && pre->scale ? pre->scale + at : NULL,
                        pre && pre->scale ? pre->shift + at : NULL, (size_t)(last - before), n, pre ? pre->act : DD_ACT_NONE);
}

/* Numbers first .. first + n of the patches at output pixels q .. q + count of all images. */
static void copy_patches(const struct dd_conv_gradient_work *w, float *to, size_t q, size_t count, size_t first, size_t n)
{
    size_t width = (size_t)w->dz->w, height = (size_t)w->dz->h, cin = (size_t)w->g->shape.cin, nr = w->g->k->gemm_nr;
    for (size_t run; count; q += run, count -= run, to += run * nr) {
        size_t ox = q % width, part;
        run = dd_min(count, width - ox);
        for (size_t done = 0; done < n; done += part) {
            size_t i = (first + done) % cin;
            part = dd_min(n - done, cin - i);
            copy_run(w, to + done, q / width / height, (int)(q / width % height), (int)ox, (int)run, (first + done) / cin, i, part);
        }
    }
}

/* The same where patches are the pixels themselves, one after the other. */
static void copy_pixels(const struct dd_conv_gradient_work *w, float *to, size_t q, size_t count, size_t first, size_t n)
{
    const struct dd_map *x = w->x;
    const struct dd_pre *pre = w->pre;
    size_t pixels = (size_t)x->h * (size_t)x->w, nr = w->g->k->gemm_nr;
    for (size_t run; count; q += run, count -= run, to += run * nr) {
        size_t at = q / pixels * (size_t)x->c + first;
        int scaled = pre && pre->scale;
        run = scaled ? dd_min(count, pixels - q % pixels) : count;
        w->g->k->affine(to, nr, x->data + q * x->stride + first, x->stride, scaled ? pre->scale + at : NULL, scaled ? pre->shift + at : NULL,
                        run, n, pre ? pre->act : DD_ACT_NONE);
    }
}

static int is_pointwise(const struct dd_conv_shape *s)
{
    return s->kernel == 1 && s->stride == 1 && !s->top && !s->left && !s->bottom && !s->right;
}

/* Task: a block of the chunk that begins at pixel `start`, and a panel, those of x' first. */
static void load_block(const struct dd_conv_gradient_work *w, size_t start, size_t pixels, size_t task)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t patches = p->swapped ? o->column_panels : o->row_panels, panels = o->row_panels + o->column_panels;
    size_t block = task / panels, panel = task % panels, q = start + block * BLOCK, count = dd_min(BLOCK, pixels - block * BLOCK);
    int of_z = panel >= patches, rows = of_z == p->swapped;
    panel -= of_z ? patches : 0;
    float *to = block_at(o, w->scratch + (rows ? p->a : p->b), rows ? o->a_plane : o->b_plane, panel, block);
    size_t first = panel * o->nr, n = dd_min(o->nr, (rows ? o->rows : o->columns) - first);
    if (of_z)
        w->g->k->affine(to, o->nr, w->dz->data + q * w->dz->stride + first, w->dz->stride, NULL, NULL, count, n, DD_ACT_NONE);
    else if (is_pointwise(&w->g->shape))
        copy_pixels(w, to, q, count, first, n);
    else
        copy_patches(w, to, q, count, first, n);
}

static void add_bias(const struct dd_conv_gradient_work *w, size_t panel, size_t pixels)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    float *side = w->scratch + (p->swapped ? p->a : p->b);
    for (size_t block = 0; block * BLOCK < pixels; block++)
        dd_conv_gradient_bias(w, panel, block_at(&p->outer, side, p->swapped ? p->outer.a_plane : p->outer.b_plane, panel, block),
                              dd_min(BLOCK, pixels - block * BLOCK));
}

/* dw of output channel o += a row of sums, those of patch numbers first .. first + m. */
static void add_row(const struct dd_conv_gradient_work *w, const float *sum, size_t o, size_t first, size_t m)
{
    const struct dd_conv_shape *s = &w->g->shape;
    size_t taps = (size_t)s->kernel * (size_t)s->kernel, cin = (size_t)s->cin;
    for (size_t n; m; first += n, sum += n, m -= n) {
        float *dw = w->dw + (o * cin + first % cin) * taps + first / cin;
        n = dd_min(m, cin - first % cin);
        for (size_t i = 0; i < n; i++)
            dw[i * taps] += sum[i];
    }
}

/* dw of a panel of rows and one of columns. */
static void store_panels(const struct dd_conv_gradient_work *w, float *own, size_t row, size_t column)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t nr = o->nr, m = dd_min(nr, o->rows - row * nr), n = dd_min(nr, o->columns - column * nr);
    float *c = w->scratch + p->c + (column * o->rows + row * nr) * nr;
    for (size_t plane = 1; plane < o->planes; plane++)
        w->g->k->post(c, nr, c + plane * o->c_plane, nr, NULL, c, nr, 1, m, n, DD_ACT_NONE);
    if (!p->swapped)
        w->g->k->transpose(own, nr, c, nr, m, n);
    for (size_t i = 0; i < (p->swapped ? m : n); i++)
        if (p->swapped)
            add_row(w, c + i * nr, row * nr + i, column * nr, n);
        else
            add_row(w, own + i * nr, column * nr + i, row * nr, m);
}

static void run_chunk(const struct dd_conv_gradient_work *w, size_t start, size_t pixels, size_t me, size_t team)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    const struct dd_conv_outer *o = &p->outer;
    size_t tasks = dd_blocks(pixels, BLOCK) * (o->row_panels + o->column_panels), items = dd_conv_outer_items(o);
    for (size_t task = tasks * me / team; task < tasks * (me + 1) / team; task++)
        load_block(w, start, pixels, task);
    dd_meet(team);
    for (size_t panel = me; w->db && panel < (p->swapped ? o->row_panels : o->column_panels); panel += team)
        add_bias(w, panel, pixels);
    for (size_t item = items * me / team; item < items * (me + 1) / team; item++)
        dd_conv_outer_add(o, w->g->k, w->scratch + p->c, w->scratch + p->a, w->scratch + p->b, item,
                          plane_terms(o, pixels, item / (o->row_panels * o->column_panels)), start > 0);
    dd_meet(team);
}

void dd_conv_gradient_direct_run(const struct dd_conv_gradient_work *w, int threads)
{
    const struct dd_conv_gradient_plan *p = &w->g->plan;
    size_t total = (size_t)w->dz->n * (size_t)w->dz->h * (size_t)w->dz->w, most = p->outer.planes * p->outer.room;
    DD_TEAM(threads)
    {
        size_t me = dd_thread(), team = dd_team(), panels = p->outer.row_panels * p->outer.column_panels;
        for (size_t start = 0; start < total; start += most)
            run_chunk(w, start, dd_min(most, total - start), me, team);
        for (size_t item = panels * me / team; item < panels * (me + 1) / team; item++)
            store_panels(w, w->scratch + p->thread + me * p->own, item % p->outer.row_panels, item / p->outer.row_panels);
    }
}
