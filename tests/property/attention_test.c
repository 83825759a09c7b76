/* Softmax and linear attention against their formulas in double. The bits do not depend on the batch
   or the threads.

   The tolerance of softmax attention: a score q.k carries sum_bound(D) of |q|.|k| and 2 u of itself,
   for the factor and the difference from the maximum. P is off by a factor of at most exp(2 times
   the largest error in its row), and by 8 u for exp (act_vec.h), the sum and the quotient. y = P v
   adds sum_bound(T). All of this is relative to the sum of P |v|.

   The tolerance of linear attention: q' and k' carry 8 u and the sum_bound of their sums, C carries
   sum_bound(T), and y sum_bound(D). All of this is relative to the same expression with |v|. */
#include "check.h"
#include "tests/teams.h"
#include "layer/attention.h"
#include "maps.h"

struct attention_case {
    struct dd_attention a;
    int n, gap;
    float size;
};

static const struct attention_case cases[] = {
    { { 4, 4, 1, 64, 0, 0 }, 2, 0, 1 },  { { 3, 5, 2, 8, 0, 0 }, 1, 3, 2 },
    { { 1, 1, 3, 16, 0, 0 }, 2, 0, 1 },  { { 8, 8, 4, 32, 4, 0 }, 1, 0, 1 },
    { { 5, 7, 2, 19, 4, 0 }, 2, 5, 1 },  { { 16, 16, 1, 40, 0, 0 }, 1, 0, 1 },
    { { 2, 3, 1, 130, 1, 0 }, 1, 1, 1 }, { { 6, 6, 2, 12, 0, 0 }, 1, 0, 30 },
    { { 30, 20, 1, 8, 4, 0 }, 1, 0, 1 }, { { 4, 5, 1, 33, 0, 1 }, 2, 3, 1 },
    { { 7, 6, 2, 16, 0, 1 }, 1, 0, 2 },
};

static int parts(const struct dd_attention *a)
{
    return a->tied ? 2 : 3;
}

/* A case, the maps and the memory of its run, and the layout of the memory. */
struct attention_data {
    const struct attention_case *t;
    const struct dd_map *y, *qkv;
    const float *memory;
    bool linear;
};

/* An image and a head. */
struct place {
    int image, head;
};

typedef void forward(const struct dd_context *, const struct dd_map *, const struct dd_map *,
                     const struct dd_attention *, const float *);
typedef size_t scratch_size(const struct dd_kernels *, const struct dd_attention *, int, int);

enum { Q, K, V };

/* Returns an element of Q, K or V as a double. Tokens below `memory` are taken from the memory. */
static double input(const struct attention_data *c, struct place p, int which, int token, int d)
{
    const struct dd_attention *a = &c->t->a;
    const struct dd_map *qkv = c->qkv;
    if (which != Q && token < a->memory) {
        int at = (which - 1) * a->heads + p.head;
        return c->linear ? c->memory[(at * a->dim + d) * a->memory + token]
                         : c->memory[(at * a->memory + token) * a->dim + d];
    }

    size_t pixel = (size_t)(p.image * a->h * a->w + token - (which != Q ? a->memory : 0));
    which -= which == parts(a);
    return qkv->data[pixel * qkv->stride + (size_t)((which * a->heads + p.head) * a->dim + d)];
}

/* Returns an element of the output. */
static double output(const struct attention_data *c, struct place p, int pixel, int d)
{
    const struct dd_attention *a = &c->t->a;
    return c->y->data[(size_t)(p.image * a->h * a->w + pixel) * c->y->stride + (size_t)(p.head * a->dim + d)];
}

/* p [tokens] is work space. */
static void check_softmax_row(const struct attention_data *c, struct place at, int pixel, double *p)
{
    const struct dd_attention *a = &c->t->a;
    int tokens = a->memory + a->h * a->w, dim = a->dim;
    double u = ldexp(1, -24), most = -INFINITY, total = 0, error = 0, scale = 1 / sqrt(dim);

    /* The scores of the row, and their largest error. */
    for (int j = 0; j < tokens; j++) {
        double size = 0;
        p[j] = 0;
        for (int d = 0; d < dim; d++) {
            double term = input(c, at, Q, pixel, d) * input(c, at, K, j, d) * scale;
            p[j] += term;
            size += fabs(term);
        }
        error = fmax(error, sum_bound((size_t)dim) * size + 2 * u * size);
        most = fmax(most, p[j]);
    }

    for (int j = 0; j < tokens; j++)
        total += p[j] = exp(p[j] - most);
    double relative = exp(2 * error) - 1 + 8 * u + 2 * sum_bound((size_t)tokens);

    for (int d = 0; d < dim; d++) {
        double sum = 0, size = 0;
        for (int j = 0; j < tokens; j++) {
            double v = input(c, at, V, j, d);
            sum += p[j] / total * v;
            size += p[j] / total * fabs(v);
        }

        CHECK_NEAR(output(c, at, pixel, d), sum, relative * size);
    }
}

static void check_softmax(const struct attention_data *c)
{
    const struct dd_attention *a = &c->t->a;
    double *p = malloc(sizeof *p * (size_t)(a->memory + a->h * a->w));
    REQUIRE(p);
    for (int image = 0; image < c->t->n; image++)
        for (int head = 0; head < a->heads; head++)
            for (int pixel = 0; pixel < a->h * a->w; pixel++)
                check_softmax_row(c, (struct place){ image, head }, pixel, p);
    free(p);
}

/* The softmax of k over tokens, transposed, times v, [dim, dim]; and size, the same with |v|. */
struct context {
    double *c, *size;
};

static void linear_context(const struct attention_data *c, struct place at, struct context out)
{
    int tokens = c->t->a.memory + c->t->a.h * c->t->a.w, dim = c->t->a.dim;

    for (int d = 0; d < dim; d++) {
        double most = -INFINITY, total = 0;
        for (int j = 0; j < tokens; j++)
            most = fmax(most, input(c, at, K, j, d));
        for (int j = 0; j < tokens; j++)
            total += exp(input(c, at, K, j, d) - most);

        for (int e = 0; e < dim; e++) {
            out.c[d * dim + e] = out.size[d * dim + e] = 0;
            for (int j = 0; j < tokens; j++) {
                double k = exp(input(c, at, K, j, d) - most) / total, v = input(c, at, V, j, e);
                out.c[d * dim + e] += k * v;
                out.size[d * dim + e] += k * fabs(v);
            }
        }
    }
}

static void check_linear_pixel(const struct attention_data *c, struct place at, int pixel,
                               struct context context)
{
    int tokens = c->t->a.memory + c->t->a.h * c->t->a.w, dim = c->t->a.dim;
    double u = ldexp(1, -24), most = -INFINITY, total = 0;
    double relative = 2 * (8 * u + sum_bound((size_t)tokens) + sum_bound((size_t)dim));

    for (int d = 0; d < dim; d++)
        most = fmax(most, input(c, at, Q, pixel, d));
    for (int d = 0; d < dim; d++)
        total += exp(input(c, at, Q, pixel, d) - most);

    for (int e = 0; e < dim; e++) {
        double sum = 0, most_sum = 0;
        for (int d = 0; d < dim; d++) {
            double q = exp(input(c, at, Q, pixel, d) - most) / total / sqrt(dim);
            sum += q * context.c[d * dim + e];
            most_sum += q * context.size[d * dim + e];
        }
        CHECK_NEAR(output(c, at, pixel, e), sum, relative * most_sum);
    }
}

static void check_linear(const struct attention_data *c)
{
    const struct dd_attention *a = &c->t->a;
    size_t size = (size_t)(a->dim * a->dim);
    double *work = malloc(2 * size * sizeof *work);
    REQUIRE(work);
    struct context context = { work, work + size };

    for (int image = 0; image < c->t->n; image++)
        for (int head = 0; head < a->heads; head++) {
            struct place at = { image, head };
            linear_context(c, at, context);
            for (int pixel = 0; pixel < a->h * a->w; pixel++)
                check_linear_pixel(c, at, pixel, context);
        }
    free(work);
}

/* Attention and its arguments. */
struct attending {
    forward *f;
    const struct dd_map *y, *qkv;
    const struct dd_attention *a;
    const float *memory;
};

static void attend(const struct dd_context *ctx, void *user)
{
    const struct attending *p = user;
    p->f(ctx, p->y, p->qkv, p->a, p->memory);
}

/* A kind of attention: its functions, and the check of its output. */
struct kind {
    forward *forward;
    scratch_size *scratch;
    void (*check)(const struct attention_data *);
    bool linear;
};

static const struct kind softmax = { dd_attention_forward, dd_attention_scratch, check_softmax, false };
static const struct kind linear = { dd_linear_attention_forward, dd_linear_attention_scratch, check_linear,
                                    true };

/* Runs on a copy of qkv, since backward needs what forward read. */
static void attention_run(const struct kind *kind, unsigned cpu, int threads, const struct attention_data *c)
{
    const struct dd_map *qkv = c->qkv;
    const struct dd_attention *a = &c->t->a;
    struct dd_kernels k;
    struct dd_map copy = map_create(qkv->n, qkv->h, qkv->w, qkv->c, (int)qkv->stride - qkv->c, 0);
    memcpy(copy.data, qkv->data, sizeof(float) * (size_t)(qkv->n * qkv->h * qkv->w) * qkv->stride);
    dd_kernels_init(&k, cpu);
    size_t size = kind->scratch(&k, a, qkv->n, threads);
    float *scratch = scratch_create(size);
    team_run(&(struct dd_context){ &k, threads, scratch, NULL }, attend,
             &(struct attending){ kind->forward, c->y, &copy, a, a->memory ? c->memory : NULL });
    CHECK(scratch_whole(scratch, size) && map_whole(c->y) && map_same(&copy, 0, qkv, 0, qkv->n));
    map_free(&copy);
    dd_memory_free(scratch);
}

static void check_cases(const struct kind *kind)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int set = 0; set < sets; set++) {
            const struct attention_case *t = &cases[i];
            if (t->a.tied && kind->linear)
                continue;
            int inner = t->a.heads * t->a.dim;
            struct dd_map qkv = map_create(t->n, t->a.h, t->a.w, parts(&t->a) * inner, t->gap, 21),
                          y = map_create(t->n, t->a.h, t->a.w, inner, t->gap, 22);
            float *memory = floats_create((size_t)(2 * inner * t->a.memory), -1, 1, 23);

            /* Cases of a large size have large scores, which make the softmax sharp. */
            for (size_t j = 0; j < (size_t)(t->n * t->a.h * t->a.w) * qkv.stride; j++)
                qkv.data[j] *= t->size;

            struct attention_data data = { t, &y, &qkv, memory, kind->linear };
            attention_run(kind, masks[set], 2, &data);
            kind->check(&data);

            map_free(&qkv);
            map_free(&y);
            dd_memory_free(memory);
        }
}

static void check_bits(const struct kind *kind)
{
    static const struct attention_case t = { { 25, 24, 2, 20, 4, 0 }, 4, 0, 1 };
    static const int teams[] = { 1, 2, 3, 7 };
    unsigned masks[4];
    int sets = instruction_sets(masks), inner = t.a.heads * t.a.dim;
    struct dd_map qkv = map_create(t.n, t.a.h, t.a.w, 3 * inner, 1, 21),
                  y = map_create(t.n, t.a.h, t.a.w, inner, 2, 22);
    struct dd_map expected = map_create(t.n, t.a.h, t.a.w, inner, 0, 22);
    float *memory = floats_create((size_t)(2 * inner * t.a.memory), -1, 1, 23);

    for (int set = 0; set < sets; set++) {
        for (int i = 0; i < t.n; i++) {
            /* The expected bits are those of one image alone, on one thread. */
            struct dd_map one = map_images(&qkv, i, 1), out = map_images(&expected, i, 1);
            attention_run(kind, masks[set], 1,
                          &(struct attention_data){ &t, &out, &one, memory, kind->linear });
        }

        for (int team = 0; team < 4; team++) {
            int n = team % 2 ? 3 : t.n;
            struct dd_map part = map_images(&qkv, 0, n), out = map_images(&y, 0, n);
            attention_run(kind, masks[set], teams[team],
                          &(struct attention_data){ &t, &out, &part, memory, kind->linear });
            CHECK(map_same(&y, 0, &expected, 0, n));
        }
    }

    map_free(&qkv);
    map_free(&y);
    map_free(&expected);
    dd_memory_free(memory);
}

TEST(attention, softmax_is_its_formula)
{
    check_cases(&softmax);
}

TEST(attention, linear_is_its_formula)
{
    check_cases(&linear);
}

TEST(attention, same_bits_for_any_batch_and_threads)
{
    check_bits(&softmax);
    check_bits(&linear);
}
