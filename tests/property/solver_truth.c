/* Solvers against closed forms, on a mixture of two Gaussians in the plane whose eps is exact: their
   order of convergence, the way there and back by the ODE, DDIM as a special case of two others, and the
   mean and covariance of what comes out. */
#include "check.h"

enum { D = 2, MOST = 1001, LANGEVIN = 12 };

static const double weight[2] = { 0.6, 0.4 }, centre[2][D] = { { 0.5, -0.3 }, { -0.7, 0.4 } },
                    spread[2][D] = { { 0.1, 0.2 }, { 0.15, 0.05 } };

/* The mixture q_t = sum_k w_k N(a m_k, s_k) with s_k = a^2 v_k + 1 - a^2 has eps = sqrt(1 - a^2) sum_k
   r_k (x - a m_k) / s_k, where r_k is the share of component k at x. */
static void exact_eps(double *eps, const double *x, double alpha_bar)
{
    double a = sqrt(alpha_bar), share[2], sum = 0;
    for (int k = 0; k < 2; k++) {
        double exponent = 0;
        for (int e = 0; e < D; e++) {
            double s = alpha_bar * spread[k][e] + 1 - alpha_bar, away = x[e] - a * centre[k][e];
            exponent += away * away / s + log(s);
        }
        sum += share[k] = weight[k] * exp(-exponent / 2);
    }
    for (int e = 0; e < D; e++) {
        eps[e] = 0;
        for (int k = 0; k < 2; k++)
            eps[e] += sqrt(1 - alpha_bar) * share[k] / sum * (x[e] - a * centre[k][e]) /
                      (alpha_bar * spread[k][e] + 1 - alpha_bar);
    }
}

/* A chain whose t counts its positions, and the network that goes with it. */
struct line {
    ddpm_chain *chain;
    int K, calls;
};

static int line_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                    ddpm_error *err)
{
    struct line *l = user;
    (void)classes, (void)err;
    l->calls++;
    for (int b = 0; b < n; b++)
        exact_eps(out + b * D, x + b * D, ddpm_chain_tables(l->chain)->alpha_bar[(int)t]);
    return DDPM_OK;
}

/* Makes K nodes at even distances of lambda = ln(alpha / sigma), from `low` (noise) to `high`. */
static void line_of(struct line *l, int K, double low, double high)
{
    double t[MOST], alpha_bar[MOST];
    for (int i = 0; i < K; i++) {
        double lambda = high + (low - high) * i / (K - 1);
        t[i] = i, alpha_bar[i] = 1 / (1 + exp(-2 * lambda));
    }
    *l = (struct line){ .K = K };
    CHECK(!ddpm_chain_create(&l->chain, K, t, alpha_bar, NULL));
}

static ddpm_sampler *sampler_of(struct line *l, const char *name, double eta, int order, int batch)
{
    ddpm_sampler *s = NULL;
    ddpm_sampler_options o = { .sampler = name,
                               .variance = "auto",
                               .eta = eta,
                               .order = order,
                               .outputs = 1,
                               .T = l->K,
                               .snr = 0.3,
                               .seed = 11,
                               .corrector = strcmp(name, "langevin") ? 0 : LANGEVIN,
                               .eps = line_eps,
                               .eps_user = l };
    CHECK(!ddpm_sampler_create(&s, l->chain, &o, D, batch, NULL, NULL));
    return s;
}

static const double from[D] = { 0.8, -1.1 };
static const double LOW = -6, HIGH = 1;

/* The slope of the ODE in y = x / alpha and lambda, dy/dlambda = -e^-lambda eps. Runge and Kutta's
   fourth-order method follows it to the exact end at HIGH. */
static void slope(double *k, const double *y, double lambda)
{
    double alpha_bar = 1 / (1 + exp(-2 * lambda)), x[D];
    for (int e = 0; e < D; e++)
        x[e] = y[e] * sqrt(alpha_bar);
    exact_eps(k, x, alpha_bar);
    for (int e = 0; e < D; e++)
        k[e] *= -exp(-lambda);
}

static void exact_end(double *x)
{
    enum { N = 7000 };

    double h = (HIGH - LOW) / N, y[D], k[4][D], at[D];
    for (int e = 0; e < D; e++)
        y[e] = from[e] * sqrt(1 + exp(-2 * LOW));
    for (int n = 0; n < N; n++) {
        static const double part[4] = { 0, 0.5, 0.5, 1 };
        for (int j = 0; j < 4; j++) {
            for (int e = 0; e < D; e++)
                at[e] = y[e] + (j ? part[j] * h * k[j - 1][e] : 0);
            slope(k[j], at, LOW + (n + part[j]) * h);
        }
        for (int e = 0; e < D; e++)
            y[e] += h * (k[0][e] + 2 * k[1][e] + 2 * k[2][e] + k[3][e]) / 6;
    }
    for (int e = 0; e < D; e++)
        x[e] = y[e] / sqrt(1 + exp(-2 * HIGH));
}

/* Returns the error at HIGH of N steps from LOW. */
static double error_of(const char *name, int order, int N, const double *exact)
{
    struct line l;
    double error = 0;
    line_of(&l, N + 1, LOW, HIGH);
    ddpm_sampler *s = sampler_of(&l, name, 0, order, 1);
    if (!s || ddpm_sampler_start(s, (uint32_t[]){ 0 }, NULL, 1, from, N, NULL))
        return NAN;
    while (ddpm_sampler_left(s) > 1)
        CHECK(!ddpm_sampler_step(s, NULL));
    for (int e = 0; e < D; e++)
        error = fmax(error, fabs(ddpm_sampler_state(s, NULL)[e] - exact[e]));
    CHECK(l.calls == N * (1 + (!strcmp(name, "ode") && order != 1)));
    ddpm_sampler_free(s);
    ddpm_chain_free(l.chain);
    return error;
}

/* With error = c h^p (1 + b h + O(h^2)), the runs h and h/2 show the exponent p + b h / (2 ln 2) +
   O(h^2), and the runs h/2 and h/4 are off from p by half of that. So twice the second exponent less the
   first is p + O(h^2), and p is the whole number nearest to it. The difference of the two exponents is
   half of what the first is off by, to O(h^2). */
static double order_seen(const double error[3])
{
    return 2 * log2(error[1] / error[2]) - log2(error[0] / error[1]);
}

/* UniPC-p has order p + 1 (Zhao et al. 2023, theorem 3.1); dpmpp-diffusers of order 3 has half of a
   term, see dpmpp.c; the coefficients of ipndm are those of even steps in u, see ipndm.c. The low-order
   start does not matter: at lambda = -6 its error, of order alpha^2 h^2 < 1e-8, is below the others'. */
TEST(property, order_of_convergence)
{
    static const struct {
        const char *sampler;
        int order, expected;
    } solver[] = {
        { "ddim", 0, 1 },
        { "ode", 1, 1 },
        { "ode", 2, 2 },
        { "dpmpp", 1, 1 },
        { "dpmpp", 2, 2 },
        { "dpmpp", 3, 3 },
        { "dpmpp-diffusers", 3, 2 },
        { "unipc", 1, 2 },
        { "unipc", 2, 3 },
        { "ipndm", 1, 1 },
        { "ipndm", 2, 2 },
        { "ipndm", 3, 2 },
        { "ipndm", 4, 2 },
    };

    double exact[D];
    exact_end(exact);
    for (size_t k = 0; k < sizeof solver / sizeof *solver; k++) {
        double error[3];
        for (int n = 0; n < 3; n++)
            error[n] = error_of(solver[k].sampler, solver[k].order, 200 << n, exact);
        if (lround(order_seen(error)) != solver[k].expected)
            check_fail(__FILE__, __LINE__,
                       "%s of order %d: errors %.3g, %.3g, %.3g, so order %.3f, expected %d",
                       solver[k].sampler, solver[k].order, error[0], error[1], error[2], order_seen(error),
                       solver[k].expected);
    }
}

/* The run goes up to noise and down again to the same level. A step of Heun's errs by c h^3 + O(h^4),
   and the step back by -c h^3 + O(h^4). So both together leave O(h^4), which is O(h^3) over all steps. */
TEST(property, there_and_back)
{
    double missing[3];
    for (int k = 0; k < 3; k++) {
        struct line l;
        line_of(&l, (200 << k) + 1, -4, 3);
        ddpm_sampler *s = sampler_of(&l, "ode", 0, 2, 1);

        REQUIRE(s && !ddpm_sampler_start(s, (uint32_t[]){ 0 }, NULL, 1, from, 0, NULL));

        while (ddpm_sampler_left(s) < l.K)
            CHECK(!ddpm_sampler_encode(s, NULL));
        /* There is no step beyond the last position. */
        CHECK(ddpm_sampler_encode(s, NULL) == DDPM_EUSAGE);

        while (ddpm_sampler_left(s) > 1)
            CHECK(!ddpm_sampler_step(s, NULL));

        const double *x = ddpm_sampler_state(s, NULL);
        missing[k] = fmax(fabs(x[0] - from[0]), fabs(x[1] - from[1]));

        ddpm_sampler_free(s);
        ddpm_chain_free(l.chain);
    }

    CHECK(lround(order_seen(missing)) == 3);
}

/* Makes one step of a sampler from position i; the state and z are the same for each sampler. */
static void one_step(double *x, struct line *l, const char *sampler, const char *variance, double eta,
                     int order, int i)
{
    ddpm_sampler *s = NULL;
    ddpm_sampler_options o = { .sampler = sampler,
                               .variance = variance,
                               .eta = eta,
                               .order = order,
                               .outputs = 1,
                               .T = l->K,
                               .seed = 3,
                               .eps = line_eps,
                               .eps_user = l };
    CHECK(!ddpm_sampler_create(&s, l->chain, &o, D, 1, NULL, NULL));
    REQUIRE(s && !ddpm_sampler_start(s, (uint32_t[]){ 4 }, NULL, 1, from, i, NULL) &&
            !ddpm_sampler_step(s, NULL));
    memcpy(x, ddpm_sampler_state(s, NULL), D * sizeof *x);
    ddpm_sampler_free(s);
}

/* The last step returns the x0 that eps names, in the highest order, too. The tolerance: x0 = (x - sigma eps)
   / alpha rounds five times, each to |x| or |eps| times 2^-53, and both stay below 10. */
TEST(property, the_last_step_of_ipndm_is_x0)
{
    struct line l;
    line_of(&l, 8, -5, 0);
    double alpha_bar = ddpm_chain_tables(l.chain)->alpha_bar[0], x[D], eps[D];
    ddpm_sampler *s = sampler_of(&l, "ipndm", 0, 4, 1);
    REQUIRE(s && !ddpm_sampler_start(s, (uint32_t[]){ 0 }, NULL, 1, from, l.K - 1, NULL));

    while (ddpm_sampler_left(s) > 1)
        CHECK(!ddpm_sampler_step(s, NULL));
    memcpy(x, ddpm_sampler_state(s, NULL), sizeof x);
    exact_eps(eps, x, alpha_bar);
    CHECK(!ddpm_sampler_step(s, NULL));

    for (int e = 0; e < D; e++)
        CHECK_NEAR(ddpm_sampler_state(s, NULL)[e], (x[e] - sqrt(1 - alpha_bar) * eps[e]) / sqrt(alpha_bar),
                   5 * 20 * 0x1p-53 / sqrt(alpha_bar));
    ddpm_sampler_free(s);
    ddpm_chain_free(l.chain);
}

/* |x|, |x0| sqrt(alpha_bar) and |z| stay below 10. Every coefficient is right to a few roundings of a
   difference. The smallest such difference is 1 - alpha = beta, so the tolerance is 8 u / beta, u =
   2^-53. */
TEST(property, ddim_is_a_special_case)
{
    struct line l;
    line_of(&l, 60, -5, 4);
    const ddpm_tables *t = ddpm_chain_tables(l.chain);

    for (int i = 0; i < l.K; i++) {
        double x[D], y[D], bound = 10 * 8 * 0x1p-53 / t->beta[i] / sqrt(t->alpha_bar[i]);

        one_step(x, &l, "ddim", "auto", 1, 0, i);
        one_step(y, &l, "ddpm", "beta-tilde", 0, 0, i);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], y[e], bound);

        one_step(x, &l, "ddim", "auto", 0, 0, i);
        one_step(y, &l, "ode", "auto", 0, 1, i);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], y[e], bound);

        one_step(y, &l, "ipndm", "auto", 0, 1, i);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], y[e], bound);

        one_step(y, &l, "dpmpp", "auto", 0, 1, i);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], y[e], bound);

        one_step(x, &l, "ddim", "auto", 1, 0, i);
        one_step(y, &l, "dpmpp", "auto", 1, 1, i);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], y[e], bound);
    }
    ddpm_chain_free(l.chain);
}

/* Compares the mean and covariance of n samples with the mixture's, in standard errors that the samples'
   own fourth moments give. */
static void check_moments(const char *name, const double *x, int n)
{
    double mean[D] = { 0 }, worst = 0;

    for (int e = 0; e < D; e++)
        for (int k = 0; k < 2; k++)
            mean[e] += weight[k] * centre[k][e];

    for (int e = 0; e < D; e++)
        for (int f = -1; f <= e; f++) { /* f = -1 is the mean itself */
            double sum = 0, square = 0, expected = 0;
            for (int k = 0; k < 2 && f >= 0; k++)
                expected += weight[k] * ((centre[k][e] - mean[e]) * (centre[k][f] - mean[f]) +
                                         (e == f ? spread[k][e] : 0));
            for (int j = 0; j < n; j++) {
                double v = (x[j * D + e] - mean[e]) * (f < 0 ? 1 : x[j * D + f] - mean[f]);
                sum += v, square += v * v;
            }

            double found = sum / n, error = sqrt((square / n - found * found) / n);
            worst = fmax(worst, fabs(found - expected) / error);
        }

    if (!(worst < 5))
        check_fail(__FILE__, __LINE__, "%s: %.1f standard errors", name, worst);
}

/* 2000 samples have standard errors of some 2 %. The chains are fine enough for a bias well below that:
   400 steps of 1/40 in lambda.

   The bias of langevin, in the unscaled y with the variance v_y = v + s, s = e^(-2 lambda): a step,
   delta = 4 r^2 s, takes delta / v_y of the excess e of the variance away, while the noise to come falls
   by 2 s for each unit of lambda. With n steps at each level de/dlambda = -40 n 4 r^2 s / v_y e + 2 s,
   so e stays at v_y / (80 n r^2), which is 1.2 % for n = 12, r = 0.3. A step's noise is too strong by
   r^2 s more, which is gone at the end. */
TEST(property, moments_of_the_mixture)
{
    static const struct {
        const char *name;
        double eta;
        int order;
    } of[] = {
        { "ddpm", 0, 0 },  { "ddim", 0, 0 },     { "dpmpp", 0, 0 }, { "dpmpp", 0.5, 2 },
        { "dpmpp", 1, 2 }, { "dpmpp", 1, 3 },    { "unipc", 0, 0 }, { "sde", 0, 0 },
        { "ode", 0, 0 },   { "langevin", 0, 0 }, { "ipndm", 0, 0 },
    };

    enum { N = 2000 };

    static double x[N * D];
    static uint32_t index[N];
    struct line l;
    line_of(&l, 400, -5, 5);
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        ddpm_sampler *s = sampler_of(&l, of[k].name, of[k].eta, of[k].order, N);
        for (int j = 0; j < N; j++)
            index[j] = (uint32_t)j;
        REQUIRE(s && !ddpm_sampler_start(s, index, NULL, N, NULL, 0, NULL));
        while (ddpm_sampler_left(s))
            CHECK(!ddpm_sampler_step(s, NULL));
        memcpy(x, ddpm_sampler_state(s, NULL), sizeof x);
        check_moments(of[k].name, x, N);
        ddpm_sampler_free(s);
    }
    ddpm_chain_free(l.chain);
}
