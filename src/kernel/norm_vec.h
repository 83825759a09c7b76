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
            q[v] = vf_mac(d, d, q[v]);
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
        square = vf_mac(v, v, square);
    });
    return sqrtf(vf_sum(square));
}

INLINE void rms_run(struct dd_out y, struct dd_in x, struct dd_in residual, size_t pixels, size_t channels,
                    const struct dd_rms_terms terms)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride) {
        float norm = length(x.at, channels);
        /* v = x gain / max(||x||, 1e-12) */
        vf inverse = vf_set(1 / (norm < 1e-12f ? 1e-12f : norm));
        EACH_VECTOR(c, channels, {
            vf v = vf_mul(vf_take(x.at + c, lanes), vf_mul(vf_take(terms.gain + c, lanes), inverse));
            if (terms.scale)
                v = vf_fma(v, vf_add(vf_set(1), vf_take(terms.scale + c, lanes)),
                           vf_take(terms.shift + c, lanes));
            v = vf_act(v, terms.act);
            if (residual.at)
                v = vf_add(v, vf_take(residual.at + p * residual.stride + c, lanes));

            vf_put(y.at + c, v, lanes);
        });
    }
}

static void K(rms)(struct dd_out y, struct dd_in x, const struct dd_rms_terms *terms, struct dd_in residual,
                   size_t pixels, size_t channels)
{
    struct dd_rms_terms t = *terms;
    BY_ACT(t, rms_run, y, x, residual, pixels, channels);
}

/* Walks over a pixel's channels three times: for its norm; for the sums, n . t, and t, which waits in a row;
   for dx. */
INLINE void rms_backward_run(struct dd_grad_out dx, struct dd_rms_sums sums, struct dd_in dy, struct dd_in x,
                             size_t pixels, size_t channels, const struct dd_rms_terms terms)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, dy.at += dy.stride, dx.at += dx.stride) {
        float norm = length(x.at, channels);
        vf inverse = vf_set(1 / (norm < 1e-12f ? 1e-12f : norm)), dot = vf_set(0);
        EACH_VECTOR(c, channels, {
            vf n = vf_mul(vf_take(x.at + c, lanes), inverse);
            vf a = vf_take(terms.gain + c, lanes);
            vf h = vf_take(dy.at + c, lanes);
            if (terms.scale)
                a = vf_mul(a, vf_add(vf_set(1), vf_take(terms.scale + c, lanes)));
            if (terms.act != DD_ACT_NONE) {
                vf z = terms.scale ? vf_fma(n, a, vf_take(terms.shift + c, lanes)) : vf_mul(n, a);
                h = vf_mul(h, vf_act_slope(z, terms.act));
            }

            vf t = vf_mul(h, a);
            vf_put(sums.row + c, t, lanes);
            vf_put(sums.sum + c, vf_add(vf_take(sums.sum + c, lanes), h), lanes);
            vf_put(sums.product + c, vf_fma(h, n, vf_take(sums.product + c, lanes)), lanes);
            dot = vf_fma(n, t, dot);
        });

        /* Below 1e-12 the norm counts as a constant, so n . t has no effect. */
        vf along = vf_set(norm < 1e-12f ? 0 : -vf_sum(dot));
        EACH_VECTOR(c, channels, {
            vf n = vf_mul(vf_take(x.at + c, lanes), inverse);
            vf d = vf_mul(vf_fma(n, along, vf_take(sums.row + c, lanes)), inverse);
            vf_put(dx.at + c, dx.add ? vf_add(vf_take(dx.at + c, lanes), d) : d, lanes);
        });
    }
}

static void K(rms_backward)(struct dd_grad_out dx, const struct dd_rms_sums *sums, struct dd_in dy,
                            struct dd_in x, const struct dd_rms_terms *terms, size_t pixels, size_t channels)
{
    struct dd_rms_terms t = *terms;
    EACH_VECTOR(c, channels, {
        vf_put(sums->sum + c, vf_set(0), lanes);
        vf_put(sums->product + c, vf_set(0), lanes);
    });
    BY_ACT(t, rms_backward_run, dx, *sums, dy, x, pixels, channels);
}
