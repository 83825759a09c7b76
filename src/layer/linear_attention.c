/* Linear attention (Shen et al. 2018) within each head of D channels over T = memory + h w tokens:
     q' = softmax over D of q / sqrt(D) [h w, D],  k' = softmax over T of k [T, D],  C = k'^T v [D, D],  y = q' C [h w, D].

   The factor 1 / sqrt(D) goes into C.  Four loops: k' transposed, [D, T], so that its rows are what gemm sums over, and v in panels of nr
   columns; partial C of constant chunks of tokens; their sums in double, in order; y.
   Scratch: per thread q' of a block of pixels; per image of a slice and head, k' [D, T], v panels [D / nr][T][nr], partial C [chunks][D / nr][D][nr], of which the first becomes C. */
#include <math.h>
#include <string.h>
#include "layer/attention.h"
#include "layer/matrix.h"

/* Tokens of a partial C; channels of k that a task transposes (a cache line); pixels of a task; floats of a slice. */
enum { TOKENS = 512, CHANNELS = 16, PIXELS = 96, SLICE_FLOATS = 2 << 20 };

struct plan {
    size_t pixels, heads, dim, memory, tokens, nr, panels;
    size_t chunks, q_size, k_size, v_size, c_size, head_size;       /* floats; c_size of one C */
    size_t images;                                          /* of a slice */
};

static struct plan make_plan(const struct dd_kernels *k, const struct dd_attention *a)
{
    struct plan p = { .pixels = (size_t)a->h * (size_t)a->w, .heads = (size_t)a->heads, .dim = (size_t)a->dim,
                      .memory = (size_t)a->memory, .nr = k->gemm_nr };
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

size_t dd_linear_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch, int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) * ((size_t)threads * p.q_size + dd_min(p.images, (size_t)batch) * p.heads * p.head_size);
}

double dd_linear_attention_flops(const struct dd_attention *a)
{
    double pixels = (double)a->h * a->w;
    return 2 * (2 * pixels + a->memory) * a->heads * a->dim * a->dim;
}

/* One slice of images: where its parts lie. */
struct slice { const struct plan *p; const struct dd_kernels *k; const float *qkv; float *rows, *scratch; size_t stride; const float *memory; size_t first, n; };

static float *head_scratch(const struct slice *s, size_t image, size_t head)
{
    return s->scratch + (image * s->p->heads + head) * s->p->head_size;
}

/* q (0), k (1) or v (2) of a head. */
static const float *head_input(const struct slice *s, size_t image, size_t head, size_t which)
{
    return s->qkv + image * s->p->pixels * s->stride + (which * s->p->heads + head) * s->p->dim;
}

/* Channels first .. of k', [channels, tokens]; memory is [dim, memory]. */
static void make_k(const struct slice *s, size_t image, size_t head, size_t first)
{
    const struct plan *p = s->p;
    size_t n = dd_min(CHANNELS, p->dim - first);
    float *k = head_scratch(s, image, head) + first * p->tokens;
    if (p->memory)
        s->k->affine(k, p->tokens, s->memory + (head * p->dim + first) * p->memory, p->memory, NULL, NULL, n, p->memory, DD_ACT_NONE);
    s->k->transpose(k + p->memory, p->tokens, head_input(s, image, head, 1) + first, s->stride, p->pixels, n);
    s->k->softmax(k, p->tokens, 1, n, p->tokens);
}

/* A panel of v, [tokens][nr]. */
static void make_v(const struct slice *s, size_t image, size_t head, size_t panel)
{
    const struct plan *p = s->p;
    size_t first = panel * p->nr, n = dd_min(p->nr, p->dim - first);
    float *v = head_scratch(s, image, head) + p->k_size + first * p->tokens;
    if (n < p->nr)
        memset(v, 0, sizeof(float) * p->nr * p->tokens);
    if (p->memory)
        s->k->transpose(v, p->nr, s->memory + ((p->heads + head) * p->dim + first) * p->memory, p->memory, n, p->memory);
    s->k->affine(v + p->memory * p->nr, p->nr, head_input(s, image, head, 2) + first, s->stride, NULL, NULL, p->pixels, n, DD_ACT_NONE);
}

/* Partial C of a chunk of tokens, laid out as panels [dim][nr]. */
static void make_partial(const struct slice *s, size_t image, size_t head, size_t chunk)
{
    const struct plan *p = s->p;
    size_t first = chunk * TOKENS, n = dd_min(TOKENS, p->tokens - first);
    float *k = head_scratch(s, image, head), *v = k + p->k_size, *c = v + p->v_size + chunk * p->c_size;
    memset(c, 0, sizeof(float) * p->c_size);
    for (size_t j = 0; j < p->panels; j++)
        dd_matrix_multiply(s->k, c + j * p->dim * p->nr, p->nr, k + first, p->tokens, v + (j * p->tokens + first) * p->nr, 0, p->dim, n,
                           dd_min(p->nr, p->dim - j * p->nr));
}

/* C = sum of the partial ones / sqrt(dim), in the place of the first. */
static void make_c(const struct slice *s, size_t image, size_t head)
{
    const struct plan *p = s->p;
    float *c = head_scratch(s, image, head) + p->k_size + p->v_size;
    double scale = 1 / sqrt((double)p->dim);
    for (size_t i = 0; i < p->c_size; i++) {
        double sum = 0;
        for (size_t j = 0; j < p->chunks; j++)
            sum += c[j * p->c_size + i];
        c[i] = (float)(sum * scale);
    }
}

/* y = q' C for a block of pixels. */
static void make_y(const struct slice *s, const struct dd_map *y, size_t image, size_t head, size_t first)
{
    const struct plan *p = s->p;
    size_t n = dd_min(PIXELS, p->pixels - first);
    float *q = s->rows + dd_thread() * p->q_size;
    float *out = y->data + ((s->first + image) * p->pixels + first) * y->stride + head * p->dim;
    s->k->affine(q, p->dim, head_input(s, image, head, 0) + first * s->stride, s->stride, NULL, NULL, n, p->dim, DD_ACT_NONE);
    s->k->softmax(q, p->dim, 1, n, p->dim);
    dd_matrix_multiply(s->k, out, y->stride, q, p->dim, head_scratch(s, image, head) + p->k_size + p->v_size, p->dim * p->nr, n,
                       p->dim, p->dim);
}

static void slice_forward(const struct slice *s, int threads, const struct dd_map *y)
{
    const struct plan *p = s->p;
    size_t k_tasks = dd_blocks(p->dim, CHANNELS), tasks = k_tasks + p->panels, blocks = dd_blocks(p->pixels, PIXELS);
    size_t heads = s->n * p->heads;
    DD_PARALLEL_UNEVEN(threads)
    for (size_t task = 0; task < heads * tasks; task++) {
        size_t part = task % tasks, head = task / tasks % p->heads, image = task / tasks / p->heads;
        if (part < k_tasks)
            make_k(s, image, head, part * CHANNELS);
        else
            make_v(s, image, head, part - k_tasks);
    }
    DD_PARALLEL_UNEVEN(threads)
    for (size_t task = 0; task < heads * p->chunks; task++)
        make_partial(s, task / p->chunks / p->heads, task / p->chunks % p->heads, task % p->chunks);
    DD_PARALLEL_UNEVEN(threads)
    for (size_t task = 0; task < heads; task++)
        make_c(s, task / p->heads, task % p->heads);
    DD_PARALLEL_UNEVEN(threads)
    for (size_t task = 0; task < heads * blocks; task++)
        make_y(s, y, task / blocks / p->heads, task / blocks % p->heads, task % blocks * PIXELS);
}

void dd_linear_attention_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *qkv,
                                 const struct dd_attention *a, const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);
    for (size_t first = 0; first < (size_t)qkv->n; first += p.images) {
        struct slice s = { &p, ctx->k, qkv->data + first * p.pixels * qkv->stride, ctx->scratch,
                           ctx->scratch + (size_t)ctx->threads * p.q_size, qkv->stride, memory_kv, first,
                           dd_min(p.images, (size_t)qkv->n - first) };
        slice_forward(&s, ctx->threads, y);
    }
}
