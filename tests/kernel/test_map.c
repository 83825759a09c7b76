/* affine, post, moments and rms against the reference. */
#include "tests/kernel/fence.h"

static const size_t large[] = { 127, 128, 131, 256 };

/* 0 .. 70, then `large`. */
enum { SIZES = 71 + sizeof large / sizeof *large };
static size_t size_of(size_t i) { return i < 71 ? i : large[i - 71]; }

static void affine_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t pixels, size_t channels, size_t gap,
                        int scaled, enum dd_act act, enum values values)
{
    struct plane x = plane(0, pixels, channels, channels + gap, values), y = plane(1, pixels, channels, channels + gap % 3, ORDINARY);
    struct plane want = plane(2, pixels, channels, channels, ORDINARY);
    struct plane scale = plane(3, 1, channels, channels, ORDINARY), shift = plane(4, 1, channels, channels, ORDINARY);
    const float *s = scaled ? scale.at : NULL, *b = scaled ? shift.at : NULL;
    ref->affine(want.at, want.stride, x.at, x.stride, s, b, pixels, channels, act);
    k->affine(y.at, y.stride, x.at, x.stride, s, b, pixels, channels, act);
    plane_check(&y, "affine");
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            double w = *plane_at(&want, p, c), z = scaled ? fabs((double)*plane_at(&x, p, c) * s[c] + b[c]) : 0;
            near(k, "affine", p, c, *plane_at(&y, p, c), w, act_bound(act, w, U * z));
        }
    if (pixels && channels > 1) {           /* one channel fewer at the front: every element moves to another lane; and in place */
        struct plane z = plane_copy(5, &x);
        k->affine(z.at + 1, z.stride, z.at + 1, z.stride, s ? s + 1 : NULL, b ? b + 1 : NULL, pixels, channels - 1, act);
        z.at++, y.at++;
        z.channels = y.channels = channels - 1;
        same(k, "affine", &z, &y);
    }
}

void check_affine(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
            for (int scaled = 0; scaled < 2; scaled++) {
                affine_case(k, ref, 3, size_of(i), i % 6, scaled, act, ORDINARY);
                affine_case(k, ref, 2, size_of(i), 0, scaled, act, SPECIAL);
            }
    for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++) {       /* the whole range of the activations */
        struct plane x = plane(0, 1, 20001, 20001, ORDINARY), y = plane(1, 1, 20001, 20001, ORDINARY), want = plane_copy(2, &y);
        for (int i = 0; i <= 20000; i++)
            x.at[i] = (float)((i - 10000) * 0.0093 + 0.001 * random_value());
        k->affine(y.at, 1, x.at, 1, NULL, NULL, 20001, 1, act);
        ref->affine(want.at, 1, x.at, 1, NULL, NULL, 20001, 1, act);
        for (size_t i = 0; i <= 20000; i++)
            near(k, "affine of", act, (size_t)i, y.at[i], want.at[i], act_bound(act, want.at[i], 0));
    }
}

static void post_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t channels, size_t gap, int biased, int added,
                      enum dd_act act, enum values values)
{
    enum { PIXELS = 3 };
    struct plane x = plane(0, PIXELS, channels, channels + gap, values), r = plane(1, PIXELS, channels, channels + gap / 2, values);
    struct plane y = plane(2, PIXELS, channels, channels + gap % 3, ORDINARY), want = plane(3, PIXELS, channels, channels, ORDINARY);
    struct plane bias = plane(4, 1, channels, channels, ORDINARY);
    const float *b = biased ? bias.at : NULL, *res = added ? r.at : NULL, scale = 0.7f;
    ref->post(want.at, want.stride, x.at, x.stride, b, res, r.stride, scale, PIXELS, channels, act);
    k->post(y.at, y.stride, x.at, x.stride, b, res, r.stride, scale, PIXELS, channels, act);
    plane_check(&y, "post");
    for (size_t p = 0; p < PIXELS; p++)
        for (size_t c = 0; c < channels; c++) {
            double first = *plane_at(&x, p, c) + (biased ? (double)b[c] : 0), second = first + (added ? (double)*plane_at(&r, p, c) : 0);
            double w = *plane_at(&want, p, c), error = U * (biased * fabs(first) + added * fabs(second) + fabs(second)) * scale;
            near(k, "post", p, c, *plane_at(&y, p, c), w, act_bound(act, w, error));
        }
    if (channels > 1 && added) {            /* shifted by one lane, onto the residual */
        k->post(r.at + 1, r.stride, x.at + 1, x.stride, b ? b + 1 : NULL, r.at + 1, r.stride, scale, PIXELS, channels - 1, act);
        r.at++, y.at++;
        r.channels = y.channels = channels - 1;
        same(k, "post", &r, &y);
    }
}

void check_post(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
            for (int flags = 0; flags < 4; flags++)
                post_case(k, ref, size_of(i), i % 6, flags & 1, flags >> 1, act, (i + (size_t)flags) % 2 ? SPECIAL : ORDINARY);
}

/* n terms added one after the other, each difference rounded before: n u sum|d|; squares of it: (n + 2) u sum d^2; the reference u. */
static void moments_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t pixels, size_t channels, size_t gap, enum values values)
{
    struct plane x = plane(0, pixels, channels, channels + gap, values), pivot = plane(1, 1, channels, channels, ORDINARY);
    struct plane sum = plane(2, 1, channels, channels, ORDINARY), square = plane(3, 1, channels, channels, ORDINARY);
    struct plane s = plane(4, 1, channels, channels, ORDINARY), q = plane(5, 1, channels, channels, ORDINARY);
    ref->moments(s.at, q.at, x.at, x.stride, pivot.at, pixels, channels);
    k->moments(sum.at, square.at, x.at, x.stride, pivot.at, pixels, channels);
    plane_check(&sum, "moments");
    plane_check(&square, "moments");
    for (size_t c = 0; c < channels; c++) {
        double size = 0;
        for (size_t p = 0; p < pixels; p++)
            size += fabs((double)*plane_at(&x, p, c) - pivot.at[c]);
        near(k, "moments", 0, c, sum.at[c], s.at[c], U * (double)(pixels + 1) * size);
        near(k, "moments", 1, c, square.at[c], q.at[c], U * (double)(pixels + 3) * q.at[c]);
    }
    if (channels > 1) {
        k->moments(s.at, q.at, x.at + 1, x.stride, pivot.at + 1, pixels, channels - 1);
        sum.at++, square.at++;
        sum.channels = square.channels = channels - 1;
        same(k, "moments", &s, &sum);
        same(k, "moments", &q, &square);
    }
}

void check_moments(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++) {
        moments_case(k, ref, 1 + i % 64, size_of(i), i % 5, ORDINARY);
        moments_case(k, ref, 1 + i % 3, size_of(i), i % 5, SPECIAL);
    }
}

/* Relative errors: each lane adds at most c/4 squares, then two more levels, which the root halves; the root, its inverse, and two
   products 1 u each; of z = v (1 + s) + b: two roundings of v (1 + s) and one of z; the residual's addition 1 u. */
static void rms_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t channels, size_t gap, int scaled, int added,
                     enum dd_act act, enum values values)
{
    enum { PIXELS = 3 };
    struct plane x = plane(0, PIXELS, channels, channels + gap, values), r = plane(1, PIXELS, channels, channels + gap / 2, values);
    struct plane y = plane(2, PIXELS, channels, channels + gap % 3, ORDINARY), want = plane(3, PIXELS, channels, channels, ORDINARY);
    struct plane gain = plane(4, 1, channels, channels, ORDINARY), emb = plane(5, 1, 2 * channels, 2 * channels, ORDINARY);
    const float *s = scaled ? emb.at : NULL, *b = scaled ? emb.at + channels : NULL, *res = added ? r.at : NULL;
    if (values == ORDINARY && channels)
        memset(plane_at(&x, 1, 0), 0, channels * sizeof(float));           /* the norm is 0: 1e-12 takes its place */
    ref->rms(want.at, want.stride, x.at, x.stride, gain.at, s, b, res, r.stride, PIXELS, channels, act);
    k->rms(y.at, y.stride, x.at, x.stride, gain.at, s, b, res, r.stride, PIXELS, channels, act);
    plane_check(&y, "rms");
    for (size_t p = 0; p < PIXELS; p++) {
        double norm = 0, relative = U * (((double)channels / 4 + 4) / 2 + 5);
        for (size_t c = 0; c < channels; c++)
            norm += (double)*plane_at(&x, p, c) * *plane_at(&x, p, c);
        norm = sqrt(norm) < 1e-12 ? 1e-12 : sqrt(norm);
        for (size_t c = 0; c < channels; c++) {
            double v = fabs(*plane_at(&x, p, c) * (gain.at[c] / norm)), w = *plane_at(&want, p, c), before = added ? fabs(w - *plane_at(&r, p, c)) : fabs(w);
            double z = scaled ? v * fabs(1.0 + s[c]) + fabs(b[c]) : 0;
            double error = relative * (scaled ? v * fabs(1.0 + s[c]) : v) + 2 * U * z;
            near(k, "rms", p, c, *plane_at(&y, p, c), w, act_bound(act, before, error) + 2 * U * fabs(w));
        }
    }
}

void check_rms(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
            for (int flags = 0; flags < 4; flags++)
                rms_case(k, ref, size_of(i), i % 6, flags & 1, flags >> 1, act, (i + (size_t)flags) % 2 ? SPECIAL : ORDINARY);
}
