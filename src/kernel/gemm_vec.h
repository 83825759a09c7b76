/* The tile of matrix multiplication (Goto and van de Geijn 2008): GEMM_MR rows of a times one packed panel of
   two vectors of columns.  Each row of a lies behind a pointer of its own, as an implicit convolution needs
   it.

   All sums stay in registers.  A step of depth loads the panel once, and spreads an element of each row over
   a vector.  Meanwhile the next panel is fetched and, where there is a single tap, what lies behind the last
   row: the rows of the next tile, if they are dense. */

enum { GEMM_NR = 2 * VL };

/* Computes a tile of m rows and nv vectors.  These are constants: each has its copy, so that few rows or
   columns cost little.  `tail` floats of the last vector are there.  Row pointers and the panel's two vectors
   have names of their own, because compilers would read them again and again. */
INLINE void gemm_tile(float *c, size_t cs, const float *const *a, const float *b, size_t taps, size_t depth,
                      size_t tail, int load, const struct dd_post_terms *post, const float *ahead,
                      size_t step, const int m, const int nv)
{
    vf sum[GEMM_MR][2];
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int v = 0; v < nv; v++)
            sum[i][v] = load ? vf_take(c + i * cs + v * VL, v < nv - 1 ? VL : tail) : vf_set(0);
    }

    /* Computes the sums in ascending order of tap and k. */
    for (size_t tap = 0; tap < taps; tap++, a += GEMM_MR) {
        const float *row[GEMM_MR];
        UNROLL
        for (int i = 0; i < m; i++)
            row[i] = a[i];

        const float *next = taps == 1 ? row[m - 1] + depth : row[m - 1];
        for (size_t k = 0; k < depth; k++, b += GEMM_NR, ahead += step) {
            vf_ahead(ahead);
            vf_next(next + k * (taps == 1 ? m : 1));

            const vf left = vf_load(b), right = nv == 2 ? vf_load(b + VL) : left;
            UNROLL
            for (int i = 0; i < m; i++) {
                const vf x = vf_set(row[i][k]);
                sum[i][0] = vf_fma(x, left, sum[i][0]);
                if (nv == 2)
                    sum[i][1] = vf_fma(x, right, sum[i][1]);
            }
        }
    }

    /* Then adds bias and residual, and scales. */
    const float *bias = post ? post->bias : NULL, *residual = post ? post->residual.at : NULL;
    const size_t rs = post ? post->residual.stride : 0;
    const vf scale = vf_set(post ? post->scale : 1);

    UNROLL
    for (int v = 0; v < nv; v++) {
        const size_t lanes = v < nv - 1 ? VL : tail;
        const vf add = bias ? vf_take(bias + v * VL, lanes) : vf_set(0);
        UNROLL
        for (int i = 0; i < m; i++) {
            if (bias)
                sum[i][v] = vf_add(sum[i][v], add);
            if (residual)
                sum[i][v] = vf_add(sum[i][v], vf_take(residual + i * rs + v * VL, lanes));
            vf_put(c + i * cs + v * VL, vf_mul(sum[i][v], scale), lanes);
        }
    }
}

typedef void gemm_rows(float *c, size_t cs, const float *const *a, const float *b, size_t taps, size_t depth,
                       size_t n, int load, const struct dd_post_terms *post, const float *ahead, size_t step);

#define GEMM_ROWS(m)                                                                                   \
    static void gemm_rows_##m(float *c, size_t cs, const float *const *a, const float *b, size_t taps, \
                              size_t depth, size_t n, int load, const struct dd_post_terms *post,      \
                              const float *ahead, size_t step)                                         \
    {                                                                                                  \
        if (n == GEMM_NR)                                                                              \
            gemm_tile(c, cs, a, b, taps, depth, VL, load, post, ahead, step, m, 2);                    \
        else if (n > VL)                                                                               \
            gemm_tile(c, cs, a, b, taps, depth, n - VL, load, post, ahead, step, m, 2);                \
        else                                                                                           \
            gemm_tile(c, cs, a, b, taps, depth, n, load, post, ahead, step, m, 1);                     \
    }
EACH_GEMM_ROW(GEMM_ROWS)

static void K(gemm)(float *c, size_t cs, const float *const *a, const float *b, size_t taps, size_t depth,
                    size_t m, size_t n, int load, const struct dd_post_terms *post, const float *ahead,
                    size_t step)
{
    /* Nearly all tiles of Winograd's convolution, which are short where channels are few: they are spared a
       second call and what it has to look at. */
    if (m == GEMM_MR && n == GEMM_NR && taps == 1 && !load && !post) {
        gemm_tile(c, cs, a, b, 1, depth, VL, 0, NULL, ahead, step, GEMM_MR, 2);
        return;
    }
#define ADDRESS(m) gemm_rows_##m,
    static gemm_rows *const rows[GEMM_MR] = { EACH_GEMM_ROW(ADDRESS) };
#undef ADDRESS
    rows[m - 1](c, cs, a, b, taps, depth, n, load, post, ahead, step);
}
