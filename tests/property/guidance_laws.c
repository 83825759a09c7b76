/* Guidance over a network that is a formula: what is mixed, with which classes and in how many calls; and
   that a training drops the classes that its stream says, and no others. */
#include "tests/check.h"
#include "tests/small_nets.h"
#include "tests/unit/alloc.h"
#include "train/loss.h"

enum { SIDE = 2, D = SIDE * SIDE, OUTPUTS = 2, CLASSES = 3, IMAGES = 4 };

/* The prediction is x + class, the learned variance is 100 + class; a class `bad` gives NaN. */
struct formula {
    int calls, images, bad;
};

static int formula_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                       ddpm_error *err)
{
    struct formula *f = user;
    f->calls++;
    f->images += n;
    for (int i = 0; i < n; i++)
        for (int e = 0; e < D; e++) {
            double *to = out + i * OUTPUTS * D + e;
            to[0] = classes[i] == f->bad ? NAN : x[i * D + e] * t + classes[i];
            to[D] = 100 + classes[i];
        }
    return f->bad < 0 ? DDPM_OK : dd_error(err, DDPM_ENAN, "a class is bad");
}

static const ddpm_about about = {
    .height = SIDE, .width = SIDE, .channels = 1, .outputs = OUTPUTS, .classes = CLASSES, .null_class = 1
};

static ddpm_guidance *guidance_of(struct formula *f, double scale)
{
    const ddpm_guidance_options o = { .eps = formula_eps, .eps_user = f, .scale = scale, .batch = IMAGES };
    ddpm_guidance *g = NULL;
    ddpm_error err;
    if (ddpm_guidance_create(&g, &about, &o, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    return g;
}

/* Runs n images of classes 0, 1, ... at t = 2 and checks every number against none + scale (own - none). */
static void check_mixture(double scale, int n, int calls, int images)
{
    static const int32_t classes[IMAGES] = { 0, 1, 2, CLASSES };
    struct formula f = { .bad = -1 };
    ddpm_guidance *g = guidance_of(&f, scale);
    double x[IMAGES * D], out[IMAGES * OUTPUTS * D];

    for (int k = 0; k < IMAGES * D; k++)
        x[k] = k;
    CHECK(ddpm_guidance_eps(g, out, x, 2, classes, n, NULL) == 0);
    CHECK(f.calls == calls && f.images == images);

    for (int i = 0; i < n; i++)
        for (int e = 0; e < D; e++) {
            double none = 2.0 * (i * D + e) + CLASSES, own = 2.0 * (i * D + e) + classes[i];
            CHECK(out[i * OUTPUTS * D + e] == none + scale * (own - none));
            CHECK(out[i * OUTPUTS * D + D + e] == 100 + (scale == 0 ? CLASSES : classes[i]));
        }
    ddpm_guidance_free(g);
}

TEST(guidance, mixes_both_predictions_in_one_call)
{
    check_mixture(3, IMAGES, 1, 2 * IMAGES);
    check_mixture(0.5, 1, 1, 2);
    check_mixture(1, 3, 1, 3);
    check_mixture(0, 3, 1, 3);
}

TEST(guidance, an_image_without_a_prediction_is_lost_alone)
{
    static const int32_t classes[2] = { 1, 2 };
    struct formula f = { .bad = 2 };
    ddpm_guidance *g = guidance_of(&f, 2);
    double x[2 * D] = { 0 }, out[2 * OUTPUTS * D];
    ddpm_error err;

    CHECK(ddpm_guidance_eps(g, out, x, 1, classes, 2, &err) == DDPM_ENAN);
    CHECK(strstr(err.text, "the images stand twice in a batch: a class is bad"));
    CHECK(out[0] == CLASSES + 2 * (1 - CLASSES) && isnan(out[OUTPUTS * D]));

    /* Without the prediction for no class both are lost. */
    f.bad = CLASSES;
    CHECK(ddpm_guidance_eps(g, out, x, 1, classes, 2, NULL) == DDPM_ENAN);
    CHECK(isnan(out[0]) && isnan(out[OUTPUTS * D]));
    ddpm_guidance_free(g);
}

static int create_guidance(void *context, ddpm_error *err)
{
    const ddpm_guidance_options o = { .eps = formula_eps, .scale = 2, .batch = IMAGES };
    ddpm_guidance *g;
    (void)context;
    int code = ddpm_guidance_create(&g, &about, &o, err);
    CHECK(!code == !!g);
    ddpm_guidance_free(g);
    return code;
}

TEST(guidance, survives_every_failing_allocation)
{
    CHECK(alloc_survive(create_guidance, NULL) == 4); /* the handle, classes, images, predictions */
}

/* ---- with a classifier, on data that have closed forms ---- */

/* Class k of the data is N(mean[k], deviation[k]^2), both classes equally often, each element by itself.  So
   x_t of class k is N(a mean[k], a^2 deviation[k]^2 + s^2), with a^2 = alpha_bar and s^2 = 1 - alpha_bar. */
enum { KINDS = 2, T = 4 };

static const double mean[KINDS] = { -0.7, 0.4 }, deviation[KINDS] = { 0.3, 0.5 };
static const double alpha_bar[T] = { 0.99, 0.7, 0.3, 0.01 };

static double variance_of(int k, double ab)
{
    return ab * deviation[k] * deviation[k] + 1 - ab;
}

/* Returns ln(p(k) p(x | k)) without its constant. */
static double log_density(int k, double x, double ab)
{
    double away = x - sqrt(ab) * mean[k], v = variance_of(k, ab);
    return -0.5 * (away * away / v + log(v));
}

/* Returns the score of class k, or of the mixture of both with k = -1. */
static double score(int k, double x, double ab)
{
    if (k >= 0)
        return -(x - sqrt(ab) * mean[k]) / variance_of(k, ab);
    double first = 1 / (1 + exp(log_density(1, x, ab) - log_density(0, x, ab)));
    return first * score(0, x, ab) + (1 - first) * score(1, x, ab);
}

/* Returns the prediction that a score means: eps = -s score, x0 = (x - s eps) / a, v = a eps - s x0. */
static double prediction_of(int prediction, double x, double of_x, double ab)
{
    double a = sqrt(ab), s = sqrt(1 - ab), eps = -s * of_x, x0 = (x - s * eps) / a;
    switch (prediction) {
    case DDPM_X0: return x0;
    case DDPM_V: return a * eps - s * x0;
    default: return eps;
    }
}

/* The network of the whole mixture, which knows no classes; user is what it predicts. */
static int mixture_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                       ddpm_error *err)
{
    (void)err;
    CHECK(!classes);
    for (int k = 0; k < n * D; k++)
        out[k] = prediction_of(*(int *)user, x[k], score(-1, x[k], alpha_bar[(int)t]), alpha_bar[(int)t]);
    return DDPM_OK;
}

/* The best classifier: ln p(k | x) = ln p(x | k) - ln p(x) + ln p(k). */
static int mixture_classifier(void *user, double *g, const double *x, double t, const int32_t *classes, int n,
                              ddpm_error *err)
{
    double ab = alpha_bar[(int)t];
    (void)user;
    (void)err;
    for (int k = 0; k < n * D; k++)
        g[k] = score(classes[k / D], x[k], ab) - score(-1, x[k], ab);
    return DDPM_OK;
}

TEST(guidance, a_classifier_makes_the_network_of_its_class)
{
    static const int32_t classes[2] = { 0, 1 };
    double x[2 * D], out[2 * D];

    for (int k = 0; k < 2 * D; k++)
        x[k] = 0.5 * k - 1.5;
    for (int prediction = DDPM_EPS; prediction <= DDPM_V; prediction++) {
        const ddpm_about a = { .height = SIDE,
                               .width = SIDE,
                               .channels = 1,
                               .outputs = 1,
                               .steps = T,
                               .prediction = prediction,
                               .alpha_bar = alpha_bar };
        const ddpm_guidance_options o = { .eps = mixture_eps,
                                          .eps_user = &prediction,
                                          .scale = 1,
                                          .classifier = mixture_classifier,
                                          .classifier_scale = 1,
                                          .batch = 2 };
        ddpm_guidance *g = NULL;
        ddpm_error err;
        REQUIRE(ddpm_guidance_create(&g, &a, &o, &err) == 0);

        for (int t = 0; t < T; t++) {
            CHECK(ddpm_guidance_eps(g, out, x, t, classes, 2, &err) == 0);
            for (int k = 0; k < 2 * D; k++) {
                double ab = alpha_bar[t], truth = score(classes[k / D], x[k], ab);

                /* A few roundings of numbers of at most |x| / a and |score| / a, with a = 0.1 at worst. */
                CHECK_NEAR(out[k], prediction_of(prediction, x[k], truth, ab), 1e-13);
            }
        }
        ddpm_guidance_free(g);
    }
}

static void refused(ddpm_about a, double scale, int batch, const char *says)
{
    const ddpm_guidance_options o = { .scale = scale, .batch = batch };
    ddpm_guidance *g;
    ddpm_error err = { 0, "" };
    if (ddpm_guidance_create(&g, &a, &o, &err) != DDPM_EUSAGE || g || !strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, says);
}

TEST(guidance, refusals)
{
    struct formula f = { .bad = -1 };
    double x[D] = { 0 }, out[OUTPUTS * D];
    ddpm_error err;

    refused((ddpm_about){ .channels = 1, .classes = 3 }, 2, 1, "no null class");
    refused(about, NAN, 1, "the scale is nan");
    refused(about, -1, 1, "the scale is -1");
    refused(about, 2, 0, "batch is 0");

    const ddpm_guidance_options wrong = {
        .scale = 1, .classifier = mixture_classifier, .classifier_scale = -1, .batch = 1
    };
    ddpm_guidance *none;
    CHECK(ddpm_guidance_create(&none, &about, &wrong, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "the classifier's scale is -1"));

    ddpm_guidance *g = guidance_of(&f, 2);
    CHECK(ddpm_guidance_eps(g, out, x, 1, NULL, 1, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "a class is needed"));
    CHECK(ddpm_guidance_eps(g, out, x, 1, &(int32_t){ 0 }, IMAGES + 1, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "expected 0 to 4") && f.calls == 0);
    ddpm_guidance_free(g);
    ddpm_guidance_free(NULL);
}

/* ---- dropping classes in training ---- */

TEST(guidance, classes_are_dropped_as_often_as_asked)
{
    enum { SAMPLES = 20000 };

    static const double p = 0.1;
    int dropped = 0;

    for (uint64_t k = 0; k < SAMPLES; k++) {
        dropped += dd_loss_drops_class(5, k, p);
        CHECK(!dd_loss_drops_class(5, k, 0));
    }

    /* Five standard deviations of a binomial number. */
    CHECK_NEAR(dropped, SAMPLES * p, 5 * sqrt(SAMPLES * p * (1 - p)));
}

/* Takes two steps, with class dropout p; returns the loss of the second. */
static double train(const ddpm_model *m, double p, const float *x0, const int32_t *classes)
{
    ddpm_trainer_options o;
    ddpm_trainer *t = NULL;
    ddpm_trainer_report r = { 0 };
    ddpm_error err;

    ddpm_trainer_defaults(&o);
    o.batch = 2;
    o.accumulate = 2;
    o.loss = DDPM_HYBRID;
    o.class_dropout = p;
    o.seed = 8;
    if (ddpm_trainer_create(&t, m, &o, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    for (int step = 0; t && step < 2; step++)
        CHECK(ddpm_trainer_step(t, x0, classes + step * IMAGES, &r, &err) == 0);
    ddpm_trainer_free(t);
    return r.loss;
}

TEST(guidance, a_dropped_class_is_the_null_class)
{
    static const double p = 0.5;
    int32_t classes[2 * IMAGES], given[2 * IMAGES];
    int dropped = 0;
    ddpm_model *m = small_net_create("guided");
    struct small_batch b = small_batch_create(m, IMAGES);

    for (int k = 0; k < 2 * IMAGES; k++) {
        bool drops = dd_loss_drops_class(8, (uint64_t)k, p);
        classes[k] = k % CLASSES;
        given[k] = drops ? CLASSES : classes[k];
        dropped += drops;
    }
    CHECK(dropped > 0 && dropped < 2 * IMAGES);
    CHECK(train(m, p, b.x, classes) == train(m, 0, b.x, given));
    CHECK(train(m, p, b.x, classes) != train(m, 0, b.x, classes));

    small_batch_free(&b);
    ddpm_model_close(m);
}
