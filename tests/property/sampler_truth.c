/* Samplers against closed forms: data of a single point, the variances, the choice "auto" makes, and
   refusals. */
#include "check.h"

enum { T = 1000, D = 8 };

static const double point[D] = { -0.9, -0.5, -0.1, 0, 0.2, 0.6, 0.95, 1.4 };
static double beta[T], alpha_bar[T];

/* The exact prediction for data that is always `point`. Where the variance is learned, v lies behind it. */
struct truth {
    int prediction;
    double v;
};

static int truth_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    const struct truth *p = user;
    double ab = alpha_bar[(int)t], a = sqrt(ab), s = sqrt(1 - ab);
    (void)classes, (void)n, (void)err;
    for (int e = 0; e < D; e++) {
        double eps = (x[e] - a * point[e]) / s;
        out[e] = p->prediction == DDPM_EPS  ? eps
                 : p->prediction == DDPM_X0 ? point[e]
                                            : a * eps - s * point[e];
        if (!isnan(p->v))
            out[D + e] = p->v;
    }
    return DDPM_OK;
}

static ddpm_chain *chain_of(const char *betas, const char *steps)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    CHECK(!ddpm_betas(beta, alpha_bar, T, betas, NULL) &&
          !ddpm_chain_respace(&chain, &about, steps, NULL, NULL));
    return chain;
}

static ddpm_sampler_options options_of(struct truth *p, const char *sampler, const char *variance, int own)
{
    return (ddpm_sampler_options){ .sampler = sampler,
                                   .variance = variance,
                                   .prediction = p->prediction,
                                   .outputs = isnan(p->v) ? 1 : 2,
                                   .own_variance = own,
                                   .T = T,
                                   .seed = 5,
                                   .snr = 0.2,
                                   .eps = truth_eps,
                                   .eps_user = p };
}

/* Fills x [D] with the state after at most `steps` steps. */
static void run(double *x, const ddpm_chain *chain, const ddpm_sampler_options *o, int steps)
{
    ddpm_sampler *s = NULL;
    uint32_t index = 3;
    ddpm_error err = { 0 };
    if (ddpm_sampler_create(&s, chain, o, D, 1, NULL, &err) ||
        ddpm_sampler_start(s, &index, NULL, 1, NULL, 0, &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return;
    }
    for (int j = 0; j < steps && ddpm_sampler_left(s); j++)
        CHECK(!ddpm_sampler_step(s, NULL));
    memcpy(x, ddpm_sampler_state(s, NULL), D * sizeof *x);
    ddpm_sampler_free(s);
}

/* The last step gives x0 itself. The tolerance, u = 2^-53: eps = (x - a p) / s and x0 = (x - s eps) / a
   round five times, each to |x| or |p| times u, and v as often. That makes 8 u (|x| + |p|) / a, with |x|
   < 6 for a normal value, where a is that of the last step taken. */
TEST(property, a_point_comes_back)
{
    enum { SAMPLERS = 8 };

    static const char *const steps[] = { "1", "2", "10", "all" };
    static const char *const samplers[SAMPLERS] = {
        "ddpm", "ddim", "ddim-diffusers", "dpmpp", "dpmpp-diffusers", "unipc", "ipndm", "ode"
    };
    for (int k = 0; k < 4 * SAMPLERS * 3; k++) {
        struct truth p = { k % 3, NAN };
        ddpm_chain *chain = chain_of("linear", steps[k / (3 * SAMPLERS)]);
        ddpm_sampler_options o = options_of(&p, samplers[k / 3 % SAMPLERS], "auto", DDPM_BETA);
        double x[D], a = sqrt(ddpm_chain_tables(chain)->alpha_bar[0]);
        run(x, chain, &o, T);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], point[e], 8 * 0x1p-53 * (6 + fabs(point[e])) / a);
        ddpm_chain_free(chain);
    }
}

TEST(property, x0_is_clipped)
{
    static const char *const samplers[] = {
        "ddpm", "ddim", "ddim-diffusers", "dpmpp", "dpmpp-diffusers", "unipc", "ipndm", "ode", "langevin"
    };
    for (size_t k = 0; k < sizeof samplers / sizeof *samplers; k++) {
        struct truth p = { DDPM_X0, NAN };
        ddpm_chain *chain = chain_of("linear", "10");
        ddpm_sampler_options o = options_of(&p, samplers[k], "auto", DDPM_BETA);
        double x[D];
        o.clip = 0.5;
        run(x, chain, &o, T);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], fmin(fmax(point[e], -0.5), 0.5), 0x1p-52);
        ddpm_chain_free(chain);
    }
}

/* Clipping bounds numbers and infinities, and leaves NaN as it is. */
TEST(property, clipping_keeps_nan)
{
    const double xt[5] = { 0.2, 0, 0, 0, 0 }, p[5] = { NAN, INFINITY, -INFINITY, 0.5, 3 };
    double x0[5];
    ddpm_x0(x0, xt, p, DDPM_X0, 1, 0.5, 5);
    CHECK(isnan(x0[0]) && x0[1] == 1 && x0[2] == -1 && x0[3] == 0.5 && x0[4] == 1);
    ddpm_x0(x0, xt, p, DDPM_EPS, 1, 0.5, 5);
    CHECK(isnan(x0[0]) && x0[1] == -1 && x0[2] == 1 && x0[3] == -0.5 && x0[4] == -1);
}

/* Returns whether both options give the same images after five steps, noise included. */
static int alike(const ddpm_chain *chain, const ddpm_sampler_options *a, const ddpm_sampler_options *b)
{
    double x[D], y[D];
    run(x, chain, a, 5);
    run(y, chain, b, 5);
    return !memcmp(x, y, sizeof x);
}

TEST(property, variance_is_what_it_is_called)
{
    struct truth fixed = { DDPM_EPS, NAN }, low = { DDPM_EPS, -1 }, high = { DDPM_EPS, 1 };
    ddpm_chain *chain = chain_of("linear", "20");
    ddpm_sampler_options small = options_of(&fixed, "ddpm", "beta-tilde", DDPM_BETA),
                         large = options_of(&fixed, "ddpm", "beta", DDPM_BETA);
    ddpm_sampler_options lower = options_of(&low, "ddpm", "learned", DDPM_LEARNED_RANGE);
    ddpm_sampler_options upper = options_of(&high, "ddpm", "learned", DDPM_LEARNED_RANGE);
    CHECK(alike(chain, &small, &lower) && alike(chain, &large, &upper) && !alike(chain, &small, &large));

    /* x_{i-1} = mean + e^(v/2) z. So two values v and w of the variance differ by (e^(v/2) - e^(w/2)) z,
       where z is the product's noise. */
    struct truth two = { DDPM_EPS, log(4) }, quarter = { DDPM_EPS, log(0.25) };
    ddpm_sampler_options a = options_of(&two, "ddpm", "auto", DDPM_LEARNED),
                         b = options_of(&quarter, "ddpm", "auto", DDPM_LEARNED);
    double x[D], y[D], z[D];
    uint64_t seed = 5;
    run(x, chain, &a, 1);
    run(y, chain, &b, 1);
    ddpm_noise(&seed, z, D, 3, 999, 0);
    for (int e = 0; e < D; e++)
        /* x and y round three times each, below 20. */
        CHECK_NEAR(x[e] - y[e], 1.5 * z[e], 2 * 3 * 20 * 0x1p-53);
    ddpm_chain_free(chain);
}

/* "auto" is the learned variance if the model has it, and the model's own at K = T. With statistics it
   is the analytic one; below T/4 steps it is beta-tilde, else the model's own. */
TEST(property, auto_variance)
{
    double gamma[T];
    for (int t = 0; t < T; t++)
        gamma[t] = 0.9;

    static const struct {
        const char *steps;
        int own;
        const char *same;
        int statistics;
    } rule[] = {
        { "all", DDPM_BETA, "beta", 0 },
        { "250", DDPM_BETA, "beta", 0 },
        { "249", DDPM_BETA, "beta-tilde", 0 },
        { "10", DDPM_BETA, "beta-tilde", 0 },
        { "999", DDPM_BETA_TILDE, "beta-tilde", 0 },
        { "10", DDPM_LEARNED_RANGE, "learned", 0 },
        { "all", DDPM_BETA, "beta", 1 },
        { "999", DDPM_BETA_TILDE, "analytic", 1 },
        { "10", DDPM_BETA, "analytic", 1 },
        { "10", DDPM_LEARNED_RANGE, "learned", 1 },
    };

    for (size_t k = 0; k < sizeof rule / sizeof rule[0]; k++) {
        struct truth p = { DDPM_EPS, rule[k].own == DDPM_LEARNED_RANGE ? 0.3 : NAN };
        ddpm_chain *chain = chain_of("linear", rule[k].steps);
        ddpm_sampler_options chosen = options_of(&p, "ddpm", "auto", rule[k].own);
        ddpm_sampler_options named = options_of(&p, "ddpm", rule[k].same, rule[k].own);
        chosen.gamma = named.gamma = rule[k].statistics ? gamma : NULL;
        CHECK(alike(chain, &chosen, &named));
        ddpm_chain_free(chain);
    }

    /* Nothing is known of steps between those of the model, so they get beta-tilde; and ddim keeps its
       eta. */
    struct truth p = { DDPM_EPS, NAN };
    ddpm_chain *between = NULL, *chain = chain_of("linear", "10");
    REQUIRE(!ddpm_chain_create(&between, 2, (double[]){ 3.5, 900 }, (double[]){ 0.9, 0.1 }, NULL));
    ddpm_sampler_options chosen = options_of(&p, "ddpm", "auto", DDPM_BETA),
                         named = options_of(&p, "ddpm", "beta-tilde", DDPM_BETA);
    chosen.gamma = gamma;
    CHECK(alike(between, &chosen, &named));
    chosen.sampler = named.sampler = "ddim", named.variance = "auto";
    CHECK(alike(chain, &chosen, &named));
    ddpm_chain_free(between);
    ddpm_chain_free(chain);
}

/* A chain may begin at alpha_bar = 0. Predictions of x0 and v are defined there. Samplers whose clock is
   infinite there refuse it. */
TEST(property, zero_snr)
{
    static const char *const samplers[] = {
        "ddpm", "ddim", "ddim-diffusers", "dpmpp", "dpmpp-diffusers", "unipc", "ipndm",
        "sde",  "ode",  "langevin"
    };

    ddpm_chain *chain = chain_of("linear+zero-snr", "10");
    for (int k = 0; k < 3 * 10; k++) {
        struct truth p = { k % 3, NAN };
        ddpm_sampler *s = NULL;
        ddpm_error err = { 0 };
        ddpm_sampler_options o = options_of(&p, samplers[k / 3], "auto", DDPM_BETA);
        int code = ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err);
        double x[D];

        if (p.prediction == DDPM_EPS) {
            CHECK(code == DDPM_EUSAGE && !s && strstr(err.text, "alpha_bar is 0"));
            continue;
        }
        if (k / 3 >= 7) {
            CHECK(code == DDPM_EUSAGE && !s && strstr(err.text, samplers[k / 3]));
            continue;
        }

        ddpm_sampler_free(s);
        run(x, chain, &o, T);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], point[e], 8 * 0x1p-53 * (6 + fabs(point[e])));
    }
    ddpm_chain_free(chain);
}

TEST(unit, sampler_options_refused)
{
    struct truth p = { DDPM_EPS, NAN };
    ddpm_chain *chain = chain_of("linear", "10");
    const ddpm_sampler_options good = options_of(&p, "ddpm", "auto", DDPM_BETA);
    ddpm_sampler_options bad[14];
    static const char *const mentions[14] = {
        "one of ddpm, ddim",
        "auto, beta, beta-tilde, learned",
        "has learned none",
        "takes its noise from eta",
        "sampler ddpm has none",
        "between 0 and 1",
        "clip is -1",
        "set eps",
        "ddpm_sampler_defaults",
        "1, or 2",
        "1, or 2",
        "prediction 9",
        "between 0 and 1",
        "sampler dpmpp has no choice",
    };
    for (int k = 0; k < 14; k++)
        bad[k] = good;
    bad[0].sampler = "euler";
    bad[1].variance = "small";
    bad[2].variance = "learned";
    bad[3].sampler = "ddim", bad[3].variance = "beta";
    bad[4].eta = 0.5;
    bad[5].sampler = "ddim", bad[5].eta = NAN;
    bad[6].clip = -1;
    bad[7].eps = NULL;
    bad[8].sampler = NULL;
    bad[9].outputs = 3;
    bad[10].own_variance = DDPM_LEARNED;
    bad[11].prediction = 9;
    bad[12].sampler = "dpmpp", bad[12].eta = 1.5;
    bad[13].sampler = "dpmpp", bad[13].eta = 1, bad[13].variance = "analytic";
    for (int k = 0; k < 14; k++) {
        ddpm_sampler *s = NULL;
        ddpm_error err = { 0 };
        CHECK(ddpm_sampler_create(&s, chain, &bad[k], D, 1, NULL, &err) == DDPM_EUSAGE && !s);
        if (!strstr(err.text, mentions[k]))
            check_fail(__FILE__, __LINE__, "\"%s\" does not mention \"%s\"", err.text, mentions[k]);
    }
    static const double no_gamma[] = { NAN, INFINITY, -0.5 };
    for (int k = 0; k < 3; k++) {
        double gamma[T];
        ddpm_sampler *s = NULL;
        ddpm_sampler_options o = good;
        ddpm_error err = { 0 };
        for (int t = 0; t < T; t++)
            gamma[t] = t == 999 ? no_gamma[k] : 0.5;
        o.variance = "analytic", o.gamma = gamma;
        CHECK(ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err) == DDPM_EDATA && !s);
        CHECK(strstr(err.text, "at t = 999"));
    }
    ddpm_sampler *s = NULL;
    CHECK(ddpm_sampler_create(&s, chain, &good, 0, 1, NULL, NULL) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_create(&s, chain, &good, D, 0, NULL, NULL) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_create(&s, chain, &good, SIZE_MAX / 64, 4, NULL, NULL) == DDPM_ENOMEM && !s);
    ddpm_chain_free(chain);
}

TEST(unit, sampler_starts_refused)
{
    struct truth p = { DDPM_EPS, NAN };
    ddpm_chain *chain = chain_of("linear", "10");
    ddpm_sampler_options o = options_of(&p, "ddpm", "beta", DDPM_BETA);
    ddpm_sampler *s = NULL;
    uint32_t index[3] = { 0, 1, 2 };
    double x[3 * D] = { 0 };
    char warning[256];

    REQUIRE(!ddpm_sampler_create(&s, chain, &o, D, 2, warning, NULL));
    CHECK(strstr(warning, "10 of 1000 steps"));
    CHECK(ddpm_sampler_left(s) == 0 && ddpm_sampler_step(s, NULL) == DDPM_EUSAGE);

    for (int k = 0; k < 2; k++) {
        CHECK(ddpm_sampler_start(s, index, NULL, k ? 0 : 3, NULL, 0, NULL) == DDPM_EUSAGE);
        CHECK(ddpm_sampler_start(s, index, NULL, 2, x, k ? -1 : 10, NULL) == DDPM_EUSAGE);
    }

    x[D + 1] = INFINITY;
    CHECK(ddpm_sampler_start(s, index, NULL, 2, x, 4, NULL) == DDPM_EDATA);
    CHECK(!ddpm_sampler_start(s, index, NULL, 1, x, 4, NULL) && ddpm_sampler_left(s) == 5);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}
