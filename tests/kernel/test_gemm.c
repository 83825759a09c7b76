/* gemm has the bits of one fused multiply-add after the other, then bias, residual and scale in that
   order, whatever m, n and the row's place. That chain, and the reference, are compared with the sum in
   double. Each of n terms is rounded at most n + 1 times in the sums that contain it, (n + 1) u sum |a
   b|, and three times more after that. */
#include "tests/kernel/fence.h"

enum { MOST_TAPS = 3 };

struct product {
    size_t taps, depth, m, n;
    int load;
    enum values values;
    const struct dd_post_terms *post;
};

/* Computes want [m, n] by fmaf, compares it with the sum in double, and sets error [m, n] to the bound
   of the reference. */
static void expected(const struct dd_kernels *k, struct plane *want, struct plane *error,
                     const struct product *t, const float *const *rows, const struct plane *b)
{
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            float sum = t->load ? *plane_at(want, i, j) : 0;
            double exact = sum, size = fabs(exact), terms = (double)(t->taps * t->depth);

            for (size_t tap = 0; tap < t->taps; tap++)
                for (size_t d = 0; d < t->depth; d++) {
                    float x = rows[tap * k->gemm_mr + i][d], y = *plane_at(b, tap * t->depth + d, j);
                    sum = fmaf(x, y, sum);
                    exact += (double)x * y;
                    size += fabs((double)x * y);
                }

            *plane_at(want, i, j) = sum;
            near(k, "fmaf", want, i, j, exact, U * (terms + 1) * size);

            if (t->post) {
                sum += t->post->bias[j];
                size += fabs(t->post->bias[j]);
                if (t->post->residual.at) {
                    float residual = t->post->residual.at[i * t->post->residual.stride + j];
                    sum += residual;
                    size += fabs(residual);
                }
                *plane_at(want, i, j) = sum * t->post->scale;
            }

            *plane_at(error, i, j) = (float)(U * (terms + 4) * size);
        }
}

static void gemm_case(const struct dd_kernels *k, struct product t, int posted)
{
    const float *rows[MOST_TAPS * DD_GEMM_MR_MAX] = { NULL };
    size_t mr = k->gemm_mr, nr = k->gemm_nr, gap = t.m % 3;
    struct plane a = plane(0, t.taps * t.m, t.depth, t.depth + gap, t.values);
    struct plane b = plane(1, t.taps * t.depth, nr, nr, ORDINARY);
    struct plane c = plane(2, t.m, t.n, t.n + gap, ORDINARY), want = plane_copy(3, &c),
                 error = plane_copy(4, &c);
    struct plane bias = vector(5, t.n), residual = plane(6, t.m, t.n, t.n + gap, t.values);
    struct dd_post_terms post = { bias.at, dd_in(t.load ? NULL : residual.at, residual.stride), 0.7f };
    t.post = posted ? &post : NULL;

    /* Row i of tap k stands at k * mr + i, for tiles of mr rows. */
    for (size_t i = 0; i < t.taps * t.m; i++)
        rows[i / t.m * mr + i % t.m] = plane_at(&a, i, 0);
    expected(k, &want, &error, &t, rows, &b);

    const struct dd_gemm product = { rows, b.at, t.taps, t.depth, t.m, t.n, t.load, t.post, dd_in(b.at, nr) };
    k->gemm(plane_out(&c), &product);
    plane_check(&c, "gemm");

    /* The reference sums in double and may round otherwise. */
    if (strcmp(k->name, "ref"))
        same(k, "gemm", &c, &want);

    for (size_t i = 0; i < t.m; i++)
        for (size_t j = 0; j < t.n; j++) {
            double w = *plane_at(&want, i, j);
            near(k, "gemm", &c, i, j, w, act_bound(DD_ACT_NONE, w, *plane_at(&error, i, j)));
        }
}

void check_gemm(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    REQUIRE(k->gemm_mr <= DD_GEMM_MR_MAX);
    for (size_t m = 1; m <= k->gemm_mr; m++)
        for (size_t n = 1; n <= k->gemm_nr; n++) {
            struct product t = { .taps = 1 + n % MOST_TAPS,
                                 .depth = (m * 7 + n) % 40,
                                 .m = m,
                                 .n = n,
                                 .load = n % 2,
                                 .values = n % 7 ? ORDINARY : SPECIAL };
            gemm_case(k, t, (m + n / 2) % 3 > 0);
        }
    gemm_case(k, (struct product){ .taps = 1, .depth = 1153, .m = k->gemm_mr, .n = k->gemm_nr }, 0);
}
