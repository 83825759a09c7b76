/* Dropout. The share of dropped elements is p, and drops are independent. Backward has forward's
   mask. A mask depends on (seed, sample, place) and the element alone. Tolerances of shares are 5
   standard deviations. */
#include "layer/dropout.h"
#include "tests/check.h"
#include "tests/teams.h"

enum { IMAGES = 3, SIDE = 9, CHANNELS = 301, ELEMENTS = SIDE * SIDE * CHANNELS, ALL = IMAGES * ELEMENTS };

static struct dd_map dense(float *data, int n)
{
    return (struct dd_map){ data, n, SIDE, SIDE, CHANNELS, CHANNELS };
}

/* Dropout and its arguments. */
struct dropping {
    const struct dd_map *y, *x;
    const struct dd_pre *pre;
    struct dd_dropout_layer layer;
};

static void forward(const struct dd_context *ctx, void *user)
{
    const struct dropping *d = user;
    dd_dropout_forward(ctx, d->y, d->x, d->pre, &d->layer);
}

static void backward(const struct dd_context *ctx, void *user)
{
    const struct dropping *d = user;
    dd_dropout_backward(ctx, d->y, &d->layer);
}

/* Runs dropout in a team of so many threads. */
static void drop(const struct dd_map *y, const struct dd_map *x, const struct dd_pre *pre, double p,
                 const struct dd_dropout *masks, uint32_t place, int threads)
{
    struct dd_kernels k;
    dd_kernels_init(&k, dd_cpu_detect());
    team_run(&(struct dd_context){ &k, threads, NULL, NULL }, forward,
             &(struct dropping){ y, x, pre, { p, place, masks } });
}

/* Fills y with the dropout of n images of ones, without a pre. */
static void masks(float *y, int n, double p, struct dd_dropout d, uint32_t place, int threads)
{
    for (int i = 0; i < n * ELEMENTS; i++)
        y[i] = 1;
    struct dd_map m = dense(y, n);
    drop(&m, &m, NULL, p, &d, place, threads);
}

/* The share of zeros is a mean of independent draws, and so is that of pairs of zeros at the same
   element of two masks. Each is compared within 5 standard deviations. */
TEST(dropout, drops_as_often_as_it_should)
{
    static const double p[] = { 0.1, 0.5, 0.9 };
    float *a = malloc(ALL * sizeof *a), *b = malloc(ALL * sizeof *b);
    for (int i = 0; i < 3; i++) {
        double zeros = 0, pairs = 0, neighbours = 0, q = p[i] * p[i];
        masks(a, IMAGES, p[i], (struct dd_dropout){ 7, 0 }, 3, 2);
        masks(b, IMAGES, p[i], (struct dd_dropout){ 7, 0 }, 4, 2);

        for (int e = 0; e < ALL; e++) {
            CHECK(a[e] == 0 || a[e] == (float)(1 / (1 - p[i])));
            zeros += a[e] == 0;
            pairs += a[e] == 0 && b[e] == 0;
            neighbours += e && a[e] == 0 && a[e - 1] == 0;
        }

        CHECK_NEAR(zeros / ALL, p[i], 5 * sqrt(p[i] * (1 - p[i]) / ALL));
        CHECK_NEAR(pairs / ALL, q, 5 * sqrt(q * (1 - q) / ALL));
        /* Pairs of neighbours overlap, so their variance is at most 3 times as large. */
        CHECK_NEAR(neighbours / ALL, q, 5 * sqrt(q * (1 - q) * 3 / ALL));
    }

    free(a);
    free(b);
}

TEST(dropout, a_mask_belongs_to_its_sample)
{
    float *a = malloc(ALL * sizeof *a), *b = malloc(ALL * sizeof *b);
    struct dd_dropout late = { 7, ((uint64_t)1 << 32) - 1 }; /* the samples cross 2^32 */
    masks(a, IMAGES, 0.5, late, 3, 1);
    masks(b, IMAGES, 0.5, late, 3, 3);
    CHECK(!memcmp(a, b, ALL * sizeof *a));
    for (int i = 0; i < IMAGES; i++) {
        masks(b, 1, 0.5, (struct dd_dropout){ late.seed, late.first + (uint64_t)i }, 3, 1);
        CHECK(!memcmp(a + i * ELEMENTS, b, ELEMENTS * sizeof *a));
    }
    masks(b, 1, 0.5, (struct dd_dropout){ 7, 0 }, 3, 1);
    CHECK(memcmp(a + ELEMENTS, b, ELEMENTS * sizeof *a)); /* sample 2^32 differs from sample 0 */
    masks(b, 1, 0.5, (struct dd_dropout){ 8, late.first }, 3, 1);
    CHECK(memcmp(a, b, ELEMENTS * sizeof *a));
    free(a);
    free(b);
}

/* With scale, shift and activation, and into a slice of a wider home, forward is the kernel's affine
   times the mask that forward makes of ones. Backward of ones has the same mask. Without masks the
   result is the affine alone. */
TEST(dropout, backward_has_the_mask_of_forward)
{
    struct dd_kernels k;
    dd_kernels_init(&k, dd_cpu_detect());
    struct dd_dropout d = { 9, 4 };
    size_t wide = CHANNELS + 5;
    float *mask = malloc(ALL * sizeof *mask), *x = malloc(ALL * sizeof *x), *u = malloc(ALL * sizeof *u),
          *y = calloc(IMAGES * SIDE * SIDE * wide, sizeof *y);
    float scale[IMAGES * CHANNELS], shift[IMAGES * CHANNELS];

    masks(mask, IMAGES, 0.25, d, 11, 1);
    for (int i = 0; i < ALL; i++)
        x[i] = cosf((float)i);
    for (int i = 0; i < IMAGES * CHANNELS; i++) {
        scale[i] = 1 + sinf((float)i);
        shift[i] = cosf(3 * (float)i);
    }

    for (size_t i = 0; i < IMAGES; i++) {
        const struct dd_affine_terms terms = { scale + i * CHANNELS, shift + i * CHANNELS, DD_ACT_SILU };
        k.affine(dd_out(u + i * ELEMENTS, CHANNELS), dd_in(x + i * ELEMENTS, CHANNELS), &terms, SIDE * SIDE,
                 CHANNELS);
    }

    /* The output is a slice of pixels of `wide` floats, two floats from their start. */
    struct dd_map mx = dense(x, IMAGES), my = { y + 2, IMAGES, SIDE, SIDE, CHANNELS, wide };
    struct dd_pre pre = { scale, shift, DD_ACT_SILU };
    for (int masked = 0; masked < 2; masked++) {
        int wrong = 0;
        drop(&my, &mx, &pre, 0.25, masked ? &d : NULL, 11, 2);
        for (size_t i = 0; i < ALL; i++)
            wrong += my.data[i / CHANNELS * wide + i % CHANNELS] != u[i] * (masked ? mask[i] : 1);
        CHECK(wrong == 0);
    }

    CHECK(y[0] == 0 && y[1] == 0 && y[2 + CHANNELS] == 0);

    /* Backward of ones is the mask itself. */
    for (size_t i = 0; i < ALL; i++)
        u[i] = 1;
    struct dd_map mu = dense(u, IMAGES);
    team_run(&(struct dd_context){ &k, 2, NULL, NULL }, backward,
             &(struct dropping){ &mu, NULL, NULL, { 0.25, 11, &d } });
    CHECK(!memcmp(u, mask, ALL * sizeof *u));

    free(mask);
    free(x);
    free(u);
    free(y);
}
