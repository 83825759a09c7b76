/* The transforms of Winograd's convolution.  That they belong together, as a convolution, is what tests/property shows. */
#include "tests/kernel/fence.h"

/* |B^T| and |A^T| of F(6x6, 3x3), F(4x4, 3x3) and F(2x2, 3x3). */
static const double bt6[8][8] = { { 1, 0, 5.25, 0, 5.25, 0, 1, 0 }, { 0, 1, 1, 4.25, 4.25, 1, 1, 0 }, { 0, 1, 1, 4.25, 4.25, 1, 1, 0 },
                                  { 0, 0.5, 0.25, 2.5, 1.25, 2, 1, 0 }, { 0, 0.5, 0.25, 2.5, 1.25, 2, 1, 0 }, { 0, 2, 4, 2.5, 5, 0.5, 1, 0 },
                                  { 0, 2, 4, 2.5, 5, 0.5, 1, 0 }, { 0, 1, 0, 5.25, 0, 5.25, 0, 1 } };
static const double at6[6][8] = { { 1, 1, 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 1. / 2, 1. / 2, 0 }, { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 },
                                  { 0, 1, 1, 8, 8, 1. / 8, 1. / 8, 0 }, { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 },
                                  { 0, 1, 1, 32, 32, 1. / 32, 1. / 32, 1 } };
static const double bt4[6][8] = { { 4, 0, 5, 0, 1, 0 }, { 0, 4, 4, 1, 1, 0 }, { 0, 4, 4, 1, 1, 0 },
                                  { 0, 2, 1, 2, 1, 0 }, { 0, 2, 1, 2, 1, 0 }, { 0, 4, 0, 5, 0, 1 } };
static const double bt2[4][8] = { { 1, 0, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 0, 1 } };
static const double at4[4][8] = { { 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, 1, 8, 8, 1 } };
static const double at2[2][8] = { { 1, 1, 1, 0 }, { 0, 1, 1, 1 } };

/* (|M| |x| |M|^T)[k], M [ny, nx]. */
static double size_of(const double (*m)[8], int ny, int nx, const struct plane *x, size_t channel, int k)
{
    double sum = 0;
    for (int i = 0; i < nx * nx; i++)
        if (m[k / ny][i / nx] != 0 && m[k % ny][i % nx] != 0)
            sum += m[k / ny][i / nx] * m[k % ny][i % nx] * fabs(*plane_at(x, (size_t)i, channel));
    return sum;
}

typedef void input_kernel(float *v, size_t plane, const float *const *x, size_t channels);
typedef void output_kernel(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual, float scale,
                           size_t channels);

static void input_case(const struct dd_kernels *k, const char *name, input_kernel *kernel, input_kernel *reference, const double (*bt)[8],
                       int side, double ulps, size_t c)
{
    size_t n = (size_t)(side * side);
    struct plane x = plane(0, n, c, c + c % 4, ORDINARY), v = plane(1, n, c, c + c % 3, ORDINARY), want = plane_copy(2, &v);
    const float *pixel[64];
    for (size_t i = 0; i < n; i++)
        pixel[i] = plane_at(&x, i, 0);
    if (c > 0)
        *plane_at(&x, c % n, c / 2) = c % 2 ? NAN : INFINITY;
    kernel(v.at, v.stride, pixel, c);
    reference(want.at, want.stride, pixel, c);
    plane_check(&v, name);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c; j++)
            near(k, name, &v, i, j, *plane_at(&want, i, j), ulps * U * size_of(bt, side, side, &x, j, (int)i));
}

/* Along rows and along columns each input meets two roundings at most (an fma and a sum; doubling is exact): 4 u of the sum of sizes,
   second order below 0.1 u; the reference one more. */
void check_winograd_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        input_case(k, "winograd_input", k->winograd_input, ref->winograd_input, bt4, 6, 5.1, c);
}

/* Three roundings along rows, three along columns: 6 u, second order below 0.1 u; the reference one more. */
void check_winograd6_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        input_case(k, "winograd6_input", k->winograd6_input, ref->winograd6_input, bt6, 8, 7.1, c);
}

/* One rounding along rows, one along columns. */
void check_winograd2_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        input_case(k, "winograd2_input", k->winograd2_input, ref->winograd2_input, bt2, 4, 3.1, c);
}

static void output_case(const struct dd_kernels *k, const char *name, output_kernel *kernel, output_kernel *reference,
                        const double (*at)[8], int tile, double ulps, size_t c)
{
    float scale = c % 2 ? 0.7f : 1;
    int side = tile + 2;
    size_t pixels = (size_t)(tile * tile);
    struct plane m = plane(0, (size_t)(side * side), c, c + c % 4, ORDINARY), y = plane(1, pixels, c, c + c % 3, ORDINARY);
    struct plane want = plane_copy(2, &y), r = plane(3, pixels, c, c, ORDINARY), b = plane(4, 1, c, c, ORDINARY);
    float *got[36], *wanted[36];
    const float *residual[36], *bias = c % 3 ? b.at : NULL, *const *residuals = c % 4 ? residual : NULL;
    for (size_t i = 0; i < pixels; i++) {
        int inside = (int)i / tile < 1 + (int)(c % 4) && (int)i % tile < 1 + (int)(c / 4 % 4);
        got[i] = inside ? plane_at(&y, i, 0) : NULL;
        wanted[i] = inside ? plane_at(&want, i, 0) : NULL;
        residual[i] = plane_at(&r, i, 0);
    }
    kernel(got, m.at, m.stride, bias, residuals, scale, c);
    reference(wanted, m.at, m.stride, bias, residuals, scale, c);
    plane_check(&y, name);
    for (size_t i = 0; i < pixels; i++)
        for (size_t j = 0; j < c; j++) {
            double size = size_of(at, tile, side, &m, j, (int)i) + (bias ? fabs(bias[j]) : 0) + (residuals ? fabs(residual[i][j]) : 0);
            near(k, name, &y, i, j, *plane_at(&want, i, j), got[i] ? act_bound(DD_ACT_NONE, *plane_at(&want, i, j), ulps * U * size * scale) : 0);
        }
}

/* Three roundings along rows, three along columns, then bias, residual and scale: 9 u, second order below 0.1 u; the reference one. */
void check_winograd_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        output_case(k, "winograd_output", k->winograd_output, ref->winograd_output, at4, 4, 10.1, c);
}

/* The same. */
void check_winograd6_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        output_case(k, "winograd6_output", k->winograd6_output, ref->winograd6_output, at6, 6, 10.1, c);
}

/* Two roundings along rows, two along columns. */
void check_winograd2_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        output_case(k, "winograd2_output", k->winograd2_output, ref->winograd2_output, at2, 2, 8.1, c);
}

typedef void weights_kernel(float *u, size_t plane, const float *w, size_t count);

/* Of `count` input channels, against G g G^T in double. */
static void weights_near(const struct dd_kernels *k, const char *name, weights_kernel *kernel, const double (*g)[3], size_t side, double ulps, size_t count)
{
    size_t nr = k->gemm_nr, planes = side * side;
    struct plane w = plane(0, 9 * count, nr, nr, ORDINARY), u = plane(1, planes, count * nr, count * nr + count % 3, ORDINARY);
    kernel(u.at, u.stride, w.at, count);
    plane_check(&u, name);
    for (size_t i = 0; i < planes; i++)
        for (size_t j = 0; j < count * nr; j++) {
            double exact = 0, size = 0;
            for (size_t t = 0; t < 9; t++) {
                double one = g[i / side][t / 3] * g[i % side][t % 3] * *plane_at(&w, j / nr * 9 + t, j % nr);
                exact += one;
                size += fabs(one);
            }
            near(k, name, &u, i, j, exact, ulps * U * size);
        }
}

static void weights_case(const struct dd_kernels *k, const struct dd_kernels *ref, const char *name, weights_kernel *kernel, weights_kernel *reference,
                         const double (*g)[3], size_t side, double ulps)
{
    for (size_t count = 0; count < 8; count++) {
        weights_near(k, name, kernel, g, side, ulps, count);
        weights_near(ref, name, reference, g, side, 1.1, count);
    }
}

/* A rounded factor, a sum, a product and an fma at most along rows, and along columns: 8 u, second order below 0.1 u; the reference is in double and rounds once. */
void check_winograd_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[6][3] = { { 1. / 4, 0, 0 }, { -1. / 6, -1. / 6, -1. / 6 }, { -1. / 6, 1. / 6, -1. / 6 },
                                    { 1. / 24, 1. / 12, 1. / 6 }, { 1. / 24, -1. / 12, 1. / 6 }, { 0, 0, 1 } };
    weights_case(k, ref, "winograd_weights", k->winograd_weights, ref->winograd_weights, g, 6, 8.1);
}

/* The same. */
void check_winograd6_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[8][3] = { { 1, 0, 0 }, { -2. / 9, -2. / 9, -2. / 9 }, { -2. / 9, 2. / 9, -2. / 9 }, { 1. / 90, 1. / 45, 2. / 45 },
                                    { 1. / 90, -1. / 45, 2. / 45 }, { 32. / 45, 16. / 45, 8. / 45 }, { 32. / 45, -16. / 45, 8. / 45 }, { 0, 0, 1 } };
    weights_case(k, ref, "winograd6_weights", k->winograd6_weights, ref->winograd6_weights, g, 8, 8.1);
}

/* A sum and an fma along rows, and along columns; the factors are exact. */
void check_winograd2_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };
    weights_case(k, ref, "winograd2_weights", k->winograd2_weights, ref->winograd2_weights, g, 4, 4.1);
}
