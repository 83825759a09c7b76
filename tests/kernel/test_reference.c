/* The reference itself against closed forms. Every value is rounded once to float, so it is off by u
   times itself. */
#include "tests/kernel/fence.h"

#define NEAR(got, want) CHECK_NEAR(got, want, U *fabs(want))

TEST(kernel_reference, activations)
{
    static const struct {
        enum dd_act act;
        float x;
        double y;
    } known[] = {
        { DD_ACT_NONE, -2, -2 },
        { DD_ACT_RELU, -2, 0 },
        { DD_ACT_RELU, 3, 3 },
        { DD_ACT_SILU, 1, 0.73105857863000488 },     /* 1 / (1 + 1/e) */
        { DD_ACT_GELU, 1, 0.84134474606854295 },     /* Phi(1) */
        { DD_ACT_GELU, -3, -0.0040496940948902837 }, /* -3 Phi(-3) */
        { DD_ACT_MISH, 1, 0.86509838826731035 },     /* ((1 + e)^2 - 1) / ((1 + e)^2 + 1) */
        { DD_ACT_SILU, -INFINITY, 0 },
        { DD_ACT_GELU, -INFINITY, 0 },
        { DD_ACT_MISH, -INFINITY, 0 },
        { DD_ACT_SILU, INFINITY, INFINITY },
        { DD_ACT_GELU, INFINITY, INFINITY },
        { DD_ACT_MISH, INFINITY, INFINITY },
    };

    struct dd_kernels k;
    dd_kernels_init(&k, 0);

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        float y;
        k.affine(dd_out(&y, 1), dd_in(&known[i].x, 1), &(struct dd_affine_terms){ .act = known[i].act }, 1,
                 1);
        CHECK(y == known[i].y || fabs(y - known[i].y) <= U * fabs(known[i].y));
    }
}

TEST(kernel_reference, sums)
{
    static const float x[] = { 1, 2, 3, 5 }, pivot[] = { 2 }, side[] = { 3, 4 }, gain[] = { 1, 2 },
                       half[] = { 0.5f, 1 };
    float y[4], s, q;
    struct dd_kernels k;
    dd_kernels_init(&k, 0);
    k.moments(&s, &q, dd_in(x, 1), pivot, 4, 1);
    CHECK(s == 3 && q == 11);
    k.rms(dd_out(y, 2), dd_in(side, 2), &(struct dd_rms_terms){ gain, half, side, DD_ACT_NONE },
          dd_in(gain, 2), 1, 2);
    NEAR(y[0], 3.0 / 5 * 1.5 + 3 + 1);
    NEAR(y[1], 4.0 / 5 * 2 * 2 + 4 + 2);
    k.avgpool(dd_out(y, 1), dd_in(x, 1), 2, 2, 1);
    CHECK(y[0] == 2.75f);
    k.post(dd_out(y, 1), dd_in(x, 1), &(struct dd_post_terms){ pivot, dd_in(side, 1), 0.25f }, 2, 1);
    CHECK(y[0] == 1.5f && y[1] == 2);
}

TEST(kernel_reference, functions)
{
    float x[] = { 0, 1, 3 }, f[] = { 0.5f, 1 }, s[2], c[2];
    struct dd_kernels k;
    dd_kernels_init(&k, 0);
    k.softmax(dd_out(x, 3), 0.69314718f, 1, 3); /* 2^x over its sum, 11; ln 2 is rounded to 2e-9 */
    CHECK_NEAR(x[0], 1.0 / 11, U);
    CHECK_NEAR(x[1], 2.0 / 11, U);
    CHECK_NEAR(x[2], 8.0 / 11, U);
    k.sincos(s, c, f, 2, 2);
    NEAR(s[0], 0.84147098480789651);
    NEAR(c[1], -0.41614683654714239);
}

TEST(kernel_reference, gemm)
{
    struct dd_kernels k;
    const float *rows[DD_GEMM_MR_MAX] = { NULL };
    float a[2][2] = { { 1, 2 }, { 3, 4 } }, b[2 * 64] = { 0 }, c[4] = { 0 }, bias[] = { 1, -1 };
    struct dd_post_terms post = { .bias = bias, .scale = 2 };
    dd_kernels_init(&k, 0);
    rows[0] = a[0], rows[1] = a[1];
    b[0] = 5, b[1] = -6, b[k.gemm_nr] = 7, b[k.gemm_nr + 1] = 8;
    k.gemm(dd_out(c, 2), &(struct dd_gemm){ rows, b, 1, 2, 2, 2, 0, &post, dd_in(c, 0) });
    CHECK(c[0] == 40 && c[1] == 18 && c[2] == 88 && c[3] == 26);
    k.gemm(dd_out(c, 2), &(struct dd_gemm){ rows, b, 1, 2, 1, 1, 1, NULL, dd_in(c, 0) });
    CHECK(c[0] == 40 + 19 && c[1] == 18);
}
