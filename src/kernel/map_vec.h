/* Element by element: y = act(x scale + shift) and y = act((x + bias + residual) scale). */

INLINE void affine_run(float *y, size_t ys, const float *x, size_t xs, const float *scale, const float *shift,
                       size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels,
            vf v = vf_fma(vf_take(x + c, lanes), vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            vf_put(y + c, vf_act(v, act), lanes);
        );
}

INLINE void act_run(float *y, size_t ys, const float *x, size_t xs, size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels,
            vf_put(y + c, vf_act(vf_take(x + c, lanes), act), lanes);
        );
}

static void K(affine)(float *y, size_t ys, const float *x, size_t xs, const float *scale, const float *shift,
                      size_t pixels, size_t channels, enum dd_act act)
{
    if (scale) {
        BY_ACT(act, affine_run, y, ys, x, xs, scale, shift, pixels, channels);
        return;
    }
    if (xs == channels && ys == channels) {         /* one run, so that few channels do not mean tails only */
        channels *= pixels;
        pixels = 1;
    }
    BY_ACT(act, act_run, y, ys, x, xs, pixels, channels);
}

INLINE void post_run(float *y, size_t ys, const float *x, size_t xs, const float *bias, const float *residual, size_t rs,
                     float scale, size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x += xs, y += ys)
        EACH_VECTOR(c, channels,
            vf v = vf_take(x + c, lanes);
            if (bias)
                v = vf_add(v, vf_take(bias + c, lanes));
            if (residual)
                v = vf_add(v, vf_take(residual + p * rs + c, lanes));
            vf_put(y + c, vf_act(vf_mul(v, vf_set(scale)), act), lanes);
        );
}

static void K(post)(float *y, size_t ys, const float *x, size_t xs, const float *bias, const float *residual, size_t rs,
                    float scale, size_t pixels, size_t channels, enum dd_act act)
{
    BY_ACT(act, post_run, y, ys, x, xs, bias, residual, rs, scale, pixels, channels);
}
