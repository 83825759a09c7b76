/* Multiplies matrices by the gemm kernel. */
#ifndef DD_MATRIX_H
#define DD_MATRIX_H
#include "layer/parallel.h"
#include "kernel/kernels.h"

/* Computes y [rows, n] = x [rows, depth] b, or with `load` y += x b.  Rows of y and x lie ys and xs floats
   apart.  b is packed for the kernel: panels of nr columns, each [depth][nr], `panel` floats apart. */
static inline void dd_matrix_multiply(const struct dd_kernels *k, float *y, size_t ys, const float *x,
                                      size_t xs, const float *b, size_t panel, size_t rows, size_t depth,
                                      size_t n, int load)
{
    const float *a[DD_GEMM_MR_MAX];
    for (size_t j = 0; j < n; j += k->gemm_nr)
        for (size_t i = 0; i < rows; i += k->gemm_mr) {
            size_t m = dd_min(k->gemm_mr, rows - i);
            for (size_t r = 0; r < m; r++)
                a[r] = x + (i + r) * xs;
            k->gemm(y + i * ys + j, ys, a, b + j / k->gemm_nr * panel, 1, depth, m, dd_min(k->gemm_nr, n - j),
                    load, NULL, y, 0);
        }
}
#endif
