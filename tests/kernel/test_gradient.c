/* The kernels that gradients of convolutions are made of, against the reference and their definitions. */
#include "tests/kernel/fence.h"

static void outer_case(const struct dd_kernels *k, size_t count, size_t m, int load, enum values values)
{
    size_t nr = k->gemm_nr;
    struct plane a = plane(0, count, m, nr + count % 5, values),
                 b = plane(1, count, nr, nr + m % 3, ORDINARY), c = plane(2, m, nr, nr, ORDINARY);
    struct plane want = plane_copy(3, &c);

    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < nr; j++) {
            float sum = load ? *plane_at(&c, i, j) : 0;
            double exact = sum, size = fabs(exact);
            for (size_t t = 0; t < count; t++) {
                float x = *plane_at(&a, t, i), y = *plane_at(&b, t, j);
                sum = fmaf(x, y, sum);
                exact += (double)x * y;
                size += fabs((double)x * y);
            }

            *plane_at(&want, i, j) = sum;
            near(k, "fmaf", &want, i, j, exact, U * ((double)count + 1) * size);
        }

    k->outer(c.at, plane_in(&a), plane_in(&b), count, m, load);
    plane_check(&c, "outer");

    /* The reference sums in double and may round otherwise. */
    if (strcmp(k->name, "ref"))
        same(k, "outer", &c, &want);

    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < nr; j++) {
            double size = fabs(*plane_at(&want, i, j));
            for (size_t t = 0; t < count; t++)
                size += fabs((double)*plane_at(&a, t, i) * *plane_at(&b, t, j));
            near(k, "outer", &c, i, j, *plane_at(&want, i, j), U * ((double)count + 2) * size);
        }
}

/* outer has the bits of one fused multiply-add after the other. */
void check_outer(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t m = 1; m <= k->gemm_mr; m++)
        for (size_t count = 0; count <= 40; count += 1 + count / 4)
            outer_case(k, count, m, (m + count) % 2, count % 7 == 3 ? SPECIAL : ORDINARY);
    outer_case(k, 1153, k->gemm_mr, 1, ORDINARY);
}

/* Along rows and along columns each input is rounded at most twice: 4 u, and second order below 0.1 u.
   The reference rounds once more. */
void check_winograd_output_adjoint(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double a[6][4] = { { 1, 0, 0, 0 }, { 1, 1, 1, 1 }, { 1, 1, 1, 1 },
                                    { 1, 2, 4, 8 }, { 1, 2, 4, 8 }, { 0, 0, 0, 1 } };
    for (size_t c = 0; c <= 70; c++) {
        struct plane x = plane(0, 16, c, c + c % 4, ORDINARY), v = plane(1, 36, c, c + c % 3, ORDINARY),
                     want = plane_copy(2, &v);
        const float *pixel[16];

        for (size_t i = 0; i < 16; i++)
            pixel[i] = plane_at(&x, i, 0);

        k->winograd_output_adjoint(plane_out(&v), pixel, c);
        ref->winograd_output_adjoint(plane_out(&want), pixel, c);
        plane_check(&v, "winograd_output_adjoint");

        for (size_t i = 0; i < 36; i++)
            for (size_t j = 0; j < c; j++) {
                double size = 0;
                for (size_t t = 0; t < 16; t++)
                    size += a[i / 6][t / 4] * a[i % 6][t % 4] * fabs(*plane_at(&x, t, j));
                near(k, "winograd_output_adjoint", &v, i, j, *plane_at(&want, i, j), 5.1 * U * size);
            }
    }
}

/* Each direction has a sum, a rounded constant and two fused multiply-adds, 4 u; both have 8 u and
   second order. The reference rounds once more. */
void check_winograd_weights_adjoint(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double gt[3][6] = { { 1. / 4, 1. / 6, 1. / 6, 1. / 24, 1. / 24, 0 },
                                     { 0, 1. / 6, 1. / 6, 1. / 12, 1. / 12, 0 },
                                     { 0, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1 } };
    for (size_t c = 0; c <= 70; c++) {
        struct plane u = plane(0, 36, c, c + c % 4, ORDINARY), y = plane(1, 9, c, c + c % 3, ORDINARY),
                     want = plane_copy(2, &y);

        k->winograd_weights_adjoint(plane_out(&y), plane_in(&u), c);
        ref->winograd_weights_adjoint(plane_out(&want), plane_in(&u), c);
        plane_check(&y, "winograd_weights_adjoint");

        for (size_t i = 0; i < 9; i++)
            for (size_t j = 0; j < c; j++) {
                double size = 0;
                for (size_t t = 0; t < 36; t++)
                    size += gt[i / 3][t / 6] * gt[i % 3][t % 6] * fabs(*plane_at(&u, t, j));
                near(k, "winograd_weights_adjoint", &y, i, j, *plane_at(&want, i, j), 9.1 * U * size);
            }
    }
}
