/* Gradients of whole networks against what every gradient must fulfil. Derivatives along directions
   are differences of the loss. The gradient of a batch is the sum of those of its images. No bit
   depends on threads. */
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/small_nets.h"

enum { BATCH = 3, DIRECTIONS = 3 };

/* The share of a norm that PyTorch's float32 loses on the networks of golden/gradients.c, which are
   like these: make_gradients.py finds at most 5.5e-6 of the output's norm and 2.3e-5 of a
   gradient's. */
static const double OUTPUT = 5.5e-6, GRADIENT = 2.3e-5;

/* A small network in training and a batch for it. The loss is the sum of dout * out. */
struct subject {
    ddpm_model *m;
    struct dd_gradient *g;
    struct small_batch b;
    float *dout, *dx;
    struct dd_dropout masks;
    struct dd_slice s;
};

static int subject_create(struct subject *t, const char *name, int batch, int threads, double dropout)
{
    ddpm_error err = { 0, "" };
    *t = (struct subject){ .m = small_net_create(name), .masks = { 77, 5 } };
    if (!t->m || dd_gradient_create(&t->g, t->m, &(ddpm_net_options){ .batch = batch, .threads = threads },
                                    dropout, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", name, err.text);
        return 0;
    }

    t->b = small_batch_create(t->m, BATCH);
    t->dout = malloc(BATCH * t->b.outs * sizeof *t->dout);
    t->dx = malloc(BATCH * t->b.in * sizeof *t->dx);
    for (size_t i = 0; i < BATCH * t->b.outs; i++)
        t->dout[i] = sinf((float)(i * i % 9973));

    t->s = (struct dd_slice){ .out = t->b.out,
                              .x = t->b.x,
                              .t = t->b.t,
                              .classes = t->b.classes,
                              .n = BATCH,
                              .masks = &t->masks,
                              .dout = t->dout,
                              .dx = t->dx };

    return 1;
}

static void subject_free(struct subject *t)
{
    dd_gradient_free(t->g);
    ddpm_model_close(t->m);
    small_batch_free(&t->b);
    free(t->dout);
    free(t->dx);
}

static void both(struct subject *t)
{
    memset(dd_gradient_sums(t->g), 0, dd_gradient_count(t->g) * sizeof(float));
    dd_gradient_forward(t->g, &t->s);
    dd_gradient_backward(t->g, &t->s);
}

static double norm(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* Sets v = +- g / |g| and returns the derivative along it, +- |g|. */
static double direct(float *v, const float *g, size_t n, unsigned *random)
{
    double length = norm(g, n);
    *random = *random * 1664525u + 1013904223u;
    float scale = (float)((*random >> 31 ? 1 : -1) / (length > 0 ? length : 1));
    for (size_t i = 0; i < n; i++)
        v[i] = scale * g[i];
    return scale < 0 ? -length : length;
}

/* Returns the loss at (w, x) + h (v, vx). */
static double loss_at(struct subject *t, const float *w, const float *v, const float *x, const float *vx,
                      double h)
{
    size_t n = dd_gradient_count(t->g);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        dd_gradient_weights(t->g)[i] = (float)(w[i] + h * v[i]);
    for (size_t i = 0; i < BATCH * t->b.in; i++)
        t->b.x[i] = (float)(x[i] + h * vx[i]);
    dd_gradient_pack(t->g);
    dd_gradient_forward(t->g, &t->s);
    for (size_t i = 0; i < BATCH * t->b.outs; i++)
        sum += (double)t->dout[i] * t->b.out[i];
    return sum;
}

static double slope(struct subject *t, const float *w, const float *v, const float *x, const float *vx,
                    double h)
{
    return (loss_at(t, w, v, x, vx, h) - loss_at(t, w, v, x, vx, -h)) / (2 * h);
}

/* In each direction every tensor of weights, and x, moves by h along or against its own gradient.
   The central difference D(h) is off by c h^2 + O(h^4), so (4 D(h/2) - D(h)) / 3 is off by less than
   |D(h) - D(h/2)|.

   Rounding comes on top. The output of such networks is good to OUTPUT of its norm, at random, so
   the loss is good to s = OUTPUT |out| |dout| / sqrt(outs). The four losses in the quotient make
   sqrt(2 (4/3)^2 + 2 (1/6)^2) s / h = 1.9 s / h of that, and five times as much is allowed. */
static void check_slopes(const char *name, double dropout)
{
    struct subject t;
    unsigned random = 1;
    const double h = 0x1p-9;
    REQUIRE(subject_create(&t, name, BATCH, 2, dropout));
    both(&t);

    size_t n = dd_gradient_count(t.g), in = BATCH * t.b.in, outs = BATCH * t.b.outs;
    float *w = malloc(n * sizeof *w), *v = malloc(n * sizeof *v), *x = malloc(in * sizeof *x),
          *vx = malloc(in * sizeof *vx);
    memcpy(w, dd_gradient_weights(t.g), n * sizeof *w);
    memcpy(x, t.b.x, in * sizeof *x);
    double rounding = 5 * 1.9 * OUTPUT * norm(t.dout, outs) * norm(t.b.out, outs) / sqrt((double)outs) / h;

    for (int k = 0; k < DIRECTIONS; k++) {
        double want = direct(vx, t.dx, in, &random);
        for (int i = 0; i < t.m->program.params; i++) {
            size_t at = dd_gradient_offset(t.g, i);
            if (at != SIZE_MAX)
                want +=
                    direct(v + at, dd_gradient_sums(t.g) + at, (size_t)t.m->program.param[i].count, &random);
        }

        double wide = slope(&t, w, v, x, vx, h), near = slope(&t, w, v, x, vx, h / 2);
        CHECK_NEAR((4 * near - wide) / 3, want, fabs(wide - near) + rounding);
    }

    free(w);
    free(v);
    free(x);
    free(vx);
    subject_free(&t);
}

TEST(property, gradients_are_slopes)
{
    for (const struct small_net *s = small_nets; s->name; s++)
        check_slopes(s->name, 0);
}

TEST(property, gradients_are_slopes_under_dropout)
{
    check_slopes("turns", 0.3);
    check_slopes("plain", 0.3);
    check_slopes("lucid", 0.3);
}

TEST(property, gradients_have_the_same_bits_whatever_the_threads)
{
    for (const struct small_net *s = small_nets; s->name; s++) {
        struct subject one, other;
        REQUIRE(subject_create(&one, s->name, BATCH, 1, 0.25));
        both(&one);
        for (int threads = 2; threads <= 3; threads++) {
            REQUIRE(subject_create(&other, s->name, BATCH, threads, 0.25));
            both(&other);
            CHECK(!memcmp(one.b.out, other.b.out, BATCH * one.b.outs * sizeof(float)));
            CHECK(!memcmp(one.dx, other.dx, BATCH * one.b.in * sizeof(float)));
            CHECK(!memcmp(dd_gradient_sums(one.g), dd_gradient_sums(other.g),
                          dd_gradient_count(one.g) * sizeof(float)));
            subject_free(&other);
        }
        subject_free(&one);
    }
}

/* The gradients of one image after the other add up to that of the batch, within what float32 loses
   of either; those by x have the same bits. Where the terms of a gradient cancel (the keys' bias),
   their rounding is left, about sqrt(n) u of what is added, for n pixels in all images. */
TEST(property, gradients_of_images_add_up)
{
    struct subject all, one;
    REQUIRE(subject_create(&all, "turns", BATCH, 2, 0.25) && subject_create(&one, "turns", BATCH, 2, 0.25));
    both(&all);

    for (int i = 0; i < BATCH; i++) {
        struct dd_dropout masks = { all.masks.seed, all.masks.first + (uint64_t)i };
        size_t x = (size_t)i * one.b.in, out = (size_t)i * one.b.outs;
        struct dd_slice s = { .out = one.b.out + out,
                              .x = one.b.x + x,
                              .t = one.b.t + i,
                              .classes = one.b.classes + i,
                              .n = 1,
                              .masks = &masks,
                              .dout = one.dout + out,
                              .dx = one.dx + x };
        dd_gradient_forward(one.g, &s);
        dd_gradient_backward(one.g, &s);
    }

    CHECK(!memcmp(all.b.out, one.b.out, BATCH * all.b.outs * sizeof(float)));
    CHECK(!memcmp(all.dx, one.dx, BATCH * all.b.in * sizeof(float)));
    double whole = norm(dd_gradient_sums(all.g), dd_gradient_count(all.g));

    /* The sums may differ by rounding, so each tensor's difference is compared. */
    for (int i = 0; i < all.m->program.params; i++) {
        size_t at = dd_gradient_offset(all.g, i), n = (size_t)all.m->program.param[i].count;
        if (at == SIZE_MAX)
            continue;
        float *a = dd_gradient_sums(all.g) + at, *b = dd_gradient_sums(one.g) + at;
        double length = norm(a, n);
        for (size_t k = 0; k < n; k++)
            b[k] -= a[k];
        if (!(norm(b, n) <= 2 * GRADIENT * length + sqrt(3 * 20 * 12) * 0x1p-24 * whole))
            check_fail(__FILE__, __LINE__, "%s: %g of %g", all.m->program.param[i].name, norm(b, n), length);
    }

    subject_free(&all);
    subject_free(&one);
}
