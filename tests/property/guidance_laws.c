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

/* ---- samplers with a classifier, on data that have closed forms ---- */

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

/* The network of class k, or of the whole mixture with k = -1, which knows no classes. */
struct mixture_net {
    int prediction, k;
};

static int mixture_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                       ddpm_error *err)
{
    const struct mixture_net *m = user;
    (void)err;
    CHECK(!classes);
    for (int e = 0; e < n * D; e++)
        out[e] = prediction_of(m->prediction, x[e], score(m->k, x[e], alpha_bar[(int)t]), alpha_bar[(int)t]);
    return DDPM_OK;
}

/* The best classifier: ln p(k | x) = ln p(x | k) - ln p(x) + ln p(k). */
static int mixture_classifier(void *user, double *g, const double *x, double t, const int32_t *classes, int n,
                              ddpm_error *err)
{
    double ab = alpha_bar[(int)t];
    (void)user;
    (void)err;
    for (int e = 0; e < n * D; e++)
        g[e] = score(classes[e / D], x[e], ab) - score(-1, x[e], ab);
    return DDPM_OK;
}

/* Makes a sampler of two images of T steps without clipping, and gives it their start. */
static ddpm_sampler *sampler_of(ddpm_sampler_options o, const int32_t *classes, const double *x)
{
    static const double t[T] = { 0, 1, 2, 3 };
    static const uint32_t index[2] = { 0, 1 };
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_error err = { 0, "" };

    o.clip = 0;
    o.T = T;
    if (ddpm_chain_create(&chain, T, t, alpha_bar, &err) ||
        ddpm_sampler_create(&s, chain, &o, D, 2, NULL, &err) ||
        ddpm_sampler_start(s, index, classes, 2, x, T - 1, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_chain_free(chain);
    return s;
}

/* Runs both images to their end; fills out [2, D]. */
static void run(double *out, ddpm_sampler *s)
{
    ddpm_error err;
    while (ddpm_sampler_left(s) > 0)
        REQUIRE(ddpm_sampler_step(s, &err) == 0);
    memcpy(out, ddpm_sampler_state(s, NULL), 2 * D * sizeof *out);
    ddpm_sampler_free(s);
}

static const ddpm_about of_mixture = {
    .height = SIDE, .width = SIDE, .channels = 1, .outputs = 1, .steps = T
};

TEST(guidance, a_classifier_makes_the_network_of_its_class)
{
    static const char *const samplers[] = { "ddim", "dpmpp", "ode" };
    static const int32_t classes[2] = { 0, 1 };
    double x[2 * D], led[2 * D], truth[2 * D];

    for (int e = 0; e < 2 * D; e++)
        x[e] = 0.5 * e - 1.5;
    for (int which = 0; which < 3; which++)
        for (int prediction = DDPM_EPS; prediction <= DDPM_V; prediction++) {
            struct mixture_net mixture = { prediction, -1 };
            ddpm_sampler_options o;
            ddpm_sampler_defaults(&o, &of_mixture);
            o.sampler = samplers[which];
            o.prediction = prediction;
            o.eps = mixture_eps;
            o.eps_user = &mixture;
            o.classifier = mixture_classifier;
            run(led, sampler_of(o, classes, x));

            o.classifier = NULL;
            for (int k = 0; k < KINDS; k++) {
                struct mixture_net of_class = { prediction, k };
                o.eps_user = &of_class;
                run(truth, sampler_of(o, NULL, x));

                /* Roundings of numbers of at most |score| / a, with a = 0.1 at worst, of 4 steps. */
                for (int e = k * D; e < (k + 1) * D; e++)
                    CHECK_NEAR(led[e], truth[e], 1e-12);
            }
        }
}

/* A network that predicts 0, with the variance e^v, v = -1, and a classifier whose gradient is 1, 2, ... */
static int zero_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                    ddpm_error *err)
{
    (void)user, (void)x, (void)t, (void)classes, (void)err;
    for (int i = 0; i < n; i++)
        for (int e = 0; e < 2 * D; e++)
            out[i * 2 * D + e] = e < D ? 0 : -1;
    return DDPM_OK;
}

static int counting_gradient(void *user, double *g, const double *x, double t, const int32_t *classes, int n,
                             ddpm_error *err)
{
    (void)x, (void)t, (void)classes, (void)err;
    for (int e = 0; e < n * D; e++)
        g[e] = user && e >= D ? NAN : 1 + e;
    return DDPM_OK;
}

static ddpm_sampler_options counting(const char *variance, bool led)
{
    ddpm_sampler_options o;
    ddpm_sampler_defaults(&o, &of_mixture);
    o.variance = variance;
    o.own_variance = DDPM_LEARNED;
    o.outputs = 2;
    o.eps = zero_eps;
    o.classifier = led ? counting_gradient : NULL;
    o.classifier_scale = 3;
    return o;
}

/* Checks by how much a step of the ancestral sampler, from position i, moves the mean: 3 sigma^2 g. */
static void check_mean(const char *variance, int i, double sigma2)
{
    static const int32_t classes[2] = { 0, 1 };
    double x[2 * D] = { 0 };
    ddpm_error err;
    ddpm_sampler *led = sampler_of(counting(variance, true), classes, x),
                 *free_one = sampler_of(counting(variance, false), classes, x);
    for (int k = T - 1; k >= i; k--) {
        memcpy(ddpm_sampler_state(led, NULL), ddpm_sampler_state(free_one, NULL), sizeof x);
        CHECK(ddpm_sampler_step(led, &err) == 0 && ddpm_sampler_step(free_one, &err) == 0);
    }
    for (int e = 0; e < 2 * D; e++)
        CHECK_NEAR(ddpm_sampler_state(led, NULL)[e] - ddpm_sampler_state(free_one, NULL)[e],
                   3 * sigma2 * (1 + e), 1e-13);
    ddpm_sampler_free(led);
    ddpm_sampler_free(free_one);
}

TEST(guidance, a_classifier_moves_the_mean_by_the_variance)
{
    double beta = 1 - alpha_bar[2] / alpha_bar[1];
    check_mean("beta", 2, beta);
    check_mean("beta-tilde", 2, beta * (1 - alpha_bar[1]) / (1 - alpha_bar[2]));
    check_mean("learned", 2, exp(-1));

    /* The last step's beta-tilde is 0; the other variances are those of the tables (posterior.c). */
    check_mean("beta-tilde", 0, 0);
    check_mean("learned", 0, exp(-1));
}

TEST(guidance, an_image_without_a_gradient_is_lost_alone)
{
    static const int32_t classes[2] = { 0, 1 };
    double x[2 * D] = { 0 };
    ddpm_error err;
    for (int ddim = 0; ddim <= 1; ddim++) {
        ddpm_sampler_options o = counting("auto", true);
        o.sampler = ddim ? "ddim" : "ddpm";
        o.classifier_user = x;
        ddpm_sampler *s = sampler_of(o, classes, x);
        CHECK(ddpm_sampler_step(s, &err) == DDPM_ENAN && strstr(err.text, "image 1 is lost"));
        CHECK(!ddpm_sampler_lost(s, 0) && ddpm_sampler_lost(s, 1) &&
              isfinite(ddpm_sampler_state(s, NULL)[0]));
        ddpm_sampler_free(s);
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

    ddpm_guidance *g = guidance_of(&f, 2);
    CHECK(ddpm_guidance_eps(g, out, x, 1, NULL, 1, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "a class is needed"));
    CHECK(ddpm_guidance_eps(g, out, x, 1, &(int32_t){ 0 }, IMAGES + 1, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "expected 0 to 4") && f.calls == 0);
    ddpm_guidance_free(g);
    ddpm_guidance_free(NULL);
}

TEST(guidance, refusals_of_a_classifier)
{
    static const double t[T] = { 0, 1, 2, 3 };
    static const uint32_t index[1] = { 0 };
    ddpm_sampler_options o = counting("auto", true);
    ddpm_chain *chain;
    ddpm_sampler *s = NULL;
    ddpm_error err;

    REQUIRE(ddpm_chain_create(&chain, T, t, alpha_bar, &err) == 0);
    o.classifier_scale = -1;
    CHECK(ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err) == DDPM_EUSAGE && !s);
    CHECK(strstr(err.text, "the classifier's scale is -1"));

    o.classifier_scale = 1;
    REQUIRE(ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err) == 0);
    CHECK(ddpm_sampler_start(s, index, NULL, 1, NULL, 0, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "a class is needed"));
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
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
