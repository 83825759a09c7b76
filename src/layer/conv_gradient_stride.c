/* The gradient of a strided convolution by its input.  An input pixel p is met only by taps of its own phase,
   tap = (p + padding) mod stride in each direction:

     dx[p] = sum over those taps, o of w[o, tap] dz[(p + padding - tap) / stride, o].

   So the pixels of a phase are a convolution of stride 1 with a part of the kernel, and nothing is
   multiplied by zero.  For 3x3 of stride 2 these parts have 2x2, 2x1, 1x2 and 1x1 taps.  Each phase is
   computed as in conv_gemm.c; a tile is a run of pixels of one row, `stride` apart.

   Packed are, for each phase, panels [cin / nr][taps of the phase][cout][nr]; zeros [cout]. */
#include <string.h>
#include "layer/conv_gradient_engine.h"

enum {
    PIXELS = 256, /* about how many pixels a task has */
    TAPS = 64     /* how many taps of a tile are multiplied at a time */
};

/* Returns how many of the taps first, first + stride, ... one direction of the kernel has. */
static size_t phase_taps(const struct dd_conv_shape *s, int first)
{
    return first < s->kernel ? (size_t)((s->kernel - 1 - first) / s->stride + 1) : 0;
}

/* Returns how many taps the phases before `phase` have. */
static size_t taps_before(const struct dd_conv_shape *s, int phase)
{
    size_t sum = 0;
    for (int i = 0; i < phase; i++)
        sum += phase_taps(s, i / s->stride) * phase_taps(s, i % s->stride);
    return sum;
}

static size_t zero_at(const struct dd_conv_gradient *g)
{
    size_t taps = (size_t)g->shape.kernel * (size_t)g->shape.kernel, nr = g->k->gemm_nr;
    return dd_blocks((size_t)g->shape.cin, nr) * taps * (size_t)g->shape.cout * nr;
}

size_t dd_conv_gradient_stride_packed(const struct dd_conv_gradient *g)
{
    return sizeof(float) * (zero_at(g) + (size_t)g->shape.cout);
}

/* Returns the offset of a panel of a phase, from its tap number `tap` on. */
static size_t panel_at(const struct dd_conv_gradient *g, int phase, size_t panel, size_t taps, size_t tap)
{
    size_t nr = g->k->gemm_nr, panels = dd_blocks((size_t)g->shape.cin, nr);
    return (taps_before(&g->shape, phase) * panels + panel * taps + tap) * (size_t)g->shape.cout * nr;
}

static void pack_panel(const struct dd_conv_gradient *g, float *packed, const float *w, int phase,
                       size_t panel)
{
    const struct dd_conv_shape *s = &g->shape;
    size_t nr = g->k->gemm_nr, cin = (size_t)s->cin, taps = (size_t)s->kernel * (size_t)s->kernel,
           n = dd_min(nr, cin - panel * nr);
    int top = phase / s->stride, left = phase % s->stride;
    float *to = packed + panel_at(g, phase, panel, phase_taps(s, top) * phase_taps(s, left), 0);

    for (int kh = top; kh < s->kernel; kh += s->stride)
        for (int kw = left; kw < s->kernel; kw += s->stride)
            for (size_t o = 0; o < (size_t)s->cout; o++, to += nr) {
                const float *from = w + (o * cin + panel * nr) * taps + (size_t)(kh * s->kernel + kw);
                for (size_t j = 0; j < nr; j++)
                    to[j] = j < n ? from[j * taps] : 0;
            }
}

/* The weights that pack_panels packs in one run of the team, and the place of the panels. */
struct packing {
    const struct dd_conv_gradient *g;
    float *packed;
    const float *w;
};

static void pack_panels(struct dd_worker *worker, void *user)
{
    const struct packing *p = user;
    const struct dd_conv_shape *s = &p->g->shape;
    size_t panels = dd_blocks((size_t)s->cin, p->g->k->gemm_nr),
           phases = (size_t)s->stride * (size_t)s->stride;
    DD_TASKS(worker, task, phases * panels)
        pack_panel(p->g, p->packed, p->w, (int)(task / panels), task % panels);
}

void dd_conv_gradient_stride_pack(const struct dd_conv_gradient *g, float *packed, const float *w)
{
    memset(packed + zero_at(g), 0, sizeof(float) * (size_t)g->shape.cout);
    dd_parallel_run(g->team, pack_panels, &(struct packing){ g, packed, w });
}

/* The pixels of dx that belong to a phase. */
struct phase {
    int number;
    int row, column;     /* the first pixel */
    int rows, columns;   /* how many there are in an image */
    int oy, ox;          /* the pixel of dz that is under the first tap of the first pixel */
    size_t down, across; /* how many taps the phase has in each direction */
};

static struct phase phase_of(const struct dd_conv_shape *s, int number)
{
    int top = number / s->stride, left = number % s->stride, step = s->stride;
    int row = ((top - s->top) % step + step) % step, column = ((left - s->left) % step + step) % step;
    return (struct phase){
        .number = number,
        .row = row,
        .column = column,
        .rows = row < s->h ? (s->h - 1 - row) / step + 1 : 0,
        .columns = column < s->w ? (s->w - 1 - column) / step + 1 : 0,
        .oy = (row + s->top - top) / step,
        .ox = (column + s->left - left) / step,
        .down = phase_taps(s, top),
        .across = phase_taps(s, left),
    };
}

/* Pixels of a phase: `count` of them in one row, from (row, column) of an image on. */
struct run {
    size_t image;
    int row, column;
    size_t count;
};

/* Computes a run of pixels, at most mr, for a panel of channels. */
static void tile(const struct dd_conv_gradient *g, const struct dd_map *dx, const struct dd_map *dz,
                 const struct phase *f, size_t panel, const struct run *run)
{
    const struct dd_conv_shape *s = &g->shape;
    const float *a[TAPS * DD_GEMM_MR_MAX], *zero = g->packed + zero_at(g),
                                           *from = dd_conv_image_of(dz, run->image).pixels.at;
    size_t mr = g->k->gemm_mr, nr = g->k->gemm_nr, step = (size_t)s->stride, taps = f->down * f->across,
           tap = 0;
    size_t y = (size_t)(f->row + run->row * s->stride), x = (size_t)(f->column + run->column * s->stride);
    float *c = dx->data + ((run->image * (size_t)s->h + y) * (size_t)s->w + x) * dx->stride + panel * nr;

    /* The loop runs at least once, because a phase without taps has to write zeros. */
    do {
        size_t part = dd_min(TAPS, taps - tap);
        for (size_t t = tap; t < tap + part; t++)
            for (size_t i = 0; i < run->count; i++) {
                int oy = f->oy + run->row - (int)(t / f->across),
                    ox = f->ox + run->column + (int)i - (int)(t % f->across);
                int inside = oy >= 0 && oy < dz->h && ox >= 0 && ox < dz->w;
                a[(t - tap) * mr + i] =
                    inside ? from + ((size_t)oy * (size_t)dz->w + (size_t)ox) * dz->stride : zero;
            }

        const struct dd_gemm product = {
            .a = a,
            .b = g->packed + panel_at(g, f->number, panel, taps, tap),
            .taps = part,
            .depth = (size_t)s->cout,
            .m = run->count,
            .n = dd_min(nr, (size_t)s->cin - panel * nr),
            .load = tap > 0,
            .ahead = dd_in(c, 0),
        };
        g->k->gemm(dd_out(c, step * dx->stride), &product);
        tap += part;
    } while (tap < taps);
}

/* Computes rows first .. last - 1 of the phase, counted over all images. */
static void rows_of_phase(const struct dd_conv_gradient *g, const struct dd_map *dx, const struct dd_map *dz,
                          const struct phase *f, size_t panel, size_t first, size_t last)
{
    size_t columns = (size_t)f->columns, m = dd_blocks(columns, dd_blocks(columns, g->k->gemm_mr));
    for (size_t row = first; row < last; row++)
        for (size_t column = 0; column < columns; column += m) {
            struct run run = { row / (size_t)f->rows, (int)(row % (size_t)f->rows), (int)column,
                               dd_min(m, columns - column) };
            tile(g, dx, dz, f, panel, &run);
        }
}

void dd_conv_gradient_stride_data(const struct dd_conv_gradient *g, const struct dd_context *ctx,
                                  const struct dd_map *dx, const struct dd_map *dz)
{
    size_t panels = dd_blocks((size_t)g->shape.cin, g->k->gemm_nr);
    for (int number = 0; number < g->shape.stride * g->shape.stride; number++) {
        struct phase f = phase_of(&g->shape, number);
        size_t rows = (size_t)dx->n * (size_t)f.rows * (f.columns > 0),
               height = dd_blocks(PIXELS, (size_t)f.columns + 1), blocks = dd_blocks(rows, height);
        DD_TASKS(ctx->worker, task, panels * blocks)
            rows_of_phase(g, dx, dz, &f, task / blocks, task % blocks * height,
                          dd_min(rows, (task % blocks + 1) * height));
    }
}
