/* Sums over pixels for group norm (Wu and He 2018), and RMS norm (Zhang and Sennrich 2019) over the channels of a pixel. */

/* `vectors` vectors of columns at once, so that as many sums run beside each other. */
INLINE void moments_run(float *sum, float *square, const float *x, size_t xs, const float *pivot, size_t pixels,
                        size_t lanes, const int vectors)
{
    vf s[4], q[4], o[4];
    UNROLL for (int v = 0; v < vectors; v++) {
        s[v] = q[v] = vf_set(0);
        o[v] = vf_take(pivot + v * VL, lanes);
    }
    for (size_t p = 0; p < pixels; p++, x += xs)
        UNROLL for (int v = 0; v < vectors; v++) {
            vf d = vf_sub(vf_take(x + v * VL, lanes), o[v]);
            s[v] = vf_add(s[v], d);
            q[v] = vf_fma(d, d, q[v]);
        }
    UNROLL for (int v = 0; v < vectors; v++) {
        vf_put(sum + v * VL, s[v], lanes);
        vf_put(square + v * VL, q[v], lanes);
    }
}

static void K(moments)(float *sum, float *square, const float *x, size_t xs, const float *pivot, size_t pixels, size_t channels)
{
    size_t c = 0;
    for (; c + 4 * VL <= channels; c += 4 * VL)
        moments_run(sum + c, square + c, x + c, xs, pivot + c, pixels, VL, 4);
    for (; c + VL <= channels; c += VL)
        moments_run(sum + c, square + c, x + c, xs, pivot + c, pixels, VL, 1);
    if (c < channels)
        moments_run(sum + c, square + c, x + c, xs, pivot + c, pixels, channels - c, 1);
}

INLINE void rms_run(float *y, size_t ys, const float *x, size_t xs, const float *gain, const float *scale, const float *shift,
                    const float *residual, size_t rs, size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys) {
        vf square = vf_set(0);
        EACH_VECTOR(c, channels,
            vf v = vf_take(x + c, lanes);
            square = vf_fma(v, v, square);
        );
        float norm = sqrtf(vf_sum(square));
        vf inverse = vf_set(1 / (norm < 1e-12f ? 1e-12f : norm));
        EACH_VECTOR(c, channels,
            vf v = vf_mul(vf_take(x + c, lanes), vf_mul(vf_take(gain + c, lanes), inverse));
            if (scale)
                v = vf_fma(v, vf_add(vf_set(1), vf_take(scale + c, lanes)), vf_take(shift + c, lanes));
            v = vf_act(v, act);
            if (residual)
                v = vf_add(v, vf_take(residual + p * rs + c, lanes));
            vf_put(y + c, v, lanes);
        );
    }
}

static void K(rms)(float *y, size_t ys, const float *x, size_t xs, const float *gain, const float *scale, const float *shift,
                   const float *residual, size_t rs, size_t pixels, size_t channels, enum dd_act act)
{
    BY_ACT(act, rms_run, y, ys, x, xs, gain, scale, shift, residual, rs, pixels, channels);
}
