/* adam, lerp and squares. The reference is compared with closed forms, the others with the reference
   within the bounds of kernels.def and 1 u for its own rounding. lerp has the same bits everywhere. */
#include "tests/kernel/fence.h"

enum { MOST = 150 };
static const struct dd_adam step = { 0.5f, 0.9f, 0.1f, 0.999f, 0.001f, 1.25f, 1e-8f, 0.01f, 0.998f };

static void adam_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t n, enum values values)
{
    struct plane w = plane(0, 1, n, n, values), m = plane(1, 1, n, n, ORDINARY),
                 v = plane(2, 1, n, n, ORDINARY), g = plane(3, 1, n, n, values);
    struct plane was = plane_copy(4, &w), first = plane_copy(5, &m), want_w = plane_copy(6, &w),
                 want_m = plane_copy(7, &m), want_v;

    /* A second moment is not negative. */
    for (size_t i = 0; i < n; i++)
        v.at[i] = i % 7 ? v.at[i] * v.at[i] : 0;
    want_v = plane_copy(8, &v);

    ref->adam(want_w.at, want_m.at, want_v.at, g.at, n, &step);
    k->adam(w.at, m.at, v.at, g.at, n, &step);
    plane_check(&w, "adam");
    plane_check(&m, "adam");
    plane_check(&v, "adam");

    for (size_t i = 0; i < n; i++) {
        double h = step.clip * (double)g.at[i], under = step.root * sqrt(want_v.at[i]) + step.epsilon,
               mean = want_m.at[i];
        double of_m = U * (fabs(step.take1 * h) + fabs(step.keep1 * (double)first.at[i]) + 2 * fabs(mean));
        double of_w = U * (fabs(step.keep * (double)was.at[i]) + 2 * fabs(want_w.at[i]) +
                           5 * fabs(step.step * mean / under));

        int range = isfinite(h) && fabs(h) < 1e18 && (h == 0 || fabs(h) > 1e-15); /* no square leaves it */
        if (!range && isfinite(h))
            continue;

        near(k, "adam: m", &m, 0, i, want_m.at[i], of_m);
        near(k, "adam: v", &v, 0, i, want_v.at[i], 5 * U * want_v.at[i]);
        near(k, "adam: w", &w, 0, i, want_w.at[i], of_w + step.step * of_m / under);
    }
}

void check_adam(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t n = 0; n < MOST; n++) {
        adam_case(k, ref, n, ORDINARY);
        adam_case(k, ref, n, SPECIAL);
    }
}

void check_lerp(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t n = 0; n < MOST; n++) {
        struct plane y = plane(0, 1, n, n, n % 2 ? SPECIAL : ORDINARY),
                     x = plane(1, 1, n, n, n % 3 ? ORDINARY : SPECIAL);
        struct plane low = plane(2, 1, n, n, ORDINARY);
        for (size_t i = 0; i < n; i++)
            low.at[i] *= 0x1p-26f;
        struct plane want = plane_copy(3, &y), want_low = plane_copy(4, &low);
        ref->lerp(want.at, want_low.at, x.at, 0.3f, n);
        k->lerp(y.at, low.at, x.at, 0.3f, n);
        plane_check(&y, "lerp");
        plane_check(&low, "lerp");
        for (size_t i = 0; i < n; i++) {
            near(k, "lerp", &y, 0, i, want.at[i], 0);
            near(k, "lerp: low", &low, 0, i, want_low.at[i], 0);
        }
    }
}

/* x does not change, so after n steps the gap is (1 - rate)^n of the first one, to 1e-6 of that. A mean
   in float32 would stand still at the last of these rates. The sum of y and low is read in double. */
TEST(kernel_reference, lerp_follows_its_closed_form)
{
    static const float rates[] = { 0.1f, 1e-3f, 1e-4f, 1e-5f };
    struct dd_kernels k;
    dd_kernels_init(&k, 0);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        enum { N = 7, STEPS = 30000 };

        float y[N] = { 1, -1, 0.5f, 3, 0, 0.001f, -100 }, low[N] = { 0 }, x[N], begin[N];
        for (int i = 0; i < N; i++) {
            begin[i] = y[i];
            x[i] = y[i] + (i == 6 ? 1 : 1e-3f);
        }
        for (int s = 0; s < STEPS; s++)
            k.lerp(y, low, x, rates[r], N);
        for (int i = 0; i < N; i++) {
            double gap = (double)x[i] - begin[i], left = exp(STEPS * log1p(-(double)rates[r]));
            CHECK_NEAR((double)y[i] + low[i], x[i] - gap * left, 1e-6 * gap);
        }
    }
}

/* The words are those of the scalar generator, also past the 32 bits of a counter. A NaN that is dropped
   is gone. */
void check_dropout(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t n = 0; n < MOST; n++)
        for (size_t skip = 0; skip < 4; skip++) {
            const struct dd_dropout_terms terms = {
                .counter = { n % 2 ? 0xfffffffb : 7 * (uint32_t)n, (uint32_t)n, 0x82efa98e, 4u << 24 },
                .key = { 0x13198a2e, 0x03707344 },
                .skip = skip,
                .limit = n % 5 ? 0x60000000 : 0xffffffff,
                .scale = 1.25f,
            };
            struct plane y = plane(0, 1, n, n, n % 3 ? ORDINARY : SPECIAL), want = plane_copy(1, &y);
            ref->dropout(want.at, n, &terms);
            k->dropout(y.at, n, &terms);
            plane_check(&y, "dropout");
            for (size_t i = 0; i < n; i++)
                near(k, "dropout", &y, 0, i, want.at[i], 0);
        }
}

void check_squares(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t n = 0; n < 4 * MOST; n += n < MOST ? 1 : 13) {
        struct plane x = vector(0, n), y = vector(1, 1);
        float want = ref->squares(x.at, n);
        y.at[0] = k->squares(x.at, n);
        near(k, "squares", &y, 0, 0, want, ((double)n / 4 + 5) * U * want);
        if (n)
            x.at[n / 2] = n % 2 ? NAN : -INFINITY;
        float bad = k->squares(x.at, n);
        CHECK(!n || (n % 2 ? isnan(bad) : bad == INFINITY));
    }
}

/* Values computed by hand: the first step of Adam with every factor a power of two, the mean of 1 and 3,
   a right triangle. */
TEST(kernel_reference, optimise)
{
    struct dd_kernels k;
    struct dd_adam a = { 0.5f, 0.75f, 0.25f, 0.9375f, 0.0625f, 4, 1, 2, 0.5f };
    float w = 3, m = 1, v = 0, g = 8, y = 1, low = 0, x[] = { 3, 4 };
    dd_kernels_init(&k, 0);
    k.adam(&w, &m, &v, &g, 1, &a); /* h = 4, sqrt(v) = 1 */
    CHECK(m == 1.75f && v == 1 && w == 1.5f - 2 * 1.75f / 5);
    k.lerp(&y, &low, x, 0.5f, 1);
    CHECK(y == 2 && low == 0 && k.squares(x, 2) == 25);
    k.lerp(&y, &low, x, 0x1p-25f, 1); /* 2 + 2^-25 is no float */
    CHECK(y == 2 && low == 0x1p-25f);
}
