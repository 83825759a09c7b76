/* Works element by element: y = act(x scale + shift), its backward pass, and y = (x + bias + residual)
   scale. */

INLINE void affine_run(float *y, size_t ys, const float *x, size_t xs, const float *scale, const float *shift,
                       size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels, {
            vf v = vf_fma(vf_take(x + c, lanes), vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            vf_put(y + c, vf_act(v, act), lanes);
        });
}

INLINE void act_run(float *y, size_t ys, const float *x, size_t xs, size_t pixels, size_t channels,
                    enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels, { vf_put(y + c, vf_act(vf_take(x + c, lanes), act), lanes); });
}

static void K(affine)(float *y, size_t ys, const float *x, size_t xs, const float *scale, const float *shift,
                      size_t pixels, size_t channels, enum dd_act act)
{
    if (scale) {
        BY_ACT(act, affine_run, y, ys, x, xs, scale, shift, pixels, channels);
        return;
    }

    /* Dense pixels are one run, so that a few channels are not only tails. */
    if (xs == channels && ys == channels) {
        channels *= pixels;
        pixels = 1;
    }
    BY_ACT(act, act_run, y, ys, x, xs, pixels, channels);
}

/* Computes sums over `vectors` vectors of channels in registers.  Meanwhile it fetches the pixels that
   follow, as norm_vec.h does. */
INLINE void affine_sums_run(float *dx, size_t dxs, int add, float *sum, float *product, const float *du,
                            size_t dus, const float *x, size_t xs, const float *scale, const float *shift,
                            const float *pivot, size_t pixels, size_t lanes, const int vectors,
                            enum dd_act act)
{
    vf s[2], q[2];
    UNROLL
    for (int v = 0; v < vectors; v++)
        s[v] = q[v] = vf_set(0);

    for (size_t p = 0; p < pixels; p++, x += xs, du += dus, dx += dxs) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vf a = vf_take(scale + v * VL, lanes), in = vf_take(x + v * VL, lanes);
            vf g = vf_take(du + v * VL, lanes);
            if (act != DD_ACT_NONE)
                g = vf_mul(g, vf_act_slope(vf_fma(in, a, vf_take(shift + v * VL, lanes)), act));

            vf d = vf_mul(g, a);
            vf_put(dx + v * VL, add ? vf_add(vf_take(dx + v * VL, lanes), d) : d, lanes);
            s[v] = vf_add(s[v], g);

            vf_ahead(x + pixels * xs + v * VL);
            if (add)
                vf_ahead(dx + pixels * dxs + v * VL);
            q[v] = vf_fma(g, vf_sub(in, vf_take(pivot + v * VL, lanes)), q[v]);
        }
    }

    UNROLL
    for (int v = 0; v < vectors; v++) {
        vf_put(sum + v * VL, s[v], lanes);
        vf_put(product + v * VL, q[v], lanes);
    }
}

/* The backward with sums: two vectors of channels at a time, then one, then the tail. */
INLINE void affine_sums(float *dx, size_t dxs, int add, float *sum, float *product, const float *du,
                        size_t dus, const float *x, size_t xs, const float *scale, const float *shift,
                        const float *pivot, size_t pixels, size_t channels, enum dd_act act)
{
    size_t c = 0;
    /* Two vectors of channels at a time, then one, then the tail. */
    for (; c + 2 * VL <= channels; c += 2 * VL)
        affine_sums_run(dx + c, dxs, add, sum + c, product + c, du + c, dus, x + c, xs, scale + c, shift + c,
                        pivot + c, pixels, VL, 2, act);
    for (; c + VL <= channels; c += VL)
        affine_sums_run(dx + c, dxs, add, sum + c, product + c, du + c, dus, x + c, xs, scale + c, shift + c,
                        pivot + c, pixels, VL, 1, act);
    if (c < channels)
        affine_sums_run(dx + c, dxs, add, sum + c, product + c, du + c, dus, x + c, xs, scale + c, shift + c,
                        pivot + c, pixels, channels - c, 1, act);
}

/* The backward without sums. */
INLINE void affine_slope_run(float *dx, size_t dxs, int add, const float *du, size_t dus, const float *x,
                             size_t xs, const float *scale, const float *shift, size_t pixels,
                             size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, du += dus, dx += dxs)
        EACH_VECTOR(c, channels, {
            vf in = vf_take(x + c, lanes);
            vf g = vf_take(du + c, lanes);
            if (scale)
                in = vf_fma(in, vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            g = vf_mul(g, vf_act_slope(in, act));
            if (scale)
                g = vf_mul(g, vf_take(scale + c, lanes));

            vf_put(dx + c, add ? vf_add(vf_take(dx + c, lanes), g) : g, lanes);
        });
}

static void K(affine_backward)(float *dx, size_t dxs, int add, float *sum, float *product, const float *du,
                               size_t dus, const float *x, size_t xs, const float *scale, const float *shift,
                               const float *pivot, size_t pixels, size_t channels, enum dd_act act)
{
    if (sum)
        BY_ACT(act, affine_sums, dx, dxs, add, sum, product, du, dus, x, xs, scale, shift, pivot, pixels,
               channels);
    else
        BY_ACT(act, affine_slope_run, dx, dxs, add, du, dus, x, xs, scale, shift, pixels, channels);
}

static void K(affine_add)(float *y, size_t ys, const float *x, size_t xs, const float *scale,
                          const float *shift, size_t pixels, size_t channels)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels, {
            vf v = vf_fma(vf_take(x + c, lanes), vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            vf_put(y + c, vf_add(vf_take(y + c, lanes), v), lanes);
        });
}

static void K(post)(float *y, size_t ys, const float *x, size_t xs, const float *bias, const float *residual,
                    size_t rs, float scale, size_t pixels, size_t channels)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels, {
            vf v = vf_take(x + c, lanes);
            if (bias)
                v = vf_add(v, vf_take(bias + c, lanes));
            if (residual)
                v = vf_add(v, vf_take(residual + p * rs + c, lanes));

            vf_put(y + c, vf_mul(v, vf_set(scale)), lanes);
        });
}
