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
INLINE void gemm_tile(struct dd_out c, const struct dd_gemm g, size_t tail, const int m, const int nv)
{
    vf sum[GEMM_MR][2];
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int v = 0; v < nv; v++)
            sum[i][v] = g.load ? vf_take(c.at + i * c.stride + v * VL, v < nv - 1 ? VL : tail) : vf_set(0);
    }

    /* Computes the sums in ascending order of tap and k. */
    const float *const *a = g.a;
    const float *b = g.b, *ahead = g.ahead.at;
    for (size_t tap = 0; tap < g.taps; tap++, a += GEMM_MR) {
        const float *row[GEMM_MR];
        UNROLL
        for (int i = 0; i < m; i++)
            row[i] = a[i];

        const float *next = g.taps == 1 ? row[m - 1] + g.depth : row[m - 1];
        for (size_t k = 0; k < g.depth; k++, b += GEMM_NR, ahead += g.ahead.stride) {
            vf_ahead(ahead);
            vf_next(next + k * (g.taps == 1 ? m : 1));

            const vf left = vf_load(b), right = nv == 2 ? vf_load(b + VL) : left;
            UNROLL
            for (int i = 0; i < m; i++) {
                const vf x = vf_set(row[i][k]);
                sum[i][0] = vf_mac(x, left, sum[i][0]);
                if (nv == 2)
                    sum[i][1] = vf_mac(x, right, sum[i][1]);
            }
        }
    }

    /* Then adds bias and residual, and scales. */
    const struct dd_post_terms post = g.post ? *g.post : (struct dd_post_terms){ .scale = 1 };
    const struct dd_in residual = post.residual;
    const vf scale = vf_set(post.scale);

    UNROLL
    for (int v = 0; v < nv; v++) {
        const size_t lanes = v < nv - 1 ? VL : tail;
        const vf add = post.bias ? vf_take(post.bias + v * VL, lanes) : vf_set(0);
        UNROLL
        for (int i = 0; i < m; i++) {
            if (post.bias)
                sum[i][v] = vf_add(sum[i][v], add);
            if (residual.at)
                sum[i][v] = vf_add(sum[i][v], vf_take(residual.at + i * residual.stride + v * VL, lanes));
            vf_put(c.at + i * c.stride + v * VL, vf_mul(sum[i][v], scale), lanes);
        }
    }
}

typedef void gemm_rows(struct dd_out c, const struct dd_gemm *g);

#define GEMM_ROWS(m)                                                    \
    static void gemm_rows_##m(struct dd_out c, const struct dd_gemm *g) \
    {                                                                   \
        if (g->n == GEMM_NR)                                            \
            gemm_tile(c, *g, VL, m, 2);                                 \
        else if (g->n > VL)                                             \
            gemm_tile(c, *g, g->n - VL, m, 2);                          \
        else                                                            \
            gemm_tile(c, *g, g->n, m, 1);                               \
    }
EACH_GEMM_ROW(GEMM_ROWS)

static void K(gemm)(struct dd_out c, const struct dd_gemm *g)
{
    /* Nearly all tiles of Winograd's convolution, which are short where channels are few: they are spared a
       second call and what it has to look at. */
    if (g->m == GEMM_MR && g->n == GEMM_NR && g->taps == 1 && !g->load && !g->post) {
        const struct dd_gemm whole = {
            .a = g->a, .b = g->b, .taps = 1, .depth = g->depth, .ahead = g->ahead
        };
        gemm_tile(c, whole, VL, GEMM_MR, 2);
        return;
    }
#define ADDRESS(m) gemm_rows_##m,
    static gemm_rows *const rows[GEMM_MR] = { EACH_GEMM_ROW(ADDRESS) };
#undef ADDRESS
    rows[g->m - 1](c, g);
}
