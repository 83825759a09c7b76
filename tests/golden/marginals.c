/* The jump to x_t, the posterior, x0 and eps, and the mixture's eps, against the original
   implementations. */
#include "diffusion/marginal.h"
#include "diffusion/posterior.h"
#include "golden/reference.h"
#include "check.h"

enum { ALL = 2 * MIXTURE_D };

/* The tolerance is ten times the largest distance measured for forward.json (README: 4.1e-13). */
static const double tolerance = 4.1e-12;

static void expect(const cJSON *entry, const char *key, const double *found)
{
    double *expected = reference_numbers(entry, key, NULL),
           distance = reference_distance(found, expected, ALL);
    if (!(distance <= tolerance))
        check_fail(__FILE__, __LINE__, "t = %g, %s: distance %.3g > %.3g", reference_number(entry, "t"), key,
                   distance, tolerance);
    free(expected);
}

static void compare_entry(const cJSON *entry, const double *x0, struct mixture *m,
                          const struct dd_posterior *p)
{
    int t = (int)reference_number(entry, "t");
    double alpha_bar = m->alpha_bar[t], z[ALL], xt[ALL], eps[ALL], found[ALL];
    reference_noise(z, 1, 0, ALL, 1);
    dd_marginal_xt(xt, x0, z, alpha_bar, ALL);
    expect(entry, "x_t", xt);
    dd_posterior_mean(p, found, x0, xt, t, ALL);
    expect(entry, "posterior_mean", found);
    mixture_eps(m, eps, xt, t, NULL, 2, NULL);
    expect(entry, "net_eps", eps);
    dd_marginal_x0(found, xt, eps, DDPM_EPS, 0, alpha_bar, ALL);
    expect(entry, "xstart_from_net_eps", found);
    dd_marginal_x0(found, xt, eps, DDPM_EPS, 1, alpha_bar, ALL);
    dd_marginal_eps(found, xt, found, alpha_bar, ALL);
    expect(entry, "eps_from_clipped_xstart", found);
    dd_marginal_x0(found, xt, z, DDPM_EPS, 0, alpha_bar, ALL);
    expect(entry, "xstart_from_true_noise", found);

    double *log_variance = reference_numbers(entry, "posterior_log_variance_clipped", NULL);
    CHECK_NEAR(p->log_small[t], log_variance[0], tolerance * fabs(log_variance[0]));
    free(log_variance);
}

static void forward(const cJSON *root)
{
    struct mixture m;
    struct dd_posterior p;
    ddpm_chain *chain = NULL;
    const cJSON *entry;
    REQUIRE(!mixture_read(&m));
    ddpm_about about = { .steps = 1000, .alpha_bar = m.alpha_bar };
    REQUIRE(!ddpm_chain_respace(&chain, &about, "all", NULL, NULL));
    struct dd_variance variance = { .name = "beta-tilde", .own = DDPM_BETA, .T = 1000 };
    REQUIRE(!dd_posterior_create(&p, ddpm_chain_tables(chain), &variance, NULL, NULL));
    double *x0 = reference_numbers(root, "x0_values", NULL);
    cJSON_ArrayForEach(entry, reference_get(root, "entries"))
        compare_entry(entry, x0, &m, &p);
    free(x0);
    dd_posterior_free(&p);
    ddpm_chain_free(chain);
}

TEST(golden, forward)
{
    reference_each("forward", forward);
}

/* Checks the tests' own network and noise first, since every run stands on them. */
static void mixture(const cJSON *root)
{
    struct mixture m;
    const cJSON *v;

    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(v, reference_get(root, "noise_check")) {
        double z;
        reference_noise(&z, (int)reference_number(v, "step"), (int)reference_number(v, "i"), 1, 1);
        /* Ten times the difference of two libraries' routines (README, "Noise"). */
        CHECK_NEAR(z, reference_number(v, "z"), 1.3e-15 * 10);
    }

    cJSON_ArrayForEach(v, reference_get(root, "eps_points")) {
        double x[ALL], eps[ALL], *expected = reference_numbers(v, "eps", NULL);
        /* Points are noise of step 0, or half of that of step 1. */
        int half = !strncmp(reference_text(v, "x"), "0.5*", 4);
        reference_noise(x, half, 0, ALL, 1);
        for (int e = 0; e < ALL && half; e++)
            x[e] *= 0.5;
        mixture_eps(&m, eps, x, reference_number(v, "t"), NULL, 2, NULL);
        CHECK_NEAR(reference_distance(eps, expected, ALL), 0,
                   fmax(1e-12, 10 * reference_number(v, "longdouble_dist")));
        free(expected);
    }
}

TEST(golden, mixture)
{
    reference_each("mixture", mixture);
}
