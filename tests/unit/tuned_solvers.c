/* Tuned solvers in models: they are kept beside all else, wrong ones are refused, and one without
   corrections is DPM-Solver++(2M) to the bit. */
#include "diffusion/fractional.h"
#include "tests/check.h"
#include "tests/small_nets.h"
#include "tests/unit/alloc.h"

enum { K = 5 };

/* The rows are t, told, a, b, c1, c2. */
static double table[DDPM_TUNED_ROWS * K];

static ddpm_tuned solver_of(int steps)
{
    return (ddpm_tuned){ .K = steps,
                         .table = table,
                         .teacher = "dpmpp, 60 steps",
                         .images = 128,
                         .error = 0.03,
                         .untuned = 0.07,
                         .equals = 12 };
}

/* Fills the table with the steps of a respaced chain, which the network is told, and no corrections. */
static void fill(const double *t, int steps)
{
    memset(table, 0, sizeof table);
    for (int i = 0; i < steps; i++)
        table[DDPM_TUNED_T * steps + i] = table[DDPM_TUNED_FED * steps + i] = t[i];
}

static const double times[K] = { 0, 50.5, 301.25, 700, 999 };

TEST(model, tuned_solvers_are_kept)
{
    const char *path = check_path(check_folder(), "tuned");
    ddpm_model *m = small_net_create("plain"), *one = NULL, *two = NULL, *opened = NULL;
    ddpm_tuned five = solver_of(5), three = solver_of(3);
    fill(times, 3);
    REQUIRE(m && !ddpm_model_add_tuned(&one, m, &three, NULL));
    fill(times, 5);
    table[DDPM_TUNED_BEFORE2 * K + 1] = -0.125;
    REQUIRE(!ddpm_model_add_tuned(&two, one, &five, NULL));
    REQUIRE(!ddpm_model_save(two, path, 0, NULL) && !ddpm_model_open(&opened, path, NULL));

    const ddpm_about *a = ddpm_model_about(opened);
    REQUIRE(a->tuned_count == 2 && a->tuned[0].K == 3 && a->tuned[1].K == 5);
    CHECK(!memcmp(a->tuned[1].table, table, sizeof table));
    CHECK_TEXT(a->tuned[1].teacher, "dpmpp, 60 steps");
    CHECK(a->tuned[1].images == 128 && a->tuned[1].error == 0.03 && a->tuned[1].untuned == 0.07 &&
          a->tuned[1].equals == 12);
    CHECK(!ddpm_model_check(opened, NULL));

    /* A second solver with as many steps replaces the first. */
    ddpm_model *again = NULL;
    five.error = 0.02;
    REQUIRE(!ddpm_model_add_tuned(&again, opened, &five, NULL));
    CHECK(ddpm_model_about(again)->tuned_count == 2 && ddpm_model_about(again)->tuned[1].error == 0.02);
    ddpm_model_close(again);
    ddpm_model_close(opened);
    ddpm_model_close(two);
    ddpm_model_close(one);
    ddpm_model_close(m);
}

TEST(model, tuned_solvers_that_are_refused)
{
    static const struct {
        int row, i;
        double value;
        const char *says;
    } wrong[] = {
        { DDPM_TUNED_T, 0, -1, "step 0 is t = -1" },
        { DDPM_TUNED_T, 2, 50.5, "step 2 is t = 50.5" },
        { DDPM_TUNED_T, 4, 999.5, "step 4 is t = 999.5" },
        { DDPM_TUNED_T, 1, NAN, "step 1 is t = " },
        { DDPM_TUNED_FED, 3, 1000, "the network is told 1000 at step 3" },
        { DDPM_TUNED_OF_X, 0, 5, "a correction is 5" },
        { DDPM_TUNED_BEFORE2, 4, NAN, "a correction is nan" },
    };

    ddpm_model *m = small_net_create("plain"), *with = NULL;
    ddpm_tuned s = solver_of(K);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ddpm_error err = { 0 };
        fill(times, K);
        table[wrong[i].row * K + wrong[i].i] = wrong[i].value;
        CHECK(ddpm_model_add_tuned(&with, m, &s, &err) == DDPM_EDATA && !with);
        if (!strstr(err.text, wrong[i].says))
            check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, wrong[i].says);
    }

    /* The same numbers in a file that was altered behind the program's back. */
    ddpm_error err = { 0 };
    fill(times, K);
    REQUIRE(!ddpm_model_add_tuned(&with, m, &s, NULL));
    ((double *)(uintptr_t)ddpm_model_about(with)->tuned[0].table)[0] = 60;
    CHECK(ddpm_model_save(with, check_path(check_folder(), "wrong"), 0, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "tuned.5: step 1 is t = 50.5"));
    ddpm_model_close(with);
    ddpm_model_close(m);
}

static int add(void *context, ddpm_error *err)
{
    ddpm_tuned s = solver_of(K);
    ddpm_model *with;
    int code = ddpm_model_add_tuned(&with, context, &s, err);
    CHECK(!code == !!with);
    ddpm_model_close(with);
    return code;
}

TEST(no_memory, tuned_solvers)
{
    ddpm_model *m = small_net_create("plain");
    fill(times, K);
    CHECK(alloc_survive(add, m) > 10);
    ddpm_model_close(m);
}

/* ---- sampling ---- */

/* Runs a sampler for two images to the end and returns it with its state. */
static ddpm_sampler *run(const ddpm_chain *c, const ddpm_sampler_options *o, size_t d)
{
    static const uint32_t index[2] = { 3, 4 };
    ddpm_sampler *s = NULL;
    if (ddpm_sampler_create(&s, c, o, d, 2, NULL, NULL) ||
        ddpm_sampler_start(s, index, NULL, 2, NULL, 0, NULL))
        return NULL;
    while (ddpm_sampler_left(s))
        if (ddpm_sampler_step(s, NULL))
            return NULL;
    return s;
}

TEST(unit, an_untuned_solver_has_the_bits_of_dpmpp)
{
    ddpm_model *m = small_net_create("plain"), *with = NULL;
    const ddpm_about *a = ddpm_model_about(m);
    size_t d = (size_t)(a->height * a->width * a->channels), buffers;
    ddpm_net *net = NULL;
    ddpm_chain *chain = NULL, *tuned = NULL;
    ddpm_sampler_options o;
    ddpm_model_init(m, 5);
    REQUIRE(!ddpm_net_create(&net, m, NULL, NULL) && !ddpm_chain_respace(&chain, a, "5", "quad", NULL));
    fill(ddpm_chain_tables(chain)->t, K);
    ddpm_tuned s = solver_of(K);
    REQUIRE(!ddpm_model_add_tuned(&with, m, &s, NULL));
    REQUIRE(!ddpm_chain_tuned(&tuned, ddpm_model_about(with), K, NULL));

    ddpm_sampler_defaults(&o, ddpm_model_about(with));
    o.eps = ddpm_net_eps;
    o.eps_user = net;
    o.sampler = "dpmpp";
    ddpm_sampler *plain = run(chain, &o, d);
    o.sampler = "tuned";
    ddpm_sampler *learned = run(tuned, &o, d);
    REQUIRE(plain && learned);
    const double *x = ddpm_sampler_state(plain, &buffers), *y = ddpm_sampler_state(learned, &buffers);
    CHECK(!memcmp(x, y, 2 * d * sizeof *x));

    ddpm_error err = { 0 };
    ddpm_sampler *none = NULL;
    /* The same steps, made in another way, are taken too. */
    CHECK(ddpm_sampler_create(&none, chain, &o, d, 2, NULL, &err) == DDPM_OK);
    ddpm_sampler_free(none);
    ddpm_chain_free(chain);
    REQUIRE(!ddpm_chain_respace(&chain, a, "5", NULL, NULL));
    CHECK(ddpm_sampler_create(&none, chain, &o, d, 2, NULL, &err) == DDPM_EUSAGE &&
          strstr(err.text, "make it with ddpm_chain_tuned"));

    ddpm_sampler_free(plain);
    ddpm_sampler_free(learned);
    ddpm_chain_free(chain);
    ddpm_chain_free(tuned);
    ddpm_net_free(net);
    ddpm_model_close(with);
    ddpm_model_close(m);
}

/* A run from an image begins in the middle of the chain, where no prediction of a step above is known. */
TEST(unit, a_tuned_solver_begins_anywhere)
{
    ddpm_model *m = small_net_create("plain"), *with = NULL;
    ddpm_net *net = NULL;
    ddpm_chain *chain = NULL;
    ddpm_sampler_options o;
    ddpm_tuned solver = solver_of(K);
    fill(times, K);
    for (int i = DDPM_TUNED_OF_X * K; i < DDPM_TUNED_ROWS * K; i++)
        table[i] = 0.1;
    ddpm_model_init(m, 5);
    REQUIRE(!ddpm_net_create(&net, m, NULL, NULL) && !ddpm_model_add_tuned(&with, m, &solver, NULL));
    const ddpm_about *a = ddpm_model_about(with);
    size_t d = (size_t)(a->height * a->width * a->channels), buffers;
    REQUIRE(!ddpm_chain_tuned(&chain, a, K, NULL));
    ddpm_sampler_defaults(&o, a);
    o.sampler = "tuned";
    o.eps = ddpm_net_eps;
    o.eps_user = net;

    double *x = calloc(d, sizeof *x);
    const uint32_t index = 0;
    for (int from = 0; from < K; from++) {
        ddpm_sampler *s = NULL;
        REQUIRE(!ddpm_sampler_create(&s, chain, &o, d, 1, NULL, NULL));
        REQUIRE(!ddpm_sampler_start(s, &index, NULL, 1, x, from, NULL));
        while (ddpm_sampler_left(s) > 0)
            REQUIRE(!ddpm_sampler_step(s, NULL));
        for (size_t e = 0; e < d; e++)
            CHECK(isfinite(ddpm_sampler_state(s, &buffers)[e]));
        ddpm_sampler_free(s);
    }
    free(x);
    ddpm_chain_free(chain);
    ddpm_net_free(net);
    ddpm_model_close(with);
    ddpm_model_close(m);
}

TEST(unit, solvers_that_a_model_lacks)
{
    ddpm_model *m = small_net_create("plain"), *with = NULL;
    ddpm_chain *chain = NULL;
    ddpm_tuned s = solver_of(K);
    ddpm_error err = { 0 };
    CHECK(ddpm_chain_tuned(&chain, ddpm_model_about(m), 6, &err) == DDPM_EUSAGE);
    CHECK_TEXT(err.text, "the model has no tuned solver of 6 steps, it has none: "
                         "`ddpm tune --steps 6 -o NEW` makes one");
    fill(times, K);
    REQUIRE(!ddpm_model_add_tuned(&with, m, &s, NULL));
    CHECK(ddpm_chain_tuned(&chain, ddpm_model_about(with), 6, &err) == DDPM_EUSAGE &&
          strstr(err.text, "those of 5:"));
    ddpm_model_close(with);
    ddpm_model_close(m);
}

/* At whole steps alpha_bar is the model's own; between them it lies on the straight line of the log-SNR. */
TEST(unit, alpha_bar_between_steps)
{
    static const double alpha_bar[4] = { 0.9, 0.5, 0.2, 0 };
    double slope;
    for (int t = 0; t < 4; t++)
        CHECK(dd_fractional_alpha_bar(alpha_bar, 4, t, NULL) == alpha_bar[t]);

    /* ln(9) and 0 meet half way at ln(3), so alpha_bar = 3 / 4. */
    CHECK_NEAR(dd_fractional_alpha_bar(alpha_bar, 4, 0.5, &slope), 0.75, 1e-15);
    CHECK_NEAR(slope, -log(9), 1e-15);
    CHECK_NEAR(dd_fractional_alpha_bar(alpha_bar, 4, 2.5, &slope), 0.1, 1e-15);
    CHECK_NEAR(slope, -0.2 / (0.1 * 0.9), 1e-14);
}
