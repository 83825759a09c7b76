/* The traits in ddpm_sampler_traits_of say what each sampler does: whether it takes or refuses an
   option, whether its steps draw noise, whether it leads an image back to noise. */
#include <math.h>
#include <string.h>
#include "check.h"
#include "tests/untuned_solver.h"

enum { D = 2, T = 40 };

static int eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err)
{
    (void)user, (void)t, (void)classes, (void)err;
    memcpy(out, x, (size_t)n * D * sizeof *x);
    return DDPM_OK;
}

/* Counts the draws of the steps; x_T is drawn at t = infinity and not counted. */
static void noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    (void)index, (void)draw;
    *(int *)user += t < INFINITY;
    for (size_t e = 0; e < d; e++)
        z[e] = 0.5;
}

static double beta[T], alpha_bar[T], gamma_half[T];
static int draws;
static double table[DDPM_TUNED_ROWS * UNTUNED_MOST];
static ddpm_tuned solver;

static ddpm_sampler_options options_of(const char *sampler)
{
    ddpm_sampler_options o;
    ddpm_about about = {
        .steps = T, .alpha_bar = alpha_bar, .channels = 1, .outputs = 1, .prediction = DDPM_EPS
    };
    ddpm_sampler_defaults(&o, &about);
    o.sampler = sampler;
    o.variance = "auto";
    o.gamma = gamma_half;
    o.eps = eps;
    o.noise = noise;
    o.noise_user = &draws;
    o.tuned = &solver;
    o.tuned_count = 1;
    return o;
}

/* Returns whether a sampler can be made with these options. */
static int taken(const ddpm_chain *chain, const ddpm_sampler_options *o)
{
    ddpm_sampler *s = NULL;
    int code = ddpm_sampler_create(&s, chain, o, D, 1, NULL, NULL);
    CHECK(code == DDPM_OK || code == DDPM_EUSAGE);
    ddpm_sampler_free(s);
    return code == DDPM_OK;
}

static void check_options(const ddpm_chain *chain, const char *name, const ddpm_sampler_traits *traits)
{
    ddpm_sampler_options o = options_of(name);
    CHECK(taken(chain, &o));
    o.eta = 0.5;
    CHECK(taken(chain, &o) == traits->takes_eta);

    o = options_of(name);
    o.variance = "beta-tilde";
    CHECK(taken(chain, &o) == traits->takes_variance);
    o.variance = "analytic";
    CHECK(taken(chain, &o) == traits->takes_analytic);

    o = options_of(name);
    for (o.order = 1; o.order < 5; o.order++)
        CHECK(taken(chain, &o) == (o.order <= traits->highest_order));
    CHECK(traits->order <= traits->highest_order && !traits->order == !traits->highest_order);

    o = options_of(name);
    o.corrector = 1;
    CHECK(taken(chain, &o) == (traits->corrector >= 0));
}

static void check_steps(const ddpm_chain *chain, const char *name, const ddpm_sampler_traits *traits)
{
    const uint32_t index = 3;
    const double x[D] = { 0.1, -0.2 };
    ddpm_sampler_options o = options_of(name);
    ddpm_sampler *s = NULL;
    REQUIRE(!ddpm_sampler_create(&s, chain, &o, D, 1, NULL, NULL));
    CHECK(ddpm_sampler_noisy(s) == (traits->noisy || traits->corrector > 0));
    CHECK(!ddpm_sampler_start(s, &index, NULL, 1, NULL, 0, NULL));
    draws = 0;
    while (ddpm_sampler_left(s) > 0)
        CHECK(!ddpm_sampler_step(s, NULL));
    CHECK((draws > 0) == (traits->noisy || traits->corrector > 0));

    CHECK(!ddpm_sampler_start(s, &index, NULL, 1, x, 0, NULL));
    CHECK(ddpm_sampler_encode(s, NULL) == (traits->encodes ? DDPM_OK : DDPM_EUSAGE));
    ddpm_sampler_free(s);
}

TEST(property, sampler_traits)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    CHECK(!ddpm_betas(beta, alpha_bar, T, "linear", NULL));
    REQUIRE(!ddpm_chain_respace(&chain, &about, "4", NULL, NULL));
    solver = untuned_solver(table, chain);
    for (int t = 0; t < T; t++)
        gamma_half[t] = 0.5;
    for (const char *const *name = ddpm_sampler_names(); *name; name++) {
        const ddpm_sampler_traits *traits = ddpm_sampler_traits_of(*name);
        REQUIRE(traits);
        check_options(chain, *name, traits);
        check_steps(chain, *name, traits);
    }
    CHECK(!ddpm_sampler_traits_of("euler") && !ddpm_sampler_traits_of(NULL));
    ddpm_chain_free(chain);
}
