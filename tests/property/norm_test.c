/* Group norm and RMS norm against their formulas in double. The bits do not depend on the batch or the
   threads.

   The tolerance of group norm: the sums over a chunk carry at most sum_bound(64) of their absolute sums,
   and the rounding of x - p and of its square. With |x - p| <= R and e = sum_bound(64) + 2 u, that moves
   the mean by e R and the variance by 2 e R^2. Since |x - mean| <= R, the normalised value moves by e (R
   + R^2 R / var) rstd. Rounding scale and shift, the product and the sum adds 4 u (|x| rstd + |mean|
   rstd) |gamma (1 + s)| and the like. */
#include "check.h"
#include "tests/teams.h"
#include "layer/norm.h"
#include "maps.h"

struct norm_case {
    int n, h, w, c, groups, gap, emb;
    double offset, spread;
};

static const struct norm_case cases[] = {
    { 2, 4, 4, 32, 32, 0, 0, 0, 1 },      { 1, 1, 1, 8, 2, 0, 1, 0, 1 },
    { 3, 7, 5, 24, 8, 5, 1, 3, 1 },       { 2, 9, 13, 66, 33, 1, 0, -2, 0.1 },
    { 1, 16, 16, 128, 32, 0, 1, 100, 1 }, { 2, 3, 3, 5, 1, 2, 1, 0, 1e-3 },
    { 1, 65, 1, 6, 3, 0, 0, 0, 1 },       { 1, 32, 32, 40, 8, 0, 1, 0, 5 },
};

static struct dd_map case_input(const struct norm_case *t)
{
    struct dd_map x = map_create(t->n, t->h, t->w, t->c, t->gap, 11);
    for (size_t i = 0; i < (size_t)(t->n * t->h * t->w) * x.stride; i++)
        x.data[i] = (float)(x.data[i] * t->spread + t->offset);
    return x;
}

struct vectors {
    float *gamma, *beta, *emb, *scale, *shift;
    size_t stride;
};

static struct vectors vectors_create(int n, int c)
{
    struct vectors v = { floats_create((size_t)c, 0.5f, 2, 1),
                         floats_create((size_t)c, -1, 1, 2),
                         NULL,
                         NULL,
                         NULL,
                         2 * (size_t)c + 3 };
    v.emb = floats_create((size_t)n * v.stride, -1, 1, 3);
    v.scale = floats_create((size_t)(n * c), 0, 0, 4);
    v.shift = floats_create((size_t)(n * c), 0, 0, 5);
    return v;
}

static void vectors_free(struct vectors *v)
{
    dd_memory_free(v->gamma), dd_memory_free(v->beta), dd_memory_free(v->emb), dd_memory_free(v->scale),
        dd_memory_free(v->shift);
}

/* A group norm and its arguments. */
struct group_norm {
    float *scale, *shift;
    const struct dd_map *x;
    const struct dd_norm *norm;
};

static void norm_forward(const struct dd_context *ctx, void *user)
{
    const struct group_norm *n = user;
    dd_norm_forward(ctx, n->scale, n->shift, NULL, n->x, n->norm);
}

static void norm_run(unsigned cpu, int threads, const struct norm_case *t, const struct dd_map *x,
                     struct vectors *v, int first)
{
    struct dd_kernels k;
    size_t size = dd_norm_scratch(x->n, x->h, x->w, x->c), at = (size_t)(first * t->c);
    float *scratch = scratch_create(size);
    dd_kernels_init(&k, cpu);
    struct dd_norm norm = { .groups = t->groups, .eps = 1e-5, .gamma = v->gamma, .beta = v->beta };
    if (t->emb)
        norm.emb = (struct dd_norm_emb){ v->emb + (size_t)first * v->stride, v->stride };
    team_run(&(struct dd_context){ &k, threads, scratch, NULL }, norm_forward,
             &(struct group_norm){ v->scale + at, v->shift + at, x, &norm });
    CHECK(scratch_whole(scratch, size));
    dd_memory_free(scratch);
}

/* Checks one group of one image. */
static void check_group(const struct norm_case *t, const struct dd_map *x, const struct vectors *v, int image,
                        int group)
{
    int width = t->c / t->groups, pixels = t->h * t->w, first = group * width;
    const float *data = x->data + (size_t)image * (size_t)pixels * x->stride;
    double mean = 0, var = 0, range = 0, u = ldexp(1, -24), e = sum_bound(64) + 2 * u;

    for (int p = 0; p < pixels; p++)
        for (int c = first; c < first + width; c++)
            mean += data[(size_t)p * x->stride + (size_t)c];
    mean /= (double)pixels * width;

    for (int p = 0; p < pixels; p++)
        for (int c = first; c < first + width; c++) {
            double d = data[(size_t)p * x->stride + (size_t)c] - mean,
                   from_pivot = data[(size_t)p * x->stride + (size_t)c] - data[c];
            var += d * d;
            range = fmax(range, fmax(fabs(d), fabs(from_pivot)));
        }
    var /= (double)pixels * width;

    double rstd = 1 / sqrt(var + 1e-5);

    for (int p = 0; p < pixels; p++)
        for (int c = first; c < first + width; c++) {
            size_t at = (size_t)(image * t->c + c);
            double s = t->emb ? 1 + (double)v->emb[(size_t)image * v->stride + (size_t)c] : 1;
            double b = t->emb ? v->emb[(size_t)image * v->stride + (size_t)(t->c + c)] : 0;
            double value = data[(size_t)p * x->stride + (size_t)c],
                   exact = ((value - mean) * rstd * v->gamma[c] + v->beta[c]) * s + b;

            double size =
                (fabs(value) + fabs(mean)) * rstd * fabs(v->gamma[c] * s) + fabs(v->beta[c] * s) + fabs(b);
            double bound = e * (range + range * range * range * rstd * rstd) * rstd * fabs(v->gamma[c] * s) +
                           4 * u * size;

            CHECK_NEAR(value * v->scale[at] + v->shift[at], exact, bound);
        }
}

TEST(norm, group_norm_is_its_formula)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int set = 0; set < sets; set++) {
            struct dd_map x = case_input(&cases[i]);
            struct vectors v = vectors_create(x.n, x.c);
            norm_run(masks[set], 2, &cases[i], &x, &v, 0);
            for (int image = 0; image < x.n; image++)
                for (int group = 0; group < cases[i].groups; group++)
                    check_group(&cases[i], &x, &v, image, group);
            map_free(&x), vectors_free(&v);
        }
}

TEST(norm, group_norm_same_bits)
{
    static const struct norm_case t = { 8, 13, 11, 48, 8, 3, 1, 1, 1 };
    static const int teams[] = { 1, 2, 3, 7 };
    unsigned masks[4];
    int sets = instruction_sets(masks);

    for (int set = 0; set < sets; set++) {
        struct dd_map x = case_input(&t);
        struct vectors alone = vectors_create(t.n, t.c), v = vectors_create(t.n, t.c);
        size_t bytes = sizeof(float) * (size_t)(t.n * t.c);

        for (int image = 0; image < t.n; image++) {
            struct dd_map one = map_images(&x, image, 1);
            norm_run(masks[set], 1, &t, &one, &alone, image);
        }

        for (int team = 0; team < 4; team++) {
            norm_run(masks[set], teams[team], &t, &x, &v, 0);
            CHECK(!memcmp(v.scale, alone.scale, bytes) && !memcmp(v.shift, alone.shift, bytes));
        }

        map_free(&x), vectors_free(&alone), vectors_free(&v);
    }
}

/* The norm ||x|| carries sum_bound(c) / 2 and a few roundings. SiLU has a slope of at most 1.1, and 8 u
   of its own (act_vec.h). */
static void check_rms(const struct dd_map *y, const struct dd_map *x, const struct dd_map *residual,
                      const struct vectors *v, int emb)
{
    double u = ldexp(1, -24);

    for (int p = 0; p < x->n * x->h * x->w; p++) {
        const float *row = x->data + (size_t)p * x->stride;
        int image = p / (x->h * x->w);
        double norm = 0;
        for (int c = 0; c < x->c; c++)
            norm += (double)row[c] * row[c];
        norm = fmax(sqrt(norm), 1e-12);

        for (int c = 0; c < x->c; c++) {
            double s = emb ? v->emb[(size_t)image * v->stride + (size_t)c] : 0,
                   b = emb ? v->emb[(size_t)image * v->stride + (size_t)(x->c + c)] : 0;
            double r = residual->data[(size_t)p * residual->stride + (size_t)c],
                   inner = row[c] / norm * v->gamma[c] * (1 + s);
            double size = fabs(inner) + fabs(b),
                   bound = (1.1 * (sum_bound((size_t)x->c) + 8 * u) + 8 * u) * size + u * fabs(r);

            CHECK_NEAR(y->data[(size_t)p * y->stride + (size_t)c], act_exact(DD_ACT_SILU, inner + b) + r,
                       bound);
        }
    }
}

/* An RMS norm and its arguments. */
struct rms_norm {
    const struct dd_map *y, *x, *r;
    const struct dd_norm_rms *rms;
};

static void rms_forward(const struct dd_context *ctx, void *user)
{
    const struct rms_norm *n = user;
    dd_norm_rms_forward(ctx, n->y, n->x, n->rms, n->r);
}

TEST(norm, rms_norm_is_its_formula_with_the_same_bits)
{
    static const int teams[] = { 1, 2, 3, 7 };
    unsigned masks[4];
    int sets = instruction_sets(masks);
    struct dd_map x = map_create(3, 9, 8, 70, 2, 1), r = map_create(3, 9, 8, 70, 1, 2),
                  y = map_create(3, 9, 8, 70, 3, 3);
    struct dd_map expected = map_create(3, 9, 8, 70, 0, 3);
    struct vectors v = vectors_create(3, 70);
    memset(x.data, 0, sizeof(float) * 70); /* a pixel of zeros */

    for (int set = 0; set < sets; set++)
        for (int emb = 0; emb < 2; emb++)
            for (int team = 0; team < 4; team++) {
                struct dd_kernels k;
                dd_kernels_init(&k, masks[set]);
                struct dd_norm_rms rms = { v.gamma, { emb ? v.emb : NULL, v.stride }, DD_ACT_SILU };
                team_run(&(struct dd_context){ &k, teams[team], NULL, NULL }, rms_forward,
                         &(struct rms_norm){ team ? &y : &expected, &x, &r, &rms });
                if (team)
                    CHECK(map_same(&y, 0, &expected, 0, 3) && map_whole(&y));
                else
                    check_rms(&expected, &x, &r, &v, emb);
            }

    map_free(&x), map_free(&r), map_free(&y), map_free(&expected), vectors_free(&v);
}
