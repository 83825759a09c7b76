/* The transforms of Winograd's convolution.  That they belong together, as a convolution, is what tests/property shows. */
#include "tests/kernel/fence.h"

/* (|M| |x| |M|^T)[k], M [ny, 6]. */
static double size_of(const double (*m)[6], int ny, const struct plane *x, size_t channel, int k)
{
    double sum = 0;
    for (int i = 0; i < 36; i++)
        if (m[k / ny][i / 6] != 0 && m[k % ny][i % 6] != 0)
            sum += m[k / ny][i / 6] * m[k % ny][i % 6] * fabs(*plane_at(x, (size_t)i, channel));
    return sum;
}

/* Along rows and along columns each input meets two roundings at most (an fma and a sum; doubling is exact): 4 u of the sum of sizes,
   second order below 0.1 u; the reference one more. */
void check_winograd_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double bt[6][6] = { { 4, 0, 5, 0, 1, 0 }, { 0, 4, 4, 1, 1, 0 }, { 0, 4, 4, 1, 1, 0 },
                                     { 0, 2, 1, 2, 1, 0 }, { 0, 2, 1, 2, 1, 0 }, { 0, 4, 0, 5, 0, 1 } };
    for (size_t c = 0; c <= 70; c++) {
        struct plane x = plane(0, 36, c, c + c % 4, ORDINARY), v = plane(1, 36, c, c + c % 3, ORDINARY), want = plane_copy(2, &v);
        const float *pixel[36];
        for (size_t i = 0; i < 36; i++)
            pixel[i] = plane_at(&x, i, 0);
        if (c > 0)
            *plane_at(&x, c % 36, c / 2) = c % 2 ? NAN : INFINITY;
        k->winograd_input(v.at, v.stride, pixel, c);
        ref->winograd_input(want.at, want.stride, pixel, c);
        plane_check(&v, "winograd_input");
        for (int i = 0; i < 36; i++)
            for (size_t j = 0; j < c; j++)
                near(k, "winograd_input", &v, (size_t)i, j, *plane_at(&want, (size_t)i, j), 5.1 * U * size_of(bt, 6, &x, j, i));
    }
}

/* Three roundings along rows, three along columns, then bias, residual and scale: 9 u, second order below 0.1 u; the reference one. */
void check_winograd_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double at[4][6] = { { 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, 1, 8, 8, 1 } };
    for (size_t c = 0; c <= 70; c++) {
        enum dd_act act = (enum dd_act)(c % 5);
        float scale = c % 2 ? 0.7f : 1;
        struct plane m = plane(0, 36, c, c + c % 4, ORDINARY), y = plane(1, 16, c, c + c % 3, ORDINARY), want = plane_copy(2, &y);
        struct plane r = plane(3, 16, c, c, ORDINARY), b = plane(4, 1, c, c, ORDINARY);
        float *got[16], *wanted[16];
        const float *residual[16], *bias = c % 3 ? b.at : NULL, *const *residuals = c % 4 ? residual : NULL;
        for (size_t i = 0; i < 16; i++) {
            int inside = i / 4 < 1 + c % 4 && i % 4 < 1 + c / 4 % 4;
            got[i] = inside ? plane_at(&y, i, 0) : NULL;
            wanted[i] = inside ? plane_at(&want, i, 0) : NULL;
            residual[i] = plane_at(&r, i, 0);
        }
        k->winograd_output(got, m.at, m.stride, bias, residuals, scale, c, act);
        ref->winograd_output(wanted, m.at, m.stride, bias, residuals, scale, c, act);
        plane_check(&y, "winograd_output");
        for (int i = 0; i < 16; i++)
            for (size_t j = 0; j < c; j++) {
                double size = size_of(at, 4, &m, j, i) + (bias ? fabs(bias[j]) : 0) + (residuals ? fabs(residual[i][j]) : 0);
                near(k, "winograd_output", &y, (size_t)i, j, *plane_at(&want, (size_t)i, j),
                     got[i] ? act_bound(act, *plane_at(&want, (size_t)i, j), 10.1 * U * size * scale) : 0);
            }
    }
}
