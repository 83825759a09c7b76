/* gemm: the bits of one fused multiply-add after the other, whatever m, n and the row's place; against the sum in double, the bound
   (terms + 1) u sum|a b| follows from that.  After the sums come one rounding each for bias, residual and scale, then act. */
#include "tests/kernel/fence.h"

enum { MOST_ROWS = 32, MOST_TAPS = 3 };

struct product { size_t taps, depth, m, n; int load, posted; enum dd_act act; enum values values; };

static void gemm_case(const struct dd_kernels *k, const struct product *t)
{
    const float *rows[MOST_TAPS * MOST_ROWS];
    size_t mr = k->gemm_mr, nr = k->gemm_nr, gap = t->m % 3;
    struct plane a = plane(0, t->taps * t->m, t->depth, t->depth + gap, t->values), b = plane(1, t->taps * t->depth, nr, nr, ORDINARY);
    struct plane c = plane(2, t->m, t->n, t->n + gap, ORDINARY), want = plane_copy(3, &c);
    struct plane bias = plane(4, 1, t->n, t->n, ORDINARY), residual = plane(5, t->m, t->n, t->n + gap, t->values);
    struct plane error = plane_copy(6, &c);
    struct dd_gemm_post post = { bias.at, t->load ? NULL : residual.at, residual.stride, 0.7f, t->act };
    for (size_t i = 0; i < t->taps * mr; i++)
        rows[i] = i % mr < t->m ? plane_at(&a, i / mr * t->m + i % mr, 0) : NULL;
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            float sum = t->load ? *plane_at(&c, i, j) : 0;
            double exact = sum, size = fabs(exact);
            for (size_t q = 0; q < t->taps; q++)
                for (size_t d = 0; d < t->depth; d++) {
                    float x = rows[q * mr + i][d], y = *plane_at(&b, q * t->depth + d, j);
                    sum = fmaf(x, y, sum);
                    exact += (double)x * y;
                    size += fabs((double)x * y);
                }
            near(k, "fmaf", i, j, sum, exact, U * (double)(t->taps * t->depth + 1) * size);
            if (t->posted) {
                sum += bias.at[j];
                if (post.residual)
                    sum += *plane_at(&residual, i, j);
                sum *= post.scale;
            }
            *plane_at(&want, i, j) = sum;
            *plane_at(&error, i, j) = (float)(U * ((double)(t->taps * t->depth + 4) * (size + 8)));
        }
    k->gemm(c.at, c.stride, rows, b.at, t->taps, t->depth, t->m, t->n, t->load, t->posted ? &post : NULL);
    plane_check(&c, "gemm");
    if (t->posted && t->act != DD_ACT_NONE)
        k->affine(want.at, want.stride, want.at, want.stride, NULL, NULL, t->m, t->n, t->act);
    if (strcmp(k->name, "ref"))
        same(k, "gemm", &c, &want);
    else
        for (size_t i = 0; i < t->m; i++)
            for (size_t j = 0; j < t->n; j++)
                near(k, "gemm", i, j, *plane_at(&c, i, j), *plane_at(&want, i, j), act_bound(t->act, *plane_at(&want, i, j), *plane_at(&error, i, j)));
}

void check_gemm(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    CHECK(k->gemm_mr <= MOST_ROWS);
    for (size_t m = 1; m <= k->gemm_mr; m++)
        for (size_t n = 1; n <= k->gemm_nr; n++) {
            struct product t = { .taps = 1 + n % MOST_TAPS, .depth = (m * 7 + n) % 40, .m = m, .n = n, .load = n % 2,
                                 .posted = (m + n / 2) % 3 > 0, .act = n % 5, .values = n % 7 ? ORDINARY : SPECIAL };
            gemm_case(k, &t);
        }
    gemm_case(k, &(struct product){ .taps = 1, .depth = 1153, .m = k->gemm_mr, .n = k->gemm_nr });
}
