/* Invariants of every chain, for all presets, every K in 1..T, several T and schedules. */
#include "check.h"

enum { T_MAX = 4000 };

static int is_chain(const ddpm_tables *c, const double *alpha_bar, int K, int T)
{
    int good = c->K == K && c->t[0] >= 0 && c->t[K - 1] <= T - 1 && (K > 1 || c->t[0] == T - 1);
    for (int i = 0; i < K && good; i++)
        good = c->t[i] == rint(c->t[i]) && (i == 0 || c->t[i] > c->t[i - 1]) &&
               c->alpha_bar[i] == alpha_bar[(int)c->t[i]];
    return good;
}

/* Checks every K if all is set; else every K up to 200, every 37th, and the last 20. optimal_lists.c
   tests the optimal list. */
static void every_count(int T, const char *betas, int all)
{
    static double beta[T_MAX], alpha_bar[T_MAX];
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, betas, NULL));
    for (const char *const *name = ddpm_spacing_names(); *name; name++)
        for (int K = 1; K <= T && strcmp(*name, "optimal"); K++) {
            char steps[16];
            ddpm_chain *chain = NULL;
            if (!all && K > 200 && K % 37 && K <= T - 20)
                continue;
            snprintf(steps, sizeof steps, "%d", K);
            if (ddpm_chain_respace(&chain, &about, steps, *name, NULL) ||
                !is_chain(ddpm_chain_tables(chain), alpha_bar, K, T))
                check_fail(__FILE__, __LINE__, "%s, T = %d, %s: %d steps are no chain", betas, T, *name, K);
            ddpm_chain_free(chain);
        }
}

TEST(property, presets_give_every_count)
{
    for (int T = 2; T <= 20; T++) {
        every_count(T, "cosine", 1);
        every_count(T, "linear:0.01,0.3+zero-snr", 1);
    }
    every_count(1, "cosine", 1);
    every_count(1000, "linear", 1);
    every_count(4000, "cosine", 0);
}

/* Each step is the nearest to its target, which is found here by trying all. */
TEST(property, logsnr_takes_the_nearest_step)
{
    enum { T = 1000, K = 12 };

    double beta[T], alpha_bar[T];
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear", NULL) &&
            !ddpm_chain_respace(&chain, &about, "12", "logsnr", NULL));
    double high = log(alpha_bar[0] / (1 - alpha_bar[0])),
           low = log(alpha_bar[T - 1] / (1 - alpha_bar[T - 1]));
    for (int i = 0; i < K; i++) {
        double wanted = high + i * (low - high) / (K - 1), closest = INFINITY, found = 0;
        for (int t = 0; t < T; t++) {
            double away = fabs(log(alpha_bar[t] / (1 - alpha_bar[t])) - wanted);
            if (away < closest) {
                closest = away;
                found = t;
            }
        }
        CHECK(ddpm_chain_tables(chain)->t[i] == found);
    }
    ddpm_chain_free(chain);
}

/* Where steps follow each other, beta is the schedule's own, and 1 - alpha_bar is the sum b_0 + b_1
   (1 - b_0) + .... Its terms are positive, so it carries a few roundings of 2^-53 of itself.
   Computed from alpha_bar alone, beta_0 = 1e-10 would be off by 8e-8. */
TEST(property, beta_is_what_the_schedule_stores)
{
    static const char *const specs[] = {
        "linear", "linear:1e-6,0.02", "linear:1e-10,0.02", "cosine", "f32:linear", "linear+zero-snr",
    };

    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
        double beta[1000], alpha_bar[1000];
        ddpm_about about = { .steps = 1000, .beta = beta, .alpha_bar = alpha_bar };
        ddpm_chain *all = NULL, *some = NULL;

        REQUIRE(!ddpm_betas(beta, alpha_bar, 1000, specs[s], NULL));
        REQUIRE(!ddpm_chain_respace(&all, &about, "all", NULL, NULL));
        REQUIRE(!ddpm_chain_respace(&some, &about, "0,1,5,6,999", NULL, NULL));
        const ddpm_tables *c = ddpm_chain_tables(all), *d = ddpm_chain_tables(some);

        CHECK(!memcmp(c->beta, beta, sizeof beta));
        CHECK(d->beta[0] == beta[0] && d->beta[1] == beta[1] && d->beta[3] == beta[6]);
        /* Over a gap, beta is that of the whole gap. */
        CHECK(d->beta[2] == 1 - alpha_bar[5] / alpha_bar[1]);
        CHECK(c->mean_x0[0] == 1 && c->mean_xt[0] == 0 && c->beta_tilde[0] == 0);

        /* 1 - alpha_bar_1 as a sum of positive terms. */
        double rest = beta[0] + beta[1] * (1 - beta[0]);
        CHECK_NEAR(c->beta_tilde[1] / (beta[1] * beta[0] / rest), 1, 6 * 0x1p-53);
        CHECK_NEAR(d->beta_tilde[1] / (beta[1] * beta[0] / rest), 1, 6 * 0x1p-53);
        CHECK_NEAR(c->mean_xt[1] / (beta[0] * sqrt(alpha_bar[1] / alpha_bar[0]) / rest), 1, 6 * 0x1p-53);

        ddpm_chain_free(all);
        ddpm_chain_free(some);
    }
}

/* alpha_bar_t = alpha_bar_{t-1} alpha_t is rounded once, and its quotient once more, by 2^-53 each;
   so are 1 - beta and 1 - alpha. Together a beta of the schedule and that of its full chain differ
   by at most 4 * 2^-53. */
TEST(property, full_chain_is_the_schedule)
{
    static const char *const specs[] = {
        "linear", "cosine", "sigmoid", "lucid-sigmoid", "quad", "jsd", "warmup10", "const", "linear+zero-snr",
    };

    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
        double beta[1000], alpha_bar[1000];
        ddpm_about about = { .steps = 1000, .alpha_bar = alpha_bar };
        ddpm_chain *all = NULL, *thousand = NULL;

        REQUIRE(!ddpm_betas(beta, alpha_bar, 1000, specs[s], NULL));
        REQUIRE(!ddpm_chain_respace(&all, &about, "all", NULL, NULL) &&
                !ddpm_chain_respace(&thousand, &about, "1000", "quad", NULL));
        const ddpm_tables *c = ddpm_chain_tables(all), *d = ddpm_chain_tables(thousand);

        for (int t = 0; t < 1000; t++) {
            CHECK_NEAR(c->beta[t], beta[t], 4 * 0x1p-53);
            CHECK(c->t[t] == t && c->alpha_bar[t] == alpha_bar[t] && d->t[t] == t &&
                  d->mean_x0[t] == c->mean_x0[t]);
        }

        ddpm_chain_free(all);
        ddpm_chain_free(thousand);
    }
}
