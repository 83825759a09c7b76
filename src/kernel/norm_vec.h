/* Computes sums over pixels for group norm (Wu and He 2018), and RMS norm (Zhang and Sennrich 2019) over
   the channels of a pixel. */

/* Sums over `vectors` vectors of channels at once, so that as many sums run side by side.  Meanwhile it
   fetches the pixels that follow, where the next call begins, because the processor does not foresee the
   order of a few channels of each pixel. */
INLINE void moments_run(float *sum, float *square, struct dd_in x, const float *pivot, size_t pixels,
                        size_t lanes, const int vectors)
{
    vf s[4], q[4], o[4];
    UNROLL
    for (int v = 0; v < vectors; v++) {
        s[v] = q[v] = vf_set(0);
        o[v] = vf_take(pivot + v * VL, lanes);
    }
    for (size_t p = 0; p < pixels; p++, x.at += x.stride) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vf d = vf_sub(vf_take(x.at + v * VL, lanes), o[v]);
            vf_ahead(x.at + pixels * x.stride + v * VL);
            s[v] = vf_add(s[v], d);
            q[v] = vf_fma(d, d, q[v]);
        }
    }
    UNROLL
    for (int v = 0; v < vectors; v++) {
        vf_put(sum + v * VL, s[v], lanes);
        vf_put(square + v * VL, q[v], lanes);
    }
}

static void K(moments)(float *sum, float *square, struct dd_in x, const float *pivot, size_t pixels,
                       size_t channels)
{
    size_t c = 0;
    for (; c + 4 * VL <= channels; c += 4 * VL)
        moments_run(sum + c, square + c, dd_in(x.at + c, x.stride), pivot + c, pixels, VL, 4);
    for (; c + VL <= channels; c += VL)
        moments_run(sum + c, square + c, dd_in(x.at + c, x.stride), pivot + c, pixels, VL, 1);
    if (c < channels)
        moments_run(sum + c, square + c, dd_in(x.at + c, x.stride), pivot + c, pixels, channels - c, 1);
}

INLINE void sums_run(float *sum, struct dd_in x, size_t pixels, size_t lanes, const int vectors)
{
    vf s[4];
    UNROLL
    for (int v = 0; v < vectors; v++)
        s[v] = vf_set(0);
    for (size_t p = 0; p < pixels; p++, x.at += x.stride) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            s[v] = vf_add(s[v], vf_take(x.at + v * VL, lanes));
    }
    UNROLL
    for (int v = 0; v < vectors; v++)
        vf_put(sum + v * VL, s[v], lanes);
}

static void K(sums)(float *sum, struct dd_in x, size_t pixels, size_t channels)
{
    size_t c = 0;
    for (; c + 4 * VL <= channels; c += 4 * VL)
        sums_run(sum + c, dd_in(x.at + c, x.stride), pixels, VL, 4);
    for (; c + VL <= channels; c += VL)
        sums_run(sum + c, dd_in(x.at + c, x.stride), pixels, VL, 1);
    if (c < channels)
        sums_run(sum + c, dd_in(x.at + c, x.stride), pixels, channels - c, 1);
}

INLINE float length(const float *x, size_t n)
{
    vf square = vf_set(0);
    EACH_VECTOR(i, n, {
        vf v = vf_take(x + i, lanes);
        square = vf_fma(v, v, square);
    });
    return sqrtf(vf_sum(square));
}

INLINE void rms_run(float *y, size_t ys, const float *x, size_t xs, const float *gain, const float *scale,
                    const float *shift, const float *residual, size_t rs, size_t pixels, size_t channels,
                    enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys) {
        float norm = length(x, channels);
        /* v = x gain / max(||x||, 1e-12) */
        vf inverse = vf_set(1 / (norm < 1e-12f ? 1e-12f : norm));
        EACH_VECTOR(c, channels, {
            vf v = vf_mul(vf_take(x + c, lanes), vf_mul(vf_take(gain + c, lanes), inverse));
            if (scale)
                v = vf_fma(v, vf_add(vf_set(1), vf_take(scale + c, lanes)), vf_take(shift + c, lanes));
            v = vf_act(v, act);
            if (residual)
                v = vf_add(v, vf_take(residual + p * rs + c, lanes));

            vf_put(y + c, v, lanes);
        });
    }
}

static void K(rms)(float *y, size_t ys, const float *x, size_t xs, const float *gain, const float *scale,
                   const float *shift, const float *residual, size_t rs, size_t pixels, size_t channels,
                   enum dd_act act)
{
    BY_ACT(act, rms_run, y, ys, x, xs, gain, scale, shift, residual, rs, pixels, channels);
}

/* Walks over a pixel's channels three times: for its norm; for the sums, n . t, and t, which waits in row;
   for dx. */
INLINE void rms_backward_run(float *dx, size_t dxs, int add, float *sum, float *product, float *row,
                             const float *dy, size_t dys, const float *x, size_t xs, const float *gain,
                             const float *scale, const float *shift, size_t pixels, size_t channels,
                             enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, dy += dys, dx += dxs) {
        float norm = length(x, channels);
        vf inverse = vf_set(1 / (norm < 1e-12f ? 1e-12f : norm)), dot = vf_set(0);
        EACH_VECTOR(c, channels, {
            vf n = vf_mul(vf_take(x + c, lanes), inverse);
            vf a = vf_take(gain + c, lanes);
            vf h = vf_take(dy + c, lanes);
            if (scale)
                a = vf_mul(a, vf_add(vf_set(1), vf_take(scale + c, lanes)));
            if (act != DD_ACT_NONE)
                h = vf_mul(h,
                           vf_act_slope(scale ? vf_fma(n, a, vf_take(shift + c, lanes)) : vf_mul(n, a), act));

            vf t = vf_mul(h, a);
            vf_put(row + c, t, lanes);
            vf_put(sum + c, vf_add(vf_take(sum + c, lanes), h), lanes);
            vf_put(product + c, vf_fma(h, n, vf_take(product + c, lanes)), lanes);
            dot = vf_fma(n, t, dot);
        });

        /* Below 1e-12 the norm counts as a constant, so n . t has no effect. */
        vf along = vf_set(norm < 1e-12f ? 0 : -vf_sum(dot));
        EACH_VECTOR(c, channels, {
            vf n = vf_mul(vf_take(x + c, lanes), inverse);
            vf d = vf_mul(vf_fma(n, along, vf_take(row + c, lanes)), inverse);
            vf_put(dx + c, add ? vf_add(vf_take(dx + c, lanes), d) : d, lanes);
        });
    }
}

static void K(rms_backward)(float *dx, size_t dxs, int add, float *sum, float *product, float *row,
                            const float *dy, size_t dys, const float *x, size_t xs, const float *gain,
                            const float *scale, const float *shift, size_t pixels, size_t channels,
                            enum dd_act act)
{
    EACH_VECTOR(c, channels, {
        vf_put(sum + c, vf_set(0), lanes);
        vf_put(product + c, vf_set(0), lanes);
    });
    BY_ACT(act, rms_backward_run, dx, dxs, add, sum, product, row, dy, dys, x, xs, gain, scale, shift, pixels,
           channels);
}
