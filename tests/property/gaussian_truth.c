/* Samplers on data N(MEAN, V), whose exact network is linear. An image is therefore a linear
   function of its noise, and its variance is the sum of the squares of what each noise alone makes.
   Element 0 of the image gets no noise; element k gets only the k-th noise that is drawn, with the
   value 1. So no random number is needed. */
#include <stdbool.h>
#include "check.h"

enum { T = 1000, LANGEVIN = 2 };

static const double MEAN = 0.3, V = 0.04;
static double beta[T], alpha_bar[T];
static int elements;

static int exact_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    double ab = alpha_bar[(int)t];
    (void)user, (void)classes, (void)err;
    for (int e = 0; e < n * elements; e++)
        out[e] = sqrt(1 - ab) * (x[e] - sqrt(ab) * MEAN) / (ab * V + 1 - ab);
    return DDPM_OK;
}

static void one_each(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    int *drawn = user;
    (void)index, (void)t, (void)draw;
    memset(z, 0, d * sizeof *z);
    z[++*drawn] = 1;
}

struct setting {
    const char *sampler;
    int order, corrector;
    double eta;
};

struct said {
    bool sampler, chain;
};

/* Returns the variance after K steps in units of V; *said tells whether the sampler or the chain
   warned. */
static double variance_of(const struct setting *g, int K, const char *spacing, struct said *said)
{
    ddpm_about about = { .steps = T, .beta = beta, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    char steps[16], warning[256];
    int drawn = 0;
    double sum = 0;
    /* There is an element without noise, one for x_T, and at most one for each step and corrector. */
    elements = 2 + K * (1 + g->corrector);

    snprintf(steps, sizeof steps, "%d", K);
    CHECK(!ddpm_chain_respace(&chain, &about, steps, spacing, NULL));
    ddpm_sampler_options o = { .sampler = g->sampler,
                               .variance = "auto",
                               .eta = g->eta,
                               .order = g->order,
                               .corrector = g->corrector,
                               .snr = 0.16,
                               .outputs = 1,
                               .T = T,
                               .eps = exact_eps,
                               .noise = one_each,
                               .noise_user = &drawn };

    CHECK(!ddpm_sampler_create(&s, chain, &o, (size_t)elements, 1, warning, NULL));
    if (!s || ddpm_sampler_start(s, (uint32_t[]){ 0 }, NULL, 1, NULL, 0, NULL))
        return NAN;

    while (ddpm_sampler_left(s))
        CHECK(!ddpm_sampler_step(s, NULL));

    const double *x = ddpm_sampler_state(s, NULL);
    for (int e = 1; e <= drawn; e++)
        sum += (x[e] - x[0]) * (x[e] - x[0]);

    *said = (struct said){ warning[0], ddpm_chain_tables(chain)->warning };
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    return sum / V;
}

/* Correctors keep the marginal up to the bias of their own step. With delta = 4 r^2 s, s = 1 -
   alpha_bar, they raise the variance v of x_t by at most delta / (4 v) <= r^2 of it, 2.6 %, where it
   is stationary. The error of a predictor goes with 1 / K: with four times the steps it is less than
   half, and at K = 200 it is below 15 % (the worst is ancestral sampling, 14.2 %). */
TEST(property, correctors_keep_the_variance)
{
    static const struct setting of[] = {
        { "ddpm", 0, 0, 0 }, { "ddim", 0, 0, 0 }, { "ddim", 0, 0, 0.5 }, { "ddim-diffusers", 0, 0, 1 },
        { "sde", 0, 0, 0 },  { "ode", 1, 0, 0 },  { "ode", 2, 0, 0 },
    };
    struct said said;
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear", NULL));

    for (size_t k = 0; k < sizeof of / sizeof *of; k++)
        for (int corrector = 0; corrector <= LANGEVIN; corrector++) {
            struct setting g = of[k];
            g.corrector = corrector;

            double few = fabs(variance_of(&g, 50, NULL, &said) - 1);
            double many = fabs(variance_of(&g, 200, NULL, &said) - 1);

            if (!(many < 0.15 && many <= few / 2 + 0.16 * 0.16))
                check_fail(__FILE__, __LINE__,
                           "%s of order %d, eta %g, %d correctors: variance off by %.3f "
                           "at 50 steps, by %.3f at 200",
                           g.sampler, g.order, g.eta, corrector, few, many);
        }
}

/* In y = x / alpha, DDIM's step makes a weighted mean of y and x0. Neither is wider than the data at
   the end, so the result is no wider. Within the bound of dpmpp.c, a step of a higher order adds at
   most the last change of x0, which is at most as wide: twice the standard deviation, four times the
   variance. Order 2 without noise needs no bound. Where an order with a bound does not warn, and the
   list does not begin too late, the higher order is nearer to the truth than the first. */
TEST(property, multistep_is_stable_or_says_so)
{
    static const char *const betas[] = { "linear", "cosine" };
    static const double etas[] = { 0, 0.25, 0.5, 1 };

    for (int b = 0; b < 2; b++) {
        REQUIRE(!ddpm_betas(beta, alpha_bar, T, betas[b], NULL));
        for (const char *const *name = ddpm_spacing_names(); *name && strcmp(*name, "optimal"); name++)
            for (int k = 0; k < 2 * 4 * 29; k++) {
                struct setting g = { "dpmpp", 2 + k % 2, 0, etas[k / 2 % 4] }, one = { "dpmpp", 1, 0, g.eta };
                int step = k / 8, K = step < 19 ? 2 + step : 20 * (step - 18);
                struct said said, unused;
                double v = variance_of(&g, K, *name, &said), first = variance_of(&one, K, *name, &unused);

                bool bounded = g.order > 2 || g.eta > 0;
                bool compares = bounded && !said.sampler && !said.chain && K > 20;

                if (!(v < 4) || unused.sampler || (compares && !(fabs(log(v)) <= fabs(log(first)) + 0.01)))
                    check_fail(__FILE__, __LINE__,
                               "%s, %s, %d steps, order %d, eta %g: variance %.3f, not "
                               "%.3f",
                               betas[b], *name, K, g.order, g.eta, v, first);
            }
    }
}

/* UniPC predicts as order 2 of dpmpp without noise does, so the same bound holds. */
TEST(property, unipc_is_stable)
{
    static const char *const betas[] = { "linear", "cosine" };
    const struct setting g = { "unipc", 2, 0, 0 };

    for (int b = 0; b < 2; b++) {
        REQUIRE(!ddpm_betas(beta, alpha_bar, T, betas[b], NULL));
        for (const char *const *name = ddpm_spacing_names(); *name && strcmp(*name, "optimal"); name++)
            for (int K = 2; K <= 200; K = K < 20 ? K + 1 : K + 20) {
                struct said said;
                double v = variance_of(&g, K, *name, &said);
                if (!(v < 4) || said.sampler)
                    check_fail(__FILE__, __LINE__, "%s, %s, %d steps: variance %.3f", betas[b], *name, K, v);
            }
    }
}

/* The coefficients of ipndm do not follow the steps, so no bound follows from them.  Held here: on every
   spacing and in every order the result is at most twice as wide as the data, as that of dpmpp is. */
TEST(property, ipndm_is_stable)
{
    static const char *const betas[] = { "linear", "cosine" };

    for (int b = 0; b < 2; b++) {
        REQUIRE(!ddpm_betas(beta, alpha_bar, T, betas[b], NULL));
        for (const char *const *name = ddpm_spacing_names(); *name && strcmp(*name, "optimal"); name++)
            for (int K = 2; K <= 200; K = K < 20 ? K + 1 : K + 20)
                for (int order = 1; order <= 4; order++) {
                    const struct setting g = { "ipndm", order, 0, 0 };
                    struct said said;
                    double v = variance_of(&g, K, *name, &said);
                    if (!(v < 4) || said.sampler)
                        check_fail(__FILE__, __LINE__, "%s, %s, %d steps, order %d: variance %.3f", betas[b],
                                   *name, K, order, v);
                }
    }
}

/* The last but one step of the default spacing is much longer than the one before it, so a warning
   is due; even steps need none. A step of Heun's can be too long by itself; Euler's and Langevin's
   can be too few. */
TEST(property, unstable_orders_are_said)
{
    static const struct {
        struct setting setting;
        int K;
        const char *spacing;
        bool said;
    } of[] = {
        { { "dpmpp", 3, 0, 0 }, 15, NULL, true },
        { { "dpmpp", 3, 0, 1 }, 100, NULL, true },
        { { "dpmpp", 2, 0, 1 }, 25, NULL, true },
        { { "dpmpp", 2, 0, 0 }, 20, NULL, false },
        { { "dpmpp", 1, 0, 1 }, 20, NULL, false },
        { { "dpmpp", 2, 0, 1 }, 50, "logsnr", false },
        { { "dpmpp", 3, 0, 0 }, 50, "logsnr", false },
        { { "dpmpp-diffusers", 3, 0, 0 }, 15, NULL, true },
        { { "dpmpp-diffusers", 3, 0, 0 }, 20, "trailing", false },
        { { "ddim", 0, 0, 1 }, 15, NULL, false },
        { { "unipc", 2, 0, 0 }, 20, NULL, false },
        { { "ode", 2, 0, 0 }, 5, NULL, true },
        { { "ode", 1, 0, 0 }, 5, NULL, false },
        { { "ode", 2, 0, 0 }, 100, NULL, false },
        { { "sde", 0, 0, 0 }, 100, NULL, true },
        { { "sde", 0, 0, 0 }, 250, NULL, false },
        { { "langevin", 0, 1, 0 }, 100, "logsnr", true },
        { { "langevin", 0, 10, 0 }, 400, "logsnr", false },
    };

    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear", NULL));
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        struct said said = { false, false };
        variance_of(&of[k].setting, of[k].K, of[k].spacing, &said);
        if (said.sampler != of[k].said)
            check_fail(__FILE__, __LINE__, "%s of order %d, eta %g, %d steps: %s", of[k].setting.sampler,
                       of[k].setting.order, of[k].setting.eta, of[k].K, said.sampler ? "warned" : "no word");
    }
}
