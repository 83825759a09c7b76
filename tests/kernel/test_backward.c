/* The kernels that take gradients back against the reference, within the bounds of kernels.def. In
   place, and one lane further, they have the same bits. */
#include "tests/kernel/fence.h"

enum { SIZES = 45, PIXELS = 5 };

static size_t size_of(size_t i)
{
    static const size_t large[] = { 47, 48, 63, 64, 65, 128, 131 };
    return i < 38 ? i : large[i - 38];
}

static struct plane shifted(const struct plane *p)
{
    return (struct plane){ p->at + 1, p->pixels, p->channels - 1, p->stride };
}

/* Returns the bound of du act'(z): the error that kernels.def gives, and 1 u of g for the reference. z
   is off by d. */
static double slope_bound(enum dd_act act, double du, double g, double d)
{
    static const double relative[] = { 0, 5, 0, 0, 11 }, absolute[] = { 0, 2, 19, 0, 7 },
                        bend[] = { 0, 0.8, 0.8, 0, 0.8 };
    return (U * absolute[act] + bend[act] * (isfinite(d) ? d : 0) + 4e-36) * fabs(du) +
           U * (relative[act] + 2) * fabs(g);
}

struct affine_case {
    size_t channels;
    int add, sums, scaled;
    enum dd_act act;
    struct plane x, du, dx, scale, shift, pivot, sum, product;
};

static void affine_call(const struct dd_kernels *k, const struct affine_case *t, const struct plane *dx,
                        const struct plane *du, size_t first, float *sum, float *product)
{
    const struct dd_affine_sums sums = { sum, product, t->pivot.at + first };
    const struct dd_affine_terms terms = { t->scaled ? t->scale.at + first : NULL, t->shift.at + first,
                                           t->act };
    k->affine_backward((struct dd_grad_out){ dx->at + first, dx->stride, t->add }, t->sums ? &sums : NULL,
                       dd_in(du->at + first, du->stride), dd_in(t->x.at + first, t->x.stride), &terms,
                       t->x.pixels, t->channels - first);
}

/* Returns g of one element, from the reference without a scale behind it. The exact z is rounded to
   float first; `bend` allows for that. */
static double slope_ref(const struct dd_kernels *ref, float du, double z, enum dd_act act)
{
    float in = (float)z, g;
    ref->affine_backward((struct dd_grad_out){ &g, 1, 0 }, NULL, dd_in(&du, 1), dd_in(&in, 1),
                         &(struct dd_affine_terms){ .act = act }, 1, 1);
    return g;
}

static void affine_check(const struct dd_kernels *k, const struct dd_kernels *ref,
                         const struct affine_case *t, const struct plane *before, const struct plane *want,
                         const float *sum, const float *product)
{
    double n = (double)t->x.pixels;
    for (size_t c = 0; c < t->channels; c++) {
        double sizes = 0, errors = 0, spread = 0, spread_errors = 0;
        for (size_t p = 0; p < t->x.pixels; p++) {
            double x = *plane_at(&t->x, p, c), du = *plane_at(&t->du, p, c),
                   a = t->scaled ? t->scale.at[c] : 1;
            double z = t->scaled ? x * a + t->shift.at[c] : x, w = *plane_at(want, p, c),
                   g = slope_ref(ref, (float)du, z, t->act);
            double e = slope_bound(t->act, du, g, t->scaled ? 2 * U * fabs(z) : 0);

            near(k, "affine_backward", &t->dx, p, c, w,
                 (e + 2 * U * fabs(g)) * fabs(a) +
                     (t->add ? 2 * U * (fabs(w) + fabs(*plane_at(before, p, c))) : 0));

            sizes += fabs(g), errors += e;
            spread += fabs(g * (x - t->pivot.at[c])), spread_errors += e * fabs(x - t->pivot.at[c]);
        }

        /* With infinite terms the order decides whether a sum is infinite or NaN. */
        if (t->sums && isfinite(spread)) {
            near(k, "affine_backward, sum", &t->sum, 0, c, sum[c], U * (n + 1) * sizes + errors);
            near(k, "affine_backward, product", &t->product, 0, c, product[c],
                 U * (n + 2) * spread + spread_errors);
        }
    }
}

static void affine_case(const struct dd_kernels *k, const struct dd_kernels *ref, struct affine_case t,
                        size_t gap, size_t pixels, enum values values)
{
    size_t c = t.channels;
    t.x = plane(0, pixels, c, c + gap, values);
    t.du = plane(1, pixels, c, c + gap / 2, ORDINARY);
    t.dx = plane(2, pixels, c, c + gap % 3, ORDINARY);
    t.scale = vector(3, c), t.shift = vector(4, c), t.pivot = vector(5, c), t.sum = vector(6, c),
    t.product = vector(7, c);

    struct plane before = plane_copy(8, &t.dx), want = plane_copy(9, &t.dx);
    float sum[131], product[131], moved_sum[131], moved_product[131];
    affine_call(ref, &t, &want, &t.du, 0, sum, product);
    affine_call(k, &t, &t.dx, &t.du, 0, t.sum.at, t.product.at);

    plane_check(&t.dx, "affine_backward"), plane_check(&t.sum, "affine_backward"),
        plane_check(&t.product, "affine_backward");
    affine_check(k, ref, &t, &before, &want, sum, product);

    if (!c)
        return;
    /* Repeats the call without the first channel, and over du itself where nothing is added. */
    affine_call(k, &t, t.add ? &before : &t.du, &t.du, 1, moved_sum, moved_product);
    struct plane moved = shifted(t.add ? &before : &t.du), all = shifted(&t.dx);
    same(k, "affine_backward", &moved, &all);

    /* The sums have the same bits, except for those of a NaN. */
    for (size_t i = 1; t.sums && i < c; i++)
        CHECK((!memcmp(moved_sum + i - 1, t.sum.at + i, 4) &&
               !memcmp(moved_product + i - 1, t.product.at + i, 4)) ||
              isnan(t.product.at[i]));
}

void check_affine_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
        for (size_t i = 0; i < SIZES; i++)
            for (int flags = 0; flags < 6; flags++) {
                struct affine_case t = { .channels = size_of(i),
                                         .act = act,
                                         .add = flags % 2,
                                         .sums = flags / 2 == 2,
                                         .scaled = flags > 1 };
                affine_case(k, ref, t, i % 6, i % 7 == 3 ? 64 : PIXELS, i % 2 ? SPECIAL : ORDINARY);
            }
}

/* Arguments from -93 to 93 in steps of 0.0093 with du = 1 give act' itself. */
TEST(kernel_slopes, over_the_whole_range)
{
    enum { N = 20001 };

    static const unsigned masks[] = { 0, DD_CPU_AVX2, DD_CPU_AVX2 | DD_CPU_AVX512, DD_CPU_NEON };
    struct dd_kernels ref, k;
    dd_kernels_init(&ref, 0);
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++)
        for (int act = DD_ACT_NONE; (masks[m] & dd_cpu_detect()) == masks[m] && act <= DD_ACT_MISH; act++) {
            struct plane x = vector(0, N), one = vector(1, N), y = vector(2, N), want = vector(3, N);
            dd_kernels_init(&k, masks[m]);
            for (int i = 0; i < N; i++) {
                x.at[i] = (float)((i - N / 2) * 0.0093 + 0.001 * random_value());
                one.at[i] = 1;
            }
            const struct dd_affine_terms terms = { .act = act };
            k.affine_backward(plane_grad_out(&y, 0), NULL, plane_in(&one), plane_in(&x), &terms, 1, N);
            ref.affine_backward(plane_grad_out(&want, 0), NULL, plane_in(&one), plane_in(&x), &terms, 1, N);
            for (size_t i = 0; i < N; i++)
                near(&k, "slope", &y, 0, i, want.at[i], slope_bound(act, 1, want.at[i], 0));
        }
}

void check_affine_add(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t c = size_of(i);
        struct plane x = plane(0, PIXELS, c, c + i % 4, i % 2 ? SPECIAL : ORDINARY),
                     y = plane(1, PIXELS, c, c + i % 3, ORDINARY);
        struct plane before = plane_copy(2, &y), want = plane_copy(3, &y), scale = vector(4, c),
                     shift = vector(5, c);

        k->affine_add(plane_out(&y), plane_in(&x), scale.at, shift.at, PIXELS, c);
        ref->affine_add(plane_out(&want), plane_in(&x), scale.at, shift.at, PIXELS, c);
        plane_check(&y, "affine_add");

        for (size_t p = 0; p < PIXELS; p++)
            for (size_t j = 0; j < c; j++) {
                double w = *plane_at(&want, p, j),
                       a = (double)*plane_at(&x, p, j) * scale.at[j] + shift.at[j];
                near(k, "affine_add", &y, p, j, w, U * (fabs(a) + 2 * fabs(w)));
            }

        if (!c)
            continue;
        k->affine_add(dd_out(before.at + 1, before.stride), dd_in(x.at + 1, x.stride), scale.at + 1,
                      shift.at + 1, PIXELS, c - 1);
        struct plane moved = shifted(&before), all = shifted(&y);
        same(k, "affine_add", &moved, &all);
    }
}

void check_sums(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t c = size_of(i), n = i % 3 ? i + 1 : 64;
        struct plane x = plane(0, n, c, c + i % 4, i % 2 ? SPECIAL : ORDINARY), sum = vector(1, c),
                     want = vector(2, c), moved = vector(3, c);

        k->sums(sum.at, plane_in(&x), n, c);
        ref->sums(want.at, plane_in(&x), n, c);
        plane_check(&sum, "sums");

        for (size_t j = 0; j < c; j++) {
            double size = 0;
            for (size_t p = 0; p < n; p++)
                size += fabs(*plane_at(&x, p, j));
            near(k, "sums", &sum, 0, j, want.at[j], U * (double)(n + 1) * size);
        }

        if (!c)
            continue;
        k->sums(moved.at + 1, dd_in(x.at + 1, x.stride), n, c - 1);
        struct plane part = shifted(&moved), all = shifted(&sum);
        same(k, "sums", &part, &all);
    }
}

struct rms_case {
    size_t channels;
    int add, scaled;
    enum dd_act act;
    struct plane x, dy, dx, gain, emb, row, sum, product;
};

/* The numbers that the bounds of kernels.def are made of, for one pixel. */
struct rms_sizes {
    double n[131], h[131], t[131], e[131], error[131], norm, along, along_error;
};

static void rms_sizes_of(const struct dd_kernels *ref, const struct rms_case *t, size_t p,
                         struct rms_sizes *s)
{
    double square = 0, r = U * (((double)t->channels / 4 + 4) / 2 + 5);
    for (size_t c = 0; c < t->channels; c++)
        square += (double)*plane_at(&t->x, p, c) * *plane_at(&t->x, p, c);
    s->norm = fmax(sqrt(square), 1e-12);

    s->along = s->along_error = 0;

    for (size_t c = 0; c < t->channels; c++) {
        double a = t->gain.at[c] * (t->scaled ? 1.0 + t->emb.at[c] : 1),
               b = t->scaled ? t->emb.at[t->channels + c] : 0;
        s->n[c] = *plane_at(&t->x, p, c) / s->norm;
        s->h[c] = slope_ref(ref, *plane_at(&t->dy, p, c), s->n[c] * a + b, t->act);
        s->t[c] = s->h[c] * a;

        /* The error of the argument of act', then those of act' and of the product. */
        double d = r * fabs(s->n[c] * a) + 3 * U * (fabs(s->n[c] * a) + fabs(b));
        s->e[c] = slope_bound(t->act, *plane_at(&t->dy, p, c), s->h[c], d);
        s->error[c] = (s->e[c] + 3 * U * fabs(s->h[c])) * fabs(a);
        s->along += sqrt(square) < 1e-12 ? 0 : fabs(s->n[c] * s->t[c]);
        s->along_error += sqrt(square) < 1e-12 ? 0 : fabs(s->n[c]) * s->error[c];
    }
}

static void rms_check(const struct dd_kernels *k, const struct dd_kernels *ref, const struct rms_case *t,
                      const struct plane *before, const struct plane *want, const float *sum,
                      const float *product)
{
    static struct rms_sizes s;
    double size[131] = { 0 }, error[131] = { 0 }, most[131] = { 0 }, most_error[131] = { 0 },
           n = (double)t->x.pixels;
    double r = U * (((double)t->channels / 4 + 4) / 2 + 5), additions = U * ((double)t->channels / 4 + 9);

    for (size_t p = 0; p < t->x.pixels; p++) {
        rms_sizes_of(ref, t, p, &s);
        for (size_t c = 0; c < t->channels; c++) {
            double w = *plane_at(want, p, c), m = fabs(s.n[c]), k0 = m * s.along;
            double d = (s.error[c] + m * s.along_error + r * (fabs(s.t[c]) + 4 * k0) +
                        additions * (k0 + fabs(s.t[c]))) /
                       s.norm;

            near(k, "rms_backward", &t->dx, p, c, w,
                 d + U * fabs(w) + (t->add ? U * (fabs(w) + fabs(*plane_at(before, p, c))) : 0));

            size[c] += fabs(s.h[c]), error[c] += s.e[c];
            most[c] += fabs(s.h[c] * s.n[c]), most_error[c] += m * (s.e[c] + (r + 2 * U) * fabs(s.h[c]));
        }
    }

    for (size_t c = 0; c < t->channels; c++) {
        near(k, "rms_backward, sum", &t->sum, 0, c, sum[c], U * (n + 1) * size[c] + error[c]);
        near(k, "rms_backward, product", &t->product, 0, c, product[c],
             U * (n + 1) * most[c] + most_error[c]);
    }
}

static void rms_call(const struct dd_kernels *k, const struct rms_case *t, const struct plane *dx,
                     const struct plane *dy, float *sum, float *product)
{
    const struct dd_rms_sums sums = { sum, product, t->row.at };
    const struct dd_rms_terms terms = { t->gain.at, t->scaled ? t->emb.at : NULL, t->emb.at + t->channels,
                                        t->act };
    k->rms_backward(plane_grad_out(dx, t->add), &sums, plane_in(dy), plane_in(&t->x), &terms, t->x.pixels,
                    t->channels);
}

/* x is ordinary, since an infinity would make every channel of its pixel a NaN. */
static void rms_case(const struct dd_kernels *k, const struct dd_kernels *ref, struct rms_case t, size_t gap,
                     size_t pixels)
{
    size_t c = t.channels;
    t.x = plane(0, pixels, c, c + gap, ORDINARY);
    t.dy = plane(1, pixels, c, c + gap / 2, ORDINARY);
    t.dx = plane(2, pixels, c, c + gap % 3, ORDINARY);
    t.gain = vector(3, c), t.emb = vector(4, 2 * c), t.row = vector(5, c), t.sum = vector(6, c),
    t.product = vector(7, c);

    if (c)
        memset(plane_at(&t.x, 1, 0), 0, c * sizeof(float)); /* the norm is 0: 1e-12 takes its place */
    struct plane before = plane_copy(8, &t.dx), want = plane_copy(9, &t.dx);
    float sum[131], product[131];

    rms_call(ref, &t, &want, &t.dy, sum, product);
    rms_call(k, &t, &t.dx, &t.dy, t.sum.at, t.product.at);

    plane_check(&t.dx, "rms_backward"), plane_check(&t.sum, "rms_backward"),
        plane_check(&t.product, "rms_backward");
    plane_check(&t.row, "rms_backward");
    rms_check(k, ref, &t, &before, &want, sum, product);

    if (!t.add) {
        /* dx may take the place of dy. */
        rms_call(k, &t, &t.dy, &t.dy, sum, product);
        same(k, "rms_backward", &t.dy, &t.dx);
    }
}

void check_rms_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int act = DD_ACT_NONE; act <= DD_ACT_MISH; act++)
            for (int flags = 0; flags < 4; flags++)
                rms_case(k, ref,
                         (struct rms_case){
                             .channels = size_of(i), .act = act, .add = flags % 2, .scaled = flags / 2 },
                         i % 6, i % 7 == 3 ? 64 : PIXELS);
}

void check_softmax_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const size_t large[] = { 1023, 4100 };
    for (size_t i = 0; i < 73; i++) {
        size_t n = i < 71 ? i : large[i - 71];
        struct plane y = plane(0, 3, n, n + i % 4, ORDINARY),
                     d = plane(1, 3, n, n + i % 3, i % 2 ? ORDINARY : SPECIAL);
        struct plane before = plane_copy(2, &d), want = plane_copy(3, &d),
                     other = plane(4, 3, n, n + 1, ORDINARY);

        /* This makes y a softmax: positive, with sum 1. */
        ref->softmax(plane_out(&y), 0.5f, 3, n);
        for (size_t r = 0; r < 3; r++)
            memcpy(plane_at(&other, r, 0), plane_at(&d, r, 0), n * sizeof(float));

        k->softmax_backward(plane_out(&d), plane_in(&y), 0.7f, 3, n);
        ref->softmax_backward(plane_out(&want), plane_in(&y), 0.7f, 3, n);
        k->softmax_backward(plane_out(&other), plane_in(&y), 0.7f, 3, n);

        plane_check(&d, "softmax_backward");

        for (size_t r = 0; r < 3; r++) {
            double size = 0, sum = 0, additions = (n < 64 ? (double)n : 64) + (double)n / 64 + 5;
            for (size_t j = 0; j < n; j++) {
                sum += (double)*plane_at(&y, r, j) * *plane_at(&before, r, j);
                size += fabs(*plane_at(&y, r, j) * *plane_at(&before, r, j));
            }

            for (size_t j = 0; j < n; j++) {
                double w = *plane_at(&want, r, j),
                       inner = U * (additions * size + 3 * (fabs(*plane_at(&before, r, j)) + fabs(sum)));
                near(k, "softmax_backward", &d, r, j, w, 0.7 * *plane_at(&y, r, j) * inner + U * fabs(w));
            }
        }

        same(k, "softmax_backward", &other, &d);
    }
}

/* The bound is 2 u of sum |dy|, and one more u for adding to what is there; the reference has 1 u. */
void check_upsample_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t i = 0; i < 2 * SIZES; i++) {
        size_t c = size_of(i / 2), h = 1 + i % 3, w = 1 + i % 4;
        struct plane dy = plane(0, 4 * h * w, c, c + i % 4, ORDINARY),
                     dx = plane(1, h * w, c, c + i % 3, ORDINARY), want = plane_copy(2, &dx);
        k->upsample_backward(plane_grad_out(&dx, i % 2), plane_in(&dy), h, w, c);
        ref->upsample_backward(plane_grad_out(&want, i % 2), plane_in(&dy), h, w, c);
        plane_check(&dx, "upsample_backward");
        for (size_t p = 0; p < h * w; p++)
            for (size_t j = 0; j < c; j++) {
                const float *q = plane_at(&dy, p / w * 4 * w + p % w * 2, j);
                double size = fabs(q[0]) + fabs(q[dy.stride]) + fabs(q[2 * w * dy.stride]) +
                              fabs(q[(2 * w + 1) * dy.stride]);
                near(k, "upsample_backward", &dx, p, j, *plane_at(&want, p, j),
                     U * (2 * size + 2 * fabs(*plane_at(&want, p, j))));
            }
    }
}

typedef void move_backward(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels);

/* The gradient of each element is that of one element of dy times 1/4 or 1, and at most one sum is
   rounded. So the bits are those of the definition. */
static void move_case(const struct dd_kernels *k, const char *name, move_backward *run, size_t i,
                      int shuffled)
{
    size_t c = size_of(i / 2), h = 1 + i % 5, w = 1 + i % 7, wide = shuffled ? 4 * c : c;
    struct plane dy = plane(0, (h / 2) * (w / 2), wide, wide + i % 4, ORDINARY),
                 dx = plane(1, h * w, c, c + i % 3, ORDINARY);
    struct plane want = plane_copy(2, &dx);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t j = 0; j < c; j++) {
                float d = 0, *to = plane_at(&want, y * w + x, j);
                if (y / 2 < h / 2 && x / 2 < w / 2)
                    d = *plane_at(&dy, y / 2 * (w / 2) + x / 2, shuffled ? j * 4 + y % 2 * 2 + x % 2 : j) *
                        (shuffled ? 1 : 0.25f);
                *to = i % 2 ? *to + d : d;
            }
    run(plane_grad_out(&dx, i % 2), plane_in(&dy), h, w, c);
    plane_check(&dx, name);
    same(k, name, &dx, &want);
}

void check_avgpool_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t i = 0; i < 2 * SIZES; i++)
        move_case(k, "avgpool_backward", k->avgpool_backward, i, 0);
}

void check_unshuffle_backward(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t i = 0; i < 2 * SIZES; i++)
        move_case(k, "unshuffle_backward", k->unshuffle_backward, i, 1);
}
