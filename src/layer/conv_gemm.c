/* Convolution as a matrix product without the matrix (Dukhan 2019, "The Indirect Convolution Algorithm"):

     y [pixels, cout] = A [pixels, taps * cin] W [taps * cin, cout] + b.

   The row of A for an output pixel is `taps` pointers into the NHWC input.  Outside of the image they lead
   to a row of zeros.  A 1x1 convolution and a linear layer are the case of one tap.

   Packed are panels [cout / nr][taps * cin][nr], the last one filled up with zeros, then bias [cout], then
   zeros [cin].  A task is a block of rows times a block of panels.  Inside of a task all tiles of rows are
   multiplied by a chunk of taps before the next chunk, so that the chunk stays in the cache.  Each element
   is one sum, over taps and then channels in ascending order, however the work is divided. */
#include <stdlib.h>
#include <string.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

/* The best values that were measured; see bench/RESULTS.md. */
enum {
    TILES = 16,        /* how many tiles of rows share a chunk of weights */
    CHUNK = 256 << 10, /* how many bytes a chunk has, so that it stays in the second-level cache */
    TASKS = 32         /* how many tasks an image should give at least */
};

static const double TASK_FLOPS = 16e6; /* how many operations are enough for a task */

struct gemm {
    size_t taps, depth, mr, nr;
    size_t panels;      /* how many panels of nr output channels there are */
    size_t task_panels; /* how many panels a task has */
    size_t chunk_taps;  /* how many taps a chunk has */
    size_t rows;        /* how many rows of A a task has */
    size_t bias, zero;  /* the offsets of bias and zeros in the packed block */
    size_t scratch;     /* how many bytes of scratch a thread has */
};

static size_t clamp(double x, size_t low, size_t high)
{
    x = x < (double)high ? x : (double)high;
    return x > (double)low ? (size_t)x : low;
}

static int open_gemm(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err)
{
    const struct dd_conv_shape *s = &c->shape;
    struct gemm *g = calloc(1, sizeof *g);
    if (!g)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a convolution of %d to %d channels", s->cin,
                        s->cout);

    g->taps = (size_t)s->kernel * s->kernel;
    g->depth = (size_t)s->cin;
    g->mr = setup->k->gemm_mr;
    g->nr = setup->k->gemm_nr;
    g->panels = dd_blocks((size_t)s->cout, g->nr);
    g->rows = TILES * g->mr;

    /* Cuts the work into chunks of taps and tasks. */
    g->chunk_taps = clamp((double)CHUNK / (double)(g->depth * g->nr * sizeof(float)), 1, g->taps);
    g->task_panels =
        clamp(TASK_FLOPS / (2.0 * (double)(g->taps * g->depth * g->rows * g->nr)), 1,
              g->panels * dd_blocks((size_t)dd_conv_height(s) * (size_t)dd_conv_width(s), g->rows) / TASKS);

    /* The offsets in the packed block, and the scratch of a thread. */
    g->bias = g->panels * g->taps * g->depth * g->nr;
    g->zero = g->bias + (size_t)s->cout;
    g->scratch = sizeof(float) * dd_aligned(g->task_panels * g->nr) +
                 sizeof(float) * dd_aligned(g->rows * g->taps * sizeof(float *) / sizeof(float));
    c->state = g;
    c->packed_size = sizeof(float) * (g->zero + g->depth);
    c->scratch_size = (size_t)c->threads * g->scratch;
    return DDPM_OK;
}

/* Packs one panel with n <= nr output channels from `first` on. */
static void pack_panel(const struct gemm *g, float *panel, const struct dd_conv_weights *w, size_t first,
                       size_t n)
{
    for (size_t i = 0; i < g->depth; i++)
        for (size_t tap = 0; tap < g->taps; tap++) {
            const float *from = w->at + first * w->out + i * w->in + (w->flipped ? g->taps - 1 - tap : tap);
            float *to = panel + (tap * g->depth + i) * g->nr;
            for (size_t j = 0; j < g->nr; j++)
                to[j] = j < n ? from[j * w->out] : 0;
        }
}

/* The weights that pack_panels packs in one run of the team. */
struct packing {
    const struct dd_conv *c;
    const struct dd_conv_weights *w;
};

static void pack_panels(struct dd_worker *worker, void *user)
{
    const struct packing *p = user;
    const struct gemm *g = p->c->state;
    size_t cout = (size_t)p->c->shape.cout, row = g->taps * g->depth;
    DD_TASKS(worker, i, g->panels)
        pack_panel(g, p->c->packed + i * row * g->nr, p->w, i * g->nr, dd_min(g->nr, cout - i * g->nr));
}

static void pack_gemm(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias)
{
    const struct gemm *g = c->state;
    size_t cout = (size_t)c->shape.cout;
    dd_parallel_run(c->team, pack_panels, &(struct packing){ c, w });
    for (size_t o = 0; o < cout; o++)
        c->packed[g->bias + o] = bias ? bias[o] : 0;
    memset(c->packed + g->zero, 0, sizeof(float) * g->depth);
}

/* Fills row [taps] with pointers, mr apart, to the pixels that an output pixel reads.  The first tap reads
   the pixel (y0, x0). */
static void point_pixel(const float **row, size_t mr, const struct dd_conv_shape *s, struct dd_in image,
                        int y0, int x0, const float *zero)
{
    for (int y = y0; y < y0 + s->kernel; y++) {
        const float *line = y >= 0 && y < s->h << s->doubled
                                ? image.at + (size_t)(y >> s->doubled) * (size_t)s->w * image.stride
                                : NULL;
        for (int x = x0; x < x0 + s->kernel; x++, row += mr)
            *row = line && x >= 0 && x < s->w << s->doubled ? line + (size_t)(x >> s->doubled) * image.stride
                                                            : zero;
    }
}

/* Fills a [tiles][taps][mr] for output pixels first .. first + count - 1, counted over all images. */
static void point(const float **a, const struct dd_conv *c, const struct dd_map *x, size_t first,
                  size_t count)
{
    const struct gemm *g = c->state;
    const struct dd_conv_shape *s = &c->shape;
    size_t width = (size_t)dd_conv_width(s), height = (size_t)dd_conv_height(s),
           image_size = (size_t)s->h * (size_t)s->w * x->stride;
    size_t ox = first % width, oy = first / width % height;
    struct dd_in image = dd_in(x->data + first / width / height * image_size, x->stride);
    const float *zero = c->packed + g->zero;
    if (dd_conv_is_pointwise(s)) {
        for (size_t i = 0; i < count; i++)
            a[i] = x->data + (first + i) * x->stride;
        return;
    }

    /* (oy, ox) steps through the output pixels, row by row and image by image. */
    for (size_t i = 0; i < count; i += g->mr, a += g->taps * g->mr)
        for (size_t j = 0; j < dd_min(g->mr, count - i); j++) {
            point_pixel(a + j, g->mr, s, image, (int)oy * s->stride - s->top, (int)ox * s->stride - s->left,
                        zero);
            if (++ox == width) {
                ox = 0;
                image.at += ++oy == height ? image_size : 0;
                oy = oy == height ? 0 : oy;
            }
        }
}

/* Fetches the pixels that the n output pixels of a tile read, except those that an output pixel before it
   has read.  With a stride the processor does not foresee where they lie. */
static void fetch_tile(const struct dd_conv *c, const float *const *a, size_t n)
{
    enum { LINE = 64 / sizeof(float) };
    const struct dd_conv_shape *s = &c->shape;
    const struct gemm *g = c->state;
    int newest = s->kernel > s->stride ? s->kernel - s->stride : 0;
    for (int kh = newest; kh < s->kernel; kh++)
        for (int kw = newest; kw < s->kernel; kw++)
            for (size_t j = 0; j < n; j++)
                for (size_t i = 0; i < g->depth; i += LINE)
                    __builtin_prefetch(a[(size_t)(kh * s->kernel + kw) * g->mr + j] + i, 0, 2);
}

/* The rows of A that a task multiplies. */
struct rows {
    const float *const *a; /* [tiles][taps][mr] pointers to the pixels they read */
    size_t first, count;   /* the first row, counted over all images, and how many there are */
    int fresh;             /* the pixels have not been read yet and are fetched tile by tile */
};

/* Computes these rows of y, for the channels of one panel with its bias [nr].  While tiles are multiplied by
   a chunk of weights, each fetches a part of the next chunk. */
static void panel_forward(const struct dd_conv *c, const struct dd_map *y, const struct rows *rows,
                          size_t panel, const float *bias, const struct dd_post *post)
{
    const struct gemm *g = c->state;
    const struct dd_map *r = post ? post->residual : NULL;
    size_t column = panel * g->nr, count = rows->count, step = dd_blocks(g->nr, dd_blocks(count, g->mr));
    struct dd_post_terms last = { .bias = bias, .scale = post ? post->scale : 1 };
    struct dd_gemm product = { .depth = g->depth, .n = dd_min(g->nr, (size_t)c->shape.cout - column) };

    for (size_t tap = 0; tap < g->taps; tap += g->chunk_taps) {
        product.taps = dd_min(g->chunk_taps, g->taps - tap);
        product.b = c->packed + (panel * g->taps + tap) * g->depth * g->nr;
        product.load = tap > 0;
        product.post = tap + product.taps == g->taps ? &last : NULL;
        product.ahead = dd_in(product.b + product.taps * g->depth * g->nr, step);

        for (size_t i = 0; i < count; i += g->mr, product.ahead.at += product.taps * g->depth * step) {
            size_t row = rows->first + i;
            if (r)
                last.residual = dd_in(r->data + row * r->stride + column, r->stride);
            if (rows->fresh && tap == 0 && i + g->mr < count)
                fetch_tile(c, rows->a + (i + g->mr) * g->taps, dd_min(g->mr, count - i - g->mr));
            product.a = rows->a + i * g->taps + tap * g->mr;
            product.m = dd_min(g->mr, count - i);
            c->k->gemm(dd_out(y->data + row * y->stride + column, y->stride), &product);
        }
    }
}

/* Rows are counted through all images, unless an image has a bias of its own (post->add).  A thread has
   neighbouring tasks, so it fetches ahead for itself. */
static void forward_gemm(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                         const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    const struct gemm *g = c->state;
    const float *add = post ? post->add : NULL;
    size_t pixels = (size_t)y->h * y->w, span = add ? pixels : pixels * (size_t)y->n,
           spans = add ? (size_t)y->n : 1;
    size_t blocks = dd_blocks(span, g->rows), columns = dd_blocks(g->panels, g->task_panels);
    (void)pre;
    DD_TASKS(ctx->worker, task, columns * spans * blocks) {
        size_t image = task / blocks % spans, panel = task / (blocks * spans) * g->task_panels,
               start = task % blocks * g->rows;
        size_t end = dd_min(panel + g->task_panels, g->panels);

        /* The bias of the task's channels, plus the image's `add`. */
        float *bias = ctx->scratch + dd_thread(ctx->worker) * (g->scratch / sizeof(float));
        const float **a = (const float **)(void *)(bias + dd_aligned(g->task_panels * g->nr));
        for (size_t o = panel * g->nr; o < dd_min(end * g->nr, (size_t)c->shape.cout); o++)
            bias[o - panel * g->nr] = c->packed[g->bias + o] + (add ? add[image * post->add_stride + o] : 0);

        struct rows rows = { a, image * span + start, dd_min(g->rows, span - start), g->taps > 1 };
        point(a, c, x, rows.first, rows.count);
        for (size_t p = panel; p < end; p++, rows.fresh = 0)
            panel_forward(c, y, &rows, p, bias + (p - panel) * g->nr, post);
    }
}

static void close_gemm(struct dd_conv *c)
{
    free(c->state);
}

const struct dd_conv_engine dd_conv_gemm = {
    .name = "gemm",
    .takes = DD_CONV_POST | DD_CONV_STRIDED_X | DD_CONV_STRIDED_Y,
    .open = open_gemm,
    .pack = pack_gemm,
    .forward = forward_gemm,
    .close = close_gemm,
};
