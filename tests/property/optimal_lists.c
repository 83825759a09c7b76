/* The spacing "optimal": the dynamic program against brute force, and the lists against what every list
   must be. */
#include <stdint.h>
#include "check.h"
#include "base/rng.h"
#include "diffusion/optimal_steps.h"
#include "diffusion/optimal_variance.h"

enum { T_MAX = 60, SMALL = 9 };

/* Returns gamma of a perfect network for data of two points +-1/2 per dimension, by quadrature. With x =
   sqrt(ab) x0 + s z, E[x0 | x] = tanh(sqrt(ab) x / (2 s^2)) / 2 and eps = (x - sqrt(ab) E[x0 | x]) / s.
   So gamma = 1 - mse = 1 - ab / s^2 E(x0 - E[x0 | x])^2. */
static double perfect_gamma(double alpha_bar)
{
    enum { N = 4000 };

    double a = sqrt(alpha_bar), s2 = 1 - alpha_bar, s = sqrt(s2), sum = 0, weight = 0;
    for (int i = 0; i <= N; i++) {
        double z = -10 + 20.0 * i / N, x = a / 2 + s * z, away = 0.5 - 0.5 * tanh(a * x / (2 * s2));
        sum += exp(-z * z / 2) * away * away;
        weight += exp(-z * z / 2);
    }
    return 1 - alpha_bar / s2 * sum / weight;
}

struct stored {
    ddpm_about about;
    double beta[T_MAX], alpha_bar[T_MAX], gamma[T_MAX], mse[T_MAX];
};

static void perfect(struct stored *s, int T)
{
    s->about = (ddpm_about){
        .steps = T, .beta = s->beta, .alpha_bar = s->alpha_bar, .gamma = s->gamma, .mse = s->mse
    };
    if (ddpm_betas(s->beta, s->alpha_bar, T, "cosine", NULL))
        abort();
    for (int t = 0; t < T; t++) {
        s->gamma[t] = perfect_gamma(s->alpha_bar[t]);
        s->mse[t] = 1 - s->gamma[t];
    }
}

static double length(const ddpm_about *a, const double *t, int K)
{
    double sum = 0;
    for (int i = 1; i < K; i++)
        sum += dd_optimal_steps_term(a, (int)t[i - 1], (int)t[i]);
    return sum;
}

static int respace(ddpm_chain **chain, const ddpm_about *a, int K)
{
    char steps[16];
    snprintf(steps, sizeof steps, "%d", K);
    return ddpm_chain_respace(chain, a, steps, "optimal", NULL);
}

/* Returns the least cost over all subsets of steps that include both ends; a bit of `set` says that its
   step is taken. At most SMALL terms are added in the same order as in the program, so the bits are the
   same. */
static double brute_force(const double *cost, int nodes, int count)
{
    double best = INFINITY;
    for (unsigned set = 1u << (nodes - 1); set < 1u << nodes; set++) {
        double sum = 0;
        int seen = 1, last = 0;
        for (int r = 1; r < nodes; r++)
            if (set >> r & 1) {
                sum += cost[last * nodes + r];
                last = r;
                seen++;
            }
        if ((set & 1) && seen == count)
            best = fmin(best, sum);
    }
    return best;
}

TEST(property, optimal_steps_are_those_of_brute_force)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        for (int nodes = 2; nodes <= SMALL; nodes++) {
            struct dd_optimal_steps best;
            struct dd_rng r = { .seed = seed, .index = (uint32_t)nodes };
            /* cost[a * nodes + b] is the cost of the step from a to b. */
            double cost[SMALL * SMALL], node[SMALL];

            dd_rng_uniform(&r, cost, (size_t)(nodes * nodes));
            REQUIRE(!dd_optimal_steps_create(&best, cost, nodes, nodes, NULL));
            CHECK(best.least[0] == INFINITY);

            for (int count = 2; count <= nodes; count++) {
                double sum = 0;
                dd_optimal_steps_path(&best, node, count);
                for (int i = 1; i < count; i++)
                    sum += cost[(int)node[i - 1] * nodes + (int)node[i]];
                CHECK(node[0] == 0 && node[count - 1] == nodes - 1);
                CHECK(sum == best.least[count - 1] && sum == brute_force(cost, nodes, count));
            }

            dd_optimal_steps_free(&best);
        }
}

/* For a perfect network another step never makes the bound worse (Stam's inequality). Each term is
   rounded a few times, so sums of T terms below 1 bit may differ by T 2^-49. */
TEST(property, optimal_lists_grow_better)
{
    struct stored s;
    double before = INFINITY;
    perfect(&s, T_MAX);
    for (int K = 2; K <= T_MAX; K++) {
        ddpm_chain *chain = NULL;
        REQUIRE(!respace(&chain, &s.about, K));
        const ddpm_tables *c = ddpm_chain_tables(chain);
        double here = length(&s.about, c->t, K);
        CHECK(c->K == K && c->t[0] == 0 && c->t[K - 1] == T_MAX - 1);
        CHECK(here <= before + T_MAX * 0x1p-49);
        for (int i = 0; K == T_MAX && i < K; i++)
            CHECK(c->t[i] == i && c->alpha_bar[i] == s.alpha_bar[i]);
        before = here;
        ddpm_chain_free(chain);
    }
}

/* The list is valid whatever the statistics say, even with numbers that no network gives. */
TEST(unit, statistics_that_are_no_numbers)
{
    static const double wrong[] = { NAN, INFINITY, -1e-3 };
    struct stored s;
    for (int k = 0; k < 2 * 3; k++) {
        ddpm_chain *chain = NULL;
        perfect(&s, T_MAX);
        (k % 2 ? s.mse : s.gamma)[T_MAX / 2] = wrong[k / 2];
        CHECK(respace(&chain, &s.about, 5) == DDPM_EDATA && !chain);
    }
}

TEST(property, analytic_variance_lies_between_its_bounds)
{
    static const double said[] = { -3, 0, 0.25, 0.99, 1, 1.01, 40 };
    struct stored s;
    perfect(&s, T_MAX);
    for (int r = 1; r < T_MAX; r++)
        for (int from = 0; from < r; from++)
            for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
                double here = s.alpha_bar[r], before = s.alpha_bar[from], beta = 1 - here / before;
                double lambda2 = beta * (1 - before) / (1 - here), m = beta * sqrt(before) / (1 - here);
                double sigma2 = dd_optimal_variance(here, before, lambda2, 1 - said[k]);
                CHECK(sigma2 >= lambda2 && sigma2 <= (lambda2 + m * m) * (1 + 1e-12));
            }
}
