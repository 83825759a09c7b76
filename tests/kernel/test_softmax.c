/* softmax and sincos against the reference, within the errors derived below. */
#include "tests/kernel/fence.h"

/* The exponents of one softmax: the largest a x, and the mean of e = largest - a x weighted by the
   result. */
struct exponents {
    double largest, mean;
};

static struct exponents exponents_of(const float *x, double a, size_t n)
{
    double largest = -INFINITY, sum = 0, weighted = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, a * x[i]);
    for (size_t i = 0; i < n; i++) {
        double e = largest - a * x[i];
        sum += exp(-e);
        weighted += e < 1000 ? e * exp(-e) : 0;
    }
    return (struct exponents){ largest, weighted / sum };
}

/* The relative error: e u for rounding the exponent and 2 u for e^x, and the same once more for the
   terms of the sum. Adding up in chunks of 64, then n / 64 chunks and the lanes, comes to it, and 3 u
   for the inverse, the product and the reference. The absolute error: e^-87.7 and less is 0. */
static double softmax_bound(double want, double e, double mean, size_t n)
{
    double additions = (n < 64 ? (double)n : 64) + (double)n / 64 + 4;
    return want > 0 ? U * (2 + e + 2 + mean + additions + 3) * want + 1e-37 : 1e-37;
}

static void softmax_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t n, size_t gap,
                         float a, enum values values)
{
    enum { ROWS = 3 };
    struct plane x = plane(0, ROWS, n, n + gap, values), want = plane_copy(1, &x), y = plane_copy(2, &x);

    ref->softmax(plane_out(&want), a, ROWS, n);
    k->softmax(plane_out(&y), a, ROWS, n);
    plane_check(&y, "softmax");

    for (size_t r = 0; r < ROWS; r++) {
        struct exponents t = exponents_of(plane_at(&x, r, 0), a, n);
        for (size_t i = 0; i < n; i++) {
            double w = *plane_at(&want, r, i), e = t.largest - a * *plane_at(&x, r, i);
            near(k, "softmax", &y, r, i, w, softmax_bound(w, e, t.mean, n));
        }
    }

    struct plane other = plane(3, ROWS, n, n + gap + 1, ORDINARY); /* the same rows at other addresses */
    for (size_t r = 0; r < ROWS; r++)
        memcpy(plane_at(&other, r, 0), plane_at(&x, r, 0), n * sizeof(float));
    k->softmax(plane_out(&other), a, ROWS, n);
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

/* The bound is 1.8 u for the kernel (sincos_vec.h) and 1 u for the reference. */
static void sincos_case(const struct dd_kernels *k, const struct dd_kernels *ref, float t, size_t n)
{
    struct plane f = vector(0, n), s = vector(1, n), c = vector(2, n), sine = vector(3, n),
                 cosine = vector(4, n);
    ref->sincos(sine.at, cosine.at, f.at, t, n);
    k->sincos(s.at, c.at, f.at, t, n);
    plane_check(&s, "sincos");
    plane_check(&c, "sincos");
    for (size_t i = 0; i < n; i++) {
        near(k, "sine", &s, 0, i, sine.at[i], 2.8 * U);
        near(k, "cosine", &c, 0, i, cosine.at[i], 2.8 * U);
    }
    for (size_t i = 0; i < n; i += 7) { /* alone, in the first lane of a tail */
        float alone[2];
        k->sincos(alone, alone + 1, f.at + i, t, 1);
        CHECK(!memcmp(alone, s.at + i, sizeof(float)) || isnan(alone[0]));
        CHECK(!memcmp(alone + 1, c.at + i, sizeof(float)) || isnan(alone[1]));
    }
}

void check_sincos(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const float times[] = { 0, 1, -1, 0.25f, 249.75f, 999, 1000, 24999, NAN, INFINITY };
    for (size_t n = 0; n <= 300; n += n < 70 ? 1 : 46)
        for (size_t i = 0; i < sizeof times / sizeof *times; i++)
            sincos_case(k, ref, times[i], n);
}
