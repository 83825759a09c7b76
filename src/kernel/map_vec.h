/* Works element by element: y = act(x scale + shift), its backward pass, and y = (x + bias + residual)
   scale. */

INLINE void affine_run(struct dd_out y, struct dd_in x, size_t pixels, size_t channels,
                       const struct dd_affine_terms terms)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, {
            vf scale = vf_take(terms.scale + c, lanes);
            vf v = vf_fma(vf_take(x.at + c, lanes), scale, vf_take(terms.shift + c, lanes));
            vf_put(y.at + c, vf_act(v, terms.act), lanes);
        });
}

INLINE void act_run(struct dd_out y, struct dd_in x, size_t pixels, size_t channels,
                    const struct dd_affine_terms terms)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, y.at += y.stride)
        EACH_VECTOR(c, channels, { vf_put(y.at + c, vf_act(vf_take(x.at + c, lanes), terms.act), lanes); });
}

static void K(affine)(struct dd_out y, struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                      size_t channels)
{
    struct dd_affine_terms t = terms ? *terms : (struct dd_affine_terms){ 0 };
    if (t.scale) {
        BY_ACT(t, affine_run, y, x, pixels, channels);
        return;
    }

    /* Dense pixels are one run, so that a few channels are not only tails. */
    if (x.stride == channels && y.stride == channels) {
        channels *= pixels;
        pixels = 1;
    }
    BY_ACT(t, act_run, y, x, pixels, channels);
}

/* The arguments of affine_backward with sums, except for the terms. */
struct affine_sums {
    struct dd_grad_out dx;
    struct dd_in du, x;
    struct dd_affine_sums sums;
    size_t pixels;
};

/* Computes sums over `vectors` vectors of channels from channel c on in registers; `lanes` channels of each
   are there.  Meanwhile it fetches the pixels that follow, as norm_vec.h does. */
INLINE void affine_sums_run(struct affine_sums t, size_t c, size_t lanes, const int vectors,
                            const struct dd_affine_terms terms)
{
    const float *x = t.x.at + c, *du = t.du.at + c, *pivot = t.sums.pivot + c;
    const float *scale = terms.scale + c, *shift = terms.shift + c;
    float *dx = t.dx.at + c;
    vf s[2], q[2];
    UNROLL
    for (int v = 0; v < vectors; v++)
        s[v] = q[v] = vf_set(0);

    for (size_t p = 0; p < t.pixels; p++, x += t.x.stride, du += t.du.stride, dx += t.dx.stride) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vf a = vf_take(scale + v * VL, lanes), in = vf_take(x + v * VL, lanes);
            vf g = vf_take(du + v * VL, lanes);
            if (terms.act != DD_ACT_NONE)
                g = vf_mul(g, vf_act_slope(vf_fma(in, a, vf_take(shift + v * VL, lanes)), terms.act));

            vf d = vf_mul(g, a);
            vf_put(dx + v * VL, t.dx.add ? vf_add(vf_take(dx + v * VL, lanes), d) : d, lanes);
            s[v] = vf_add(s[v], g);

            vf_ahead(x + t.pixels * t.x.stride + v * VL);
            if (t.dx.add)
                vf_ahead(dx + t.pixels * t.dx.stride + v * VL);
            q[v] = vf_fma(g, vf_sub(in, vf_take(pivot + v * VL, lanes)), q[v]);
        }
    }

    UNROLL
    for (int v = 0; v < vectors; v++) {
        vf_put(t.sums.sum + c + v * VL, s[v], lanes);
        vf_put(t.sums.product + c + v * VL, q[v], lanes);
    }
}

/* Does the backward with sums: two vectors of channels at a time, then one, then the tail. */
INLINE void affine_sums(struct affine_sums t, size_t channels, const struct dd_affine_terms terms)
{
    size_t c = 0;
    for (; c + 2 * VL <= channels; c += 2 * VL)
        affine_sums_run(t, c, VL, 2, terms);
    for (; c + VL <= channels; c += VL)
        affine_sums_run(t, c, VL, 1, terms);
    if (c < channels)
        affine_sums_run(t, c, channels - c, 1, terms);
}

/* Does the backward without sums. */
INLINE void affine_slope_run(struct dd_grad_out dx, struct dd_in du, struct dd_in x, size_t pixels,
                             size_t channels, const struct dd_affine_terms terms)
{
    for (size_t p = 0; p < pixels; p++, x.at += x.stride, du.at += du.stride, dx.at += dx.stride)
        EACH_VECTOR(c, channels, {
            vf in = vf_take(x.at + c, lanes);
            vf g = vf_take(du.at + c, lanes);
            if (terms.scale)
                in = vf_fma(in, vf_take(terms.scale + c, lanes), vf_take(terms.shift + c, lanes));
            g = vf_mul(g, vf_act_slope(in, terms.act));
            if (terms.scale)
                g = vf_mul(g, vf_take(terms.scale + c, lanes));

            vf_put(dx.at + c, dx.add ? vf_add(vf_take(dx.at + c, lanes), g) : g, lanes);
        });
}

static void K(affine_backward)(struct dd_grad_out dx, const struct dd_affine_sums *sums, struct dd_in du,
                               struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                               size_t channels)
{
    struct dd_affine_terms t = *terms;
    if (sums) {
        const struct affine_sums all = { .dx = dx, .du = du, .x = x, .sums = *sums, .pixels = pixels };
        BY_ACT(t, affine_sums, all, channels);
    } else
        BY_ACT(t, affine_slope_run, dx, du, x, pixels, channels);
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
