/* Computes every kernel of kernels.def in the plainest C.  Tests compare the others with it, and it runs on
   machines without vector units.  Sums and functions are computed in double and rounded to float once, at
   the store. */
#include <math.h>
#include "kernel/kernels.h"

/* The rows and columns of a gemm tile. */
enum { MR = 4, NR = 8 };

/* Returns the activation: SiLU x / (1 + e^-x), GELU x Phi(x) (Hendrycks and Gimpel 2016, the exact form by
   erf), ReLU, mish x tanh(ln(1 + e^x)) (Misra 2019).  At -inf each is its limit, 0, and not the -inf * 0 of
   its formula. */
static double act_ref(double x, enum dd_act act)
{
    if (act != DD_ACT_NONE && x == -INFINITY)
        return 0;

    switch (act) {
    case DD_ACT_NONE: break;
    case DD_ACT_SILU: return x / (1 + exp(-x));
    case DD_ACT_GELU: return x * 0.5 * erfc(x * -0.70710678118654752440);
    case DD_ACT_RELU: return x < 0 ? 0 : x;
    case DD_ACT_MISH: return x * tanh(log1p(exp(x)));
    }
    return x;
}

/* Returns the derivative of the activation.  At the infinities it is the limit, at the corner of ReLU it is
   0. */
static double act_slope_ref(double x, enum dd_act act)
{
    if (act == DD_ACT_NONE)
        return 1;
    if (isinf(x))
        return x > 0;

    double s = 1 / (1 + exp(-x)), t = tanh(log1p(exp(x)));

    switch (act) {
    case DD_ACT_NONE: break;
    case DD_ACT_SILU: return s * (1 + x * (1 - s));
    case DD_ACT_GELU:
        return 0.5 * erfc(x * -0.70710678118654752440) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
    case DD_ACT_RELU: return x <= 0 ? 0 : x * 0 + 1;
    case DD_ACT_MISH: return t + x * (1 - t * t) * s;
    }
    return x;
}

static void affine_ref(struct dd_out y, struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                       size_t channels)
{
    const struct dd_affine_terms t = terms ? *terms : (struct dd_affine_terms){ 0 };

    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            double v = x.at[p * x.stride + c];
            if (t.scale)
                v = v * t.scale[c] + t.shift[c];
            y.at[p * y.stride + c] = (float)act_ref(v, t.act);
        }
}

static void post_ref(struct dd_out y, struct dd_in x, const struct dd_post_terms *terms, size_t pixels,
                     size_t channels)
{
    const struct dd_in r = terms->residual;

    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            double v = x.at[p * x.stride + c];
            if (terms->bias)
                v += terms->bias[c];
            if (r.at)
                v += r.at[p * r.stride + c];
            y.at[p * y.stride + c] = (float)(v * terms->scale);
        }
}

static void affine_backward_ref(struct dd_grad_out dx, const struct dd_affine_sums *sums, struct dd_in du,
                                struct dd_in x, const struct dd_affine_terms *terms, size_t pixels,
                                size_t channels)
{
    const float *scale = terms->scale;

    for (size_t c = 0; c < channels; c++) {
        double s = 0, q = 0;
        for (size_t p = 0; p < pixels; p++) {
            float *to = &dx.at[p * dx.stride + c];
            double v = x.at[p * x.stride + c], z = scale ? v * scale[c] + terms->shift[c] : v;
            double g = du.at[p * du.stride + c] * act_slope_ref(z, terms->act), d = scale ? g * scale[c] : g;

            *to = (float)(dx.add ? *to + d : d);
            s += g;
            q += sums ? g * (v - sums->pivot[c]) : 0;
        }

        if (sums) {
            sums->sum[c] = (float)s;
            sums->product[c] = (float)q;
        }
    }
}

static void affine_add_ref(struct dd_out y, struct dd_in x, const float *scale, const float *shift,
                           size_t pixels, size_t channels)
{
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            float *to = &y.at[p * y.stride + c];
            *to = (float)(*to + ((double)x.at[p * x.stride + c] * scale[c] + shift[c]));
        }
}

static void sums_ref(float *sum, struct dd_in x, size_t pixels, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        double s = 0;
        for (size_t p = 0; p < pixels; p++)
            s += x.at[p * x.stride + c];
        sum[c] = (float)s;
    }
}

static void moments_ref(float *sum, float *square, struct dd_in x, const float *pivot, size_t pixels,
                        size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        double s = 0, q = 0;
        for (size_t p = 0; p < pixels; p++) {
            double d = (double)x.at[p * x.stride + c] - pivot[c];
            s += d;
            q += d * d;
        }
        sum[c] = (float)s;
        square[c] = (float)q;
    }
}

/* Returns ||x||_2. */
static double norm_ref(const float *x, size_t channels)
{
    double square = 0;
    for (size_t c = 0; c < channels; c++)
        square += (double)x[c] * x[c];
    return sqrt(square);
}

static void rms_ref(struct dd_out y, struct dd_in x, const struct dd_rms_terms *terms, struct dd_in residual,
                    size_t pixels, size_t channels)
{
    for (size_t p = 0; p < pixels; p++) {
        const float *from = x.at + p * x.stride;
        double norm = norm_ref(from, channels);
        norm = norm < 1e-12 ? 1e-12 : norm;

        for (size_t c = 0; c < channels; c++) {
            double v = from[c] * (terms->gain[c] / norm);
            if (terms->scale)
                v = v * (1.0 + terms->scale[c]) + terms->shift[c];
            v = act_ref(v, terms->act);
            y.at[p * y.stride + c] = (float)(residual.at ? v + residual.at[p * residual.stride + c] : v);
        }
    }
}

/* The parts for one element: n = x / norm, h = dy act'(n gain (1 + scale) + shift), t = h gain (1 +
   scale). */
struct rms_parts {
    double n, h, t;
};

/* Returns the parts for channel c. */
static struct rms_parts rms_parts(double x, double norm, double dy, const struct dd_rms_terms *terms,
                                  size_t c)
{
    double n = x / (norm < 1e-12 ? 1e-12 : norm),
           a = terms->gain[c] * (terms->scale ? 1.0 + terms->scale[c] : 1);
    double h = dy * act_slope_ref(n * a + (terms->scale ? terms->shift[c] : 0), terms->act);
    return (struct rms_parts){ n, h, h * a };
}

/* If the norm is below 1e-12, n is x times a constant, so the norm adds no term. */
static void rms_backward_ref(struct dd_grad_out dx, const struct dd_rms_sums *sums, struct dd_in dy,
                             struct dd_in x, const struct dd_rms_terms *terms, size_t pixels, size_t channels)
{
    double norm[64];
    for (size_t p = 0; p < pixels; p++)
        norm[p] = norm_ref(x.at + p * x.stride, channels);

    /* The sums over pixels, then dx of each pixel. */
    for (size_t c = 0; c < channels; c++) {
        double s = 0, q = 0;
        for (size_t p = 0; p < pixels; p++) {
            struct rms_parts e =
                rms_parts(x.at[p * x.stride + c], norm[p], dy.at[p * dy.stride + c], terms, c);
            s += e.h;
            q += e.h * e.n;
        }
        sums->sum[c] = (float)s;
        sums->product[c] = (float)q;
    }

    for (size_t p = 0; p < pixels; p++) {
        const float *from = x.at + p * x.stride, *d = dy.at + p * dy.stride;
        float *to = dx.at + p * dx.stride;
        double along = 0;
        for (size_t c = 0; c < channels; c++) {
            struct rms_parts e = rms_parts(from[c], norm[p], d[c], terms, c);
            along += norm[p] < 1e-12 ? 0 : e.n * e.t;
        }

        for (size_t c = 0; c < channels; c++) {
            struct rms_parts e = rms_parts(from[c], norm[p], d[c], terms, c);
            double result = (e.t - e.n * along) / (norm[p] < 1e-12 ? 1e-12 : norm[p]);
            to[c] = (float)(dx.add ? to[c] + result : result);
        }
    }
}

static void softmax_ref(struct dd_out x, float a, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x.at += x.stride) {
        /* The maximum, the sum, the quotients. */
        double largest = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++)
            if ((double)a * x.at[i] > largest)
                largest = (double)a * x.at[i];

        for (size_t i = 0; i < n; i++)
            sum += exp((double)a * x.at[i] - largest);
        for (size_t i = 0; i < n; i++)
            x.at[i] = (float)(exp((double)a * x.at[i] - largest) / sum);
    }
}

static void softmax_backward_ref(struct dd_out d, struct dd_in y, float a, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, d.at += d.stride, y.at += y.stride) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)y.at[i] * d.at[i];

        for (size_t i = 0; i < n; i++)
            d.at[i] = (float)((double)a * y.at[i] * (d.at[i] - sum));
    }
}

static void sincos_ref(float *s, float *c, const float *f, float t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float a = t * f[i];
        s[i] = (float)sin(a);
        c[i] = (float)cos(a);
    }
}

static void upsample_ref(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < 2 * h; i++)
        for (size_t j = 0; j < 2 * w; j++)
            for (size_t c = 0; c < channels; c++)
                y.at[(i * 2 * w + j) * y.stride + c] = x.at[(i / 2 * w + j / 2) * x.stride + c];
}

static void upsample_backward_ref(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx.at += dx.stride)
            for (size_t c = 0; c < channels; c++) {
                const float *p = dy.at + (2 * i * 2 * w + 2 * j) * dy.stride + c, *q = p + 2 * w * dy.stride;
                double d = (double)p[0] + p[dy.stride] + q[0] + q[dy.stride];
                dx.at[c] = (float)(dx.add ? dx.at[c] + d : d);
            }
}

static void avgpool_ref(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y.at += y.stride)
            for (size_t c = 0; c < channels; c++) {
                const float *p = x.at + (2 * i * w + 2 * j) * x.stride + c, *q = p + w * x.stride;
                y.at[c] = (float)(((double)p[0] + p[x.stride] + q[0] + q[x.stride]) / 4);
            }
}

/* Returns whether pixel (i, j) is part of a block of 2x2; the last row or column of an odd size is not. */
static int in_block_ref(size_t i, size_t j, size_t h, size_t w)
{
    return i / 2 < h / 2 && j / 2 < w / 2;
}

static void avgpool_backward_ref(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx.at += dx.stride) {
            const float *from = dy.at + (i / 2 * (w / 2) + j / 2) * dy.stride;
            for (size_t c = 0; c < channels; c++) {
                double d = in_block_ref(i, j, h, w) ? from[c] / 4.0 : 0;
                dx.at[c] = (float)(dx.add ? dx.at[c] + d : d);
            }
        }
}

static void unshuffle_ref(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y.at += y.stride)
            for (size_t c = 0; c < 4 * channels; c++)
                y.at[c] = x.at[((2 * i + c / 2 % 2) * w + 2 * j + c % 2) * x.stride + c / 4];
}

static void unshuffle_backward_ref(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w,
                                   size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx.at += dx.stride) {
            const float *from = dy.at + (i / 2 * (w / 2) + j / 2) * dy.stride;
            for (size_t c = 0; c < channels; c++) {
                /* Channel c of this pixel lies in channel c * 4 + ... of dy. */
                float d = in_block_ref(i, j, h, w) ? from[c * 4 + i % 2 * 2 + j % 2] : 0;
                dx.at[c] = dx.add ? dx.at[c] + d : d;
            }
        }
}

static void transpose_ref(struct dd_out y, struct dd_in x, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            y.at[j * y.stride + i] = x.at[i * x.stride + j];
}

/* Returns v with bias, residual and scale, for element (i, j) of a tile. */
static double post_of(double v, const struct dd_post_terms *post, size_t i, size_t j)
{
    v += post->bias ? post->bias[j] : 0;
    v += post->residual.at ? post->residual.at[i * post->residual.stride + j] : 0;
    return v * post->scale;
}

static void gemm_ref(struct dd_out c, const struct dd_gemm *g)
{
    for (size_t i = 0; i < g->m; i++, c.at += c.stride) {
        double acc[NR] = { 0 };
        for (size_t j = 0; g->load && j < g->n; j++)
            acc[j] = c.at[j];

        for (size_t tap = 0; tap < g->taps; tap++)
            for (size_t k = 0; k < g->depth; k++)
                for (size_t j = 0; j < NR; j++)
                    acc[j] += (double)g->a[tap * MR + i][k] * g->b[(tap * g->depth + k) * NR + j];

        for (size_t j = 0; j < g->n; j++)
            c.at[j] = (float)(g->post ? post_of(acc[j], g->post, i, j) : acc[j]);
    }
}

#include "kernel/training_ref.h"
#include "kernel/winograd_ref.h"

static void outer_ref(float *c, struct dd_in a, struct dd_in b, size_t count, size_t m, int load)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < NR; j++) {
            double sum = load ? c[i * NR + j] : 0;
            for (size_t t = 0; t < count; t++)
                sum += (double)a.at[t * a.stride + i] * b.at[t * b.stride + j];
            c[i * NR + j] = (float)sum;
        }
}

void dd_kernels_ref(struct dd_kernels *k)
{
    k->name = "ref";
    k->gemm_mr = MR;
    k->gemm_nr = NR;
#define KERNEL(name, ret, params) k->name = name##_ref;
#include "kernel/kernels.def"
#undef KERNEL
}
