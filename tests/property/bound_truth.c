/* The variational bound against closed forms: data and networks for which every term can be written
   down.

   Means over data and noise are exact, not sampled. A term is a quadratic form in (x0, z), and the
   four pairs (+-sqrt(v), +-1) have the same first and second moments as N(0, v) x N(0, 1). So the
   mean over one image of these four elements is the expectation. */
#include "base/rng.h"
#include "check.h"

enum { T = 1000, D = 4 };

static const double signs[2][D] = { { 1, 1, -1, -1 }, { 1, -1, 1, -1 } }, ln2 = 0.69314718055994530942;
static double beta[T], alpha_bar[T];

/* The exact network for data N(0, v I), in the prediction that is asked for: eps = sqrt(1 - ab) x /
   (ab v + 1 - ab). `off` is added to eps as a mistake. */
struct gaussian {
    double v, off;
    int prediction;
};

static int gaussian_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                        ddpm_error *err)
{
    const struct gaussian *g = user;
    double ab = alpha_bar[(int)t], a = sqrt(ab), s = sqrt(1 - ab);
    (void)classes, (void)err;
    for (int e = 0; e < n * D; e++) {
        double eps = s * x[e] / (ab * g->v + 1 - ab) + g->off, x0 = (x[e] - s * eps) / a;
        out[e] = g->prediction == DDPM_EPS ? eps : g->prediction == DDPM_X0 ? x0 : a * eps - s * x0;
    }
    return DDPM_OK;
}

static void sign_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    (void)user, (void)index, (void)t, (void)draw;
    memcpy(z, signs[1], d * sizeof *z);
}

static ddpm_chain *chain_of(const char *steps)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    CHECK(!ddpm_betas(beta, alpha_bar, T, "linear", NULL) &&
          !ddpm_chain_respace(&chain, &about, steps, NULL, NULL));
    return chain;
}

static ddpm_sampler_options options_of(struct gaussian *g, const char *variance)
{
    return (ddpm_sampler_options){ .variance = variance,
                                   .prediction = g->prediction,
                                   .outputs = 1,
                                   .T = T,
                                   .seed = 7,
                                   .eps = gaussian_eps,
                                   .eps_user = g,
                                   .noise = sign_noise };
}

static ddpm_bound *measured(const ddpm_chain *chain, const ddpm_sampler_options *o, const double *x0,
                            const uint32_t *index, int n, int batch)
{
    ddpm_bound *b = NULL;
    if (ddpm_bound_create(&b, chain, o, D, batch, NULL, NULL) ||
        ddpm_bound_start(b, x0, index, NULL, n, NULL)) {
        check_fail(__FILE__, __LINE__, "the bound cannot be made");
        exit(1);
    }
    while (ddpm_bound_left(b))
        CHECK(!ddpm_bound_step(b, NULL));
    return b;
}

/* With the true eps, E (x0 - x0_theta)^2 = v (1 - ab) / (ab v + 1 - ab), and every term but L_0
   follows. The tolerance: x0_theta = (x - s eps) / a loses a factor 1/a of precision, and the
   difference x0 - x0_theta another one. Relative to the term that is below 1e-9 while a > 0.006, as
   in this chain. */
TEST(property, bound_of_a_gaussian)
{
    static const char *const steps[] = { "10", "50", "all" }, *const variances[] = { "beta", "beta-tilde" };
    for (int k = 0; k < 3 * 2 * 3; k++) {
        struct gaussian g = { 0.3, 0, k % 3 };
        ddpm_chain *chain = chain_of(steps[k / 6]);
        const ddpm_tables *t = ddpm_chain_tables(chain);
        ddpm_sampler_options o = options_of(&g, variances[k / 3 % 2]);
        double x0[D], sum = 0;
        uint32_t index = 0;

        for (int e = 0; e < D; e++)
            x0[e] = sqrt(g.v) * signs[0][e];
        ddpm_bound *b = measured(chain, &o, x0, &index, 1, 1);
        const ddpm_bound_image *found = ddpm_bound_read(b, 0);

        for (int i = t->K - 1; i > 0; i--) {
            double ab = t->alpha_bar[i], small = t->beta_tilde[i], sigma2 = k / 3 % 2 ? small : t->beta[i];
            double error = g.v * (1 - ab) / (ab * g.v + 1 - ab), ratio = small / sigma2;
            double term =
                0.5 * (ratio - 1 - log(ratio) + t->mean_x0[i] * t->mean_x0[i] * error / sigma2) / ln2;
            CHECK_NEAR(found->term[i], term, 1e-9 * term);
            CHECK_NEAR(found->mse_x0[i], error, 1e-9 * error);
            sum += found->term[i];
        }

        /* The prior is the KL divergence of x_T from N(0, I). */
        double ab = t->alpha_bar[t->K - 1], prior = 0.5 * (ab * g.v - ab - log1p(-ab)) / ln2;
        CHECK_NEAR(found->prior, prior, 1e-12 * prior);
        CHECK_NEAR(found->total, found->prior + sum + found->term[0], T * 0x1p-52 * found->total);

        ddpm_bound_free(b);
        ddpm_chain_free(chain);
    }
}

/* L_i is a distance of means, and also beta^2 / (2 sigma^2 alpha (1 - ab)) ||z - eps||^2 (Ho et al.
   2020, equation 12). With sigma^2 = beta_tilde the constant beside it is 0; with beta it is the KL
   divergence of the variances alone. The tolerance is that of the test above. */
TEST(property, three_forms_of_a_term)
{
    struct gaussian g = { 0.3, 0.05, DDPM_EPS };
    ddpm_chain *chain = chain_of("50");
    const ddpm_tables *t = ddpm_chain_tables(chain);
    double x0[D] = { 0.2, -0.7, 1, 0 };
    uint32_t index = 0;

    for (int large = 0; large < 2; large++) {
        ddpm_sampler_options o = options_of(&g, large ? "beta" : "beta-tilde");
        ddpm_bound *b = measured(chain, &o, x0, &index, 1, 1);
        const ddpm_bound_image *found = ddpm_bound_read(b, 0);
        for (int i = 1; i < t->K; i++) {
            double ab = t->alpha_bar[i], alpha = 1 - t->beta[i],
                   sigma2 = large ? t->beta[i] : t->beta_tilde[i], ratio = t->beta_tilde[i] / sigma2;
            double constant = 0.5 * (ratio - 1 - log(ratio)), means = 0, x[D], eps[D];

            ddpm_diffuse(x, x0, signs[1], ab, D);
            gaussian_eps(&g, eps, x, t->t[i], NULL, 1, NULL);
            for (int e = 0; e < D; e++) {
                /* tilde and theta are the means of the posterior and of the network's step
                   (Ho et al. 2020, equations 10 and 11). */
                double tilde = (x[e] - t->beta[i] / sqrt(1 - ab) * signs[1][e]) / sqrt(alpha);
                double theta = (x[e] - t->beta[i] / sqrt(1 - ab) * eps[e]) / sqrt(alpha);
                means += (tilde - theta) * (tilde - theta) / D;
            }

            double weight = t->beta[i] * t->beta[i] / (2 * sigma2 * alpha * (1 - ab)),
                   term = found->term[i] * ln2;
            CHECK_NEAR(term, constant + means / (2 * sigma2), 1e-9 * term);
            CHECK_NEAR(term, constant + weight * found->mse[i], 1e-9 * term);
            CHECK_NEAR(found->mse[i], ddpm_l_simple(eps, signs[1], D), 1e-12);
        }

        ddpm_bound_free(b);
    }

    ddpm_chain_free(chain);
}

/* The variance of x_{i-1} given x_i is beta_tilde + mean_x0^2 Var(x0 | x_i): beta for data N(0, I),
   beta_tilde for a single point. With sigma^2 equal to it, the expected term takes its least value,
   ln(sigma^2 / beta_tilde) / 2, which is 0 for a point. */
TEST(property, exact_variances)
{
    struct gaussian normal = { 1, 0, DDPM_EPS }, point = { 0, 0, DDPM_EPS };
    ddpm_chain *chain = chain_of("100");
    const ddpm_tables *t = ddpm_chain_tables(chain);
    ddpm_sampler_options large = options_of(&normal, "beta"), small = options_of(&point, "beta-tilde");
    const double zero[D] = { 0 };
    uint32_t index = 0;
    ddpm_bound *of_normal = measured(chain, &large, signs[0], &index, 1, 1),
               *of_point = measured(chain, &small, zero, &index, 1, 1);

    for (int i = 1; i < t->K; i++) {
        double term = 0.5 * log(t->beta[i] / t->beta_tilde[i]);
        CHECK_NEAR(t->beta_tilde[i] + t->mean_x0[i] * t->mean_x0[i] * (1 - t->alpha_bar[i]), t->beta[i],
                   1e-12 * t->beta[i]);
        CHECK_NEAR(ddpm_bound_read(of_normal, 0)->term[i] * ln2, term, 1e-9 * term);
        CHECK_NEAR(ddpm_bound_read(of_point, 0)->term[i], 0, 1e-20);
    }

    ddpm_bound_free(of_normal);
    ddpm_bound_free(of_point);
    ddpm_chain_free(chain);
}

/* A full chain respaced to K = T is the full chain. Rows, batch and order of images change no bit.
   The noise is the product's noise for evaluation. */
TEST(property, bounds_are_of_images)
{
    struct gaussian g = { 0.3, 0.05, DDPM_V };
    ddpm_chain *all = chain_of("all"), *list = NULL;
    double times[T], x0[3 * D], z[D], x[D];

    for (int i = 0; i < T; i++)
        times[i] = i;
    for (int e = 0; e < 3 * D; e++)
        x0[e] = sin(e);
    REQUIRE(!ddpm_chain_create(&list, T, times, alpha_bar, NULL));
    ddpm_sampler_options o = options_of(&g, "beta");
    o.noise = NULL;
    const uint32_t index[3] = { 4, 9, 2 };

    /* All images run in one batch, then each alone with the list of all steps. */
    ddpm_bound *together = measured(all, &o, x0, index, 3, 5);
    o.eta = 0.5, o.order = 2, o.corrector = 1; /* these belong to samplers and must change nothing here */
    for (int k = 0; k < 3; k++) {
        ddpm_bound *alone = measured(list, &o, x0 + k * D, &index[k], 1, 1);
        const ddpm_bound_image *a = ddpm_bound_read(alone, 0), *b = ddpm_bound_read(together, k);
        CHECK(a->total == b->total && a->prior == b->prior && !memcmp(a->term, b->term, T * sizeof *a->term));
        CHECK(!memcmp(a->mse, b->mse, T * sizeof *a->mse) &&
              !memcmp(a->mse_x0, b->mse_x0, T * sizeof *a->mse_x0));
        ddpm_bound_free(alone);
    }

    /* Image 1 at t = 500 by hand: the product's noise for evaluation has the mark DD_RNG_EVAL. */
    dd_rng_normal(&(struct dd_rng){ 7, 9, dd_rng_t(500), (uint32_t)DD_RNG_EVAL << 24 }, z, D);
    ddpm_diffuse(x, x0 + D, z, alpha_bar[500], D);
    double eps[D], p[D];
    gaussian_eps(&g, p, x, 500, NULL, 1, NULL);
    ddpm_x0(eps, x, p, DDPM_V, 0, alpha_bar[500], D);
    ddpm_eps(eps, x, eps, alpha_bar[500], D);
    CHECK_NEAR(ddpm_bound_read(together, 1)->mse[500], ddpm_l_simple(eps, z, D), 1e-12);
    CHECK_NEAR(ddpm_bound_read(together, 1)->gamma[500], ddpm_l_simple(eps, (const double[D]){ 0 }, D),
               1e-12);

    ddpm_bound_free(together);
    ddpm_chain_free(all);
    ddpm_chain_free(list);
}
