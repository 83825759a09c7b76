/* Softmax attention (Vaswani et al. 2017, equation 1) within each head of D channels over T = memory + h w tokens:
     S = q k^T / sqrt(D) [h w, T],  P = softmax over T of S,  y = P v [h w, D].

   For a slice of the images, every head's k^T and v are packed for the gemm kernel (panels of nr columns, zeros in the last), memory
   tokens first; then a task is a block of query rows: its rows of S, complete, in a thread's own scratch, softmax, times v.  So S as a
   whole is never in memory, and each element is one sum in order of channels or tokens.
   Scratch: per image of a slice and head, k^T panels [T / nr][D][nr] and v panels [D / nr][T][nr]; per thread S [rows, T]. */
#include "layer/attention.h"
#include <math.h>
#include <string.h>
#include "layer/matrix.h"

/* Floats: of S in a task, which then stays in the second-level cache; of a slice's panels. */
enum { ROWS_FLOATS = 64 << 10, SLICE_FLOATS = 2 << 20 };

struct plan {
    size_t pixels, heads, dim, memory, tokens;
    size_t mr, nr, rows;                 /* of a block of queries */
    size_t k_size, v_size, s_size;       /* floats */
    size_t images;                       /* of a slice */
};

static struct plan make_plan(const struct dd_kernels *k, const struct dd_attention *a)
{
    struct plan p = { .pixels = (size_t)a->h * (size_t)a->w, .heads = (size_t)a->heads, .dim = (size_t)a->dim,
                      .memory = (size_t)a->memory, .mr = k->gemm_mr, .nr = k->gemm_nr };
    p.tokens = p.memory + p.pixels;
    p.rows = dd_min(dd_blocks(p.pixels, p.mr), 1 + ROWS_FLOATS / (p.tokens * p.mr)) * p.mr;
    p.k_size = dd_blocks(p.tokens, p.nr) * p.nr * p.dim;
    p.v_size = dd_blocks(p.dim, p.nr) * p.nr * p.tokens;
    p.s_size = dd_aligned(p.rows * dd_aligned(p.tokens));
    p.images = 1 + SLICE_FLOATS / (p.heads * (p.k_size + p.v_size));
    return p;
}

size_t dd_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch, int threads)
{
    struct plan p = make_plan(k, a);
    return sizeof(float) * ((size_t)threads * p.s_size + dd_min(p.images, (size_t)batch) * p.heads * (p.k_size + p.v_size));
}

double dd_attention_flops(const struct dd_attention *a)
{
    double pixels = (double)a->h * a->w;
    return 4 * pixels * (pixels + a->memory) * a->heads * a->dim;
}

/* Token t of k or v: a row of the memory or of the image. */
struct tokens { const float *memory, *image; size_t stride; };

/* Copies or transposes tokens first .. first + count, of which some may be memory, `columns` channels each. */
static void pack_tokens(const struct dd_kernels *k, const struct plan *p, float *y, size_t ys, const struct tokens *x, size_t first,
                        size_t count, size_t column, size_t columns, int transposed)
{
    for (size_t t = first, part; t < first + count; t += part) {
        int memory = t < p->memory;
        const float *from = (memory ? x->memory + t * p->dim : x->image + (t - p->memory) * x->stride) + column;
        size_t stride = memory ? p->dim : x->stride;
        part = dd_min(first + count, memory ? p->memory : first + count) - t;
        if (transposed)
            k->transpose(y + (t - first), ys, from, stride, part, columns);
        else
            k->affine(y + (t - first) * ys, ys, from, stride, NULL, NULL, part, columns, DD_ACT_NONE);
    }
}

/* k^T: panel of nr tokens, [dim][nr]. */
static void pack_k(const struct dd_kernels *k, const struct plan *p, float *y, const struct tokens *x, size_t panel)
{
    size_t first = panel * p->nr, count = dd_min(p->nr, p->tokens - first);
    y += panel * p->nr * p->dim;
    if (count < p->nr)
        memset(y, 0, sizeof(float) * p->nr * p->dim);
    pack_tokens(k, p, y, p->nr, x, first, count, 0, p->dim, 1);
}

/* v: panel of nr channels, [tokens][nr]. */
static void pack_v(const struct dd_kernels *k, const struct plan *p, float *y, const struct tokens *x, size_t panel)
{
    size_t column = panel * p->nr, columns = dd_min(p->nr, p->dim - column);
    y += panel * p->nr * p->tokens;
    if (columns < p->nr)
        memset(y, 0, sizeof(float) * p->nr * p->tokens);
    pack_tokens(k, p, y, p->nr, x, 0, p->tokens, column, columns, 0);
}

/* Images first .. first + n. */
static void slice_forward(const struct dd_context *ctx, const struct plan *p, const struct dd_map *y, const struct dd_map *qkv,
                          const float *memory_kv, size_t first, size_t n)
{
    const struct dd_kernels *k = ctx->k;
    size_t inner = p->heads * p->dim, k_panels = dd_blocks(p->tokens, p->nr), panels = k_panels + dd_blocks(p->dim, p->nr);
    size_t blocks = dd_blocks(p->pixels, p->rows), head_size = p->k_size + p->v_size;
    float *packed = ctx->scratch + (size_t)ctx->threads * p->s_size;
    const float *images = qkv->data + first * p->pixels * qkv->stride;

    DD_PARALLEL(ctx->threads)
    for (size_t task = 0; task < n * p->heads * panels; task++) {
        size_t panel = task % panels, head = task / panels % p->heads, image = task / panels / p->heads, v = panel >= k_panels;
        struct tokens x = { memory_kv ? memory_kv + (v * p->heads + head) * p->memory * p->dim : NULL,
                            images + image * p->pixels * qkv->stride + (1 + v) * inner + head * p->dim, qkv->stride };
        float *to = packed + (image * p->heads + head) * head_size;
        if (v)
            pack_v(k, p, to + p->k_size, &x, panel - k_panels);
        else
            pack_k(k, p, to, &x, panel);
    }
    DD_PARALLEL_UNEVEN(ctx->threads)
    for (size_t task = 0; task < n * p->heads * blocks; task++) {
        size_t start = task % blocks * p->rows, head = task / blocks % p->heads, image = task / blocks / p->heads;
        size_t rows = dd_min(p->rows, p->pixels - start), at = image * p->pixels + start, ss = dd_aligned(p->tokens);
        const float *b = packed + (image * p->heads + head) * head_size;
        float *s = ctx->scratch + dd_thread() * p->s_size;
        dd_matrix_multiply(k, s, ss, images + at * qkv->stride + head * p->dim, qkv->stride, b, p->dim * p->nr, rows, p->dim, p->tokens);
        k->softmax(s, ss, (float)(1 / sqrt((double)p->dim)), rows, p->tokens);
        dd_matrix_multiply(k, y->data + (first * p->pixels + at) * y->stride + head * p->dim, y->stride, s, ss, b + p->k_size,
                           p->tokens * p->nr, rows, p->tokens, p->dim);
    }
}

void dd_attention_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *qkv,
                          const struct dd_attention *a, const float *memory_kv)
{
    struct plan p = make_plan(ctx->k, a);
    for (size_t first = 0; first < (size_t)qkv->n; first += p.images)
        slice_forward(ctx, &p, y, qkv, memory_kv, first, dd_min(p.images, (size_t)qkv->n - first));
}
