/* Computes linear attention (Shen et al. 2018) within each head of D channels over T = memory + h w tokens:

     q' = softmax over D of q / sqrt(D) [h w, D],   k' = softmax over T of k [T, D],
     C = k'^T v [D, D],   y = q' C [h w, D].

   The factor 1 / sqrt(D) goes into C.  Forward has four loops:

     1. k' transposed to [D, T], because gemm sums along rows, and v packed in panels of nr columns;
     2. partial C, one for each chunk of TOKENS tokens;
     3. C, the sum of the partial C in double, in their order;
     4. y, in blocks of PIXELS pixels.

   Images are computed in slices, which bound the scratch.  For each thread it holds

     q_size   q' of a block of pixels, [PIXELS, D]

   and for each head of each image of a slice

     k_size   k' [D, T]
     v_size   v in panels, [D / nr][T][nr]
     c_size   a partial C [D / nr][D][nr], `chunks` times; the first becomes C

   In backward a task is a head of an image, and C includes the factor:

     dq' = dy C^T,   dC = q'^T dy / sqrt(D),   dv = k' dC,   dk' = v dC^T,

   then softmax backwards, over D for q and over T for k.

   Scratch holds, with the parts of each thread in `back`:

     k        k' [D, T]
     packed   the right factor of the present product, packed for gemm
     q        q' [h w, D]
     turned   the transpose of the left factor, or dk' [D, T]
     c        C or dC, first in chunks, then as panels
     plain    the same C or dC as rows [D, D]

   and behind the threads' parts, for each image, the gradients by memory tokens, [2, heads, D, memory]. */
#include <math.h>
#include <string.h>
#include "layer/attention.h"
#include "layer/matrix.h"

enum {
    TOKENS = 512,           /* how many tokens a partial C sums over */
    CHANNELS = 16,          /* how many channels of k a task transposes: a cache line of floats */
    PIXELS = 96,            /* how many pixels of y a task computes */
    SLICE_FLOATS = 2 << 20, /* about how many floats of scratch a slice of images takes */
};

/* The shapes and sizes of the work; sizes are in floats. */
struct plan {
    size_t pixels, heads, dim, memory, tokens, nr, panels;
    size_t chunks;
    size_t q_size, k_size, v_size, c_size, head_size; /* c_size is the size of one C */
    size_t images;                                    /* how many images a slice has */
};

static struct plan make_plan(const struct dd_kernels *k, const struct dd_attention *a)
{
    struct plan p = {
        .pixels = (size_t)a->h * (size_t)a->w,
        .heads = (size_t)a->heads,
        .dim = (size_t)a->dim,
        .memory = (size_t)a->memory,
        .nr = k->gemm_nr,
    };

    p.tokens = p.memory + p.pixels;
    p.panels = dd_blocks(p.dim, p.nr);
    p.chunks = dd_blocks(p.tokens, TOKENS);
    p.q_size = dd_aligned(PIXELS * p.dim);
    p.k_size = dd_aligned(p.dim * p.tokens);
    p.v_size = dd_aligned(p.panels * p.nr * p.tokens);
    p.c_size = dd_aligned(p.panels * p.nr * p.dim);
    p.head_size = p.k_size + p.v_size + p.chunks * p.c_size;
    p.images = 1 + SLICE_FLOATS / (p.heads * p.head_size);
    return p;
}

size_t dd_linear_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch,
                                   int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) *
           ((size_t)threads * p.q_size + dd_min(p.images, (size_t)batch) * p.heads * p.head_size);
}

double dd_linear_attention_flops(const struct dd_attention *a)
{
    double pixels = (double)a->h * a->w;
    return 2 * (2 * pixels + a->memory) * a->heads * a->dim * a->dim;
}

/* A slice: images first .. first + n - 1 of the batch, and where their data lie. */
struct slice {
    const struct plan *p;
    const struct dd_kernels *k;
    const float *qkv;
    float *rows, *scratch;
    size_t stride;
    const float *memory;
    size_t first, n;
};

/* Returns the scratch of a head: k', then v, then the partial C. */
static float *head_scratch(const struct slice *s, size_t image, size_t head)
{
    return s->scratch + (image * s->p->heads + head) * s->p->head_size;
}

/* Returns q (which = 0), k (1) or v (2) of a head, [pixels, dim]. */
static struct dd_in head_input(const struct slice *s, size_t image, size_t head, size_t which)
{
    return dd_in(s->qkv + image * s->p->pixels * s->stride + (which * s->p->heads + head) * s->p->dim,
                 s->stride);
}

/* Fills CHANNELS rows of k' [dim, tokens], from channel `first` on, from x, the k of a head [pixels, dim].
   memory [dim, memory] is read only if p->memory is not 0. */
static void make_k(const struct plan *p, const struct dd_kernels *kernels, float *k, const float *memory,
                   struct dd_in x, size_t first)
{
    size_t n = dd_min(CHANNELS, p->dim - first);
    k += first * p->tokens;
    if (p->memory)
        kernels->affine(dd_out(k, p->tokens), dd_in(memory + first * p->memory, p->memory), NULL, n,
                        p->memory);
    kernels->transpose(dd_out(k + p->memory, p->tokens), dd_in(x.at + first, x.stride), p->pixels, n);
    kernels->softmax(dd_out(k, p->tokens), 1, n, p->tokens);
}

/* Packs a panel of v, [tokens][nr], from x, the v of a head.  memory as in make_k. */
static void make_v(const struct plan *p, const struct dd_kernels *kernels, float *v, const float *memory,
                   struct dd_in x, size_t panel)
{
    size_t first = panel * p->nr, n = dd_min(p->nr, p->dim - first);
    v += first * p->tokens;
    if (n < p->nr)
        memset(v, 0, sizeof(float) * p->nr * p->tokens);
    if (p->memory)
        kernels->transpose(dd_out(v, p->nr), dd_in(memory + first * p->memory, p->memory), n, p->memory);
    kernels->affine(dd_out(v + p->memory * p->nr, p->nr), dd_in(x.at + first, x.stride), NULL, p->pixels, n);
}

/* Fills the chunk's part of c, in panels [dim][nr], with a b, summed over the chunk's tokens only.  a is
   [dim, tokens], b is packed in panels [tokens][nr]. */
static void make_partial(const struct plan *p, const struct dd_kernels *kernels, float *c, const float *a,
                         const float *b, size_t tokens, size_t chunk)
{
    size_t first = chunk * TOKENS, n = dd_min(TOKENS, tokens - first);
    c += chunk * p->c_size;
    memset(c, 0, sizeof(float) * p->c_size);
    for (size_t j = 0; j < p->panels; j++)
        dd_matrix_multiply(kernels, dd_out(c + j * p->dim * p->nr, p->nr), dd_in(a + first, tokens),
                           dd_in(b + (j * tokens + first) * p->nr, 0),
                           (struct dd_matrix_size){ p->dim, n, dd_min(p->nr, p->dim - j * p->nr) });
}

/* Puts the sum of the chunks, divided by sqrt(dim), in the place of the first one. */
static void make_c(const struct plan *p, float *c, size_t chunks)
{
    double scale = 1 / sqrt((double)p->dim);
    for (size_t i = 0; i < p->c_size; i++) {
        double sum = 0;
        for (size_t j = 0; j < chunks; j++)
            sum += c[j * p->c_size + i];
        c[i] = (float)(sum * scale);
    }
}

/* Computes y = q' C for a block of pixels. */
static void make_y(const struct slice *s, const struct dd_context *ctx, const struct dd_map *y, size_t image,
                   size_t head, size_t first)
{
    const struct plan *p = s->p;
    size_t n = dd_min(PIXELS, p->pixels - first);
    float *q = s->rows + dd_thread(ctx->worker) * p->q_size;
    float *out = y->data + ((s->first + image) * p->pixels + first) * y->stride + head * p->dim;
    struct dd_in from = head_input(s, image, head, 0);
    s->k->affine(dd_out(q, p->dim), dd_in(from.at + first * from.stride, from.stride), NULL, n, p->dim);
    s->k->softmax(dd_out(q, p->dim), 1, n, p->dim);
    dd_matrix_multiply(s->k, dd_out(out, y->stride), dd_in(q, p->dim),
                       dd_in(head_scratch(s, image, head) + p->k_size + p->v_size, p->dim * p->nr),
                       (struct dd_matrix_size){ n, p->dim, p->dim });
}

static void slice_forward(const struct slice *s, const struct dd_context *ctx, const struct dd_map *y)
{
    const struct plan *p = s->p;
    size_t k_tasks = dd_blocks(p->dim, CHANNELS), tasks = k_tasks + p->panels,
           blocks = dd_blocks(p->pixels, PIXELS);
    size_t heads = s->n * p->heads;

    /* k' and v of all heads.  A head has k_tasks tasks for channels of k', then one for each panel of v. */
    DD_TASKS(ctx->worker, task, heads * tasks) {
        size_t part = task % tasks, head = task / tasks % p->heads, image = task / tasks / p->heads,
               v = part >= k_tasks;
        const float *memory = s->memory ? s->memory + (v * p->heads + head) * p->dim * p->memory : NULL;
        float *to = head_scratch(s, image, head);
        if (v)
            make_v(p, s->k, to + p->k_size, memory, head_input(s, image, head, 2), part - k_tasks);
        else
            make_k(p, s->k, to, memory, head_input(s, image, head, 1), part * CHANNELS);
    }

    /* C, from its parts in constant chunks of tokens. */
    DD_TASKS(ctx->worker, task, heads * p->chunks) {
        float *k = head_scratch(s, task / p->chunks / p->heads, task / p->chunks % p->heads),
              *v = k + p->k_size;
        make_partial(p, s->k, v + p->v_size, k, v, p->tokens, task % p->chunks);
    }

    DD_TASKS(ctx->worker, task, heads)
        make_c(p, head_scratch(s, task / p->heads, task % p->heads) + p->k_size + p->v_size, p->chunks);

    DD_TASKS(ctx->worker, task, heads * blocks)
        make_y(s, ctx, y, task / blocks / p->heads, task / blocks % p->heads, task % blocks * PIXELS);
}

void dd_linear_attention_forward(const struct dd_context *ctx, const struct dd_map *y,
                                 const struct dd_map *qkv, const struct dd_attention *a,
                                 const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);

    for (size_t first = 0; first < (size_t)qkv->n; first += p.images) {
        struct slice s = {
            .p = &p,
            .k = ctx->k,
            .qkv = qkv->data + first * p.pixels * qkv->stride,
            .rows = ctx->scratch,
            .scratch = ctx->scratch + (size_t)ctx->threads * p.q_size,
            .stride = qkv->stride,
            .memory = memory_kv,
            .first = first,
            .n = dd_min(p.images, (size_t)qkv->n - first),
        };
        slice_forward(&s, ctx, y);
    }
}

/* The offsets of the parts of a thread's scratch, in floats; end is the size of the whole. */
struct back {
    size_t k, packed, q, turned, c, plain, end;
};

static struct back make_back(const struct plan *p)
{
    struct back b = { .packed = p->k_size };
    b.q = b.packed + dd_aligned(dd_blocks(p->tokens, p->nr) * p->nr * p->panels * p->nr);
    b.turned = b.q + dd_aligned(p->pixels * p->dim);
    b.c = b.turned + p->k_size;
    b.plain = b.c + p->chunks * p->c_size;
    b.end = b.plain + dd_aligned(p->dim * p->dim);
    return b;
}

size_t dd_linear_attention_backward_scratch(const struct dd_kernels *k, const struct dd_attention *a,
                                            int batch, int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) *
           ((size_t)threads * make_back(&p).end + (size_t)batch * dd_aligned(2 * p.heads * p.memory * p.dim));
}

/* The backward pass of one head of one image. */
struct head {
    const struct plan *p;
    const struct dd_kernels *kernels;
    const float *q; /* k lies `inner` floats behind q, and v lies 2 `inner` floats behind q */
    const float *dy;
    const float *memory; /* the memory's keys; its values lie `values` floats behind them, or NULL */
    float *dq, *dmemory; /* the gradients; dk, dv and the memory's values lie as far behind them */
    size_t stride, dy_stride, d_stride, inner, values;
    float *k, *packed, *q_soft, *turned, *c, *plain; /* the parts of the thread's scratch */
};

/* Computes a b / sqrt(dim), where a is [dim, tokens] and b lies in h->packed.  h->c receives the product in
   panels, h->plain in rows [dim, dim]. */
static void make_product(const struct head *h, const float *a, size_t tokens)
{
    const struct plan *p = h->p;
    size_t chunks = dd_blocks(tokens, TOKENS);
    for (size_t i = 0; i < chunks; i++)
        make_partial(p, h->kernels, h->c, a, h->packed, tokens, i);
    make_c(p, h->c, chunks);
    for (size_t j = 0; j < p->panels; j++)
        h->kernels->affine(dd_out(h->plain + j * p->nr, p->dim), dd_in(h->c + j * p->dim * p->nr, p->nr),
                           NULL, p->dim, dd_min(p->nr, p->dim - j * p->nr));
}

/* Computes dq from C, then replaces C by dC in h->c and h->plain. */
static void query_backward(const struct head *h)
{
    const struct plan *p = h->p;
    const struct dd_kernels *k = h->kernels;

    /* dq' = dy C^T, with C^T packed. */
    for (size_t j = 0; j < p->panels; j++) {
        size_t n = dd_min(p->nr, p->dim - j * p->nr);
        float *to = h->packed + j * p->nr * p->dim;
        if (n < p->nr)
            memset(to, 0, sizeof(float) * p->nr * p->dim);
        k->transpose(dd_out(to, p->nr), dd_in(h->plain + j * p->nr * p->dim, p->dim), n, p->dim);
    }
    dd_matrix_multiply(k, dd_out(h->dq, h->d_stride), dd_in(h->dy, h->dy_stride),
                       dd_in(h->packed, p->dim * p->nr),
                       (struct dd_matrix_size){ p->pixels, p->dim, p->dim });

    /* Computes q' anew, then dq from dq'. */
    const struct dd_out q = dd_out(h->q_soft, p->dim);
    k->affine(q, dd_in(h->q, h->stride), NULL, p->pixels, p->dim);
    k->softmax(q, 1, p->pixels, p->dim);
    k->softmax_backward(dd_out(h->dq, h->d_stride), dd_in(q.at, q.stride), 1, p->pixels, p->dim);

    /* dC = q'^T dy / sqrt(D), with dy packed. */
    k->transpose(dd_out(h->turned, p->pixels), dd_in(q.at, q.stride), p->pixels, p->dim);
    for (size_t j = 0; j < p->panels; j++) {
        size_t n = dd_min(p->nr, p->dim - j * p->nr);
        float *to = h->packed + j * p->nr * p->pixels;
        if (n < p->nr)
            memset(to, 0, sizeof(float) * p->nr * p->pixels);
        k->affine(dd_out(to, p->nr), dd_in(h->dy + j * p->nr, h->dy_stride), NULL, p->pixels, n);
    }
    make_product(h, h->turned, p->pixels);
}

/* Computes dv from dC and k', for the pixels and for the memory tokens before them. */
static void value_backward(const struct head *h)
{
    const struct plan *p = h->p;
    const struct dd_kernels *k = h->kernels;

    k->transpose(dd_out(h->turned, p->dim), dd_in(h->k, p->tokens), p->dim, p->tokens);
    dd_matrix_multiply(k, dd_out(h->dq + 2 * h->inner, h->d_stride),
                       dd_in(h->turned + p->memory * p->dim, p->dim), dd_in(h->c, p->dim * p->nr),
                       (struct dd_matrix_size){ p->pixels, p->dim, p->dim });
    if (p->memory) {
        dd_matrix_multiply(k, dd_out(h->packed, p->dim), dd_in(h->turned, p->dim),
                           dd_in(h->c, p->dim * p->nr), (struct dd_matrix_size){ p->memory, p->dim, p->dim });
        k->transpose(dd_out(h->dmemory + h->values, p->memory), dd_in(h->packed, p->dim), p->memory, p->dim);
    }
}

/* Computes dk from dC, v and k': first v^T in panels of nr tokens, then dk' [dim, tokens], then dk. */
static void key_backward(const struct head *h)
{
    const struct plan *p = h->p;
    const struct dd_kernels *k = h->kernels;
    size_t panels = dd_blocks(p->tokens, p->nr);

    /* Packs v^T: first the tokens of the memory, then those of the image.  Token t is column t % nr of
       panel t / nr.  Each turn packs the n tokens up to the end of the panel or of the memory, so that one
       turn reads from one source.  Only the last panel may have columns without a token; they are zero. */
    memset(h->packed + (panels - 1) * p->nr * p->dim, 0, sizeof(float) * p->nr * p->dim);
    for (size_t t = 0, n; t < p->tokens; t += n) {
        float *to = h->packed + t / p->nr * p->nr * p->dim + t % p->nr;
        n = dd_min(p->nr - t % p->nr, (t < p->memory ? p->memory : p->tokens) - t);
        if (t < p->memory)
            k->affine(dd_out(to, p->nr), dd_in(h->memory + h->values + t, p->memory), NULL, p->dim, n);
        else
            k->transpose(dd_out(to, p->nr),
                         dd_in(h->q + 2 * h->inner + (t - p->memory) * h->stride, h->stride), n, p->dim);
    }

    /* dk' = dC v^T, [dim, tokens], is the transpose of the head's formula; then dk by softmax backwards
       over the tokens. */
    dd_matrix_multiply(k, dd_out(h->turned, p->tokens), dd_in(h->plain, p->dim),
                       dd_in(h->packed, p->dim * p->nr),
                       (struct dd_matrix_size){ p->dim, p->dim, p->tokens });
    k->softmax_backward(dd_out(h->turned, p->tokens), dd_in(h->k, p->tokens), 1, p->dim, p->tokens);
    k->transpose(dd_out(h->dq + h->inner, h->d_stride), dd_in(h->turned + p->memory, p->tokens), p->dim,
                 p->pixels);
    k->affine(dd_out(h->dmemory, p->memory), dd_in(h->turned, p->tokens), NULL, p->dim, p->memory);
}

/* Computes dq, dk, dv and the head's gradients by memory tokens. */
static void head_backward(const struct head *h)
{
    const struct plan *p = h->p;
    for (size_t first = 0; first < p->dim; first += CHANNELS)
        make_k(p, h->kernels, h->k, h->memory, dd_in(h->q + h->inner, h->stride), first);
    for (size_t panel = 0; panel < p->panels; panel++)
        make_v(p, h->kernels, h->packed, h->memory ? h->memory + h->values : NULL,
               dd_in(h->q + 2 * h->inner, h->stride), panel);

    /* C comes first.  query_backward replaces it by dC, which the other two read. */
    make_product(h, h->k, p->tokens);
    query_backward(h);
    value_backward(h);
    key_backward(h);
}

void dd_linear_attention_backward(const struct dd_context *ctx, const struct dd_map *dqkv, float *dmemory_kv,
                                  const struct dd_map *dy, const struct dd_map *qkv,
                                  const struct dd_attention *a, const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);
    struct back b = make_back(&p);
    size_t memory = p.memory * p.dim, kept = dd_aligned(2 * p.heads * memory), n = (size_t)qkv->n;
    float *dmemory = ctx->scratch + (size_t)ctx->threads * b.end;

    DD_TASKS(ctx->worker, task, n * p.heads) {
        size_t image = task / p.heads, head = task % p.heads, at = image * p.pixels, column = head * p.dim;
        float *own = ctx->scratch + dd_thread(ctx->worker) * b.end;
        head_backward(&(struct head){
            .p = &p,
            .kernels = ctx->k,
            .q = qkv->data + at * qkv->stride + column,
            .dy = dy->data + at * dy->stride + column,
            .memory = memory_kv ? memory_kv + head * memory : NULL,
            .dq = dqkv->data + at * dqkv->stride + column,
            .dmemory = dmemory + image * kept + head * memory,
            .stride = qkv->stride,
            .dy_stride = dy->stride,
            .d_stride = dqkv->stride,
            .inner = p.heads * p.dim,
            .values = p.heads * memory,
            .k = own + b.k,
            .packed = own + b.packed,
            .q_soft = own + b.q,
            .turned = own + b.turned,
            .c = own + b.c,
            .plain = own + b.plain,
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
