/* Computes softmax attention (Vaswani et al. 2017, equation 1) within each head of D channels over T =
   memory + h w tokens:

     S = q k^T / sqrt(D) [h w, T],   P = softmax over T of S,   y = P v [h w, D].

   Images are computed in slices.  k^T and v of every head of a slice are packed for the gemm kernel in
   panels of nr columns, memory tokens first; the last panel is filled up with zeros.  Then a task computes
   a block of query rows: whole rows of S in the thread's own scratch, their softmax, and its product with
   v.  So S as a whole is never in memory, and each element is one sum in order of channels or tokens.

   Scratch holds S [rows, T] for each thread, and for each head of each image of a slice k^T in panels
   [T / nr][D][nr] and v in panels [D / nr][T][nr].

   Backward computes P anew from q and k.  A task is a head of an image:

     dv = P^T dy,   dP = dy v^T,   dS = P (dP - P . dP) / sqrt(D),   dq = dS k,   dk = dS^T q.

   The task walks through blocks of query rows and adds the outer products of each block to dk and dv.  The
   gradients by memory tokens are kept for each image and are added up over the images at the end.

   Scratch holds, with the parts of each thread in `back`:

     k_t, v_t   k^T and v^T in panels [T / nr][D][nr]
     k          k in panels [D / nr][T][nr]
     block      the last columns of dy or q, filled up to a panel [rows][nr]
     p, ds      P and dS [rows, T]
     dk, dv     the gradients in panels [D / nr][T][nr]

   and behind the threads' parts, for each image, the gradients by memory tokens, [2, heads, memory, D]. */
#include "layer/attention.h"
#include <math.h>
#include <string.h>
#include "layer/matrix.h"

enum {
    ROWS = 36,              /* the most query rows of a task; a head of a small image gives several tasks */
    ROWS_FLOATS = 64 << 10, /* floats of S in a task, which then stay in the second-level cache */
    BACKWARD_FLOATS = 48 << 10, /* floats of P, and of dS, in a block of backward */
    SLICE_FLOATS = 2 << 20,     /* about how many floats the panels of a slice take */
    LINE = 16                   /* how many floats a cache line has */
};

/* The shapes and sizes of the work; sizes are in floats. */
struct plan {
    size_t pixels, heads, dim, memory, tokens;
    size_t mr, nr;
    size_t rows; /* how many query rows a block has */
    size_t v;    /* the first channel of v in qkv */
    size_t k_size, v_size, s_size;
    size_t images; /* how many images a slice has */
};

static struct plan make_plan(const struct dd_kernels *k, const struct dd_attention *a)
{
    struct plan p = {
        .pixels = (size_t)a->h * (size_t)a->w,
        .heads = (size_t)a->heads,
        .dim = (size_t)a->dim,
        .memory = (size_t)a->memory,
        .mr = k->gemm_mr,
        .nr = k->gemm_nr,
    };

    p.tokens = p.memory + p.pixels;
    p.v = (a->tied ? 1 : 2) * p.heads * p.dim;
    p.rows = dd_min(dd_blocks(dd_min(p.pixels, ROWS), p.mr), 1 + ROWS_FLOATS / (p.tokens * p.mr)) * p.mr;
    p.k_size = dd_blocks(p.tokens, p.nr) * p.nr * p.dim;
    p.v_size = dd_blocks(p.dim, p.nr) * p.nr * p.tokens;
    p.s_size = dd_aligned(p.rows * dd_aligned(p.tokens));
    p.images = 1 + SLICE_FLOATS / (p.heads * (p.k_size + p.v_size));
    return p;
}

size_t dd_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch, int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) *
           ((size_t)threads * p.s_size + dd_min(p.images, (size_t)batch) * p.heads * (p.k_size + p.v_size));
}

double dd_attention_flops(const struct dd_attention *a)
{
    double pixels = (double)a->h * a->w;
    return 4 * pixels * (pixels + a->memory) * a->heads * a->dim;
}

/* The places of the tokens of k or v: first the rows of the memory, then those of the image. */
struct tokens {
    const float *memory, *image;
    size_t stride;
};

/* Returns token t and those behind it, from channel `column` on.  Sets *count to how many of them, before
   token `end`, lie together: in the memory, or in the image. */
static struct dd_in tokens_from(const struct plan *p, const struct tokens *x, size_t t, size_t column,
                                size_t end, size_t *count)
{
    if (t < p->memory) {
        *count = dd_min(end, p->memory) - t;
        return dd_in(x->memory + t * p->dim + column, p->dim);
    }
    *count = end - t;
    return dd_in(x->image + (t - p->memory) * x->stride + column, x->stride);
}

/* Packs a panel of nr tokens of k^T or v^T, [dim][nr]. */
static void pack_k(const struct dd_kernels *k, const struct plan *p, float *y, const struct tokens *x,
                   size_t panel)
{
    size_t first = panel * p->nr, count = dd_min(p->nr, p->tokens - first);
    y += panel * p->nr * p->dim;
    if (count < p->nr)
        memset(y, 0, sizeof(float) * p->nr * p->dim);
    for (size_t t = first, part; t < first + count; t += part) {
        struct dd_in from = tokens_from(p, x, t, 0, first + count, &part);
        k->transpose(dd_out(y + (t - first), p->nr), from, part, p->dim);
    }
}

/* Packs fewer than nr columns of y [rows, .] as a panel [rows][nr]. */
static void pack_columns(const struct dd_kernels *k, size_t nr, float *panel, struct dd_in y, size_t rows,
                         size_t columns)
{
    memset(panel, 0, sizeof(float) * nr * rows);
    k->affine(dd_out(panel, nr), y, NULL, rows, columns);
}

/* Packs a panel of nr channels of v or k, [tokens][nr]. */
static void pack_v(const struct dd_kernels *k, const struct plan *p, float *y, const struct tokens *x,
                   size_t panel)
{
    size_t column = panel * p->nr, columns = dd_min(p->nr, p->dim - column);
    y += panel * p->nr * p->tokens;
    if (columns < p->nr)
        memset(y, 0, sizeof(float) * p->nr * p->tokens);
    for (size_t t = 0, part; t < p->tokens; t += part) {
        struct dd_in from = tokens_from(p, x, t, column, p->tokens, &part);
        k->affine(dd_out(y + t * p->nr, p->nr), from, NULL, part, columns);
    }
}

/* Computes images first .. first + n - 1, a slice. */
static void slice_forward(const struct dd_context *ctx, const struct plan *p, const struct dd_map *y,
                          const struct dd_map *qkv, const float *memory_kv, size_t first, size_t n)
{
    const struct dd_kernels *k = ctx->k;
    size_t inner = p->heads * p->dim, k_panels = dd_blocks(p->tokens, p->nr),
           panels = k_panels + dd_blocks(p->dim, p->nr);
    size_t blocks = dd_blocks(p->pixels, p->rows), head_size = p->k_size + p->v_size;
    float *packed = ctx->scratch + (size_t)ctx->threads * p->s_size;
    const float *images = qkv->data + first * p->pixels * qkv->stride;

    /* Pack k^T and v of all heads. */
    DD_TASKS(ctx->worker, task, n * p->heads * panels) {
        size_t panel = task % panels, head = task / panels % p->heads, image = task / panels / p->heads,
               v = panel >= k_panels;
        struct tokens x = { memory_kv ? memory_kv + (v * p->heads + head) * p->memory * p->dim : NULL,
                            images + image * p->pixels * qkv->stride + (v ? p->v : inner) + head * p->dim,
                            qkv->stride };
        float *to = packed + (image * p->heads + head) * head_size;
        if (v)
            pack_v(k, p, to + p->k_size, &x, panel - k_panels);
        else
            pack_k(k, p, to, &x, panel);
    }

    /* A block of queries: S, P, y. */
    DD_TASKS(ctx->worker, task, n * p->heads * blocks) {
        size_t start = task % blocks * p->rows, head = task / blocks % p->heads,
               image = task / blocks / p->heads;
        size_t rows = dd_min(p->rows, p->pixels - start), at = image * p->pixels + start,
               ss = dd_aligned(p->tokens);
        const float *b = packed + (image * p->heads + head) * head_size;
        float *s = ctx->scratch + dd_thread(ctx->worker) * p->s_size,
              *to = y->data + (first * p->pixels + at) * y->stride + head * p->dim;

        dd_matrix_multiply(k, dd_out(s, ss), dd_in(images + at * qkv->stride + head * p->dim, qkv->stride),
                           dd_in(b, p->dim * p->nr), (struct dd_matrix_size){ rows, p->dim, p->tokens });
        k->softmax(dd_out(s, ss), (float)(1 / sqrt((double)p->dim)), rows, p->tokens);
        dd_matrix_multiply(k, dd_out(to, y->stride), dd_in(s, ss), dd_in(b + p->k_size, p->tokens * p->nr),
                           (struct dd_matrix_size){ rows, p->tokens, p->dim });
    }
}

void dd_attention_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *qkv,
                          const struct dd_attention *a, const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);
    for (size_t first = 0; first < (size_t)qkv->n; first += p.images)
        slice_forward(ctx, &p, y, qkv, memory_kv, first, dd_min(p.images, (size_t)qkv->n - first));
}

/* The offsets of the parts of a thread's scratch, in floats; end is the size of the whole. */
struct back {
    size_t rows; /* how many query rows a block has */
    /* The floats from one row of P or dS to the next.  A row gets a cache line more than it needs, because
       otherwise the lines of a column would all compete for the same sets of the cache. */
    size_t stride;
    size_t k_t, v_t, k, block, p, ds, dk, dv, end;
};

static struct back make_back(const struct plan *p)
{
    struct back b = { .rows = dd_min(dd_blocks(p->pixels, p->mr), 1 + BACKWARD_FLOATS / (p->tokens * p->mr)) *
                              p->mr };
    b.stride = dd_aligned(p->tokens) + LINE;
    b.v_t = b.k_t + dd_aligned(p->k_size);
    b.k = b.v_t + dd_aligned(p->k_size);
    b.block = b.k + dd_aligned(p->v_size);
    b.p = b.block + dd_aligned(p->nr * b.rows);
    b.ds = b.p + b.rows * b.stride;
    b.dk = b.ds + b.rows * b.stride;
    b.dv = b.dk + dd_aligned(p->v_size);
    b.end = b.dv + dd_aligned(p->v_size);
    return b;
}

size_t dd_attention_backward_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch,
                                     int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) *
           ((size_t)threads * make_back(&p).end + (size_t)batch * dd_aligned(2 * p.heads * p.memory * p.dim));
}

/* The backward pass of one head of one image. */
struct head {
    const struct dd_kernels *kernels;
    const struct plan *p;
    const struct back *b;
    const float *q, *dy;
    size_t stride, dy_stride, d_stride; /* floats between the pixels of q, of dy and of the gradients */
    struct tokens k, v;
    float *dq, *dk, *dv;
    float *dmemory_k, *dmemory_v; /* the gradients by the memory's keys and values */
    float *scratch;               /* the thread's part of the scratch */
};

/* Fills d, in panels [dim / nr][tokens][nr], with x^T y over a block of rows, or with `load` adds it.  x is
   [rows, tokens], y is [rows, dim]. */
static void add_outer(const struct head *h, float *d, const float *x, struct dd_in y, size_t rows, int load)
{
    const struct plan *p = h->p;
    float *block = h->scratch + h->b->block;
    for (size_t first = 0; first < p->dim; first += p->nr, d += p->tokens * p->nr) {
        size_t columns = dd_min(p->nr, p->dim - first);
        struct dd_in panel = dd_in(y.at + first, y.stride);
        if (columns < p->nr) {
            pack_columns(h->kernels, p->nr, block, panel, rows, columns);
            panel = dd_in(block, p->nr);
        }
        for (size_t t = 0; t < p->tokens; t += p->mr)
            h->kernels->outer(d + t * p->nr, dd_in(x + t, h->b->stride), panel, rows,
                              dd_min(p->mr, p->tokens - t), load);
    }
}

/* Copies gradients out of panels: those of the memory's tokens to dmemory, those of the image's to d. */
static void store_outer(const struct head *h, float *dmemory, float *d, const float *panel)
{
    const struct plan *p = h->p;
    for (size_t first = 0; first < p->dim; first += p->nr, panel += p->tokens * p->nr) {
        size_t columns = dd_min(p->nr, p->dim - first);
        h->kernels->affine(dd_out(dmemory + first, p->dim), dd_in(panel, p->nr), NULL, p->memory, columns);
        h->kernels->affine(dd_out(d + first, h->d_stride), dd_in(panel + p->memory * p->nr, p->nr), NULL,
                           p->pixels, columns);
    }
}

/* Goes backward through the block of query rows from `start` on. */
static void block_backward(const struct head *h, size_t start)
{
    const struct plan *p = h->p;
    const struct dd_kernels *k = h->kernels;
    size_t rows = dd_min(h->b->rows, p->pixels - start), ss = h->b->stride;
    const float *q = h->q + start * h->stride, *dy = h->dy + start * h->dy_stride;
    float *s = h->scratch + h->b->p, *ds = h->scratch + h->b->ds, scale = (float)(1 / sqrt((double)p->dim));

    const struct dd_matrix_size scores = { rows, p->dim, p->tokens };

    /* P, then its outer products with dy, which dv adds up. */
    dd_matrix_multiply(k, dd_out(s, ss), dd_in(q, h->stride), dd_in(h->scratch + h->b->k_t, p->dim * p->nr),
                       scores);
    k->softmax(dd_out(s, ss), scale, rows, p->tokens);
    add_outer(h, h->scratch + h->b->dv, s, dd_in(dy, h->dy_stride), rows, start > 0);

    /* dP, then dS in its place. */
    dd_matrix_multiply(k, dd_out(ds, ss), dd_in(dy, h->dy_stride),
                       dd_in(h->scratch + h->b->v_t, p->dim * p->nr), scores);
    k->softmax_backward(dd_out(ds, ss), dd_in(s, ss), scale, rows, p->tokens);

    dd_matrix_multiply(k, dd_out(h->dq + start * h->d_stride, h->d_stride), dd_in(ds, ss),
                       dd_in(h->scratch + h->b->k, p->tokens * p->nr),
                       (struct dd_matrix_size){ rows, p->tokens, p->dim });
    add_outer(h, h->scratch + h->b->dk, ds, dd_in(q, h->stride), rows, start > 0);
}

/* Computes dq, dk, dv and the head's gradients by memory tokens. */
static void head_backward(const struct head *h)
{
    const struct plan *p = h->p;
    for (size_t panel = 0; panel < dd_blocks(p->tokens, p->nr); panel++) {
        pack_k(h->kernels, p, h->scratch + h->b->k_t, &h->k, panel);
        pack_k(h->kernels, p, h->scratch + h->b->v_t, &h->v, panel);
    }
    for (size_t panel = 0; panel < dd_blocks(p->dim, p->nr); panel++)
        pack_v(h->kernels, p, h->scratch + h->b->k, &h->k, panel);

    for (size_t start = 0; start < p->pixels; start += h->b->rows)
        block_backward(h, start);

    store_outer(h, h->dmemory_k, h->dk, h->scratch + h->b->dk);
    store_outer(h, h->dmemory_v, h->dv, h->scratch + h->b->dv);
}

void dd_attention_backward(const struct dd_context *ctx, const struct dd_map *dqkv, float *dmemory_kv,
                           const struct dd_map *dy, const struct dd_map *qkv, const struct dd_attention *a,
                           const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);
    struct back b = make_back(&p);
    size_t inner = p.heads * p.dim, memory = p.memory * p.dim, kept = dd_aligned(2 * p.heads * memory),
           n = (size_t)qkv->n;
    float *dmemory = ctx->scratch + (size_t)ctx->threads * b.end;

    DD_TASKS(ctx->worker, task, n * p.heads) {
        size_t image = task / p.heads, head = task % p.heads, at = image * p.pixels;
        const float *q = qkv->data + at * qkv->stride + head * p.dim,
                    *m = memory_kv ? memory_kv + head * memory : NULL;
        float *dq = dqkv->data + at * dqkv->stride + head * p.dim,
              *dm = dmemory + image * kept + head * memory;
        head_backward(&(struct head){
            .kernels = ctx->k,
            .p = &p,
            .b = &b,
            .q = q,
            .dy = dy->data + at * dy->stride + head * p.dim,
            .stride = qkv->stride,
            .dy_stride = dy->stride,
            .d_stride = dqkv->stride,
            .k = { m, q + inner, qkv->stride },
            .v = { m ? m + p.heads * memory : NULL, q + 2 * inner, qkv->stride },
            .dq = dq,
            .dk = dq + inner,
            .dv = dq + 2 * inner,
            .dmemory_k = dm,
            .dmemory_v = dm + p.heads * memory,
            .scratch = ctx->scratch + dd_thread(ctx->worker) * b.end,
        });
    }

    /* All images share the memory, so their gradients are summed, in double and in order. */
    DD_TASKS(ctx->worker, part, memory ? 2 * p.heads : 0)
        for (size_t j = part * memory; j < (part + 1) * memory; j++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += dmemory[i * kept + j];
            dmemory_kv[j] = (float)(dmemory_kv[j] + sum);
        }
}
