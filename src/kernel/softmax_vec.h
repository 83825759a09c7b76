/* Computes softmax and its backward pass: e^(a x_i - m) / (the sum over i of e^(a x_i - m)), m = max a x_i.
   Sums are taken in chunks, so that their error grows with the number of chunks and the length of one, not
   with n. */

enum { SOFTMAX_CHUNK = 64 };

/* Returns the largest of x [n]. */
static float largest(const float *x, size_t n)
{
    vf m = vf_set(-INFINITY);
    EACH_VECTOR(i, n, { m = vf_max(m, vf_take_or(x + i, lanes, vf_set(-INFINITY))); });

    /* The largest of the lanes. */
    float lane[VL], top = -INFINITY;
    vf_store(lane, m);
    for (int i = 0; i < VL; i++)
        top = lane[i] > top ? lane[i] : top;
    return top;
}

/* Replaces x by e^(a x - m).  Returns their sum, lane by lane; a lane beyond n counts as -inf, so it adds
   0. */
INLINE vf exp_run(float *x, float a, float m, size_t n)
{
    vf sum = vf_set(0);
    EACH_VECTOR(i, n, {
        vf v = vf_take_or(x + i, lanes, vf_set(-INFINITY));
        v = vf_exp(vf_fma(vf_set(a), v, vf_set(-m)));
        vf_put(x + i, v, lanes);
        sum = vf_add(sum, v);
    });
    return sum;
}

static void K(softmax)(struct dd_out x, float a, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x.at += x.stride) {
        /* The maximum is subtracted, so no power is above 1. */
        float m = a * largest(x.at, n);
        vf sum = vf_set(0);
        for (size_t i = 0; i < n; i += SOFTMAX_CHUNK * VL) {
            size_t count = n - i < SOFTMAX_CHUNK * VL ? n - i : SOFTMAX_CHUNK * VL;
            sum = vf_add(sum, exp_run(x.at + i, a, m, count));
        }

        /* The row needs a single division. */
        vf inverse = vf_set(1 / vf_sum(sum));
        EACH_VECTOR(i, n, { vf_put(x.at + i, vf_mul(vf_take(x.at + i, lanes), inverse), lanes); });
    }
}

/* Returns x . y, lane by lane. */
INLINE vf dot_run(const float *x, const float *y, size_t n)
{
    vf sum = vf_set(0);
    EACH_VECTOR(i, n, { sum = vf_fma(vf_take(x + i, lanes), vf_take(y + i, lanes), sum); });
    return sum;
}

static void K(softmax_backward)(struct dd_out d, struct dd_in y, float a, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, d.at += d.stride, y.at += y.stride) {
        vf sum = vf_set(0);
        for (size_t i = 0; i < n; i += SOFTMAX_CHUNK * VL) {
            size_t count = n - i < SOFTMAX_CHUNK * VL ? n - i : SOFTMAX_CHUNK * VL;
            sum = vf_add(sum, dot_run(y.at + i, d.at + i, count));
        }

        vf along = vf_set(vf_sum(sum));
        EACH_VECTOR(i, n, {
            vf scaled = vf_mul(vf_set(a), vf_take(y.at + i, lanes));
            vf_put(d.at + i, vf_mul(scaled, vf_sub(vf_take(d.at + i, lanes), along)), lanes);
        });
    }
}
