/* affine, post, moments and rms against the reference, within the bounds of kernels.def. In place, and
   one lane further, every element must have the same bits. */
#include "tests/kernel/fence.h"

/* Sizes 0 to 70, then a few larger ones. */
enum { SIZES = 75, PIXELS = 3 };

static size_t size_of(size_t i)
{
    static const size_t large[] = { 127, 128, 131, 256 };
    return i < 71 ? i : large[i - 71];
}

/* Returns p without its first channel. */
static struct plane shifted(const struct plane *p)
{
    return (struct plane){ p->at + 1, p->pixels, p->channels - 1, p->stride };
}

static void affine_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t channels, size_t gap,
                        int scaled, enum dd_act act, enum values values)
{
    struct plane x = plane(0, PIXELS, channels, channels + gap, values);
    struct plane y = plane(1, PIXELS, channels, channels + gap % 3, ORDINARY);
    struct plane want = plane(2, PIXELS, channels, channels, ORDINARY);
    struct plane scale = vector(3, channels), shift = vector(4, channels);
    const float *s = scaled ? scale.at : NULL, *b = scaled ? shift.at : NULL;
    const struct dd_affine_terms terms = { s, b, act }, later = { s ? s + 1 : NULL, b ? b + 1 : NULL, act };

    ref->affine(plane_out(&want), plane_in(&x), &terms, PIXELS, channels);
    k->affine(plane_out(&y), plane_in(&x), &terms, PIXELS, channels);
    plane_check(&y, "affine");

    for (size_t p = 0; p < PIXELS; p++)
        for (size_t c = 0; c < channels; c++) {
            double w = *plane_at(&want, p, c), z = scaled ? (double)*plane_at(&x, p, c) * s[c] + b[c] : 0;
            near(k, "affine", &y, p, c, w, act_bound(act, w, U * fabs(z)));
        }

    if (!channels)
        return;

    /* The kernel also runs in place, one lane further. */
    struct plane moved = plane_copy(5, &x), in = shifted(&moved), out = shifted(&y);
    k->affine(plane_out(&in), plane_in(&in), &later, PIXELS, in.channels);
    same(k, "affine", &in, &out);
}

/* Covers the whole range of an activation by 20001 channels of one float each. */
static void act_case(const struct dd_kernels *k, const struct dd_kernels *ref, enum dd_act act)
{
    enum { N = 20001 };
    struct plane x = vector(0, N), y = vector(1, N), want = vector(2, N);
    for (int i = 0; i < N; i++)
        x.at[i] = (float)((i - N / 2) * 0.0093 + 0.001 * random_value());

    const struct dd_affine_terms terms = { .act = act };
    k->affine(dd_out(y.at, 1), dd_in(x.at, 1), &terms, N, 1);
    ref->affine(dd_out(want.at, 1), dd_in(x.at, 1), &terms, N, 1);
    for (size_t i = 0; i < N; i++)
        near(k, "activation", &y, 0, i, want.at[i], act_bound(act, want.at[i], 0));
}

void check_affine(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++) {
        act_case(k, ref, act);
        for (size_t i = 0; i < SIZES; i++)
            for (int scaled = 0; scaled < 2; scaled++) {
                affine_case(k, ref, size_of(i), i % 6, scaled, act, ORDINARY);
                affine_case(k, ref, size_of(i), 0, scaled, act, SPECIAL);
            }
    }
}

static void post_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t channels, size_t gap,
                      int biased, int added, enum values values)
{
    struct plane x = plane(0, PIXELS, channels, channels + gap, values);
    struct plane r = plane(1, PIXELS, channels, channels + gap / 2, values);
    struct plane y = plane(2, PIXELS, channels, channels + gap % 3, ORDINARY);
    struct plane want = plane(3, PIXELS, channels, channels, ORDINARY);
    const float *b = biased ? vector(4, channels).at : NULL, *res = added ? r.at : NULL, scale = 0.7f;

    const struct dd_post_terms terms = { b, dd_in(res, r.stride), scale };
    ref->post(plane_out(&want), plane_in(&x), &terms, PIXELS, channels);
    k->post(plane_out(&y), plane_in(&x), &terms, PIXELS, channels);
    plane_check(&y, "post");

    for (size_t p = 0; p < PIXELS; p++)
        for (size_t c = 0; c < channels; c++) {
            double first = *plane_at(&x, p, c) + (biased ? (double)b[c] : 0);
            double second = first + (added ? (double)*plane_at(&r, p, c) : 0), w = *plane_at(&want, p, c);
            double error = U * (biased * fabs(first) + added * fabs(second) + fabs(second)) * scale;
            near(k, "post", &y, p, c, w, act_bound(DD_ACT_NONE, w, error));
        }

    if (!channels || !added)
        return;

    /* The kernel also writes over the residual, one lane further. */
    struct plane in = shifted(&x), onto = shifted(&r), out = shifted(&y);
    const struct dd_post_terms later = { b ? b + 1 : NULL, plane_in(&onto), scale };
    k->post(plane_out(&onto), plane_in(&in), &later, PIXELS, in.channels);
    same(k, "post", &onto, &out);
}

void check_post(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int flags = 0; flags < 4; flags++) {
            post_case(k, ref, size_of(i), i % 6, flags & 1, flags >> 1, ORDINARY);
            post_case(k, ref, size_of(i), i % 6, flags & 1, flags >> 1, SPECIAL);
        }
}

/* n rounded terms are added one after the other: n u sum |d|, and (n + 2) u sum d^2 for squares. The
   reference has 1 u. */
static void moments_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t pixels,
                         size_t channels, size_t gap, enum values values)
{
    struct plane x = plane(0, pixels, channels, channels + gap, values), pivot = vector(1, channels);
    struct plane sum = vector(2, channels), square = vector(3, channels), s = vector(4, channels),
                 q = vector(5, channels);

    ref->moments(s.at, q.at, plane_in(&x), pivot.at, pixels, channels);
    k->moments(sum.at, square.at, plane_in(&x), pivot.at, pixels, channels);
    plane_check(&sum, "moments");
    plane_check(&square, "moments");

    for (size_t c = 0; c < channels; c++) {
        double size = 0;
        for (size_t p = 0; p < pixels; p++)
            size += fabs((double)*plane_at(&x, p, c) - pivot.at[c]);
        near(k, "moments, sum", &sum, 0, c, s.at[c], U * (double)(pixels + 1) * size);
        near(k, "moments, square", &square, 0, c, q.at[c], U * (double)(pixels + 3) * q.at[c]);
    }

    if (!channels)
        return;

    struct plane sums = shifted(&sum), squares = shifted(&square);
    k->moments(s.at, q.at, dd_in(x.at + 1, x.stride), pivot.at + 1, pixels, channels - 1);
    same(k, "moments, sum", &s, &sums);
    same(k, "moments, square", &q, &squares);
}

void check_moments(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++) {
        moments_case(k, ref, 1 + i % 64, size_of(i), i % 5, ORDINARY);
        moments_case(k, ref, 1 + i % 3, size_of(i), i % 5, SPECIAL);
    }
}

/* Returns the relative error of v = x gain / ||x||. A lane adds at most c/4 squares, then there are two
   more levels; the root halves that. The root, the inverse and two products have 1 u each, and 1 u is to
   spare. */
static double rms_relative(size_t channels)
{
    return U * (((double)channels / 4 + 4) / 2 + 5);
}

static double norm_of(const struct plane *x, size_t pixel)
{
    double sum = 0;
    for (size_t c = 0; c < x->channels; c++)
        sum += (double)*plane_at(x, pixel, c) * *plane_at(x, pixel, c);
    return sqrt(sum) < 1e-12 ? 1e-12 : sqrt(sum);
}

static void rms_case(const struct dd_kernels *k, const struct dd_kernels *ref, size_t channels, size_t gap,
                     int scaled, int added, enum dd_act act, enum values values)
{
    struct plane x = plane(0, PIXELS, channels, channels + gap, values);
    struct plane r = plane(1, PIXELS, channels, channels + gap / 2, values);
    struct plane y = plane(2, PIXELS, channels, channels + gap % 3, ORDINARY);
    struct plane want = plane(3, PIXELS, channels, channels, ORDINARY), gain = vector(4, channels),
                 emb = vector(5, 2 * channels);
    const float *s = scaled ? emb.at : NULL, *b = scaled ? emb.at + channels : NULL;

    if (values == ORDINARY && channels)
        memset(plane_at(&x, 1, 0), 0, channels * sizeof(float)); /* the norm is 0: 1e-12 takes its place */

    const struct dd_rms_terms terms = { gain.at, s, b, act };
    const struct dd_in residual = dd_in(added ? r.at : NULL, r.stride);
    ref->rms(plane_out(&want), plane_in(&x), &terms, residual, PIXELS, channels);
    k->rms(plane_out(&y), plane_in(&x), &terms, residual, PIXELS, channels);
    plane_check(&y, "rms");

    for (size_t p = 0; p < PIXELS; p++) {
        double norm = norm_of(&x, p);
        for (size_t c = 0; c < channels; c++) {
            double w = *plane_at(&want, p, c), acted = added ? w - *plane_at(&r, p, c) : w;
            double v = fabs(*plane_at(&x, p, c) * (gain.at[c] / norm)) * (scaled ? fabs(1.0 + s[c]) : 1);
            double error = rms_relative(channels) * v + (scaled ? 2 * U * (v + fabs(b[c])) : 0);
            near(k, "rms", &y, p, c, w, act_bound(act, acted, error) + 2 * U * fabs(w));
        }
    }

    /* The same in place, at another address. */
    struct plane other = plane(6, PIXELS, channels, channels + gap + 1, ORDINARY);
    for (size_t p = 0; p < PIXELS; p++)
        memcpy(plane_at(&other, p, 0), plane_at(&x, p, 0), channels * sizeof(float));
    k->rms(plane_out(&other), plane_in(&other), &terms, residual, PIXELS, channels);
    same(k, "rms", &other, &y);
}

void check_rms(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
            for (int flags = 0; flags < 4; flags++)
                rms_case(k, ref, size_of(i), i % 6, flags & 1, flags >> 1, act,
                         (i + (size_t)flags) % 2 ? SPECIAL : ORDINARY);
}
