/* softmax along rows and down columns, and sincos, against the reference. */
#include "tests/kernel/fence.h"

/* Relative error of softmax's i-th of n, arguments a x_i - m = -d_i: the argument's rounding d_i u, e^x 2 u, and as much of the sum, there
   weighted (mean); adding up chunks of 64 and their n / 64; inverse, product and the reference 3 u. */
static double softmax_bound(double want, double d, double mean, size_t n)
{
    double adds = (n < 64 ? (double)n : 64) + (double)n / 64 + 4;
    return U * (2 + d + 2 + mean + adds + 3) * want + 1e-37;
}

static double mean_argument(const float *x, size_t step, double a, size_t n, double *largest)
{
    double sum = 0, weighted = 0;
    *largest = -INFINITY;
    for (size_t i = 0; i < n; i++)
        *largest = fmax(*largest, a * x[i * step]);
    for (size_t i = 0; i < n; i++) {
        double d = *largest - a * x[i * step];
        sum += exp(-d);
        weighted += d < 1000 ? d * exp(-d) : 0;
    }
    return weighted / sum;
}

static void softmax_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t n, size_t gap, float a, enum values values)
{
    enum { ROWS = 3 };
    struct plane x = plane(0, ROWS, n, n + gap, values), want = plane_copy(1, &x), y = plane_copy(2, &x);
    ref->softmax(want.at, want.stride, a, ROWS, n);
    k->softmax(y.at, y.stride, a, ROWS, n);
    plane_check(&y, "softmax");
    for (size_t r = 0; r < ROWS; r++) {
        double largest, mean = mean_argument(plane_at(&x, r, 0), 1, a, n, &largest);
        for (size_t i = 0; i < n; i++) {
            double w = *plane_at(&want, r, i);
            near(k, "softmax", r, i, *plane_at(&y, r, i), w, w > 0 ? softmax_bound(w, largest - a * *plane_at(&x, r, i), mean, n) : 1e-37);
        }
    }
    struct plane other = plane(3, ROWS, n, n + gap + 1, ORDINARY);          /* the same rows at other addresses */
    for (size_t r = 0; r < ROWS; r++)
        memcpy(plane_at(&other, r, 0), plane_at(&x, r, 0), n * sizeof(float));
    k->softmax(other.at, other.stride, a, ROWS, n);
    same(k, "softmax", &other, &y);
}

void check_softmax(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t n = 0; n <= 70; n++) {
        softmax_case(k, ref, n, n % 5, 0.25f, ORDINARY);
        softmax_case(k, ref, n, n % 5, 20, ORDINARY);
        softmax_case(k, ref, n, 0, 1, SPECIAL);
    }
    softmax_case(k, ref, 1023, 0, 1, ORDINARY);
    softmax_case(k, ref, 4100, 0, 1, ORDINARY);
}

static void down_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t rows, size_t columns, size_t gap, enum values values)
{
    struct plane x = plane(0, rows, columns, columns + gap, values), want = plane_copy(1, &x), y = plane_copy(2, &x), part = plane_copy(3, &x);
    ref->softmax_down(want.at, want.stride, rows, columns);
    k->softmax_down(y.at, y.stride, rows, columns);
    plane_check(&y, "softmax_down");
    for (size_t c = 0; c < columns; c++) {
        double largest, mean = mean_argument(x.at + c, x.stride, 1, rows, &largest);
        for (size_t r = 0; r < rows; r++) {
            double w = *plane_at(&want, r, c);
            near(k, "softmax_down", r, c, *plane_at(&y, r, c), w, w > 0 ? softmax_bound(w, largest - *plane_at(&x, r, c), mean, rows) : 1e-37);
        }
    }
    if (columns > 1) {
        k->softmax_down(part.at + 1, part.stride, rows, columns - 1);
        part.at++, y.at++;
        part.channels = y.channels = columns - 1;
        same(k, "softmax_down", &part, &y);
    }
}

void check_softmax_down(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t columns = 0; columns <= 70; columns++) {
        down_case(k, ref, 1 + columns % 9, columns, columns % 5, ORDINARY);
        down_case(k, ref, 1 + columns % 9, columns, columns % 5, SPECIAL);
    }
    down_case(k, ref, 1030, 33, 3, ORDINARY);
}

/* 1.8 u of the kernel's own (sincos_vec.h), 1 u of the reference's. */
void check_sincos(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const float times[] = { 0, 1, -1, 0.25f, 249.75f, 999, 1000, 24999, NAN, INFINITY };
    for (size_t n = 0; n <= 300; n += n < 70 ? 1 : 46)
        for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
            struct plane f = plane(0, 1, n, n, ORDINARY), s = plane(1, 1, n, n, ORDINARY), c = plane(2, 1, n, n, ORDINARY);
            struct plane sine = plane_copy(3, &s), cosine = plane_copy(4, &c), part = plane_copy(5, &s), other = plane_copy(6, &s);
            ref->sincos(sine.at, cosine.at, f.at, times[i], n);
            k->sincos(s.at, c.at, f.at, times[i], n);
            plane_check(&s, "sincos");
            plane_check(&c, "sincos");
            for (size_t j = 0; j < n; j++) {
                near(k, "sincos", 0, j, s.at[j], sine.at[j], 2.8 * U);
                near(k, "sincos", 1, j, c.at[j], cosine.at[j], 2.8 * U);
            }
            if (!n)
                continue;
            k->sincos(part.at, other.at, f.at + 1, times[i], n - 1);
            s.at++, c.at++;
            s.channels = c.channels = n - 1;
            same(k, "sincos", &part, &s);
            same(k, "sincos", &other, &c);
        }
}
