/* Multiplies matrices by the gemm kernel. */
#ifndef DD_MATRIX_H
#define DD_MATRIX_H
#include "layer/parallel.h"
#include "kernel/kernels.h"

/* The sizes of a product: [rows, depth] times [depth, columns]. */
struct dd_matrix_size {
    size_t rows, depth, columns;
};

/* Computes y [rows, columns] = x [rows, depth] b [depth, columns].  b is packed for the kernel: its rows are
   panels of nr columns, each [depth][nr]. */
static inline void dd_matrix_multiply(const struct dd_kernels *k, struct dd_out y, struct dd_in x,
                                      struct dd_in b, struct dd_matrix_size size)
{
    const float *a[DD_GEMM_MR_MAX];
    struct dd_gemm g = { .a = a, .taps = 1, .depth = size.depth, .ahead = dd_in(y.at, 0) };
    for (size_t j = 0; j < size.columns; j += k->gemm_nr) {
        g.b = b.at + j / k->gemm_nr * b.stride;
        g.n = dd_min(k->gemm_nr, size.columns - j);
        for (size_t i = 0; i < size.rows; i += k->gemm_mr) {
            g.m = dd_min(k->gemm_mr, size.rows - i);
            for (size_t r = 0; r < g.m; r++)
                a[r] = x.at + (i + r) * x.stride;
            k->gemm(dd_out(y.at + i * y.stride + j, y.stride), &g);
        }
    }
}
#endif
