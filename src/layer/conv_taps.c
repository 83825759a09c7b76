/* Computes a convolution of stride 1 to a few channels, by taps:

     Z [pixels, (tap, o)] = sum over i of x'[p, i] w[o, i, tap],
     y[q, o]              = b[o] + sum over taps of Z[q + tap - padding, (tap, o)].

   Z is one product with taps * cout columns.  A product for every tap would have few columns and leave most
   lanes empty: for 3x3 to three channels, AVX2 takes 32 lanes for Z and 72 for nine products.

   A task is some rows of outputs of one image.  It computes Z for the input rows that they read, a run of
   pixels at a time, through pre, and adds up the taps.  Rows that two tasks read are computed twice.  Each
   sum runs over channels, then over taps in ascending order, wherever the rows are cut.

   Packed are panels [taps * cout / nr][cin][nr], the last one filled up with zeros, then bias [cout].  The
   scratch of a thread holds Z of a task and x' of a run. */
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

enum {
    RUN = 96,      /* how many pixels a run has */
    PIXELS = 4096, /* about how many pixels a task has at most */
    TASKS = 4      /* how many tasks a thread should have */
};

struct taps {
    size_t taps, columns, panels, mr, nr;
    int rows;    /* the most rows of outputs of a task */
    size_t bias; /* the offset of the bias in the packed block */
    size_t z;    /* floats of Z */
    size_t own;  /* floats of a thread's scratch */
};

int dd_conv_taps_takes(const struct dd_conv_shape *s)
{
    enum { FEW = 4, CHANNELS_LEAST = 16 };

    return s->kernel > 1 && s->stride == 1 && !s->doubled && s->cout <= FEW && s->cin >= CHANNELS_LEAST;
}

static int open_taps(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    struct taps *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin,
                        s->cout);

    g->taps = (size_t)s->kernel * (size_t)s->kernel;
    g->columns = g->taps * (size_t)s->cout;
    g->mr = setup->k->gemm_mr;
    g->nr = setup->k->gemm_nr;
    g->panels = dd_blocks(g->columns, g->nr);
    g->rows = (int)dd_min(dd_blocks(PIXELS, (size_t)s->w), (size_t)dd_conv_height(s));
    g->bias = g->panels * (size_t)s->cin * g->nr;
    g->z = dd_aligned((size_t)(g->rows + s->kernel - 1) * (size_t)s->w * g->columns);
    g->own = g->z + dd_aligned(RUN * (size_t)s->cin);
    c->state = g;
    c->packed_size = sizeof(float) * (g->bias + (size_t)s->cout);
    c->scratch_size = sizeof(float) * (size_t)c->threads * g->own;
    return DDPM_OK;
}

static void pack_taps(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    const struct taps *g = c->state;
    size_t cin = (size_t)c->shape.cin, cout = (size_t)c->shape.cout;
    for (size_t at = 0; at < g->bias; at++) {
        size_t column = at / (cin * g->nr) * g->nr + at % g->nr, i = at / g->nr % cin, tap = column / cout;
        c->packed[at] =
            column < g->columns
                ? w->at[column % cout * w->out + i * w->in + (w->flipped ? g->taps - 1 - tap : tap)]
                : 0;
    }
    for (size_t o = 0; o < cout; o++)
        c->packed[g->bias + o] = bias ? bias[o] : 0;
}

/* Computes Z for `count` pixels of x. */
static void multiply(const struct dd_conv *c, const struct dd_kernels *k, float *z, struct dd_in x,
                     size_t count)
{
    const struct taps *g = c->state;
    const float *a[DD_GEMM_MR_MAX];
    size_t cin = (size_t)c->shape.cin;
    struct dd_gemm product = { .a = a, .taps = 1, .depth = cin };

    for (size_t first = 0; first < count; first += g->mr) {
        product.m = dd_min(g->mr, count - first);
        for (size_t i = 0; i < product.m; i++)
            a[i] = x.at + (first + i) * x.stride;
        for (size_t panel = 0; panel < g->panels; panel++) {
            product.b = c->packed + panel * cin * g->nr;
            product.n = dd_min(g->nr, g->columns - panel * g->nr);
            product.ahead = dd_in(product.b, 0);
            k->gemm(dd_out(z + first * g->columns + panel * g->nr, g->columns), &product);
        }
    }
}

/* The work on one image. */
struct work {
    const struct dd_conv *c;
    const struct dd_kernels *k;
    const struct dd_map *y, *x;
    const struct dd_pre *pre;
    float *own; /* the thread's scratch: Z, then a run of pixels after pre */
    size_t image;
};

/* Computes Z for all pixels of rows top .. end - 1. */
static void make_rows(const struct work *w, int top, int end)
{
    const struct taps *g = w->c->state;
    const struct dd_map *x = w->x;
    float *own = w->own;
    size_t cin = (size_t)x->c, first = (w->image * (size_t)x->h + (size_t)top) * (size_t)x->w,
           count = (size_t)(end - top) * (size_t)x->w;
    const struct dd_affine_terms terms = dd_pre_terms(w->pre, w->image, cin);

    for (size_t done = 0, n; done < count; done += n) {
        struct dd_in from = dd_map_in(x, first + done);
        n = dd_min(RUN, count - done);
        if (w->pre) {
            w->k->affine(dd_out(own + g->z, cin), from, &terms, n, cin);
            from = dd_in(own + g->z, cin);
        }
        multiply(w->c, w->k, own + done * g->columns, from, n);
    }
}

/* Adds up the outputs of pixel (oy, ox).  z begins at row `top`. */
static void add_taps(const struct dd_conv *c, float *y, const float *z, int top, int oy, int ox)
{
    const struct taps *g = c->state;
    const struct dd_conv_shape *s = &c->shape;
    int iy = oy - s->top, ix = ox - s->left;

    /* Taps outside of the image add nothing. */
    memcpy(y, c->packed + g->bias, sizeof(float) * (size_t)s->cout);
    for (int kh = iy < 0 ? -iy : 0; kh < s->kernel && iy + kh < s->h; kh++)
        for (int kw = ix < 0 ? -ix : 0; kw < s->kernel && ix + kw < s->w; kw++) {
            const float *one = z + ((size_t)(iy + kh - top) * (size_t)s->w + (size_t)(ix + kw)) * g->columns +
                               (size_t)((kh * s->kernel + kw) * s->cout);
            for (int o = 0; o < s->cout; o++)
                y[o] += one[o];
        }
}

/* Computes output rows first .. last - 1. */
static void run_task(const struct work *w, int first, int last)
{
    const struct dd_conv_shape *s = &w->c->shape;
    const struct dd_map *y = w->y;
    /* The outputs read input rows top .. end - 1. */
    int top = first > s->top ? first - s->top : 0,
        end = last - 1 - s->top + s->kernel < s->h ? last - 1 - s->top + s->kernel : s->h;
    if (end > top)
        make_rows(w, top, end);

    for (int oy = first; oy < last; oy++)
        for (int ox = 0; ox < y->w; ox++) {
            size_t pixel = (w->image * (size_t)y->h + (size_t)oy) * (size_t)y->w + (size_t)ox;
            add_taps(w->c, y->data + pixel * y->stride, w->own, top, oy, ox);
        }
}

static void forward_taps(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                         const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    const struct taps *g = c->state;
    size_t n = (size_t)y->n, height = (size_t)y->h, wanted = dd_blocks(TASKS * (size_t)ctx->threads, n);
    size_t rows = dd_min(dd_blocks(height, wanted), (size_t)g->rows), tasks = dd_blocks(height, rows);
    (void)post;
    DD_TASKS(ctx->worker, task, n * tasks) {
        size_t first = task % tasks * rows;
        struct work w = {
            .c = c,
            .k = ctx->k,
            .y = y,
            .x = x,
            .pre = pre,
            .own = ctx->scratch + dd_thread(ctx->worker) * g->own,
            .image = task / tasks,
        };
        run_task(&w, (int)first, (int)dd_min(first + rows, height));
    }
}

static void close_taps(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_taps = {
    .name = "gemm",
    .takes = DD_CONV_PRE | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
    .open = open_taps,
    .pack = pack_taps,
    .forward = forward_taps,
    .close = close_taps,
};
