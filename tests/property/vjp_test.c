/* A network with its vector-Jacobian product: w^T J z is the difference of w^T p along z, and no bit depends
   on batch or threads. */
#include "tests/check.h"
#include "tests/small_nets.h"

enum { N = 3 };

/* The arguments of a call for a small network; the images have different steps. */
struct subject {
    ddpm_model *m;
    struct small_batch b;
    size_t d;
    double *x, *t, *w, *p, *product;
};

static int subject_create(struct subject *s, const char *name)
{
    *s = (struct subject){ .m = small_net_create(name) };
    if (!s->m)
        return 0;
    s->b = small_batch_create(s->m, N);
    s->d = s->b.in;
    s->x = malloc(5 * N * s->d * sizeof *s->x);
    s->t = s->x + N * s->d;
    s->w = s->t + N * s->d;
    s->p = s->w + N * s->d;
    s->product = s->p + N * s->d;
    for (size_t e = 0; e < N * s->d; e++) {
        s->x[e] = (double)s->b.x[e];
        s->w[e] = e * e % 7 < 3 ? -1 : 1;
    }
    for (int i = 0; i < N; i++)
        s->t[i] = i + 0.25;
    return 1;
}

static void subject_free(struct subject *s)
{
    ddpm_model_close(s->m);
    small_batch_free(&s->b);
    free(s->x);
}

static void run(struct subject *s, int batch, int threads, double *p, double *product)
{
    ddpm_vjp *v;
    ddpm_error err = { 0 };
    REQUIRE(!ddpm_vjp_create(&v, s->m, &(ddpm_net_options){ .batch = batch, .threads = threads }, &err));
    CHECK(ddpm_vjp_describe(v)->engine_class[0]);
    if (ddpm_vjp_run(v, p, product, s->x, s->t, s->w, s->b.classes, N, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_vjp_free(v);
}

TEST(vjp, has_the_same_bits_whatever_batch_and_threads)
{
    for (const struct small_net *net = small_nets; net->name; net++) {
        struct subject s;
        REQUIRE(subject_create(&s, net->name));
        double *p = malloc(2 * N * s.d * sizeof *p), *product = p + N * s.d;
        run(&s, N, 1, s.p, s.product);
        for (int k = 0; k < 3; k++) {
            run(&s, k + 1, k + 1, p, product);
            CHECK(!memcmp(p, s.p, N * s.d * sizeof *p));
            CHECK(!memcmp(product, s.product, N * s.d * sizeof *p));
        }
        free(p);
        subject_free(&s);
    }
}

/* Returns w^T p of image 0 at x + h z, by the network for sampling. */
static double sum_at(struct subject *s, ddpm_net *net, const double *z, double h)
{
    const ddpm_about *a = ddpm_model_about(s->m);
    size_t outs = s->d / (size_t)a->channels * (size_t)a->outputs;
    double *x = malloc((s->d + outs) * sizeof *x), *out = x + s->d, sum = 0;
    for (size_t e = 0; e < s->d; e++)
        x[e] = s->x[e] + h * z[e];
    CHECK(!ddpm_net_eps(net, out, x, s->t[0], s->b.classes, 1, NULL));
    for (size_t e = 0; e < s->d; e++)
        sum += s->w[e] * out[e];
    free(x);
    return sum;
}

/* Along z = J^T w / |J^T w| the slope is |J^T w|. The difference is off by what its own halving changes, and
   by rounding, which is that of gradient_test.c: 5.5e-6 of the norm of p, at random, five times over. */
TEST(vjp, is_the_slope_of_the_prediction)
{
    const double h = 0x1p-7;
    for (const struct small_net *small = small_nets; small->name; small++) {
        struct subject s;
        ddpm_net *net;
        REQUIRE(subject_create(&s, small->name) && !ddpm_net_create(&net, s.m, NULL, NULL));
        run(&s, N, 2, s.p, s.product);

        double length = 0, size = 0;
        for (size_t e = 0; e < s.d; e++) {
            length += s.product[e] * s.product[e];
            size += s.p[e] * s.p[e];
        }
        length = sqrt(length);
        double *z = malloc(s.d * sizeof *z);
        for (size_t e = 0; e < s.d; e++)
            z[e] = s.product[e] / length;
        double wide = (sum_at(&s, net, z, h) - sum_at(&s, net, z, -h)) / (2 * h);
        double near = (sum_at(&s, net, z, h / 2) - sum_at(&s, net, z, -h / 2)) / h;
        CHECK_NEAR((4 * near - wide) / 3, length, fabs(wide - near) + 5 * 1.9 * 5.5e-6 * sqrt(size) / h);

        free(z);
        ddpm_net_free(net);
        subject_free(&s);
    }
}

TEST(vjp, refuses_classes_that_do_not_fit)
{
    struct subject s;
    ddpm_vjp *v;
    ddpm_error err;
    const int32_t class = 0;
    REQUIRE(subject_create(&s, "plain") && !ddpm_vjp_create(&v, s.m, NULL, NULL));
    CHECK(ddpm_vjp_run(v, s.p, s.product, s.x, s.t, s.w, &class, 1, &err) == DDPM_EUSAGE);
    CHECK(ddpm_vjp_run(v, s.p, s.product, s.x, s.t, s.w, NULL, -1, &err) == DDPM_EUSAGE);
    s.x[s.d] = INFINITY;
    CHECK(ddpm_vjp_run(v, s.p, s.product, s.x, s.t, s.w, NULL, N, &err) == DDPM_ENAN &&
          strstr(err.text, "image 1 of the batch"));
    ddpm_vjp_free(v);
    subject_free(&s);
}
