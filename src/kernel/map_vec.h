/* Works element by element: y = act(x scale + shift), its backward pass, and y = (x + bias + residual)
   scale.

   A function called _run is compiled once for each activation: its last argument is terms->act as a
   constant. */

INLINE void affine_run(struct dd_out y, struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                       size_t channels, enum dd_act act)
{
    const float *scale = terms->scale, *shift = terms->shift;
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, {
            vf v = vf_fma(vf_take(x.at + c, lanes), vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            vf_put(y.at + c, vf_act(v, act), lanes);
        });
}

INLINE void act_run(struct dd_out y, struct dd_in x, size_t pixels, size_t channels, enum dd_act act)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, { vf_put(y.at + c, vf_act(vf_take(x.at + c, lanes), act), lanes); });
}

static void K(affine)(struct dd_out y, struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                      size_t channels)
{
    const enum dd_act act = terms ? terms->act : DD_ACT_NONE;
    if (terms && terms->scale) {
        BY_ACT(act, affine_run, y, x, terms, pixels, channels);
        return;
    }

    /* Dense pixels are one run, so that a few channels are not only tails. */
    if (x.stride == channels && y.stride == channels) {
        channels *= pixels;
        pixels = 1;
    }
    BY_ACT(act, act_run, y, x, pixels, channels);
}

/* The arguments of affine_backward with sums, from one channel on: the first `lanes` channels of each vector
   of channels are there. */
struct affine_sums {
    struct dd_grad_out dx;
    struct dd_in du, x;
    const float *scale, *shift, *pivot;
    float *sum, *product;
    size_t pixels, lanes;
};

/* Computes sums over `vectors` vectors of channels in registers.  Meanwhile it fetches the pixels that
   follow, as norm_vec.h does. */
INLINE void affine_sums_run(struct affine_sums t, const int vectors, enum dd_act act)
{
    const float *x = t.x.at, *du = t.du.at;
    float *dx = t.dx.at;
    const size_t lanes = t.lanes;
    vf s[2], q[2];
    UNROLL
    for (int v = 0; v < vectors; v++)
        s[v] = q[v] = vf_set(0);

    for (size_t p = 0; p < t.pixels; p++, x += t.x.stride, du += t.du.stride, dx += t.dx.stride) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vf a = vf_take(t.scale + v * VL, lanes), in = vf_take(x + v * VL, lanes);
            vf g = vf_take(du + v * VL, lanes);
            if (act != DD_ACT_NONE)
                g = vf_mul(g, vf_act_slope(vf_fma(in, a, vf_take(t.shift + v * VL, lanes)), act));

            vf d = vf_mul(g, a);
            vf_put(dx + v * VL, t.dx.add ? vf_add(vf_take(dx + v * VL, lanes), d) : d, lanes);
            s[v] = vf_add(s[v], g);

            vf_ahead(x + t.pixels * t.x.stride + v * VL);
            if (t.dx.add)
                vf_ahead(dx + t.pixels * t.dx.stride + v * VL);
            q[v] = vf_fma(g, vf_sub(in, vf_take(t.pivot + v * VL, lanes)), q[v]);
        }
    }

    UNROLL
    for (int v = 0; v < vectors; v++) {
        vf_put(t.sum + v * VL, s[v], lanes);
        vf_put(t.product + v * VL, q[v], lanes);
    }
}

/* Returns t for the channels from its channel c on. */
INLINE struct affine_sums from_channel(struct affine_sums t, size_t c, size_t lanes)
{
    t.dx.at += c;
    t.du.at += c;
    t.x.at += c;
    t.scale += c;
    t.shift += c;
    t.pivot += c;
    t.sum += c;
    t.product += c;
    t.lanes = lanes;
    return t;
}

/* Does the backward with sums: two vectors of channels at a time, then one, then the tail. */
INLINE void affine_sums(struct affine_sums t, size_t channels, enum dd_act act)
{
    size_t c = 0;
    for (; c + 2 * VL <= channels; c += 2 * VL)
        affine_sums_run(from_channel(t, c, VL), 2, act);
    for (; c + VL <= channels; c += VL)
        affine_sums_run(from_channel(t, c, VL), 1, act);
    if (c < channels)
        affine_sums_run(from_channel(t, c, channels - c), 1, act);
}

/* Does the backward without sums. */
INLINE void affine_slope_run(struct dd_grad_out dx, struct dd_in du, struct dd_in x,
                             const struct dd_affine_terms *terms, size_t pixels, size_t channels,
                             enum dd_act act)
{
    const float *scale = terms->scale, *shift = terms->shift;
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, du.at += du.stride, dx.at += dx.stride)
        EACH_VECTOR(c, channels, {
            vf in = vf_take(x.at + c, lanes);
            vf g = vf_take(du.at + c, lanes);
            if (scale)
                in = vf_fma(in, vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            g = vf_mul(g, vf_act_slope(in, act));
            if (scale)
                g = vf_mul(g, vf_take(scale + c, lanes));

            vf_put(dx.at + c, dx.add ? vf_add(vf_take(dx.at + c, lanes), g) : g, lanes);
        });
}

static void K(affine_backward)(struct dd_grad_out dx, const struct dd_affine_sums *sums, struct dd_in du,
                               struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                               size_t channels)
{
    const enum dd_act act = terms->act;
    if (!sums) {
        BY_ACT(act, affine_slope_run, dx, du, x, terms, pixels, channels);
        return;
    }

    const struct affine_sums all = {
        .dx = dx,
        .du = du,
        .x = x,
        .scale = terms->scale,
        .shift = terms->shift,
        .pivot = sums->pivot,
        .sum = sums->sum,
        .product = sums->product,
        .pixels = pixels,
    };
    BY_ACT(act, affine_sums, all, channels);
}

static void K(affine_add)(struct dd_out y, struct dd_in x, const float *scale, const float *shift,
                          size_t pixels, size_t channels)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, {
            vf v = vf_fma(vf_take(x.at + c, lanes), vf_take(scale + c, lanes), vf_take(shift + c, lanes));
            vf_put(y.at + c, vf_add(vf_take(y.at + c, lanes), v), lanes);
        });
}

static void K(post)(struct dd_out y, struct dd_in x, const struct dd_post_terms *terms, size_t pixels,
                    size_t channels)
{
    const struct dd_post_terms t = *terms;
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, {
            vf v = vf_take(x.at + c, lanes);
            if (t.bias)
                v = vf_add(v, vf_take(t.bias + c, lanes));
            if (t.residual.at)
                v = vf_add(v, vf_take(t.residual.at + p * t.residual.stride + c, lanes));

            vf_put(y.at + c, vf_mul(v, vf_set(t.scale)), lanes);
        });
}
