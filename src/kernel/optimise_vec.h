/* Computes what a step of training does to whole vectors of parameters: Adam, the moving average, the
   square of a norm. */

static void K(adam)(float *w, float *m, float *v, const float *g, size_t n, const struct dd_adam *a)
{
    EACH_VECTOR(i, n, {
        vf h = vf_mul(vf_set(a->clip), vf_take(g + i, lanes));
        vf first = vf_fma(vf_set(a->take1), h, vf_mul(vf_set(a->keep1), vf_take(m + i, lanes)));
        vf second = vf_fma(vf_mul(vf_set(a->take2), h), h, vf_mul(vf_set(a->keep2), vf_take(v + i, lanes)));

        vf under = vf_fma(vf_set(a->root), vf_sqrt(second), vf_set(a->epsilon));
        vf kept = vf_mul(vf_set(a->keep), vf_take(w + i, lanes));

        vf_put(m + i, first, lanes);
        vf_put(v + i, second, lanes);
        vf_put(w + i, vf_fma(vf_set(-a->step), vf_div(first, under), kept), lanes);
    });
}

static void K(lerp)(float *y, float *low, const float *x, float rate, size_t n)
{
    EACH_VECTOR(i, n, {
        vf from = vf_take(y + i, lanes);
        vf rest = vf_take(low + i, lanes);
        vf gap = vf_sub(vf_sub(vf_take(x + i, lanes), from), rest);
        vf t = vf_add(rest, vf_mul(vf_set(rate), gap));
        vf sum = vf_add(from, t);

        vf_put(low + i, vf_sub(t, vf_sub(sum, from)), lanes);
        vf_put(y + i, sum, lanes);
    });
}

static float K(squares)(const float *x, size_t n)
{
    vf sum = vf_set(0);
    EACH_VECTOR(i, n, {
        vf v = vf_take(x + i, lanes);
        sum = vf_fma(v, v, sum);
    });
    return vf_sum(sum);
}
