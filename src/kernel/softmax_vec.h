/* softmax: e^(a x_i - m) / sum of them, m = max a x_i.  Sums are taken in chunks, so that their error grows with the number of
   chunks and the length of one, not with n. */

enum { SOFTMAX_CHUNK = 64 };

static float largest(const float *x, size_t n)
{
    vf m = vf_set(-INFINITY);
    EACH_VECTOR(i, n,
        m = vf_max(m, vf_take_or(x + i, lanes, vf_set(-INFINITY)));
    );
    float lane[VL], top = -INFINITY;
    vf_store(lane, m);
    for (int i = 0; i < VL; i++)
        top = lane[i] > top ? lane[i] : top;
    return top;
}

/* x = e^(a x - m); returns their sum, lane by lane.  A lane beyond n counts as -inf, so as 0. */
INLINE vf exp_run(float *x, float a, float m, size_t n)
{
    vf sum = vf_set(0);
    EACH_VECTOR(i, n,
        vf v = vf_take_or(x + i, lanes, vf_set(-INFINITY));
        v = vf_exp(vf_fma(vf_set(a), v, vf_set(-m)));
        vf_put(x + i, v, lanes);
        sum = vf_add(sum, v);
    );
    return sum;
}

static void K(softmax)(float *x, size_t xs, float a, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += xs) {
        float m = a * largest(x, n);
        vf sum = vf_set(0);
        for (size_t i = 0; i < n; i += SOFTMAX_CHUNK * VL)
            sum = vf_add(sum, exp_run(x + i, a, m, n - i < SOFTMAX_CHUNK * VL ? n - i : SOFTMAX_CHUNK * VL));
        vf inverse = vf_set(1 / vf_sum(sum));
        EACH_VECTOR(i, n,
            vf_put(x + i, vf_mul(vf_take(x + i, lanes), inverse), lanes);
        );
    }
}

/* `vectors` vectors of columns beside each other. */
INLINE void down_run(float *x, size_t xs, size_t rows, size_t lanes, const int vectors)
{
    vf m[4], sum[4];
    UNROLL for (int v = 0; v < vectors; v++) {
        m[v] = vf_set(-INFINITY);
        sum[v] = vf_set(0);
    }
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            m[v] = vf_max(m[v], vf_take(x + r * xs + v * VL, lanes));
    for (size_t first = 0; first < rows; first += SOFTMAX_CHUNK) {
        vf part[4] = { vf_set(0), vf_set(0), vf_set(0), vf_set(0) };
        for (size_t r = first; r < rows && r < first + SOFTMAX_CHUNK; r++)
            UNROLL for (int v = 0; v < vectors; v++) {
                float *p = x + r * xs + v * VL;
                vf e = vf_exp(vf_sub(vf_take(p, lanes), m[v]));
                vf_put(p, e, lanes);
                part[v] = vf_add(part[v], e);
            }
        UNROLL for (int v = 0; v < vectors; v++)
            sum[v] = vf_add(sum[v], part[v]);
    }
    UNROLL for (int v = 0; v < vectors; v++)
        sum[v] = vf_div(vf_set(1), sum[v]);
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            vf_put(x + r * xs + v * VL, vf_mul(vf_take(x + r * xs + v * VL, lanes), sum[v]), lanes);
}

static void K(softmax_down)(float *x, size_t xs, size_t rows, size_t columns)
{
    size_t c = 0;
    for (; c + 4 * VL <= columns; c += 4 * VL)
        down_run(x + c, xs, rows, VL, 4);
    for (; c + VL <= columns; c += VL)
        down_run(x + c, xs, rows, VL, 1);
    if (c < columns)
        down_run(x + c, xs, rows, columns - c, 1);
}
