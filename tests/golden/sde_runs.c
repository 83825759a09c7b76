/* The stochastic equation, its ODE and Langevin dynamics against the reference's runs of 1000 steps:
   through the integrators, which are given drift, diffusion and score, and through the samplers, which
   are given a chain. Tolerances are measured per run (reference_tolerance). */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D, N = 1000 };

/* The rate beta(t) = beta_min + t (beta_max - beta_min), t in [0, 1]. */
struct vp {
    struct mixture m;
    double beta_min, beta_max;
};

static double beta_of(const struct vp *p, double t)
{
    return p->beta_min + t * (p->beta_max - p->beta_min);
}

static double alpha_bar_of(const struct vp *p, double t)
{
    return exp(-t * t * (p->beta_max - p->beta_min) / 2 - t * p->beta_min);
}

static void drift(void *user, double *f, const double *x, double t, size_t d)
{
    for (size_t e = 0; e < d; e++)
        f[e] = -beta_of(user, t) / 2 * x[e];
}

static double diffusion(void *user, double t)
{
    return sqrt(beta_of(user, t));
}

static int score(void *user, double *s, const double *x, double t, size_t d, ddpm_error *err)
{
    const struct vp *p = user;
    double ab = alpha_bar_of(p, t);
    (void)err;
    mixture_eps_at(&p->m, s, x, ab);
    for (size_t e = 0; e < d; e++)
        s[e] /= -sqrt(1 - ab);
    return 0;
}

/* Returns t_j. "song" keeps the step's length 1/N with N points from 1 to eps; "grid" cuts [eps, 1] into
   N. */
static double time_of(int song, double eps, int j)
{
    return song ? 1 + (j - 1) * ((eps - 1) / (N - 1)) : 1 - (j - 1) * ((1 - eps) / N);
}

static double length_of(int song, double eps)
{
    return song ? 1.0 / N : (1 - eps) / N;
}

static void expect(const cJSON *run, const double *found, const double *expected, const char *what)
{
    double distance = reference_distance(found, expected, ALL);
    if (!(distance <= reference_tolerance(run)))
        check_fail(__FILE__, __LINE__, "%s, %s: distance %.3g > %.3g", reference_text(run, "name"), what,
                   distance, reference_tolerance(run));
}

/* Compares x with the saved state of step j, if *saved is that of step j. */
static void compare(const cJSON *run, const cJSON **saved, int j, const double *x)
{
    if (!*saved || (int)reference_number(*saved, "j") != j)
        return;
    double *expected = reference_numbers(*saved, "x", NULL);
    expect(run, x, expected, "a saved state");
    free(expected);
    *saved = (*saved)->next;
}

static void integrate(const cJSON *run, struct vp *p, double eps)
{
    ddpm_sde equation = { drift, diffusion, score, p };
    int song = !strcmp(reference_text(run, "time_grid"), "song"),
        ode = !strcmp(reference_text(run, "kind"), "ode");
    double x[ALL], z[ALL], mean[ALL], work[3 * MIXTURE_D], h = length_of(song, eps);
    const cJSON *saved = reference_get(run, "saved")->child;

    reference_noise(x, 0, 0, ALL, 1);
    for (int j = 1; j <= N; j++) {
        double t = time_of(song, eps, j);
        reference_noise(z, j, 0, ALL, 1);
        memcpy(mean, x, sizeof mean);

        for (int b = 0; b < IMAGES; b++) {
            size_t at = (size_t)b * MIXTURE_D;
            if (ode) {
                CHECK(!ddpm_ode_step(&equation, x + at, t, -h, 1, work, MIXTURE_D, NULL));
                continue;
            }
            CHECK(!ddpm_sde_step(&equation, mean + at, NULL, t, -h, work, MIXTURE_D, NULL));
            CHECK(!ddpm_sde_step(&equation, x + at, z + at, t, -h, work, MIXTURE_D, NULL));
        }

        compare(run, &saved, j, x);
    }

    CHECK(!saved);

    if (!ode) {
        double *expected = reference_numbers(run, "final_mean", NULL);
        expect(run, mean, expected, "the last mean");
        free(expected);
    }
}

/* A network whose alpha_bar is that of its own clock. Its t counts positions, as in a sampler's chain. */
struct along {
    const struct vp *p;
    const ddpm_tables *chain;
};

static int chain_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    const struct along *a = user;
    (void)classes, (void)err;
    for (int b = 0; b < n; b++)
        mixture_eps_at(&a->p->m, out + b * MIXTURE_D, x + b * MIXTURE_D, a->chain->alpha_bar[(int)t]);
    return DDPM_OK;
}

static void counted_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    (void)user, (void)draw;
    reference_noise(z, isfinite(t) ? N - (int)t : 0, (int)index * MIXTURE_D, (int)d, 1);
}

/* Runs the sampler "sde" over the same nodes with its rates given. */
static void sample(const cJSON *run, struct vp *p, double eps)
{
    double t[N], alpha_bar[N], rate[N], *mean = reference_numbers(run, "final_mean", NULL);
    int song = !strcmp(reference_text(run, "time_grid"), "song");
    const cJSON *saved = reference_get(run, "saved")->child;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;

    for (int i = 0; i < N; i++) {
        double time = time_of(song, eps, N - i);
        /* The chain's alpha_bar is that of the equation at these times; its t counts them. */
        t[i] = i, alpha_bar[i] = alpha_bar_of(p, time), rate[i] = beta_of(p, time) * length_of(song, eps);
    }

    REQUIRE(!ddpm_chain_create(&chain, N, t, alpha_bar, NULL));
    struct along a = { p, ddpm_chain_tables(chain) };
    ddpm_sampler_options o = { .sampler = "sde",
                               .variance = "auto",
                               .outputs = 1,
                               .T = N,
                               .eps = chain_eps,
                               .eps_user = &a,
                               .rate = rate,
                               .noise = counted_noise };

    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    REQUIRE(s && !ddpm_sampler_start(s, (uint32_t[]){ 0, 1 }, NULL, IMAGES, NULL, 0, NULL));

    for (int j = 1; j < N; j++) {
        CHECK(!ddpm_sampler_step(s, NULL));
        compare(run, &saved, j, ddpm_sampler_state(s, NULL));
    }

    CHECK(!ddpm_sampler_step(s, NULL));
    expect(run, ddpm_sampler_state(s, NULL), mean, "the sampler's image");

    free(mean);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static void sde_runs(const cJSON *root)
{
    struct vp p = { .beta_min = reference_number(root, "beta_min"),
                    .beta_max = reference_number(root, "beta_max") };
    double eps = reference_number(root, "eps");
    const cJSON *run;
    REQUIRE(!mixture_read(&p.m) && reference_number(root, "N") == N);
    cJSON_ArrayForEach(run, reference_get(root, "runs")) {
        integrate(run, &p, eps);
        if (!strcmp(reference_text(run, "kind"), "sde"))
            sample(run, &p, eps);
    }
}

TEST(golden, sde_runs)
{
    reference_each("sde", sde_runs);
}

/* The score of the mixture at alpha_bar in x (a = 1), or in its unscaled form y = x / a with noise
   sigma, where score_y = a score_x. */
struct level {
    const struct mixture *m;
    double alpha_bar;
    int unscaled;
};

static int level_score(void *user, double *s, const double *x, int64_t step, size_t d, ddpm_error *err)
{
    const struct level *l = user;
    double a = sqrt(l->alpha_bar), scaled[MIXTURE_D] = { 0 };
    (void)step, (void)err;
    for (size_t e = 0; e < d; e++)
        scaled[e] = l->unscaled ? a * x[e] : x[e];
    mixture_eps_at(l->m, s, scaled, l->alpha_bar);
    for (size_t e = 0; e < d; e++)
        s[e] *= (l->unscaled ? a : 1) / -sqrt(1 - l->alpha_bar);
    return 0;
}

static void level_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    (void)user;
    CHECK(draw == 0);
    reference_noise(z, (int)t + 1, (int)index * MIXTURE_D, (int)d, 1);
}

static void langevin(const cJSON *run, const struct mixture *m)
{
    double x[ALL], work[2 * MIXTURE_D];
    const cJSON *saved = reference_get(run, "saved")->child;
    reference_noise(x, 0, 0, ALL, 1);
    for (int j = 1; j <= (int)reference_number(run, "n"); j++) {
        for (int b = 0; b < IMAGES; b++) {
            struct level here = { m, m->alpha_bar[(int)reference_number(run, "t")], 0 };
            ddpm_langevin l = { level_score, &here, .a = reference_number(run, "delta"), .index = (uint32_t)b,
                                .noise = level_noise };
            CHECK(!ddpm_langevin_run(&l, x + b * MIXTURE_D, work, MIXTURE_D, j - 1, 1, NULL));
        }
        compare(run, &saved, j, x);
    }
    CHECK(!saved);
}

/* Fills x with 2u - 1, where u = Phi(z) are the counter's uniforms of step 0. */
static void uniform_start(double *x)
{
    reference_noise(x, 0, 0, ALL, 1);
    for (int e = 0; e < ALL; e++)
        x[e] = erfc(-x[e] / sqrt(2)) - 1;
}

static void annealed(const cJSON *run, const struct mixture *m)
{
    int levels, n = (int)reference_number(run, "n");
    double x[ALL], work[2 * MIXTURE_D], *sigma = reference_numbers(run, "sigmas", &levels),
                                        smallest = sigma[levels - 1];
    const cJSON *saved = reference_get(run, "saved")->child;

    uniform_start(x);
    for (int j = 1; j <= levels * n; j++) {
        double here = sigma[(j - 1) / n],
               a = reference_number(run, "eps") * here * here / (smallest * smallest);

        for (int b = 0; b < IMAGES; b++) {
            struct level l = { m, 1 / (1 + here * here), 1 };
            ddpm_langevin dynamics = { level_score, &l, .a = a, .index = (uint32_t)b, .noise = level_noise };
            CHECK(!ddpm_langevin_run(&dynamics, x + b * MIXTURE_D, work, MIXTURE_D, j - 1, 1, NULL));
        }
        compare(run, &saved, j, x);
    }

    CHECK(!saved);
    free(sigma);
}

struct levels {
    const struct mixture *m;
    const ddpm_tables *chain;
    int n;
};

static int level_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    const struct levels *l = user;
    (void)classes, (void)err;
    for (int b = 0; b < n; b++)
        mixture_eps_at(l->m, out + b * MIXTURE_D, x + b * MIXTURE_D, l->chain->alpha_bar[(int)t]);
    return DDPM_OK;
}

static void levels_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const struct levels *l = user;
    reference_noise(z, (l->chain->K - 1 - (int)t) * l->n + draw, (int)index * MIXTURE_D, (int)d, 1);
}

/* Runs the sampler "langevin" on the chain with the same levels, where x = sqrt(alpha_bar) times the
   reference's. It steps a level at a time, so states within a level are not compared. Scaling there and
   back costs a few roundings a level; the tolerance has room for them. */
static void sample_annealed(const cJSON *run, const struct mixture *m)
{
    int levels, n = (int)reference_number(run, "n");
    double x[ALL], *sigma = reference_numbers(run, "sigmas", &levels), t[32], alpha_bar[32];
    const cJSON *saved = reference_get(run, "saved")->child;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;

    for (int i = 0; i < levels; i++)
        t[i] = i, alpha_bar[i] = 1 / (1 + sigma[levels - 1 - i] * sigma[levels - 1 - i]);

    REQUIRE(!ddpm_chain_create(&chain, levels, t, alpha_bar, NULL));
    struct levels l = { m, ddpm_chain_tables(chain), n };
    ddpm_sampler_options o = { .sampler = "langevin",
                               .variance = "auto",
                               .outputs = 1,
                               .T = levels,
                               .eps = level_eps,
                               .eps_user = &l,
                               .noise = levels_noise,
                               .noise_user = &l,
                               .corrector = n,
                               .snr = sqrt(reference_number(run, "eps")) / (2 * sigma[levels - 1]) };

    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    uniform_start(x);
    for (int e = 0; e < ALL; e++)
        x[e] *= sqrt(alpha_bar[levels - 1]);

    REQUIRE(s && !ddpm_sampler_start(s, (uint32_t[]){ 0, 1 }, NULL, IMAGES, x, levels - 1, NULL));
    for (int level = 1; level < levels; level++) {
        CHECK(!ddpm_sampler_step(s, NULL));

        for (int e = 0; e < ALL; e++)
            x[e] = ddpm_sampler_state(s, NULL)[e] / sqrt(alpha_bar[levels - 1 - level]);

        /* States within a level are passed over. */
        while (saved && (int)reference_number(saved, "j") < level * n)
            saved = saved->next;
        compare(run, &saved, level * n, x);
    }

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    free(sigma);
}

static void langevin_runs(const cJSON *root)
{
    struct mixture m;
    const cJSON *run;
    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(run, reference_get(root, "langevin.runs")) {
        if (!strcmp(reference_text(run, "name"), "langevin")) {
            langevin(run, &m);
        } else {
            annealed(run, &m);
            sample_annealed(run, &m);
        }
    }
}

TEST(golden, langevin_runs)
{
    reference_each("sde", langevin_runs);
}
