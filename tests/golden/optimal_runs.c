/* The variance "analytic" and the spacing "optimal" against the implementation of Bao et al. 2022:
   sigma*^2 of every pair, the closed form for one Gaussian, whole runs, their bounds, and best paths.
   The original counts n = 1..N, which is t + 1. Tolerances follow the reference's README: 10 times the
   distance to long double, but at least 1e-12. */
#include "golden/reference.h"
#include "check.h"
#include "diffusion/optimal_steps.h"
#include "diffusion/optimal_variance.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* Makes the chain "0,9,24" from the run's steps_n [1, 10, 25]. */
static int chain_of(ddpm_chain **chain, const struct mixture *m, const cJSON *run)
{
    ddpm_about about = { .steps = 1000, .alpha_bar = m->alpha_bar };
    char list[1024];
    int n, used = 0;
    double *step = reference_numbers(run, "steps_n", &n);
    for (int i = 0; i < n; i++)
        used += snprintf(list + used, sizeof list - (size_t)used, "%s%g", i ? "," : "", step[i] - 1);
    free(step);
    return ddpm_chain_respace(chain, &about, list, NULL, NULL);
}

static double bar(const struct mixture *m, int n)
{
    return n ? m->alpha_bar[n - 1] : 1;
}

/* Returns the grey values to which a run clips its last noise; 0: it does not. */
static int grey(const cJSON *run)
{
    const char *at = strstr(reference_text(run, "options"), "clip_pixel=");
    return at ? atoi(at + strlen("clip_pixel=")) : 0;
}

static void compare_variances(const cJSON *run, const struct mixture *m, const double *gamma,
                              const ddpm_tables *c)
{
    double tolerance = fmax(1e-12, 10 * reference_number(run, "sigma2_max_rel_diff_to_longdouble"));
    const cJSON *pair;
    int i = c->K;
    cJSON_ArrayForEach(pair, reference_get(run, "sigma2")) {
        int s = (int)reference_number(pair, "s"), r = (int)reference_number(pair, "r");
        int ancestral = strncmp(reference_text(run, "name"), "analytic_ddim", 13);
        REQUIRE(--i > 0 && c->t[i] == r - 1);
        double found =
            dd_optimal_variance(bar(m, r), bar(m, s), ancestral ? c->beta_tilde[i] : 0, 1 - gamma[r - 1]);
        double expected = reference_number(pair, "sigma2");
        if (grey(run))
            found = dd_optimal_variance_seen(found, c, i, grey(run));
        CHECK_NEAR(found, expected, tolerance * expected);
    }
}

/* This program always clips the noise that enters t = 0. A run that does not is followed only up to
   there. */
static void compare_states(ddpm_sampler *s, const cJSON *run)
{
    const cJSON *saved = reference_get(run, "saved")->child;
    double worst = 0, tolerance = reference_tolerance(run);
    for (int j = 1; ddpm_sampler_left(s) > (grey(run) ? 0 : 2); j++) {
        REQUIRE(!ddpm_sampler_step(s, NULL));
        if (!saved || (int)reference_number(saved, "j") != j)
            continue;
        double *x = reference_numbers(saved, "x", NULL);
        worst = fmax(worst, reference_distance(ddpm_sampler_state(s, NULL), x, ALL));
        free(x);
        saved = saved->next;
    }
    CHECK(!grey(run) || !saved);
    if (!(worst <= tolerance))
        check_fail(__FILE__, __LINE__, "%s: distance %.3g > %.3g", reference_text(run, "name"), worst,
                   tolerance);
}

static void replay(const cJSON *run, const double *gamma)
{
    struct mixture m;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    uint32_t index[IMAGES] = { 0, 1 };

    REQUIRE(!mixture_read(&m) && !chain_of(&chain, &m, run));
    compare_variances(run, &m, gamma, ddpm_chain_tables(chain));

    const char *sampler = strncmp(reference_text(run, "name"), "analytic_ddim", 13) ? "ddpm" : "ddim";
    ddpm_sampler_options o = { .sampler = sampler,
                               .variance = "analytic",
                               .outputs = 1,
                               .T = 1000,
                               .gamma = gamma,
                               .clip = 1,
                               .eps = mixture_eps,
                               .eps_user = &m,
                               .noise = reference_run_noise,
                               .noise_user = (void *)ddpm_chain_tables(chain) };

    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    if (s && !ddpm_sampler_start(s, index, NULL, IMAGES, NULL, 0, NULL))
        compare_states(s, run);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static void analytic_runs(const cJSON *root)
{
    const cJSON *run;
    double *gamma = reference_numbers(root, "gamma.values_n_1_to_N", NULL);
    cJSON_ArrayForEach(run, reference_get(root, "sampling.runs"))
        replay(run, gamma);
    free(gamma);
}

TEST(golden, analytic_runs)
{
    reference_each("analytic", analytic_runs);
}

/* For data N(mu, v I), gamma = (1 - ab) / (ab v + 1 - ab) exactly, and sigma*^2 is the true variance of
   x_s given x_r. */
static void single_gaussian(const cJSON *root)
{
    struct mixture m;
    const cJSON *chain;
    double v = reference_number(root, "single_gaussian.v");

    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(chain, reference_get(root, "single_gaussian.chains")) {
        int n;
        double *s = reference_numbers(chain, "pairs_s", &n), *r = reference_numbers(chain, "pairs_r", NULL);
        double *truth = reference_numbers(chain, "true_conditional_variance", NULL);

        for (int i = 0; i < n; i++) {
            double here = bar(&m, (int)r[i]), before = bar(&m, (int)s[i]),
                   lambda2 = (1 - here / before) * (1 - before) / (1 - here);
            double gamma = (1 - here) / (here * v + 1 - here);
            CHECK_NEAR(dd_optimal_variance(here, before, lambda2, 1 - gamma), truth[i], 1e-12 * truth[i]);
        }

        free(s);
        free(r);
        free(truth);
    }
}

TEST(golden, analytic_variance_of_a_gaussian)
{
    reference_each("analytic", single_gaussian);
}

/* ---- bounds ---- */

/* The tolerances are the README's limits for bounds: 10 x 9.3e-12 bits for a term, 10 x 1.8e-12 for the
   prior. L_0 is left out, since the original takes beta_tilde_1 of the full chain and a tanh there,
   where this program takes sigma*_0 and the normal distribution. golden/bounds.c compares the decoder. */
static void compare_bounds(ddpm_bound *b, const cJSON *run, const ddpm_tables *c, const double *x0)
{
    uint32_t index[IMAGES] = { 0, 1 };
    const cJSON *terms = reference_get(run, "analytic.terms_bpd");
    REQUIRE(!ddpm_bound_start(b, x0, index, NULL, IMAGES, NULL) && cJSON_GetArraySize(terms) == c->K + 1);
    while (ddpm_bound_left(b))
        REQUIRE(!ddpm_bound_step(b, NULL));
    for (int row = 0; row < IMAGES; row++) {
        const ddpm_bound_image *found = ddpm_bound_read(b, row);
        for (int i = 1; i <= c->K; i++) {
            double expected = cJSON_GetArrayItem(cJSON_GetArrayItem(terms, i), row)->valuedouble;
            CHECK_NEAR(i < c->K ? found->term[i] : found->prior, expected,
                       i < c->K ? 9.3e-11 : 1.8e-11 * expected);
        }
    }
}

static double *bound_images(void)
{
    double *x0 = NULL;
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/diffusion/vlb.json"));
    int n = 0;
    if (root)
        x0 = reference_numbers(root, "x0_uint8", &n);
    for (int e = 0; e < n; e++)
        x0[e] = x0[e] / 127.5 - 1;
    cJSON_Delete(root);
    return n == ALL ? x0 : NULL;
}

static void analytic_bounds(const cJSON *root)
{
    const cJSON *run, *other;
    double *gamma = reference_numbers(root, "gamma.values_n_1_to_N", NULL), *x0 = bound_images();

    REQUIRE(x0);
    cJSON_ArrayForEach(run, reference_get(root, "nelbo.runs")) {
        struct mixture m;
        ddpm_chain *chain = NULL;
        ddpm_bound *b = NULL;
        const cJSON *steps = NULL;

        /* The list of steps is that of the run with as many steps. */
        cJSON_ArrayForEach(other, reference_get(root, "sampling.runs"))
            steps = reference_number(other, "K") == reference_number(run, "K") ? other : steps;
        REQUIRE(steps && !mixture_read(&m) && !chain_of(&chain, &m, steps));

        const ddpm_tables *c = ddpm_chain_tables(chain);
        ddpm_sampler_options o = { .variance = "analytic",
                                   .outputs = 1,
                                   .T = 1000,
                                   .gamma = gamma,
                                   .clip = 1,
                                   .eps = mixture_eps,
                                   .eps_user = &m,
                                   .noise = reference_run_noise,
                                   .noise_user = (void *)(uintptr_t)c };

        CHECK(!ddpm_bound_create(&b, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
        if (b)
            compare_bounds(b, run, c, x0);

        ddpm_bound_free(b);
        ddpm_chain_free(chain);
    }

    free(gamma);
    free(x0);
}

TEST(golden, analytic_bounds)
{
    reference_each("analytic", analytic_bounds);
}

/* ---- best paths ---- */

static void toy_case(const cJSON *it)
{
    const cJSON *rows = reference_get(it, "F"), *row, *path;
    int nodes = cJSON_GetArraySize(rows), s = 0;
    double *cost = malloc((size_t)nodes * (size_t)nodes * sizeof *cost), node[32];
    struct dd_optimal_steps best;

    REQUIRE(cost && nodes == 21);

    cJSON_ArrayForEach(row, rows) {
        double *line = reference_numbers(row, "", NULL);
        memcpy(cost + s++ * nodes, line, (size_t)nodes * sizeof *line);
        free(line);
    }

    REQUIRE(!dd_optimal_steps_create(&best, cost, nodes, nodes, NULL));

    cJSON_ArrayForEach(path, reference_get(it, "paths")) {
        int K = (int)reference_number(path, "K"), n;
        double *expected = reference_numbers(path, "path", &n), nats = reference_number(path, "cost_nats");
        dd_optimal_steps_path(&best, node, K + 1);
        CHECK(n == K + 1 && !memcmp(node, expected, (size_t)n * sizeof *node));
        CHECK_NEAR(best.least[K], nats, 1e-12 * nats);
        free(expected);
    }

    dd_optimal_steps_free(&best);
    free(cost);
}

static void toy_paths(const cJSON *root)
{
    const cJSON *it;
    cJSON_ArrayForEach(it, reference_get(root, "toy_dp.cases"))
        toy_case(it);
}

TEST(golden, optimal_paths)
{
    reference_each("analytic", toy_paths);
}

/* Analytic-DPM takes K1 steps by its dynamic program, from n = 1 to N1, a level before the first
   estimate of gamma above 1. Behind it, where it does not trust the estimates, it takes even steps,
   which are no optimum and are not compared. The K1 steps must be the same. */
static void segments(const cJSON *root)
{
    const cJSON *list;
    struct mixture m;
    double *gamma = reference_numbers(root, "gamma.values_n_1_to_N", NULL), mse[1000], t[32];

    REQUIRE(!mixture_read(&m));
    for (int i = 0; i < 1000; i++)
        mse[i] = 1 - gamma[i];

    cJSON_ArrayForEach(list, reference_get(root, "dp_seg.lists")) {
        double *split = reference_numbers(list, "split_K1_N1_K2_bad", NULL),
               *expected = reference_numbers(list, "steps_n", NULL);
        ddpm_about about = { .steps = (int)split[1], .alpha_bar = m.alpha_bar, .gamma = gamma, .mse = mse };

        CHECK(split[0] <= 32 && !dd_optimal_steps(t, (int)split[0], &about, NULL));
        for (int i = 0; i < (int)split[0]; i++)
            CHECK(t[i] == expected[i] - 1);

        free(split);
        free(expected);
    }

    free(gamma);
}

TEST(golden, optimal_segments)
{
    reference_each("analytic", segments);
}
