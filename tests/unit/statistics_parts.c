/* tools/measure/statistics.h: what is measured with a given number of calls of the network, and how
   missing terms are filled in. */
#include <math.h>
#include <stdlib.h>
#include "../tools/measure/statistics.h"
#include "check.h"

TEST(unit, statistics_plans)
{
    static const struct {
        double calls;
        size_t images;
        int T;
        struct statistics_plan plan;
    } cases[] = {
        { 128000, 128, 1000, { 128, 1000 } },
        { 127999, 128, 1000, { 127, 1000 } },
        { 16000, 128, 1000, { 16, 1000 } },
        { 15999, 128, 1000, { 16, 999 } },
        { 256, 128, 1000, { 16, 16 } },
        { 128, 128, 1000, { 16, 8 } },
        { 127, 128, 1000, { 15, 8 } },
        { 8, 128, 1000, { 1, 8 } },
        { 7, 128, 1000, { 0, 8 } },
        { 256, 94, 65535, { 16, 16 } },
        { 1000, 3, 1000, { 3, 333 } },
        { 5, 3, 2, { 2, 2 } },
        { 0, 3, 2, { 0, 2 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct statistics_plan p;
        CHECK(statistics_plan(&p, cases[i].calls, cases[i].images, cases[i].T) == (cases[i].plan.images > 0));
        if (p.images != cases[i].plan.images || p.terms != cases[i].plan.terms)
            check_fail(__FILE__, __LINE__, "%g calls: %zu images, %d terms", cases[i].calls, p.images,
                       p.terms);
    }
}

/* For data N(0, 0.04) the perfect network has gamma = (1 - ab) / (0.04 ab + 1 - ab) = 1 / (1 + 0.04 e^l)
   with l = ln(ab / (1 - ab)). Its second derivative by l is at most 1 / (6 sqrt 3), so a straight line
   over a distance h in l is off by h^2 / (48 sqrt 3). */
static double gamma_of(double alpha_bar)
{
    return (1 - alpha_bar) / (0.04 * alpha_bar + 1 - alpha_bar);
}

static void check_filled(const ddpm_about *a, const char *steps)
{
    ddpm_chain *chain;
    ddpm_error err;
    CHECK(ddpm_chain_respace(&chain, a, steps, "logsnr", &err) == DDPM_OK);
    const ddpm_tables *t = ddpm_chain_tables(chain);
    double *value = calloc((size_t)(t->K + a->steps), sizeof *value), *all = value + t->K, widest = 0;
    for (int k = 0; k < t->K; k++)
        value[k] = gamma_of(t->alpha_bar[k]);
    for (int k = 1; k < t->K; k++) {
        double here = t->alpha_bar[k], before = t->alpha_bar[k - 1];
        widest = fmax(widest, log(before / (1 - before)) - log(here / (1 - here)));
    }

    CHECK(t->t[0] == 0 && t->t[t->K - 1] == a->steps - 1);
    statistics_fill(all, a->steps, a->alpha_bar, value, t->t, t->K);
    for (int i = 0; i < a->steps; i++)
        CHECK_NEAR(all[i], gamma_of(a->alpha_bar[i]), widest * widest / (48 * sqrt(3)) + 1e-12);
    free(value);
    ddpm_chain_free(chain);
}

TEST(unit, statistics_between_terms)
{
    enum { T = 1000 };

    double beta[T], alpha_bar[T], product = 1;
    for (int i = 0; i < T; i++) {
        beta[i] = 1e-4 + (0.02 - 1e-4) * i / (T - 1);
        alpha_bar[i] = product *= 1 - beta[i];
    }
    ddpm_about a = { .height = 1,
                     .width = 1,
                     .channels = 1,
                     .outputs = 1,
                     .steps = T,
                     .beta = beta,
                     .alpha_bar = alpha_bar,
                     .t_scale = 1 };
    check_filled(&a, "8");
    check_filled(&a, "37");
    check_filled(&a, "1000");
}

/* At alpha_bar = 0 the logarithm is infinite. The value there and those beside it are still numbers
   between their neighbours. */
TEST(unit, statistics_where_nothing_is_left)
{
    const double alpha_bar[5] = { 0.9, 0.5, 0.2, 0.1, 0 }, at[3] = { 0, 2, 4 }, value[3] = { 0.5, 0.7, 1 };
    double all[5];
    statistics_fill(all, 5, alpha_bar, value, at, 3);
    CHECK(all[0] == 0.5 && all[2] == 0.7 && all[4] == 1);
    CHECK_NEAR(all[3], 0.85, 1e-12);
    CHECK(all[1] > 0.5 && all[1] < 0.7);
}
