/* Losses and optimisers against PyTorch in float64 (make_training.py), and against improved-diffusion's
   own losses of a learned range (score.json). */
#include "golden/training_data.h"
#include "train/loss.h"
#include "train/optimiser.h"

enum { D = 12, STEPS = 4, T = 1000 };

static const int steps_of[STEPS] = { 0, 1, 500, 999 };
static const double u = 0x1p-24;

/* ---- the loss of one image ---- */

struct loss_case {
    int kind, prediction, variance;
    double gamma;
    const char *name;
};

static const ddpm_about *loss_about(const struct loss_case *c)
{
    static double beta[T], alpha_bar[T];
    static ddpm_about a;
    CHECK(!ddpm_betas(beta, alpha_bar, T, "linear:1e-4,0.02", NULL));
    a = (ddpm_about){ .height = 2,
                      .width = 2,
                      .channels = 3,
                      .outputs = 6,
                      .steps = T,
                      .prediction = c->prediction,
                      .variance = c->variance,
                      .t_scale = 1,
                      .beta = beta,
                      .alpha_bar = alpha_bar };
    return &a;
}

/* What a loss takes: the network's prediction and variance, the image and its noise. */
struct loss_input {
    double p[D], v[D], x0[D], eps[D];
};

/* Returns what the network should predict about x0 and eps. */
static double target_of(int prediction, double x0, double eps, double alpha_bar)
{
    switch (prediction) {
    case DDPM_EPS: return eps;
    case DDPM_X0: return x0;
    default: return sqrt(alpha_bar) * eps - sqrt(1 - alpha_bar) * x0;
    }
}

static void loss_inputs(struct loss_input *i, const struct loss_case *c, double alpha_bar, int t,
                        double log_tilde)
{
    double wrong = c->prediction == DDPM_X0 && t < 500 ? 0.5 * sqrt(1 - alpha_bar) / sqrt(alpha_bar) : 0.5;
    for (int e = 0; e < D; e++) {
        i->x0[e] = image_value(11, e);
        i->eps[e] = counter(12, e);
        i->p[e] = target_of(c->prediction, i->x0[e], i->eps[e], alpha_bar) + wrong * counter(13, e);
        i->v[e] = 0.3 * counter(14, e) + (c->variance == DDPM_LEARNED ? log_tilde : 0);
    }
}

/* Both sides compute in double. Our tables are good to 2e-12 relative (the reference's README), and the
   losses are at most a few times as sensitive. The script's divergence is a sum of numbers near 1, whose
   rounding, four times 2^-53, stays and is multiplied by T / ln 2. */
static void loss_compare(const struct loss_case *c, const double *wanted)
{
    struct dd_loss l;
    struct loss_input in;
    double dp[D], dv[D];
    const ddpm_about *a = loss_about(c);
    struct loss_case learned = *c;

    /* L_simple learns no variance, so a model that learns one would be refused. */
    if (c->kind == DDPM_SIMPLE)
        ((ddpm_about *)(uintptr_t)a)->variance = DDPM_BETA;
    REQUIRE(!dd_loss_create(&l, a, c->kind, c->gamma, 1, NULL));

    for (int k = 0; k < STEPS; k++, wanted += 1 + 2 * D) {
        double largest = 0, tilde = l.chain->tables.beta_tilde[steps_of[k] ? steps_of[k] : 1];
        loss_inputs(&in, &learned, a->alpha_bar[steps_of[k]], steps_of[k], log(tilde));
        memset(dv, 0, sizeof dv);

        const struct dd_loss_image image = { in.x0, in.eps, steps_of[k], in.p, in.v };
        CHECK_NEAR(dd_loss_image(&l, dp, dv, &image), wanted[0],
                   2e-11 * fabs(wanted[0]) + 4 * 0x1p-53 * T / log(2));

        for (int e = 0; e < 2 * D; e++)
            largest = fmax(largest, fabs(wanted[1 + e]));

        for (int e = 0; e < D; e++)
            if (!(fabs(dp[e] - wanted[1 + e]) <= 2e-11 * largest &&
                  fabs(dv[e] - wanted[1 + D + e]) <= 2e-11 * largest))
                check_fail(__FILE__, __LINE__, "%s, t = %d, element %d: %.17g, %.17g, expected %.17g, %.17g",
                           c->name, steps_of[k], e, dp[e], dv[e], wanted[1 + e], wanted[1 + D + e]);
    }

    dd_loss_free(&l);
}

TEST(golden, training_losses)
{
    static const struct loss_case cases[] = {
        { DDPM_SIMPLE, DDPM_EPS, DDPM_LEARNED_RANGE, 0, "simple.eps.range.0" },
        { DDPM_SIMPLE, DDPM_X0, DDPM_LEARNED_RANGE, 0, "simple.x0.range.0" },
        { DDPM_SIMPLE, DDPM_V, DDPM_LEARNED_RANGE, 0, "simple.v.range.0" },
        { DDPM_VLB, DDPM_EPS, DDPM_LEARNED_RANGE, 0, "vlb.eps.range.0" },
        { DDPM_VLB, DDPM_X0, DDPM_LEARNED_RANGE, 0, "vlb.x0.range.0" },
        { DDPM_VLB, DDPM_V, DDPM_LEARNED_RANGE, 0, "vlb.v.range.0" },
        { DDPM_HYBRID, DDPM_EPS, DDPM_LEARNED_RANGE, 0, "hybrid.eps.range.0" },
        { DDPM_HYBRID, DDPM_X0, DDPM_LEARNED_RANGE, 0, "hybrid.x0.range.0" },
        { DDPM_HYBRID, DDPM_V, DDPM_LEARNED_RANGE, 0, "hybrid.v.range.0" },
        { DDPM_SIMPLE, DDPM_EPS, DDPM_LEARNED_RANGE, 5, "simple.eps.range.5" },
        { DDPM_SIMPLE, DDPM_X0, DDPM_LEARNED_RANGE, 5, "simple.x0.range.5" },
        { DDPM_SIMPLE, DDPM_V, DDPM_LEARNED_RANGE, 5, "simple.v.range.5" },
        { DDPM_VLB, DDPM_EPS, DDPM_LEARNED, 0, "vlb.eps.learned.0" },
        { DDPM_HYBRID, DDPM_V, DDPM_LEARNED, 2, "hybrid.v.learned.2" },
    };
    struct training_data g;

    REQUIRE(!training_data_open(&g, "training"));

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct dd_entry *e = training_data_find(&g, "loss.%s%s", cases[i].name, "");
        REQUIRE(e && e->count == STEPS * (1 + 2 * D));
        loss_compare(&cases[i], (const double *)(const void *)e->data);
    }

    training_data_close(&g);
}

/* ---- a fixed variance ---- */

/* Compares one loss of make_objectives.py, [1 + D] for each of the three steps.  Its tolerance is that of
   loss_compare. */
static void fixed_compare(const struct loss_case *c, const double *wanted)
{
    static const int steps[] = { 0, 500, 999 };
    struct dd_loss l;
    struct loss_input in;
    double dp[D], dv[D];
    const ddpm_about *a = loss_about(c);
    REQUIRE(!dd_loss_create(&l, a, c->kind, 0, 1, NULL));

    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++, wanted += 1 + D) {
        double largest = 0;
        loss_inputs(&in, c, a->alpha_bar[steps[k]], steps[k], 0);
        const struct dd_loss_image image = { in.x0, in.eps, steps[k], in.p, NULL };
        CHECK_NEAR(dd_loss_image(&l, dp, dv, &image), wanted[0],
                   2e-11 * fabs(wanted[0]) + 4 * 0x1p-53 * T / log(2));

        for (int e = 0; e < D; e++)
            largest = fmax(largest, fabs(wanted[1 + e]));
        for (int e = 0; e < D; e++)
            if (!(fabs(dp[e] - wanted[1 + e]) <= 2e-11 * largest))
                check_fail(__FILE__, __LINE__, "%s, t = %d, element %d: %.17g, expected %.17g", c->name,
                           steps[k], e, dp[e], wanted[1 + e]);
    }
    dd_loss_free(&l);
}

/* A model with a fixed variance is trained by the bound, by equation 12 and by score matching. */
TEST(golden, losses_of_a_fixed_variance)
{
    static const struct loss_case cases[] = {
        { DDPM_VLB, DDPM_EPS, DDPM_BETA, 0, "vlb.eps.beta" },
        { DDPM_VLB, DDPM_X0, DDPM_BETA_TILDE, 0, "vlb.x0.tilde" },
        { DDPM_VLB, DDPM_V, DDPM_BETA, 0, "vlb.v.beta" },
        { DDPM_WEIGHTED, DDPM_EPS, DDPM_BETA, 0, "weighted.eps.beta" },
        { DDPM_WEIGHTED, DDPM_X0, DDPM_BETA_TILDE, 0, "weighted.x0.tilde" },
        { DDPM_WEIGHTED, DDPM_V, DDPM_BETA, 0, "weighted.v.beta" },
        { DDPM_SCORE, DDPM_EPS, DDPM_BETA, 0, "score.eps.beta" },
        { DDPM_SCORE, DDPM_X0, DDPM_BETA, 0, "score.x0.beta" },
        { DDPM_SCORE, DDPM_V, DDPM_BETA, 0, "score.v.beta" },
    };
    struct training_data g;
    REQUIRE(!training_data_open(&g, "objectives"));

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct dd_entry *e = training_data_find(&g, "%s%s", cases[i].name, "");
        REQUIRE(e && e->count == 3 * (1 + D));
        fixed_compare(&cases[i], (const double *)(const void *)e->data);
    }
    training_data_close(&g);
}

/* ---- improved-diffusion's losses ---- */

static void learned_range(const struct mixture *m, const cJSON *entry, const double *x0, const double *z)
{
    const cJSON *losses = cJSON_GetObjectItemCaseSensitive(entry, "learned_range_training_losses");
    int t = (int)reference_number(entry, "t");
    ddpm_about a = { .height = 4,
                     .width = 4,
                     .channels = 3,
                     .outputs = 6,
                     .steps = 1000,
                     .variance = DDPM_LEARNED_RANGE,
                     .t_scale = 1,
                     .alpha_bar = m->alpha_bar };

    struct dd_loss hybrid, vlb;
    REQUIRE(losses && !dd_loss_create(&hybrid, &a, DDPM_HYBRID, 0, 1, NULL) &&
            !dd_loss_create(&vlb, &a, DDPM_VLB, 0, 1, NULL));
    double *mse = reference_numbers(losses, "MSE.mse", NULL), *vb = reference_numbers(losses, "MSE.vb", NULL);
    double *both = reference_numbers(losses, "RESCALED_MSE.loss", NULL),
           *rescaled = reference_numbers(losses, "RESCALED_KL.loss", NULL);

    for (int i = 0; i < 2; i++) {
        double xt[MIXTURE_D], eps[MIXTURE_D], v[MIXTURE_D], dp[MIXTURE_D], dv[MIXTURE_D];
        ddpm_diffuse(xt, x0 + i * MIXTURE_D, z + i * MIXTURE_D, m->alpha_bar[t], MIXTURE_D);
        mixture_eps_at(m, eps, xt, m->alpha_bar[t]);
        for (int e = 0; e < MIXTURE_D; e++)
            v[e] = 0.3 * sin(xt[e]);

        const struct dd_loss_image image = { x0 + i * MIXTURE_D, z + i * MIXTURE_D, t, eps, v };
        double found = dd_loss_image(&hybrid, dp, dv, &image), bound = dd_loss_image(&vlb, dp, dv, &image);

        /* Theirs is good to 9.3e-12 bits, and ten times that is allowed. At t = 0 it takes a tanh, which
           bounds.c compares, so only the part beside it can be compared. */
        CHECK_NEAR(found - bound / 1000, mse[i], 1e-10 * fmax(1, bound / 1000));

        if (t == 0)
            continue;

        CHECK_NEAR(bound / 1000, vb[i], 9.3e-11);
        CHECK_NEAR(found, both[i], 9.3e-11);
        CHECK_NEAR(bound, rescaled[i], 9.3e-8);
    }

    dd_loss_free(&hybrid);
    dd_loss_free(&vlb);
    free(mse), free(vb), free(both), free(rescaled);
}

static void learned_range_losses(const cJSON *root)
{
    struct mixture m;
    const cJSON *entry;
    double z[2 * MIXTURE_D];
    cJSON *forward = reference_read(check_path(check_source(), "tests/golden/data/diffusion/forward.json"));
    double *x0 = reference_numbers(forward, "x0_values", NULL);
    cJSON_Delete(forward);
    reference_noise(z, 1, 0, 2 * MIXTURE_D, 1);
    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(entry, reference_get(root, "entries"))
        learned_range(&m, entry, x0, z);
    free(x0);
}

TEST(golden, training_losses_of_a_learned_range)
{
    reference_each("score", learned_range_losses);
}

/* ---- Adam alone ---- */

/* At the end of a schedule of zero SNR the losses of x0 and v are finite for every kind of loss, since
   min(SNR, gamma) is 0 there. eps has no loss there. */
TEST(golden, losses_at_zero_snr)
{
    static double beta[T], alpha_bar[T];
    const double zero[D] = { 0 }, one[D] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear+zero-snr", NULL) && alpha_bar[T - 1] == 0);
    for (int k = 0; k < 3 * 5; k++) {
        int prediction = k % 3, kind = k / 3;
        bool learned = kind == DDPM_VLB || kind == DDPM_HYBRID,
             weighs = kind == DDPM_SIMPLE || kind == DDPM_HYBRID;
        ddpm_about a = { .height = 2,
                         .width = 2,
                         .channels = 3,
                         .outputs = learned ? 6 : 3,
                         .steps = T,
                         .variance = learned ? DDPM_LEARNED_RANGE : DDPM_BETA,
                         .t_scale = 1,
                         .prediction = prediction,
                         .beta = beta,
                         .alpha_bar = alpha_bar };
        struct dd_loss l;
        ddpm_error err = { 0 };
        double dp[D], dv[D] = { 0 };

        int code = dd_loss_create(&l, &a, kind, weighs ? 5 : 0, 1, &err);

        if (prediction == DDPM_EPS) {
            CHECK(code == DDPM_EDATA && strstr(err.text, "alpha_bar[999] is 0"));
            continue;
        }
        REQUIRE(!code);
        CHECK(isfinite(dd_loss_image(&l, dp, dv, &(struct dd_loss_image){ zero, one, T - 1, one, zero })));
        CHECK(isfinite(dp[0]) && isfinite(dv[0]));
        dd_loss_free(&l);
    }
}

/* Every operation rounds by u, and so do the constants. A step has 6 u of the terms of m and of v, and
   as much again of what is left from before, so ten steps have 60 u of the largest. The quotient, at
   most 1 / sqrt(1 - beta2) < 32 here, takes 60 + 30 + 5 of them, ten times over. */
TEST(golden, adam)
{
    static const struct {
        const char *name;
        struct dd_optimiser o;
    } runs[] = { { "adam", { 0.01, 0.9, 0.999, 1e-8, 0, 0, 0, 0 } },
                 { "adamw", { 0.01, 0.8, 0.99, 1e-8, 0.5, 5, 3, 12 } } };

    enum { N = 64 };
    struct training_data g;
    struct dd_kernels k;
    double scratch[1];
    REQUIRE(!training_data_open(&g, "training") && dd_optimiser_scratch(N) <= sizeof scratch);
    dd_kernels_init(&k, dd_cpu_detect());
    for (int r = 0; r < 2; r++) {
        struct dd_context ctx = { &k, 1, (float *)(void *)scratch, NULL };
        float w[N], m[N] = { 0 }, v[N] = { 0 }, gradient[N];
        const double *wanted =
                         (const double *)(const void *)training_data_find(&g, "adam.%s%s", runs[r].name, "")
                             ->data,
                     *of[] = { wanted, wanted + N, wanted + 2 * N };
        for (int i = 0; i < N; i++)
            w[i] = (float)counter(21, i);
        for (int n = 0; n < 10; n++) {
            for (int i = 0; i < N; i++)
                gradient[i] = (float)(counter(100 + (uint64_t)n, i) * (1 + n));
            dd_optimiser_step(&runs[r].o, &ctx, &(struct dd_optimiser_vectors){ w, m, v, gradient, N },
                              dd_optimiser_norm(&ctx, gradient, N), n);
        }
        double largest = runs[r].o.clip ? 5 : 30; /* the largest gradient */
        for (int i = 0; i < N; i++) {
            CHECK_NEAR(m[i], of[1][i], 60 * u * largest);
            CHECK_NEAR(v[i], of[2][i], 60 * u * largest * largest);
            CHECK_NEAR(w[i], of[0][i], 10 * (2 * u * 4 + 0.01 * 95 * u * 32));
        }
    }
    training_data_close(&g);
}
