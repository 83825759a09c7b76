/* The likelihood by the ODE against densities in closed form. The data are mixtures of two Gaussians, whose
   eps and its derivative are known at every alpha_bar, and so is the density at the first step. */
#include <stdbool.h>
#include "tests/check.h"
#include "tests/unit/alloc.h"

enum { T = 40, D = 5 };

/* ln(s / a) is linear in t. At its end a is 1e-7, so x_T is N(0, 1) but for 1e-7 of a mean of at most 1: this
   moves no log-density by more than 1e-6. */
static const double FROM = -4.5, TO = 16;

static ddpm_chain *chain_create(void)
{
    double t[T], alpha_bar[T];
    ddpm_chain *c = NULL;
    for (int i = 0; i < T; i++) {
        t[i] = i;
        alpha_bar[i] = 1 / (1 + exp(2 * (FROM + (TO - FROM) * i / (T - 1))));
    }
    CHECK(!ddpm_chain_create(&c, T, t, alpha_bar, NULL));
    return c;
}

/* ---- each element has a mixture of its own ---- */

struct density {
    double ln, score, slope; /* ln p, its first and its second derivative */
};

/* Returns the density of element e at x, noised to a and s. */
static struct density element(int e, double x, double a, double s)
{
    double weight[2] = { 0.3, 0.7 }, mean[2] = { -0.8 + 0.1 * e, 0.5 },
           variance[2] = { 0.02, 0.01 + 0.03 * e };
    double p = 0, first = 0, second = 0;
    for (int k = 0; k < 2; k++) {
        double v = a * a * variance[k] + s * s, away = x - a * mean[k];
        double here = weight[k] * exp(-away * away / (2 * v)) / sqrt(2 * M_PI * v);
        p += here;
        first -= here * away / v;
        second += here * (away * away / v - 1) / v;
    }
    return (struct density){ log(p), first / p, second / p - first / p * (first / p) };
}

/* A network that is a formula, and what its callers asked it. */
struct formula {
    int prediction, calls, images, bad; /* image `bad` of the first call is NaN; -1: none */
    double first[D];                    /* the first x that came */
};

/* Turns eps and its derivative j into those of the prediction. */
static void turn(int prediction, double *eps, double *j, double x, double a, double s)
{
    if (prediction == DDPM_X0) {
        *eps = (x - s * *eps) / a;
        *j = (1 - s * *j) / a;
    } else if (prediction == DDPM_V) {
        *eps = (*eps - s * x) / a;
        *j = (*j - s) / a;
    }
}

static int product_vjp(void *user, double *p, double *product, const double *x, const double *t,
                       const double *w, const int32_t *classes, int n, ddpm_error *err)
{
    struct formula *f = user;
    (void)classes;
    for (int e = 0; e < D && !f->calls; e++)
        f->first[e] = x[e];
    f->calls++;
    f->images += n;

    for (int i = 0; i < n; i++) {
        double tau = FROM + (TO - FROM) * t[i] / (T - 1);
        double a = 1 / sqrt(1 + exp(2 * tau)), s = 1 / sqrt(1 + exp(-2 * tau));
        for (int e = 0; e < D; e++) {
            int at = i * D + e;
            struct density q = element(e, x[at], a, s);
            double eps = -s * q.score, j = -s * q.slope;
            turn(f->prediction, &eps, &j, x[at], a, s);
            p[at] = f->calls == 1 && i == f->bad ? NAN : eps;
            product[at] = j * w[at];
        }
    }
    (void)err;
    return DDPM_OK;
}

/* Measures n images, and returns whether nothing failed. */
static bool measure(ddpm_likelihood_image *found, const ddpm_likelihood_options *o, const double *x0,
                    const uint32_t *index, int n, size_t d)
{
    ddpm_chain *c = chain_create();
    ddpm_likelihood *l = NULL;
    ddpm_error err = { 0 };
    bool good = !ddpm_likelihood_create(&l, c, o, d, n, &err) &&
                !ddpm_likelihood_start(l, x0, index, NULL, n, &err) && ddpm_likelihood_left(l) == 1;
    while (good && ddpm_likelihood_left(l) > 0)
        good = !ddpm_likelihood_step(l, &err);
    for (int i = 0; i < n && good; i++)
        found[i] = *ddpm_likelihood_read(l, i);
    if (!good)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_likelihood_free(l);
    ddpm_chain_free(c);
    return good;
}

static ddpm_likelihood_options options_of(struct formula *f)
{
    const ddpm_about a = { .prediction = f->prediction };
    ddpm_likelihood_options o;
    ddpm_likelihood_defaults(&o, &a);
    o.levels = 0;
    o.vjp = product_vjp;
    o.vjp_user = f;
    return o;
}

static const double points[3 * D] = {
    -0.9, 0.4, 0.1, 0.6, -0.2, 0.5, 0.5, 0.5, 0.5, 0.5, -1, 1, -0.3, 0, 0.7
};
static const uint32_t indices[3] = { 4, 0, 9 };

/* Returns the exact bits per dimension of a point at the first step. */
static double exact_bits(const double *x)
{
    double tau = FROM, sum = 0;
    for (int e = 0; e < D; e++)
        sum += element(e, x[e], 1 / sqrt(1 + exp(2 * tau)), 1 / sqrt(1 + exp(-2 * tau))).ln;
    return -sum / D / log(2);
}

/* The derivative is diagonal, so one probe of -1 and 1 gives the trace itself. A step may be wrong by its
   tolerance, in x and in nats, and there are at most 200 of them; an error of x moves ln p by its score,
   below 20 here. */
TEST(likelihood, is_the_density_of_a_mixture)
{
    for (int prediction = DDPM_EPS; prediction <= DDPM_V; prediction++) {
        struct formula f = { .prediction = prediction, .bad = -1 };
        ddpm_likelihood_options o = options_of(&f);
        ddpm_likelihood_image found[3];
        o.tolerance = 1e-7;
        REQUIRE(measure(found, &o, points, indices, 3, D));

        for (int i = 0; i < 3; i++) {
            CHECK_NEAR(found[i].total, exact_bits(points + i * D), 200 * 21e-7 + 1e-6);
            CHECK_NEAR(found[i].total, found[i].prior + found[i].change, 1e-12);
            CHECK(found[i].dequantisation == 0 && !found[i].lost && found[i].calls < 6 * 200);
        }
    }
}

/* eps = g x with s g = A exp(-((tau - middle) / WIDE)^2), a peak within the first step that is tried. */
enum { A = 20 };

static const double WIDE = 0.05, MIDDLE = -4.34;

static int peak_vjp(void *user, double *p, double *product, const double *x, const double *t, const double *w,
                    const int32_t *classes, int n, ddpm_error *err)
{
    (void)user;
    (void)classes;
    (void)err;
    for (int i = 0; i < n; i++) {
        double tau = FROM + (TO - FROM) * t[i] / (T - 1), away = (tau - MIDDLE) / WIDE;
        double g = A * exp(-away * away) * sqrt(1 + exp(-2 * tau));
        p[i] = g * x[i];
        product[i] = g * w[i];
    }
    return DDPM_OK;
}

/* A step over the peak is refused and tried again shorter.  The integral of s g - s^2 is known, and x_T is 0
   but for 1e-7; each of at most 200 steps may be wrong by 1e-6 nats. */
TEST(likelihood, steps_that_are_wrong_are_taken_again)
{
    struct formula f = { .prediction = DDPM_EPS };
    ddpm_likelihood_options o = options_of(&f);
    ddpm_likelihood_image found;
    const double x0 = 0.3, half = MIDDLE - FROM;
    double gained = A * WIDE * sqrt(M_PI) / 2 * (erf(half / WIDE) + erf((TO - MIDDLE) / WIDE));
    double lost = (log1p(exp(2 * TO)) - log1p(exp(2 * FROM))) / 2;
    o.tolerance = 1e-6;
    o.vjp = peak_vjp;
    REQUIRE(measure(&found, &o, &x0, indices, 1, 1));

    CHECK_NEAR(found.total * log(2), log(2 * M_PI) / 2 - gained + lost, 200e-6);
    CHECK(found.calls < 6 * 200);
}

/* Steps of equal length have order 5: half of the length makes the error 32 times smaller. Half of that is
   asked for, as the kinks of the clock and the rounding count too. */
TEST(likelihood, has_order_5_in_equal_steps)
{
    double error[2];
    for (int k = 0; k < 2; k++) {
        struct formula f = { .prediction = DDPM_EPS, .bad = -1 };
        ddpm_likelihood_options o = options_of(&f);
        ddpm_likelihood_image found[3];
        o.steps = k ? 40 : 20;
        REQUIRE(measure(found, &o, points, indices, 3, D));
        CHECK(found[0].calls == 6 * o.steps + 1 && f.calls == found[0].calls);
        error[k] = fabs(found[1].total - exact_bits(points + D));
    }
    CHECK(error[0] > 16 * error[1] && error[0] < 1e-2);
}

/* An image has the same bits alone and beside others. */
TEST(likelihood, does_not_depend_on_the_batch)
{
    struct formula f = { .prediction = DDPM_EPS, .bad = -1 };
    ddpm_likelihood_options o = options_of(&f);
    ddpm_likelihood_image all[3], one;
    o.levels = 256;
    REQUIRE(measure(all, &o, points, indices, 3, D));
    for (int i = 0; i < 3; i++) {
        REQUIRE(measure(&one, &o, points + i * D, indices + i, 1, D));
        CHECK(one.total == all[i].total && one.calls == all[i].calls && one.prior == all[i].prior);
    }
}

TEST(likelihood, an_image_without_a_prediction_is_lost_alone)
{
    struct formula f = { .prediction = DDPM_EPS, .bad = 1 };
    ddpm_likelihood_options o = options_of(&f);
    ddpm_likelihood_image good;
    ddpm_chain *c = chain_create();
    ddpm_likelihood *l = NULL;
    ddpm_error err = { 0 };
    REQUIRE(!ddpm_likelihood_create(&l, c, &o, D, 3, NULL) &&
            !ddpm_likelihood_start(l, points, indices, NULL, 3, NULL));

    CHECK(ddpm_likelihood_step(l, &err) == DDPM_ENAN && strstr(err.text, "image 0 is lost at step t = 0"));
    while (ddpm_likelihood_left(l) > 0)
        REQUIRE(!ddpm_likelihood_step(l, &err));
    CHECK(ddpm_likelihood_step(l, &err) == DDPM_EUSAGE);

    f.bad = -1;
    REQUIRE(measure(&good, &o, points + 2 * D, indices + 2, 1, D));
    CHECK(ddpm_likelihood_read(l, 1)->lost && ddpm_likelihood_read(l, 2)->total == good.total);
    ddpm_likelihood_free(l);
    ddpm_chain_free(c);
}

/* The 256 levels of one element have probabilities that add up to the mass between -1 - 1/255 and 1 + 1/255.
   A level's noise is uniform in +-w/2, w = 2/255, so its term is off by p' w u with a variance of (p' w)^2
   w^2 / 12, and the sum by less than 3e-4; five times as much is allowed. */
static int wide_vjp(void *user, double *p, double *product, const double *x, const double *t, const double *w,
                    const int32_t *classes, int n, ddpm_error *err)
{
    (void)user;
    (void)classes;
    (void)err;
    for (int i = 0; i < n; i++) {
        double tau = FROM + (TO - FROM) * t[i] / (T - 1), s = 1 / sqrt(1 + exp(-2 * tau));
        double v = 0.25 * (1 - s * s) + s * s;
        p[i] = s * x[i] / v;
        product[i] = s * w[i] / v;
    }
    return DDPM_OK;
}

TEST(likelihood, probabilities_of_levels_add_up)
{
    struct formula f = { .prediction = DDPM_EPS };
    ddpm_likelihood_options o = options_of(&f);
    static ddpm_likelihood_image found[256];
    double x0[256], sum = 0, s2 = 1 / (1 + exp(-2 * FROM)), v = 0.25 * (1 - s2) + s2;
    uint32_t index[256];
    for (int i = 0; i < 256; i++) {
        x0[i] = i / 127.5 - 1;
        index[i] = (uint32_t)i;
    }
    o.levels = 256;
    o.steps = 32;
    o.vjp = wide_vjp;
    REQUIRE(measure(found, &o, x0, index, 256, 1));

    for (int i = 0; i < 256; i++)
        sum += exp2(-found[i].total);
    CHECK_NEAR(sum, erf((1 + 1 / 255.) / sqrt(2 * v)), 5 * 3e-4);
    CHECK_NEAR(found[0].dequantisation, 6.9943534368588574, 1e-14); /* log2(127.5) */
}

/* Noise of a level lies within half a level, on both sides, and belongs to seed and index. */
TEST(likelihood, noise_of_a_level)
{
    struct formula f = { .bad = -1 }, other = { .bad = -1 };
    ddpm_likelihood_options o = options_of(&f);
    ddpm_likelihood_image found;
    bool below = false, above = false;
    o.levels = 256;
    o.steps = 1;
    REQUIRE(measure(&found, &o, points, indices, 1, D));
    for (int e = 0; e < D; e++) {
        double noise = f.first[e] - points[e];
        CHECK(fabs(noise) <= 1 / 255.);
        below = below || noise < 0;
        above = above || noise > 0;
    }
    CHECK(below && above);

    o.vjp_user = &other;
    o.seed = 1;
    REQUIRE(measure(&found, &o, points, indices, 1, D));
    CHECK(memcmp(f.first, other.first, sizeof f.first) != 0);
}

/* ---- elements that depend on each other ---- */

/* A Gaussian of two elements with the covariance [[1, r], [r, 1]] / 4: eps = s C^-1 x, whose trace one probe
   misses by what is off the diagonal. */
static int coupled_vjp(void *user, double *p, double *product, const double *x, const double *t,
                       const double *w, const int32_t *classes, int n, ddpm_error *err)
{
    const double r = 0.8;
    (void)user;
    (void)classes;
    (void)err;
    for (int i = 0; i < n; i++) {
        double tau = FROM + (TO - FROM) * t[i] / (T - 1), s = 1 / sqrt(1 + exp(-2 * tau)), a2 = 1 - s * s;
        double own = a2 / 4 + s * s, both = a2 * r / 4, whole = own * own - both * both;
        for (int e = 0; e < 2; e++) {
            int at = 2 * i + e, beside = 2 * i + 1 - e;
            p[at] = s * (own * x[at] - both * x[beside]) / whole;
            product[at] = s * (own * w[at] - both * w[beside]) / whole;
        }
    }
    return DDPM_OK;
}

/* The mean over probes is the exact density within five of its own standard errors, for either kind of probe,
   and a single probe is not exact. The change is measured in nats here; steps are exact to 1e-6. */
static void check_probes(int probe)
{
    enum { N = 1000 };
    struct formula f = { .prediction = DDPM_EPS };
    ddpm_likelihood_options o = options_of(&f);
    static ddpm_likelihood_image found[N];
    static double x0[2 * N];
    static uint32_t index[N];
    double s2 = 1 / (1 + exp(-2 * FROM)), a2 = 1 - s2, own = a2 / 4 + s2, both = a2 * 0.8 / 4;
    double whole = own * own - both * both, x = 0.6, y = -0.2, sum = 0, squares = 0;
    double exact =
        ((own * (x * x + y * y) - 2 * both * x * y) / whole / 2 + log(2 * M_PI) + log(whole) / 2) / 2;

    for (uint32_t i = 0; i < N; i++) {
        x0[2 * i] = x;
        x0[2 * i + 1] = y;
        index[i] = i;
    }
    o.steps = 64;
    o.probe = probe;
    o.vjp = coupled_vjp;
    REQUIRE(measure(found, &o, x0, index, N, 2));

    for (int i = 0; i < N; i++)
        sum += found[i].total * log(2);
    for (int i = 0; i < N; i++)
        squares += pow(found[i].total * log(2) - sum / N, 2);
    double error = sqrt(squares / (N - 1) / N);
    CHECK_NEAR(sum / N, exact, 5 * error + 1e-6);
    CHECK(error > 1e-3);
}

TEST(likelihood, probes_estimate_the_trace)
{
    check_probes(DDPM_RADEMACHER);
    check_probes(DDPM_GAUSSIAN);
}

/* ---- refusals ---- */

static int create(void *context, ddpm_error *err)
{
    struct formula f = { .bad = -1 };
    const ddpm_likelihood_options o = options_of(&f);
    ddpm_likelihood *l;
    int code = ddpm_likelihood_create(&l, context, &o, D, 2, err);
    CHECK(!code == !!l);
    ddpm_likelihood_free(l);
    return code;
}

TEST(no_memory, likelihoods)
{
    ddpm_chain *c = chain_create();
    CHECK(alloc_survive(create, c) == 15); /* the likelihood, its chain and 13 arrays */
    ddpm_chain_free(c);
}

TEST(likelihood, options_that_are_refused)
{
    struct formula f = { .bad = -1 };
    const ddpm_likelihood_options good = options_of(&f);
    ddpm_likelihood_options o;
    ddpm_chain *c = chain_create(), *end = NULL, *one = NULL;
    ddpm_likelihood *l;
    ddpm_error err;
    const double t[2] = { 0, 1 }, alpha_bar[2] = { 0.9, 0 };
    REQUIRE(!ddpm_chain_create(&end, 2, t, alpha_bar, NULL) &&
            !ddpm_chain_create(&one, 1, t, alpha_bar, NULL));
#define WRONG(chain, change, is, says)                                    \
    o = good;                                                             \
    change;                                                               \
    CHECK(ddpm_likelihood_create(&l, chain, &o, D, 1, &err) == is && !l); \
    CHECK(strstr(err.text, says))

    WRONG(c, o.vjp = NULL, DDPM_EUSAGE, "there is no network");
    WRONG(c, o.levels = 1, DDPM_EUSAGE, "1 levels, expected 2 to 65536");
    WRONG(c, o.steps = -1, DDPM_EUSAGE, "-1 steps");
    WRONG(c, o.tolerance = 0, DDPM_EUSAGE, "the tolerance is 0");
    WRONG(c, o.tolerance = NAN, DDPM_EUSAGE, "the tolerance is nan");
    WRONG(c, o.probe = 2, DDPM_EUSAGE, "probe is 2");
    WRONG(c, o.prediction = 3, DDPM_EUSAGE, "prediction is 3");
    WRONG(end, o.seed = 1, DDPM_EDATA, "alpha_bar of the last step is 0");
    WRONG(one, o.seed = 1, DDPM_EDATA, "one step alone");
#undef WRONG
    REQUIRE(!ddpm_likelihood_create(&l, c, &good, D, 1, NULL));
    CHECK(ddpm_likelihood_start(l, points, indices, NULL, 2, &err) == DDPM_EUSAGE);
    CHECK(ddpm_likelihood_start(l, &(double[D]){ INFINITY }[0], indices, NULL, 1, &err) == DDPM_EUSAGE);
    ddpm_likelihood_free(l);
    ddpm_chain_free(c);
    ddpm_chain_free(end);
    ddpm_chain_free(one);
}
