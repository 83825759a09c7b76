/* Changes of resolution, the copy and the embeddings against their definitions. An operation that
   only moves numbers must move them exactly. */
#include "check.h"
#include "tests/teams.h"
#include "layer/embed.h"
#include "layer/resample.h"
#include "maps.h"

enum { N = 3, H = 6, W = 10, C = 21 };

static float at(const struct dd_map *m, int image, int y, int x, int c)
{
    return m->data[((size_t)(image * m->h + y) * (size_t)m->w + (size_t)x) * m->stride + (size_t)c];
}

struct setting {
    struct dd_kernels k;
    int threads;
    struct dd_map x;
    float *scratch, *scale, *shift;
    struct dd_pre pre;
    size_t size;
};

static void setting_create(struct setting *s, unsigned cpu, int threads)
{
    dd_kernels_init(&s->k, cpu);
    s->size = dd_resample_scratch(N, H, W, C);
    s->threads = threads;
    s->scratch = scratch_create(s->size);
    s->x = map_create(N, H, W, C, 4, 1);
    s->scale = floats_create(N * C, 0.5f, 1.5f, 2);
    s->shift = floats_create(N * C, -1, 1, 3);
    s->pre = (struct dd_pre){ s->scale, s->shift, DD_ACT_SILU };
}

static void setting_free(struct setting *s)
{
    CHECK(scratch_whole(s->scratch, s->size));
    dd_memory_free(s->scratch), map_free(&s->x), dd_memory_free(s->scale), dd_memory_free(s->shift);
}

/* Returns act(x scale + shift) and sets *size to what its error is relative to. */
static double inner(const struct setting *s, int pre, int image, int y, int x, int c, double *size)
{
    double value = at(&s->x, image, y, x, c), a = s->scale[image * C + c], b = s->shift[image * C + c];
    *size = pre ? fabs(value * a) + fabs(b) : 0;
    return pre ? act_exact(DD_ACT_SILU, value * a + b) : value;
}

/* A change of resolution, with what it reads and writes. */
struct resampling {
    const struct dd_map *y, *x;
    const struct dd_pre *pre;
    float scale, shift;
};

static void up(const struct dd_context *ctx, void *user)
{
    const struct resampling *r = user;
    dd_resample_up_forward(ctx, r->y, r->x, r->pre);
}

static void mean(const struct dd_context *ctx, void *user)
{
    const struct resampling *r = user;
    dd_resample_mean_forward(ctx, r->y, r->x, r->pre);
}

static void unshuffle(const struct dd_context *ctx, void *user)
{
    const struct resampling *r = user;
    dd_resample_unshuffle_forward(ctx, r->y, r->x);
}

static void copy(const struct dd_context *ctx, void *user)
{
    const struct resampling *r = user;
    dd_resample_copy_forward(ctx, r->y, r->x, r->pre, r->scale, r->shift);
}

/* Calls one of these on the setting's input. */
static void resample(const struct setting *s, team_work *work, const struct dd_map *y,
                     const struct dd_pre *pre, float scale, float shift)
{
    team_run(&(struct dd_context){ &s->k, s->threads, s->scratch, NULL }, work,
             &(struct resampling){ y, &s->x, pre, scale, shift });
}

static void check_upsample(struct setting *s, int pre)
{
    struct dd_map y = map_create(N, 2 * H, 2 * W, C, 2, 9);
    resample(s, up, &y, pre ? &s->pre : NULL, 1, 0);
    for (int i = 0; i < N * 4 * H * W * C; i++) {
        int c = i % C, ox = i / C % (2 * W), oy = i / C / (2 * W) % (2 * H), image = i / C / (4 * H * W);
        double size, exact = inner(s, pre, image, oy / 2, ox / 2, c, &size);
        CHECK_NEAR(at(&y, image, oy, ox, c), exact, 11 * ldexp(1, -24) * size);
    }
    CHECK(map_whole(&y));
    map_free(&y);
}

static void check_avgpool(struct setting *s, int pre)
{
    struct dd_map y = map_create(N, H / 2, W / 2, C, 2, 9);
    resample(s, mean, &y, pre ? &s->pre : NULL, 1, 0);
    for (int i = 0; i < N * H * W / 4 * C; i++) {
        int c = i % C, ox = i / C % (W / 2), oy = i / C / (W / 2) % (H / 2), image = i / C / (H * W / 4);
        double exact = 0, size = 0, m;
        for (int p = 0; p < 4; p++) {
            exact += inner(s, pre, image, 2 * oy + p / 2, 2 * ox + p % 2, c, &m) / 4;
            size += (m + fabs(at(&s->x, image, 2 * oy + p / 2, 2 * ox + p % 2, c))) / 4;
        }
        /* The inner part is off by 11 u as in conv_test.c, and three additions round by 3 u. */
        CHECK_NEAR(at(&y, image, oy, ox, c), exact, 14 * ldexp(1, -24) * size);
    }
    CHECK(map_whole(&y));
    map_free(&y);
}

static void check_moves(struct setting *s)
{
    struct dd_map u = map_create(N, H / 2, W / 2, 4 * C, 1, 9), y = map_create(N, H, W, C, 2, 9),
                  z = map_create(N, H, W, C, 0, 9);

    resample(s, unshuffle, &u, NULL, 1, 0);
    resample(s, copy, &y, NULL, 1, 0);
    resample(s, copy, &z, NULL, 2, -1);

    for (int i = 0; i < N * H * W * C; i++) {
        int c = i % C, ox = i / C % W, oy = i / C / W % H, image = i / C / (H * W);
        float x = at(&s->x, image, oy, ox, c);
        CHECK(at(&u, image, oy / 2, ox / 2, c * 4 + oy % 2 * 2 + ox % 2) == x);
        CHECK(at(&y, image, oy, ox, c) == x);
        CHECK(at(&z, image, oy, ox, c) == 2 * x - 1);
    }

    CHECK(map_whole(&u) && map_whole(&y));
    map_free(&u), map_free(&y), map_free(&z);
}

TEST(resample, moves_and_means)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (int threads = 1; threads <= 3; threads++) {
            struct setting s;
            setting_create(&s, masks[set], threads);
            for (int pre = 0; pre < 2; pre++)
                check_upsample(&s, pre), check_avgpool(&s, pre);
            check_moves(&s);
            setting_free(&s);
        }
}

TEST(resample, an_odd_last_row_is_left_out)
{
    struct dd_kernels k;
    struct dd_map x = map_create(2, 5, 7, 3, 0, 1), y = map_create(2, 2, 3, 3, 0, 2);
    dd_kernels_init(&k, 0);
    team_run(&(struct dd_context){ &k, 2, NULL, NULL }, mean, &(struct resampling){ &y, &x, NULL, 1, 0 });
    CHECK_NEAR(at(&y, 1, 1, 2, 2),
               ((double)at(&x, 1, 2, 4, 2) + at(&x, 1, 2, 5, 2) + at(&x, 1, 3, 4, 2) + at(&x, 1, 3, 5, 2)) /
                   4,
               3 * ldexp(1, -24));
    map_free(&x), map_free(&y);
}

/* An embedding of t, or of classes. */
struct embedding {
    const struct dd_map *y;
    const float *t, *f;
    int cos_first;
    const int32_t *classes;
    bool add;
};

static void embed(const struct dd_context *ctx, void *user)
{
    const struct embedding *e = user;
    dd_embed_forward(ctx, e->y, e->t, e->f, e->cos_first);
}

static void embed_class(const struct dd_context *ctx, void *user)
{
    const struct embedding *e = user;
    dd_embed_class_forward(ctx, e->y, e->add, e->f, e->classes);
}

/* f is that of checkpoint-families.md 1.3, here with freq_shift 1. t f is rounded to float, then sine
   and cosine are right to 2^-22. */
static void check_embed(unsigned cpu, int dim, int cos_first)
{
    static const float t[] = { 0, 1, 999, 500.5f, 12345 };
    struct dd_kernels k;
    struct dd_map y = map_create(5, 1, 1, dim, 3, 1);
    int half = dim / 2;
    float *f = floats_create((size_t)half, 0, 0, 1);

    for (int i = 0; i < half; i++)
        f[i] = expf(-9.210340f * (float)i / (float)(half - 1));

    dd_kernels_init(&k, cpu);
    team_run(&(struct dd_context){ &k, 2, NULL, NULL }, embed,
             &(struct embedding){ &y, t, f, cos_first, NULL, false });

    for (int n = 0; n < 5; n++) {
        for (int i = 0; i < half; i++) {
            float a = t[n] * f[i];
            CHECK_NEAR(at(&y, n, 0, 0, cos_first ? half + i : i), sin(a), ldexp(1, -22));
            CHECK_NEAR(at(&y, n, 0, 0, cos_first ? i : half + i), cos(a), ldexp(1, -22));
        }
        CHECK(dim % 2 == 0 || at(&y, n, 0, 0, dim - 1) == 0);
    }

    CHECK(map_whole(&y));
    map_free(&y), dd_memory_free(f);
}

TEST(embed, timestep)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (int which = 0; which < 4; which++)
            check_embed(masks[set], 38 + which % 2, which / 2);
}

/* Checks a table of classes that adds its rows to y, or fills y with them. */
static void check_classes(unsigned mask, bool add)
{
    static const int32_t classes[] = { 2, 0, 2 };
    float *table = floats_create(3 * 19, -1, 1, 1);
    struct dd_kernels k;
    struct dd_map y = map_create(3, 1, 1, 19, 2, 5), before = map_create(3, 1, 1, 19, 0, 5);

    dd_kernels_init(&k, mask);
    team_run(&(struct dd_context){ &k, 1, NULL, NULL }, embed_class,
             &(struct embedding){ &y, NULL, table, 0, classes, add });

    for (int i = 0; i < 3 * 19; i++) {
        float row = table[classes[i / 19] * 19 + i % 19];
        CHECK(at(&y, i / 19, 0, 0, i % 19) == (add ? at(&before, i / 19, 0, 0, i % 19) + row : row));
    }

    CHECK(map_whole(&y));
    map_free(&y), map_free(&before);
    dd_memory_free(table);
}

TEST(embed, classes)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);

    for (int set = 0; set < sets; set++) {
        check_classes(masks[set], true);
        check_classes(masks[set], false);
    }
}
