/* The integrators on processes of other kinds than diffusion: a rotating Ornstein-Uhlenbeck process,
   whose mean and covariance are known, and Langevin dynamics on minibatches, whose posterior is
   known. */
#include "check.h"

enum { D = 2 };

/* The process dx = (-theta x + omega J x) dt + sigma dW, where J is a quarter turn and x(0) ~ N(m, v
   I). So x(t) ~ N(e^(-theta t) R(omega t) m, v_t I) with v_t = e^(-2 theta t) v + sigma^2 / (2
   theta) (1 - e^(-2 theta t)), where R turns by an angle. */
static const double THETA = 0.8, OMEGA = 1.5, SIGMA = 0.7, END = 1.2, VARIANCE = 0.04,
                    START[D] = { 1.5, -0.5 };

static void turn(double *y, const double *x, double angle, double scale)
{
    double c = scale * cos(angle), s = scale * sin(angle), x0 = x[0], x1 = x[1];
    y[0] = c * x0 - s * x1;
    y[1] = s * x0 + c * x1;
}

static double variance_at(double t)
{
    double left = exp(-2 * THETA * t);
    return left * VARIANCE + SIGMA * SIGMA / (2 * THETA) * (1 - left);
}

static void drift(void *user, double *f, const double *x, double t, size_t d)
{
    (void)user, (void)t, (void)d;
    f[0] = -THETA * x[0] - OMEGA * x[1];
    f[1] = -THETA * x[1] + OMEGA * x[0];
}

static double diffusion(void *user, double t)
{
    (void)user, (void)t;
    return SIGMA;
}

static int score(void *user, double *s, const double *x, double t, size_t d, ddpm_error *err)
{
    double mean[D];
    (void)user, (void)err;
    turn(mean, START, OMEGA * t, exp(-THETA * t));
    for (size_t e = 0; e < d; e++)
        s[e] = (mean[e] - x[e]) / variance_at(t);
    return 0;
}

static const ddpm_sde turning = { drift, diffusion, score, NULL };

/* Compares n samples with N(mean, variance I): mean and covariance within 5 standard errors. */
static void check_normal(const char *what, const double *x, int n, const double mean[D], double variance)
{
    double sum[D] = { 0 }, product[3] = { 0 }, worst;
    for (int j = 0; j < n; j++) {
        double a = x[j * D] - mean[0], b = x[j * D + 1] - mean[1];
        sum[0] += a, sum[1] += b, product[0] += a * a, product[1] += b * b, product[2] += a * b;
    }
    worst = fmax(fabs(sum[0]), fabs(sum[1])) / sqrt(n * variance);
    worst = fmax(worst, fmax(fabs(product[0] - n * variance), fabs(product[1] - n * variance)) /
                            (variance * sqrt(2.0 * n)));
    worst = fmax(worst, fabs(product[2]) / (variance * sqrt(n)));
    if (!(worst < 5))
        check_fail(__FILE__, __LINE__, "%s: %.1f standard errors", what, worst);
}

/* 4000 samples have standard errors of 2 %; the bias of 400 steps is about theta h = 0.2 %. */
TEST(property, ornstein_uhlenbeck)
{
    enum { N = 4000, STEPS = 400 };

    static double x[N * D];
    double work[2 * D], z[D], h = END / STEPS, mean[D];
    uint64_t seed = 8;
    for (int j = 0; j < N; j++) {
        ddpm_noise(&seed, x + j * D, D, (uint32_t)j, INFINITY, 0);
        for (int e = 0; e < D; e++)
            x[j * D + e] = START[e] + sqrt(VARIANCE) * x[j * D + e];
        for (int k = 0; k < STEPS; k++) {
            ddpm_noise(&seed, z, D, (uint32_t)j, k, 0);
            CHECK(!ddpm_sde_step(&turning, x + j * D, z, k * h, h, work, D, NULL));
        }
    }
    turn(mean, START, OMEGA * END, exp(-THETA * END));
    check_normal("onward", x, N, mean, variance_at(END));
    for (int j = 0; j < N; j++)
        for (int k = STEPS; k > 0; k--) {
            ddpm_noise(&seed, z, D, (uint32_t)j, k, 1);
            CHECK(!ddpm_sde_step(&turning, x + j * D, z, k * h, -h, work, D, NULL));
        }
    check_normal("and back", x, N, START, VARIANCE);
}

/* Along the ODE a point keeps its place in the Gaussian: x(t) = mean(t) + sqrt(v_t / v_0) R(omega t)
   (x(0) - m). Errors fall by 2^order when the step is halved, up to O(h), so the order is the
   nearest whole number. On the way there and back, the errors of Euler's steps, which are even in h,
   add up; those of Heun's are odd and cancel but for O(h^3). */
TEST(property, ordinary_equation)
{
    const double at[D] = { 1.9, -0.2 };
    double exact[D], mean[D], away[D] = { at[0] - START[0], at[1] - START[1] }, work[3 * D];
    turn(mean, START, OMEGA * END, exp(-THETA * END));
    turn(exact, away, OMEGA * END, sqrt(variance_at(END) / VARIANCE));

    for (int order = 1; order <= 2; order++) {
        double error[2], back[2];
        for (int k = 0; k < 2; k++) {
            int steps = k ? 800 : 400;
            double x[D] = { at[0], at[1] }, h = END / steps;
            for (int j = 0; j < steps; j++)
                CHECK(!ddpm_ode_step(&turning, x, j * h, h, order, work, D, NULL));
            error[k] = hypot(x[0] - mean[0] - exact[0], x[1] - mean[1] - exact[1]);

            /* And all the way back. */
            for (int j = steps; j > 0; j--)
                CHECK(!ddpm_ode_step(&turning, x, j * h, -h, order, work, D, NULL));
            back[k] = hypot(x[0] - at[0], x[1] - at[1]);
        }

        CHECK(lround(log2(error[0] / error[1])) == order);
        CHECK(lround(log2(back[0] / back[1])) == (order == 1 ? 1 : 3));
    }
}

/* The forward equation needs no score; the reverse equation and the ODE do. */
TEST(unit, equations_without_a_score)
{
    const ddpm_sde onward = { drift, diffusion, NULL, NULL };
    double x[D] = { 1, 2 }, work[3 * D];
    ddpm_error err = { 0 };
    CHECK(!ddpm_sde_step(&onward, x, NULL, 0, 0.1, work, D, NULL) && x[0] != 1);
    x[0] = 1, x[1] = 2;
    CHECK(ddpm_sde_step(&onward, x, NULL, 0, -0.1, work, D, &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "no score"));
    for (int order = 1; order <= 2; order++)
        for (int back = 0; back < 2; back++)
            CHECK(ddpm_ode_step(&onward, x, 0.5, back ? -0.1 : 0.1, order, work, D, &err) == DDPM_EUSAGE);
    CHECK(x[0] == 1 && x[1] == 2 && ddpm_ode_step(&onward, x, 0.5, 0.1, 2, work, D, NULL) == DDPM_EUSAGE);
}

/* The example of Welling and Teh (2011): y_j ~ N(x, 1) for j < ALL, with the prior x ~ N(0, TAU^2).
   The posterior is N(S / P, 1 / P) with S = sum y and P = ALL + 1 / TAU^2. */
enum { ALL = 100, BATCH = 10, CHAINS = 20, STEPS = 100000 };

static const double TAU = 3;

struct data {
    double y[ALL];
    uint64_t order;
};

static int minibatch(void *user, double *g, const double *x, int64_t step, size_t d, ddpm_error *err)
{
    struct data *p = user;
    double sum = 0;
    (void)step, (void)d, (void)err;
    for (int j = 0; j < BATCH; j++) {
        p->order = p->order * 6364136223846793005u + 1442695040888963407u;
        sum += p->y[(p->order >> 33) % ALL] - *x;
    }
    *g = -*x / (TAU * TAU) + (double)ALL / BATCH * sum;
    return 0;
}

/* Averages over a chain are weighted by its steps (their equation 11). Twenty chains give the
   standard error. The minibatch's noise adds delta V / 4, V = ALL^2 / BATCH, to the unit noise of a
   step: 10 % at first and 1 % at the end. On average that is some 2 % of the variance, about as much
   as the standard error. */
TEST(property, minibatch_langevin)
{
    struct data data = { .order = 1 };
    uint64_t seed = 99;
    double sum = 0, precision = ALL + 1 / (TAU * TAU), mean[CHAINS], variance[CHAINS], work[2];
    ddpm_noise(&seed, data.y, ALL, 0, 0, 0);
    for (int j = 0; j < ALL; j++)
        sum += data.y[j] += 0.7;

    for (int c = 0; c < CHAINS; c++) {
        ddpm_langevin l = { minibatch,     &data,     .a = 0.02,           .b = 1000,
                            .gamma = 0.55, .seed = 5, .index = (uint32_t)c };
        double x = 0, total = 0, first = 0, second = 0;

        for (int t = 0; t < STEPS; t++) {
            /* The integrator makes the same step; here it is the weight. */
            double delta = 0.02 * pow(1000.0 + t, -0.55);
            REQUIRE(!ddpm_langevin_run(&l, &x, work, 1, t, 1, NULL));
            if (t < 1000)
                continue; /* still on its way from 0 */
            total += delta, first += delta * x, second += delta * x * x;
        }

        mean[c] = first / total;
        /* The variance is that about the true mean. */
        variance[c] = second / total - 2 * mean[c] * sum / precision + sum / precision * (sum / precision);
    }

    const double *found[2] = { mean, variance }, expected[2] = { sum / precision, 1 / precision };
    for (int k = 0; k < 2; k++) {
        double average = 0, square = 0;
        for (int c = 0; c < CHAINS; c++)
            average += found[k][c] / CHAINS;
        for (int c = 0; c < CHAINS; c++)
            square += (found[k][c] - average) * (found[k][c] - average) / (CHAINS - 1);
        CHECK_NEAR(average, expected[k], 5 * sqrt(square / CHAINS));
    }
}

static int no_gradient(void *user, double *g, const double *x, int64_t step, size_t d, ddpm_error *err)
{
    (void)user, (void)g, (void)x, (void)step, (void)d, (void)err;
    return 3;
}

TEST(unit, langevin_options_refused)
{
    const ddpm_langevin good = { no_gradient, NULL, .a = 1, .b = 1, .gamma = 1 };
    ddpm_langevin bad[6] = { good, good, good, good, good, good };
    double x = 0, work[2];
    bad[0].gradient = NULL, bad[1].a = 0, bad[2].b = -1, bad[3].gamma = 0.5, bad[4].gamma = 1.1,
    bad[5].gamma = -1;
    for (int k = 0; k < 6; k++)
        CHECK(ddpm_langevin_run(&bad[k], &x, work, 1, 0, 1, NULL) == DDPM_EUSAGE);
    CHECK(ddpm_langevin_run(&good, &x, work, 1, -1, 1, NULL) == DDPM_EUSAGE);
    CHECK(ddpm_langevin_run(&good, &x, work, 1, 0, -1, NULL) == DDPM_EUSAGE);
    CHECK(ddpm_langevin_run(&good, &x, work, 1, 0, 1, NULL) == DDPM_ECALLBACK && x == 0);
    CHECK(!ddpm_langevin_run(&good, &x, work, 1, 0, 0, NULL));
}
