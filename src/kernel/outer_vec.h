/* Computes a tile of A^T B for gradients: rows and columns are channels, and the sum runs over pixels.  A
   step reads GEMM_MR floats of a row of A and GEMM_NR floats of a row of B, and fetches those of AHEAD
   steps later.  All sums stay in registers, as in gemm_vec.h. */

enum { AHEAD = 24 };

INLINE void outer_tile(float *c, struct dd_in a, struct dd_in b, size_t count, int load, const int m)
{
    vf sum[GEMM_MR][2];
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int v = 0; v < 2; v++)
            sum[i][v] = load ? vf_load(c + i * GEMM_NR + v * VL) : vf_set(0);
    }

    for (size_t t = 0; t < count; t++, a.at += a.stride, b.at += b.stride) {
        vf_ahead(a.at + AHEAD * a.stride);
        vf_ahead(b.at + AHEAD * b.stride);
        const vf left = vf_load(b.at), right = vf_load(b.at + VL);
        UNROLL
        for (int i = 0; i < m; i++) {
            const vf x = vf_set(a.at[i]);
            sum[i][0] = vf_mac(x, left, sum[i][0]);
            sum[i][1] = vf_mac(x, right, sum[i][1]);
        }
    }

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int v = 0; v < 2; v++)
            vf_store(c + i * GEMM_NR + v * VL, sum[i][v]);
    }
}

typedef void outer_rows(float *c, struct dd_in a, struct dd_in b, size_t count, int load);

#define OUTER_ROWS(m)                                                                            \
    static void outer_rows_##m(float *c, struct dd_in a, struct dd_in b, size_t count, int load) \
    {                                                                                            \
        outer_tile(c, a, b, count, load, m);                                                     \
    }
EACH_GEMM_ROW(OUTER_ROWS)

static void K(outer)(float *c, struct dd_in a, struct dd_in b, size_t count, size_t m, int load)
{
#define ADDRESS(m) outer_rows_##m,
    static outer_rows *const rows[GEMM_MR] = { EACH_GEMM_ROW(ADDRESS) };
#undef ADDRESS
    rows[m - 1](c, a, b, count, load);
}
