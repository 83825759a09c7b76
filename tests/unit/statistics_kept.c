/* A model keeps the statistics that it is given, and all else that it had. */
#include "tests/check.h"
#include "tests/small_nets.h"
#include "tests/unit/alloc.h"

enum { T = 1000 };

static double gamma_given[T], mse_given[T];

static void make_statistics(void)
{
    for (int t = 0; t < T; t++) {
        gamma_given[t] = (t + 1.0) / (T + 1);
        mse_given[t] = 1 - gamma_given[t];
    }
}

/* Checks that all tensors of a are in b with the same bits, and in memory of their own. */
static void same_tensors(const ddpm_model *a, const ddpm_model *b)
{
    const ddpm_tensor *of_a, *of_b;
    size_t n = ddpm_model_tensors(a, &of_a), m = ddpm_model_tensors(b, &of_b);
    CHECK(m == n + 2);
    for (size_t i = 0, k = 0; i < n; i++, k++) {
        size_t size = (size_t[]){ 4, 2, 8 }[of_a[i].dtype];
        while (k < m && strcmp(of_a[i].name, of_b[k].name))
            k++;
        REQUIRE(k < m && of_a[i].dtype == of_b[k].dtype && of_a[i].rank == of_b[k].rank);
        for (int r = 0; r < of_a[i].rank; r++)
            size *= (size_t)of_a[i].dim[r];
        CHECK(!memcmp(of_a[i].data, of_b[k].data, size));
    }
}

static void stored_by(unsigned flags)
{
    const char *folder = check_folder(), *first = check_path(folder, "first-%u", flags),
               *second = check_path(folder, "second-%u", flags);
    ddpm_model *made = small_net_create("plain"), *opened = NULL, *with = NULL, *again = NULL;

    REQUIRE(made && !ddpm_model_save(made, first, flags, NULL) && !ddpm_model_open(&opened, first, NULL));
    CHECK(!ddpm_model_about(opened)->gamma && !ddpm_model_about(opened)->mse);
    REQUIRE(!ddpm_model_add_statistics(&with, opened, mse_given, mse_given, 3, NAN, NULL));
    REQUIRE(!ddpm_model_add_statistics(&again, with, gamma_given, mse_given, 7, 3.25, NULL));

    /* Those that were given last are kept. */
    ddpm_model_close(with);
    with = NULL;
    REQUIRE(!ddpm_model_save(again, second, flags, NULL) && !ddpm_model_open(&with, second, NULL));

    const ddpm_about *a = ddpm_model_about(with);
    CHECK(a->gamma && !memcmp(a->gamma, gamma_given, sizeof gamma_given) &&
          !memcmp(a->mse, mse_given, sizeof mse_given));
    CHECK(strstr(a->json, "\"stats\":{\"images\":7,\"bits\":3.25}") && !strstr(a->json, "\"images\":3"));
    CHECK(strcmp(a->id, ddpm_model_about(opened)->id) && !ddpm_model_check(with, NULL));
    same_tensors(opened, with);

    ddpm_model_close(made);
    ddpm_model_close(opened);
    ddpm_model_close(with);
    ddpm_model_close(again);
}

TEST(model, statistics_are_kept)
{
    make_statistics();
    stored_by(0);
    stored_by(DDPM_SAVE_F16);
}

TEST(model, statistics_that_are_refused)
{
    ddpm_model *half = small_net_create("plain"), *none = NULL;
    CHECK(ddpm_model_add_statistics(&none, half, NULL, mse_given, 3, NAN, NULL) == DDPM_EUSAGE && !none);
    CHECK(ddpm_model_add_statistics(&none, half, mse_given, NULL, 3, NAN, NULL) == DDPM_EUSAGE && !none);
    ddpm_model_close(half);

    ddpm_model *m = small_net_create("plain"), *with = NULL;
    ddpm_error err;
    make_statistics();
    CHECK(ddpm_model_add_statistics(&with, m, gamma_given, mse_given, 0, NAN, &err) == DDPM_EUSAGE &&
          strstr(err.text, "0 images"));
    gamma_given[17] = NAN;
    CHECK(!ddpm_model_add_statistics(&with, m, gamma_given, mse_given, 1, NAN, NULL));
    CHECK(ddpm_model_save(with, check_path(check_folder(), "nan"), 0, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "stats.gamma: element 17 is NaN"));
    ddpm_model_close(with);
    gamma_given[17] = -1e-9;
    CHECK(!ddpm_model_add_statistics(&with, m, gamma_given, mse_given, 1, NAN, NULL));
    CHECK(ddpm_model_save(with, check_path(check_folder(), "negative"), 0, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "stats.gamma[17] is -1e-09"));
    ddpm_model_close(with);
    gamma_given[17] = 0, mse_given[T - 1] = -1;
    CHECK(!ddpm_model_add_statistics(&with, m, gamma_given, mse_given, 1, NAN, NULL));
    CHECK(ddpm_model_save(with, check_path(check_folder(), "negative"), 0, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "stats.mse[999] is -1"));
    ddpm_model_close(m);
    ddpm_model_close(with);
}

static int add(void *context, ddpm_error *err)
{
    ddpm_model *with;
    int code = ddpm_model_add_statistics(&with, context, gamma_given, mse_given, 1, 1, err);
    CHECK(!code == !!with);
    ddpm_model_close(with);
    return code;
}

TEST(no_memory, statistics)
{
    ddpm_model *m = small_net_create("plain");
    make_statistics();
    CHECK(alloc_survive(add, m) > 10);
    ddpm_model_close(m);
}

/* A model without statistics names the command that makes them, where they are needed. */
TEST(unit, statistics_that_are_missing)
{
    ddpm_model *m = small_net_create("plain");
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_sampler_options o;
    ddpm_error err = { 0 };
    static const char *const samplers[] = { "ddpm", "ddim" };

    REQUIRE(m && !ddpm_chain_respace(&chain, ddpm_model_about(m), "10", NULL, NULL));

    for (int i = 0; i < 2; i++) {
        ddpm_sampler_defaults(&o, ddpm_model_about(m));
        o.sampler = samplers[i], o.variance = "analytic", o.eps = ddpm_net_eps;
        CHECK(ddpm_sampler_create(&s, chain, &o, 1, 1, NULL, &err) == DDPM_EUSAGE && !s);
        CHECK(strstr(err.text, "make a model that has them with `ddpm eval DATA --statistics -o NEW`"));
    }

    ddpm_chain_free(chain);
    CHECK(ddpm_chain_respace(&chain, ddpm_model_about(m), "10", "optimal", &err) == DDPM_EUSAGE &&
          strstr(err.text, "--statistics -o NEW"));

    ddpm_model_close(m);
}
