/* Linear layers and their gradients are adjoint, <A x, dy> = <x, A^T dy>. This is checked on strided
   maps, with gradients written and added, and with the same bits for 1, 2 and 3 threads. The last
   tests show that the bits of an image's gradient do not depend on the images beside it.

   The tolerance: A x and A^T dy are sums of at most four products, so they are off by 4 u times
   their sums of absolute values, u = 2^-24. The inner products are taken in double. So the two sides
   differ by at most 8 u <|A| |x|, |dy|>. No A here has a negative entry, hence |A| |x| = A |x|. */
#include "check.h"
#include "tests/teams.h"
#include "layer/attention.h"
#include "layer/embed.h"
#include "layer/norm.h"
#include "layer/pre.h"
#include "layer/resample.h"
#include "maps.h"

typedef void move_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x);
typedef void move_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                           const struct dd_map *dy);

static void up(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x)
{
    dd_resample_up_forward(ctx, y, x, NULL);
}

static void mean(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x)
{
    dd_resample_mean_forward(ctx, y, x, NULL);
}

static void copy(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x)
{
    dd_resample_copy_forward(ctx, y, x, NULL, 1, 0);
}

static void triple(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x)
{
    dd_resample_copy_forward(ctx, y, x, NULL, 3, 0);
}

static void copy_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                          const struct dd_map *dy)
{
    dd_resample_copy_backward(ctx, dx, add, dy, 1);
}

static void triple_backward(const struct dd_context *ctx, const struct dd_map *dx, bool add,
                            const struct dd_map *dy)
{
    dd_resample_copy_backward(ctx, dx, add, dy, 3);
}

static const struct move {
    const char *name;
    int up, down, wide;
    move_forward *forward;
    move_backward *backward;
} moves[] = {
    { "up", 2, 1, 1, up, dd_resample_up_backward },
    { "mean", 1, 2, 1, mean, dd_resample_mean_backward },
    { "unshuffle", 1, 2, 4, dd_resample_unshuffle_forward, dd_resample_unshuffle_backward },
    { "copy", 1, 1, 1, copy, copy_backward },
    { "three times", 1, 1, 1, triple, triple_backward },
};

static double inner(const struct dd_map *a, const struct dd_map *b)
{
    double sum = 0;
    for (size_t p = 0; p < (size_t)(a->n * a->h * a->w); p++)
        for (size_t c = 0; c < (size_t)a->c; c++)
            sum += (double)a->data[p * a->stride + c] * b->data[p * b->stride + c];
    return sum;
}

static void absolute(struct dd_map *m)
{
    for (size_t i = 0; i < (size_t)(m->n * m->h * m->w) * m->stride; i++)
        m->data[i] = fabsf(m->data[i]);
}

/* Checks that dx after adding is `before` plus dx. The sum is rounded once; where a layer adds three
   times, twice. */
static void check_added(const struct dd_map *added, const struct dd_map *before, const struct dd_map *dx)
{
    for (size_t p = 0; p < (size_t)(dx->n * dx->h * dx->w); p++)
        for (size_t c = 0; c < (size_t)dx->c; c++) {
            double want = (double)before->data[p * before->stride + c] + dx->data[p * dx->stride + c];
            CHECK_NEAR(added->data[p * added->stride + c], want,
                       ldexp(1, -24) * (fabs(want) + fabs(dx->data[p * dx->stride + c])));
        }
}

/* A move and its two maps; backward, `alone` is overwritten and `added` is added to. */
struct moving {
    const struct move *t;
    const struct dd_map *y, *x, *alone, *added;
};

static void forward(const struct dd_context *ctx, void *user)
{
    const struct moving *m = user;
    m->t->forward(ctx, m->y, m->x);
}

static void backward(const struct dd_context *ctx, void *user)
{
    const struct moving *m = user;
    m->t->backward(ctx, m->alone, false, m->y);
    m->t->backward(ctx, m->added, true, m->y);
}

static void move(const struct move *t, const struct dd_kernels *k, const struct dd_map *y,
                 const struct dd_map *x)
{
    team_run(&(struct dd_context){ k, 2, NULL, NULL }, forward, &(struct moving){ t, y, x, NULL, NULL });
}

static void check_move(const struct move *t, unsigned cpu, int h, int w, int c)
{
    struct dd_kernels k;
    struct dd_map x = map_create(2, h, w, c, 1, 1),
                  dy = map_create(2, h * t->up / t->down, w * t->up / t->down, c * t->wide, 2, 2);
    struct dd_map y = map_create(2, dy.h, dy.w, dy.c, 1, 3), first = map_create(2, h, w, c, 0, 4);
    dd_kernels_init(&k, cpu);

    for (int threads = 1; threads <= 3; threads++) {
        struct dd_map dx = map_create(2, h, w, c, 3, 5), added = map_create(2, h, w, c, 2, 1);
        team_run(&(struct dd_context){ &k, threads, NULL, NULL }, backward,
                 &(struct moving){ t, &dy, NULL, threads == 1 ? &first : &dx, &added });
        CHECK(threads == 1 || (map_same(&dx, 0, &first, 0, 2) && map_whole(&dx)));
        check_added(&added, &x, &first);
        map_free(&dx), map_free(&added);
    }

    move(t, &k, &y, &x);
    /* These are the two sides of the identity. */
    double one = inner(&y, &dy), other = inner(&x, &first);

    /* Now over absolute values: the same inner product is the size of the rounding errors. */
    absolute(&x), absolute(&dy);
    move(t, &k, &y, &x);
    if (!(fabs(one - other) <= 8 * ldexp(1, -24) * inner(&y, &dy)))
        check_fail(__FILE__, __LINE__, "%s, %d x %d x %d: %.9g, expected %.9g", t->name, h, w, c, other, one);

    map_free(&x), map_free(&dy), map_free(&y), map_free(&first);
}

TEST(gradient, moves_are_adjoint)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
            check_move(&moves[i], masks[set], 4, 6, 21);
            check_move(&moves[i], masks[set], 5, 3, 16);
            check_move(&moves[i], masks[set], 2, 7, 70);
        }
}

/* The gradient of a table of classes. */
struct classes {
    float *table;
    const struct dd_map *dy;
    const int32_t *classes;
};

static void class_backward(const struct dd_context *ctx, void *user)
{
    const struct classes *c = user;
    dd_embed_class_backward(ctx, c->table, c->dy, c->classes);
}

TEST(gradient, classes)
{
    static const int32_t classes[] = { 2, 0, 2, 2 };
    struct dd_kernels k;
    struct dd_map dy = map_create(4, 1, 1, 19, 2, 5);
    float *table = floats_create(3 * 19, -1, 1, 1), *before = floats_create(3 * 19, -1, 1, 1);
    dd_kernels_init(&k, dd_cpu_detect());
    team_run(&(struct dd_context){ &k, 2, NULL, NULL }, class_backward,
             &(struct classes){ table, &dy, classes });
    for (size_t c = 0; c < 19; c++) {
        const float *d = dy.data + c;
        CHECK(table[c] == before[c] + d[dy.stride]);
        CHECK(table[19 + c] == before[19 + c]);
        CHECK(table[38 + c] == before[38 + c] + d[0] + d[2 * dy.stride] + d[3 * dy.stride]);
    }
    map_free(&dy), dd_memory_free(table), dd_memory_free(before);
}

/* The gradients of a store. */
struct store {
    const struct dd_map *dz, *dr, *dadd, *dy, *v;
    float scale;
    enum dd_act act;
    bool adds;
};

static void store_backward(const struct dd_context *ctx, void *user)
{
    const struct store *s = user;
    dd_pre_store_backward(ctx, s->dz, (struct dd_grad_map){ s->dr, s->adds },
                          (struct dd_grad_map){ s->dadd, s->adds }, s->dy,
                          &(struct dd_pre_store){ s->v, s->act, s->scale });
}

/* Checks y = (z + add + residual) scale: the three gradients each give <y, dy>. dadd carries sums
   over 64 pixels at a time. */
static void check_store(unsigned cpu, float scale, bool adds)
{
    struct dd_kernels k;
    struct dd_map dy = map_create(2, 9, 10, 37, 1, 1), z = map_create(2, 9, 10, 37, 0, 2),
                  r = map_create(2, 9, 10, 37, 0, 3);
    struct dd_map add = map_create(2, 1, 1, 37, 0, 4), dz[3], dr[3], dadd[3];
    size_t size = dd_pre_scratch(2, 9, 10, 37);
    float *scratch = scratch_create(size);
    dd_kernels_init(&k, cpu);

    for (int i = 0; i < 3; i++) {
        dz[i] = map_create(2, 9, 10, 37, i, 5), dr[i] = map_create(2, 9, 10, 37, 2 - i, 6),
        dadd[i] = map_create(2, 1, 1, 37, i, 7);
        team_run(&(struct dd_context){ &k, i + 1, scratch, NULL }, store_backward,
                 &(struct store){ &dz[i], &dr[i], &dadd[i], &dy, NULL, scale, DD_ACT_NONE, adds });
        CHECK(map_same(&dz[i], 0, &dz[0], 0, 2) && map_same(&dr[i], 0, &dr[0], 0, 2) &&
              map_same(&dadd[i], 0, &dadd[0], 0, 2));
        CHECK(map_whole(&dz[i]) && map_whole(&dr[i]) && map_whole(&dadd[i]));
    }

    CHECK(scratch_whole(scratch, size));

    double got = inner(&z, &dz[0]) + inner(&r, &dr[0]) + inner(&add, &dadd[0]), want = 0, most = 0;
    /* The three gradients must give this sum; `most` is the same with absolute values. */
    for (size_t p = 0; p < 180; p++)
        for (size_t c = 0; c < 37; c++) {
            double d = dy.data[p * dy.stride + c], a = add.data[p / 90 * 37 + c],
                   v[2] = { z.data[p * 37 + c], r.data[p * 37 + c] };
            want += d * (v[0] + v[1] + a) * scale;
            most += fabs(d) * (fabs(v[0]) + fabs(v[1]) + fabs(a)) * scale;
        }

    /* The earlier values count too, where the gradients are added. */
    if (adds) {
        struct dd_map before = map_create(2, 9, 10, 37, 0, 6), sums = map_create(2, 1, 1, 37, 0, 7);
        want += inner(&r, &before) + inner(&add, &sums), most += 180 * 37;
        map_free(&before), map_free(&sums);
    }

    CHECK_NEAR(got, want, (sum_bound(64) + 4 * ldexp(1, -24)) * most);

    for (int i = 0; i < 3; i++)
        map_free(&dz[i]), map_free(&dr[i]), map_free(&dadd[i]);
    map_free(&dy), map_free(&z), map_free(&r), map_free(&add), dd_memory_free(scratch);
}

TEST(gradient, store_is_adjoint)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (int i = 0; i < 4; i++)
            check_store(masks[set], i % 2 ? 0.7f : 1, i / 2);
}

/* Fills dz with the gradient of a load of v. */
static void load_backward(const struct dd_context *ctx, void *user)
{
    const struct store *s = user;
    dd_pre_backward(ctx, (struct dd_grad_map){ s->dz, false }, (struct dd_pre_sums){ NULL, NULL }, s->dy,
                    s->v, &(struct dd_pre){ NULL, NULL, s->act });
}

/* With an activation, in place, the gradient is that of the load times scale; layer_gradients.c
   compares the load's with PyTorch's. */
TEST(gradient, store_with_an_activation)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (int act = DD_ACT_SILU; act <= DD_ACT_MISH; act++) {
            struct dd_kernels k;
            struct dd_map dy = map_create(2, 3, 5, 21, 1, 1), v = map_create(2, 3, 5, 21, 2, 2),
                          want = map_create(2, 3, 5, 21, 0, 3);
            dd_kernels_init(&k, masks[set]);

            team_run(&(struct dd_context){ &k, 2, NULL, NULL }, load_backward,
                     &(struct store){ &want, NULL, NULL, &dy, &v, 1, (enum dd_act)act, false });
            for (size_t i = 0; i < 2 * 3 * 5 * 21; i++)
                want.data[i] *= 0.7f;

            team_run(&(struct dd_context){ &k, 2, NULL, NULL }, store_backward,
                     &(struct store){ &dy, NULL, NULL, &dy, &v, 0.7f, (enum dd_act)act, false });

            CHECK(map_same(&dy, 0, &want, 0, 2) && map_whole(&dy));
            map_free(&dy), map_free(&v), map_free(&want);
        }
}

/* Fills the gradients by x of images first .. first + n - 1. The gradients of parameters are not
   looked at. */
typedef void image_gradient(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy,
                            const struct dd_map *x, float *v);

enum { IMAGES = 5, SIDE = 19, HEADS = 2, DIM = 4, INNER = HEADS * DIM, MEMORY = 3, V_FLOATS = 1024 };

static void softmax_gradient(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy,
                             const struct dd_map *x, float *v)
{
    dd_attention_backward(ctx, dx, v + 512, dy, x,
                          &(struct dd_attention){ SIDE, SIDE, HEADS, DIM, MEMORY, 0 }, v);
}

static void linear_gradient(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy,
                            const struct dd_map *x, float *v)
{
    dd_linear_attention_backward(ctx, dx, v + 512, dy, x,
                                 &(struct dd_attention){ SIDE, SIDE, HEADS, DIM, MEMORY, 0 }, v);
}

static void norm_gradient(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy,
                          const struct dd_map *x, float *v)
{
    size_t c = (size_t)x->c, all = (size_t)x->n * c;
    float *gamma = v + 4 * all, *moments = gamma + 4 * c;
    struct dd_pre pre = { v, v + all, DD_ACT_SILU };
    for (size_t i = 0; i < 4 * c; i++)
        gamma[i] = 1 + (float)i / 64;
    struct dd_norm norm = { 4, 1e-5, gamma, gamma + c, { NULL, 0 } };
    struct dd_norm_gradients d = { .dgamma = gamma + 2 * c, .dbeta = gamma + 3 * c };
    struct dd_norm_sums sums = { v + 2 * all, v + 3 * all, moments };
    dd_norm_forward(ctx, v, v + all, moments, x, &norm);
    dd_pre_backward(ctx, (struct dd_grad_map){ dx, false }, (struct dd_pre_sums){ v + 2 * all, v + 3 * all },
                    dy, x, &pre);
    dd_norm_backward(ctx, dx, &d, &sums, x, &norm);
}

static void rms_gradient(const struct dd_context *ctx, const struct dd_map *dx, const struct dd_map *dy,
                         const struct dd_map *x, float *v)
{
    struct dd_norm_rms rms = { v + 512, { NULL, 0 }, DD_ACT_MISH };
    struct dd_norm_gradients d = { .dgamma = v };
    dd_norm_rms_backward(ctx, (struct dd_grad_map){ dx, false }, &d, (struct dd_grad_map){ 0 }, dy, x, &rms);
}

static size_t scratch_of(const struct dd_kernels *k, int n, int threads)
{
    struct dd_attention a = { SIDE, SIDE, HEADS, DIM, MEMORY, 0 };
    size_t soft = dd_attention_backward_scratch(k, &a, n, threads),
           linear = dd_linear_attention_backward_scratch(k, &a, n, threads);
    return soft + linear + dd_norm_rms_backward_scratch(n, SIDE, SIDE, 3 * INNER, threads) +
           dd_norm_backward_scratch(n, 3 * INNER);
}

/* An image_gradient and its arguments. */
struct images {
    image_gradient *f;
    const struct dd_map *dx, *dy, *x;
    float *v;
};

static void call_gradient(const struct dd_context *ctx, void *user)
{
    const struct images *i = user;
    i->f(ctx, i->dx, i->dy, i->x, i->v);
}

static void run_images(image_gradient *f, const struct dd_kernels *k, int threads, const struct dd_map *dx,
                       const struct dd_map *dy, const struct dd_map *x)
{
    float *scratch = scratch_create(scratch_of(k, dx->n, threads)), *v = floats_create(V_FLOATS, -1, 1, 9);
    team_run(&(struct dd_context){ k, threads, scratch, NULL }, call_gradient,
             &(struct images){ f, dx, dy, x, v });
    dd_memory_free(scratch), dd_memory_free(v);
}

TEST(gradient, same_bits_for_any_batch)
{
    static const struct {
        image_gradient *f;
        int wide;
    } all[] = { { softmax_gradient, INNER },
                { linear_gradient, INNER },
                { norm_gradient, 3 * INNER },
                { rms_gradient, 3 * INNER } };

    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int set = 0; set < sets; set++) {
            struct dd_kernels k;
            struct dd_map x = map_create(IMAGES, SIDE, SIDE, 3 * INNER, 0, 1),
                          dy = map_create(IMAGES, SIDE, SIDE, all[i].wide, 0, 2);
            struct dd_map dx = map_create(IMAGES, SIDE, SIDE, 3 * INNER, 1, 3),
                          alone = map_create(IMAGES, SIDE, SIDE, 3 * INNER, 0, 4);
            dd_kernels_init(&k, masks[set]);
            run_images(all[i].f, &k, 3, &dx, &dy, &x);
            for (int image = 0; image < IMAGES; image++) {
                struct dd_map one = map_images(&alone, image, 1), y = map_images(&dy, image, 1),
                              in = map_images(&x, image, 1);
                run_images(all[i].f, &k, 1, &one, &y, &in);
            }
            CHECK(map_same(&dx, 0, &alone, 0, IMAGES) && map_whole(&dx));
            map_free(&x), map_free(&dy), map_free(&dx), map_free(&alone);
        }
}
