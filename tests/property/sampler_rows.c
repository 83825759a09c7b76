/* Invariants of every sampler. An image depends on its own index and on nothing else in the batch. A
   state that is saved and restored goes on to the same bits. The true eps of a single point gives that
   point back. */
#include <stdbool.h>
#include "check.h"

enum { T = 40, D = 6, IMAGES = 5 };

/* A network whose output moves with x, t and class, one image at a time. The image whose class is `sick`
   gets NaN below step `until`. */
/* The network fails at the fuse-th call from now. If `counts`, draws are counted and are not made by the
   sampler. */
struct toy {
    int outputs, sick, calls, largest, answer, fuse, draws;
    bool counts;
    double until;
};

static int toy_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                   ddpm_error *err)
{
    struct toy *toy = user;
    int code = toy->fuse && !--toy->fuse ? 7 : toy->answer;
    toy->calls++;
    toy->largest = n > toy->largest ? n : toy->largest;

    for (int b = 0; b < n; b++)
        for (int e = 0; e < D; e++) {
            double *o = out + (size_t)b * (size_t)(toy->outputs * D) + e, v = x[b * D + e];
            o[0] = 0.7 * v + 0.2 * sin(3 * v + t / T + classes[b]);
            if (toy->outputs == 2)
                o[D] = cos(v);
            if (classes[b] == toy->sick && t < toy->until && e == 4) {
                o[(toy->outputs - 1) * D] = NAN;
                snprintf(err->text, sizeof err->text, "down_blocks.0 gave NaN");
                code = DDPM_ENAN;
            }
        }

    return code;
}

/* The product's noise, which also counts the draws of the steps. */
static void toy_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    uint64_t seed = 42;
    ((struct toy *)user)->draws += t < INFINITY;
    ddpm_noise(&seed, z, d, index, t, draw);
}

static double beta[T], alpha_bar[T], gamma_half[T];

static ddpm_chain *chain_of(const char *betas, const char *steps)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    CHECK(!ddpm_betas(beta, alpha_bar, T, betas, NULL) &&
          !ddpm_chain_respace(&chain, &about, steps, NULL, NULL));
    return chain;
}

/* The samplers, each with every option that changes its steps. */
static const struct setting {
    const char *sampler, *variance;
    double eta, clip;
    int own, order, corrector, prediction;
} settings[] = {
    { "ddpm", "auto", 0, 1, .own = DDPM_BETA },
    { "ddpm", "beta-tilde", 0, 0, .own = DDPM_BETA },
    { "ddpm", "learned", 0, 1, .own = DDPM_LEARNED_RANGE },
    { "ddim", "auto", 0, 1, .own = DDPM_BETA },
    { "ddim", "auto", 0.7, 0, .own = DDPM_BETA },
    { "ddim-diffusers", "auto", 0.7, 1, .own = DDPM_BETA },
    { "ddim", "auto", 1, 1, .own = DDPM_LEARNED_RANGE },
    { "ddpm", "analytic", 0, 1, .own = DDPM_LEARNED_RANGE },
    { "ddim", "analytic", 0.7, 1, .own = DDPM_BETA },
    { "ddim", "analytic", 0, 1, .own = DDPM_BETA },
    { "ddpm", "auto", 0, 1, DDPM_BETA, .corrector = 2 },
    { "ddim", "auto", 0, 1, DDPM_LEARNED_RANGE, .corrector = 1 },
    { "dpmpp", "auto", 0, 1, DDPM_BETA, .order = 1 },
    { "dpmpp", "auto", 0, 1, DDPM_LEARNED_RANGE, .order = 2 },
    { "dpmpp", "auto", 0, 0, DDPM_BETA, .order = 3, .prediction = DDPM_V },
    { "dpmpp", "auto", 0.7, 1, DDPM_BETA, .order = 2 },
    { "dpmpp", "auto", 1, 0, DDPM_BETA, .order = 3, .prediction = DDPM_X0 },
    { "dpmpp-diffusers", "auto", 0, 1, .own = DDPM_BETA },
    { "unipc", "auto", 0, 1, DDPM_BETA, .order = 1 },
    { "unipc", "auto", 0, 0, DDPM_LEARNED_RANGE, .prediction = DDPM_X0 },
    { "ipndm", "auto", 0, 1, DDPM_LEARNED_RANGE, .order = 2 },
    { "ipndm", "auto", 0, 0, DDPM_BETA, .order = 4, .prediction = DDPM_V },
    { "sde", "auto", 0, 1, .own = DDPM_BETA },
    { "sde", "auto", 0, 0, DDPM_LEARNED_RANGE, .corrector = 1, .prediction = DDPM_V },
    { "ode", "auto", 0, 1, DDPM_LEARNED_RANGE, .order = 1 },
    { "ode", "auto", 0, 1, DDPM_BETA, .order = 2, .prediction = DDPM_X0 },
    { "ode", "auto", 0, 0, DDPM_BETA, .corrector = 1 },
    { "langevin", "auto", 0, 1, .own = DDPM_BETA },
    { "langevin", "auto", 0, 1, DDPM_LEARNED_RANGE, .corrector = 3 },
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static ddpm_sampler *sampler_of(const struct setting *g, struct toy *toy, const ddpm_chain *chain, int batch)
{
    ddpm_sampler *s = NULL;
    toy->outputs = 1 + (g->own == DDPM_LEARNED_RANGE);

    for (int t = 0; t < T; t++)
        gamma_half[t] = 0.5;

    ddpm_sampler_options o = { .sampler = g->sampler,
                               .variance = g->variance,
                               .eta = g->eta,
                               .clip = g->clip,
                               .own_variance = g->own,
                               .outputs = toy->outputs,
                               .T = T,
                               .gamma = gamma_half,
                               .seed = 42,
                               .eps = toy_eps,
                               .eps_user = toy,
                               .noise = toy->counts ? toy_noise : NULL,
                               .noise_user = toy,
                               .prediction = g->prediction,
                               .order = g->order,
                               .corrector = g->corrector,
                               .snr = 0.2 };

    CHECK(!ddpm_sampler_create(&s, chain, &o, D, batch, NULL, NULL));
    return s;
}

/* Fills x [n, D] with the given images after all steps, run in batches. */
static void run(const struct setting *g, const ddpm_chain *chain, double *x, const uint32_t *index, int n,
                int batch)
{
    struct toy toy = { .sick = -1 };
    ddpm_sampler *s = sampler_of(g, &toy, chain, batch);
    for (int first = 0; s && first < n; first += batch) {
        int count = n - first < batch ? n - first : batch;
        int32_t classes[IMAGES];
        for (int k = 0; k < count; k++)
            classes[k] = (int32_t)index[first + k];
        CHECK(!ddpm_sampler_start(s, index + first, classes, count, NULL, 0, NULL));
        while (ddpm_sampler_left(s))
            CHECK(!ddpm_sampler_step(s, NULL));
        memcpy(x + first * D, ddpm_sampler_state(s, NULL), (size_t)(count * D) * sizeof *x);
    }
    ddpm_sampler_free(s);
}

static const uint32_t in_order[IMAGES] = { 0, 1, 2, 3, 4 };
static const int32_t class_of[IMAGES] = { 0, 1, 2, 3, 4 };

TEST(property, batch_never_shows)
{
    static const uint32_t mixed[IMAGES] = { 3, 0, 4, 2, 1 };
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    for (int g = 0; chain && g < SETTINGS; g++) {
        double all[IMAGES * D], some[IMAGES * D];
        run(&settings[g], chain, all, in_order, IMAGES, IMAGES);
        for (int batch = 1; batch <= IMAGES; batch++) {
            run(&settings[g], chain, some, mixed, IMAGES, batch);
            for (int k = 0; k < IMAGES; k++)
                CHECK(!memcmp(some + k * D, all + mixed[k] * D, D * sizeof *all));
        }
        CHECK(memcmp(all, all + D, D * sizeof *all));
    }
    ddpm_chain_free(chain);
}

TEST(property, noisy_says_whether_noise_is_drawn)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    for (int g = 0; chain && g < SETTINGS; g++) {
        struct toy toy = { .sick = -1, .counts = true };
        ddpm_sampler *s = sampler_of(&settings[g], &toy, chain, IMAGES);
        CHECK(s && !ddpm_sampler_start(s, in_order, class_of, IMAGES, NULL, 0, NULL));
        while (s && ddpm_sampler_left(s))
            CHECK(!ddpm_sampler_step(s, NULL));
        CHECK(s && ddpm_sampler_noisy(s) == (toy.draws > 0));
        ddpm_sampler_free(s);
    }
    ddpm_chain_free(chain);
}

TEST(property, saved_state_goes_on)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    for (int g = 0; chain && g < SETTINGS; g++) {
        double whole[IMAGES * D];
        struct toy toy = { .sick = -1 };
        size_t buffers = 0;

        run(&settings[g], chain, whole, in_order, IMAGES, IMAGES);
        ddpm_sampler *first = sampler_of(&settings[g], &toy, chain, IMAGES),
                     *second = sampler_of(&settings[g], &toy, chain, IMAGES);

        REQUIRE(first && second && !ddpm_sampler_start(first, in_order, class_of, IMAGES, NULL, 0, NULL));
        for (int j = 0; j < 5; j++)
            CHECK(!ddpm_sampler_step(first, NULL));

        const double *saved = ddpm_sampler_state(first, &buffers);
        REQUIRE(!ddpm_sampler_start(second, in_order, class_of, IMAGES, saved, ddpm_sampler_left(first) - 1,
                                    NULL));

        /* The first buffer is x; the others hold what a sampler keeps between steps. */
        memcpy(ddpm_sampler_state(second, NULL), saved, buffers * IMAGES * D * sizeof *saved);
        while (ddpm_sampler_left(second))
            CHECK(!ddpm_sampler_step(second, NULL));
        CHECK(!memcmp(ddpm_sampler_state(second, NULL), whole, sizeof whole));

        ddpm_sampler_free(first);
        ddpm_sampler_free(second);
    }
    ddpm_chain_free(chain);
}

/* Image 2 of five is lost when the chain first falls below t = 20. */
static void lose_one(const struct setting *g, const ddpm_chain *chain)
{
    const ddpm_tables *c = ddpm_chain_tables(chain);
    double whole[IMAGES * D], before[D];
    struct toy toy = { .sick = 2, .until = 20 };
    int told = 0;

    run(g, chain, whole, in_order, IMAGES, IMAGES);
    ddpm_sampler *s = sampler_of(g, &toy, chain, IMAGES);
    REQUIRE(s && !ddpm_sampler_start(s, in_order, class_of, IMAGES, NULL, 0, NULL));
    double *x = ddpm_sampler_state(s, NULL);

    while (ddpm_sampler_left(s)) {
        ddpm_error err = { 0 };
        int i = ddpm_sampler_left(s) - 1;
        if (!told)
            memcpy(before, x + 2 * D, sizeof before);
        toy.largest = 0;

        int code = ddpm_sampler_step(s, &err);
        /* A lost image leaves the batch, so later calls of the network are smaller. */
        CHECK(toy.largest == (told ? IMAGES - 1 : IMAGES));
        if (!code)
            continue;

        char sentence[128];
        /* The image is lost at i, or at the position below it where a step calls the network
           there. */
        int at = ddpm_sampler_lost(s, 2) - 1;
        REQUIRE(code == DDPM_ENAN && err.code == DDPM_ENAN && (at == i || at == i - 1));
        CHECK(c->t[at] < 20 && (at == c->K - 1 || c->t[at + 1] >= 20));
        snprintf(sentence, sizeof sentence, "image 2 is lost at step t = %g: down_blocks.0 gave NaN",
                 c->t[at]);
        CHECK_TEXT(err.text, sentence);
        told++;
    }

    CHECK(told == 1);
    for (int k = 0; k < IMAGES; k++) {
        CHECK(!memcmp(x + k * D, k == 2 ? before : whole + k * D, sizeof before));
        CHECK(!ddpm_sampler_lost(s, k) == (k != 2));
    }

    ddpm_sampler_free(s);
}

TEST(property, a_lost_image_leaves_the_others)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    for (int g = 0; chain && g < SETTINGS; g++)
        lose_one(&settings[g], chain);
    ddpm_chain_free(chain);
}

TEST(property, a_run_ends_when_all_are_lost)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    struct toy toy = { .sick = 7, .until = INFINITY };
    ddpm_sampler *s = sampler_of(&settings[0], &toy, chain, 2);
    REQUIRE(s && !ddpm_sampler_start(s, in_order, (int32_t[]){ 7, 7 }, 2, NULL, 0, NULL));
    ddpm_error err = { 0 };
    CHECK(ddpm_sampler_step(s, &err) == DDPM_ENAN && strstr(err.text, "image 0 and others"));
    CHECK(ddpm_sampler_left(s) == 0 && ddpm_sampler_lost(s, 0) == 12 && ddpm_sampler_lost(s, 1) == 12);
    CHECK(ddpm_sampler_step(s, &err) == DDPM_EUSAGE && toy.calls == 1);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static int full_text_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                         ddpm_error *err)
{
    (void)user, (void)out, (void)x, (void)t, (void)classes, (void)n;
    memset(err->text, 'e', sizeof err->text);
    return err->code = DDPM_EIO;
}

/* A text that a caller's function wrote is read to its end and no further, also where no zero ends it. */
TEST(property, a_text_without_end_is_ended)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    ddpm_sampler_options o = {
        .sampler = "ddpm", .variance = "beta", .outputs = 1, .T = T, .eps = full_text_eps
    };
    ddpm_sampler *s = NULL;
    ddpm_error err = { 0 };
    REQUIRE(chain && !ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err));
    CHECK(!ddpm_sampler_start(s, in_order, NULL, 1, NULL, 0, &err));
    CHECK(ddpm_sampler_step(s, &err) == DDPM_ECALLBACK && err.code == DDPM_EIO);
    CHECK(strspn(err.text, "e") == sizeof err.text - 1 && !err.text[sizeof err.text - 1]);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

/* Each step fails at its first call of the network, then at its second, if there is one, and then
   succeeds. */
static void fail_each_step(const struct setting *g, const ddpm_chain *chain)
{
    double whole[IMAGES * D];
    struct toy toy = { .sick = -1 };

    run(g, chain, whole, in_order, IMAGES, IMAGES);
    ddpm_sampler *s = sampler_of(g, &toy, chain, IMAGES);
    REQUIRE(s && !ddpm_sampler_start(s, in_order, class_of, IMAGES, NULL, 0, NULL));

    while (ddpm_sampler_left(s)) {
        ddpm_error err = { 0 };

        /* The function says that it has failed. */
        toy.answer = 7;
        CHECK(ddpm_sampler_step(s, &err) == DDPM_ECALLBACK && err.code == DDPM_ECALLBACK &&
              strstr(err.text, "returned 7"));

        /* It says NaN, although every row is finite. */
        toy.answer = DDPM_ENAN;
        CHECK(ddpm_sampler_step(s, NULL) == DDPM_ECALLBACK);

        /* It fails at the second call, if the step makes one. */
        toy.answer = 0;
        toy.fuse = 2;
        int code = ddpm_sampler_step(s, &err), one_call = toy.fuse > 0;
        CHECK(code == (one_call ? DDPM_OK : DDPM_ECALLBACK));
        toy.fuse = 0;
        if (!one_call)
            CHECK(!ddpm_sampler_step(s, &err));
    }

    CHECK(!memcmp(ddpm_sampler_state(s, NULL), whole, sizeof whole));
    ddpm_sampler_free(s);
}

TEST(property, a_failing_eps_function_changes_nothing)
{
    ddpm_chain *chain = chain_of("linear:1e-3,0.3", "12");
    for (int g = 0; chain && g < SETTINGS; g++)
        fail_each_step(&settings[g], chain);
    ddpm_chain_free(chain);
}
