/* optimal_steps.c: the spacing "optimal", the list C(0) < ... < C(K-1) with the least bound (Watson, Ho,
   Norouzi, Chan 2021; with the variance of Bao et al. 2022).

   The bound of a chain is a sum over its pairs of neighbours, so it is the length of a path.  The shortest
   path with exactly K nodes follows by dynamic programming, for all K at once, in O(K T^2):

     B_1(r) = 0 for r = 0, else infinity
     B_{k+1}(r) = min_{s < r} B_k(s) + L(s, r)

   L(s, r) is the mean of KL(q(x_s | x_r, x0) || p(x_s | x_r)) per dimension, with the variance sigma*^2 of
   optimal_variance.c:

     L   = (ln(sigma*^2 / beta_tilde) - 1 + e^2 / sigma*^2) / 2
     e^2 = beta_tilde + mean_x0^2 min(1, (1 - ab_r) / ab_r mse_r),   ab alpha_bar

   sigma*^2 is a function of gamma_r.  e^2 is the same function of mse_r = E||eps - eps_theta||^2 / d.

   The perfect network has mse = 1 - gamma, e = sigma* and, unless clipped,

     sigma*^2 = (ab_s / ab_r - 1) (1 - (1 - ab_r / ab_s) J_r),   J_r = gamma_r / (1 - ab_r).

   So L is then ln(1 - (1 - ab_r / ab_s) J_r) / 2, the cost of Bao et al., and a term that is the same for all
   paths between two ends.  J is the Fisher information of x_t per dimension, and Stam's inequality for it
   says that one more node never makes that bound worse.

   Every list begins at t = 0, where the decoder needs least noise, and ends at T - 1, where L_T is least.
   These two terms are the same for all lists.  The list is the best one with these ends; a list with other
   ends may have a smaller bound.  Ties go to the smaller s. */
#include "diffusion/optimal_steps.h"
#include "diffusion/optimal_variance.h"
#include <math.h>
#include <stdlib.h>

/* Fills next [nodes] with B_{k+1} from here, which is B_k, and from [nodes] with the s of each minimum. */
static void extend(double *next, uint16_t *from, const double *here, const double *cost, int nodes)
{
    for (int r = 0; r < nodes; r++)
        next[r] = INFINITY;

    for (int s = 0; s < nodes; s++) {
        const double *row = cost + (size_t)s * (size_t)nodes;
        if (here[s] == INFINITY)
            continue;
        for (int r = s + 1; r < nodes; r++)
            if (here[s] + row[r] < next[r]) {
                next[r] = here[s] + row[r];
                from[r] = (uint16_t)s;
            }
    }
}

int dd_optimal_steps_create(struct dd_optimal_steps *p, const double *cost, int nodes, int most,
                            ddpm_error *err)
{
    size_t n = (size_t)nodes;
    double *block = malloc(2 * n * sizeof *block), *here = block, *next = block + n;
    *p = (struct dd_optimal_steps){
        .nodes = nodes,
        .most = most,
        .least = malloc((size_t)most * sizeof *p->least),
        .from = calloc((size_t)most, n * sizeof *p->from),
    };
    if (!block || !p->least || !p->from) {
        free(block);
        dd_optimal_steps_free(p);
        return dd_error(err, DDPM_ENOMEM, "out of memory for the best of all lists of %d steps", nodes);
    }

    /* B_1 is the cost of the path that is node 0 alone. */
    for (int r = 0; r < nodes; r++)
        here[r] = r ? INFINITY : 0;
    p->least[0] = here[n - 1];

    /* `here` and `next` change places. */
    for (int k = 1; k < most; k++) {
        double *done = here;
        extend(next, p->from + (size_t)k * n, here, cost, nodes);
        p->least[k] = next[n - 1];
        here = next;
        next = done;
    }

    free(block);
    return DDPM_OK;
}

void dd_optimal_steps_free(struct dd_optimal_steps *p)
{
    free(p->least);
    free(p->from);
}

void dd_optimal_steps_path(const struct dd_optimal_steps *p, double *node, int count)
{
    int r = p->nodes - 1;

    for (int k = count - 1; k >= 0; k--) {
        node[k] = r;
        r = p->from[(size_t)k * (size_t)p->nodes + (size_t)r];
    }
}

double dd_optimal_steps_term(const ddpm_about *a, int s, int r)
{
    double here = a->alpha_bar[r], before = a->alpha_bar[s];
    double beta_tilde = (1 - here / before) * (1 - before) / (1 - here);
    double sigma2 = dd_optimal_variance(here, before, beta_tilde, 1 - a->gamma[r]);
    double error2 = dd_optimal_variance(here, before, beta_tilde, a->mse[r]);
    return 0.5 * (log(sigma2 / beta_tilde) - 1 + error2 / sigma2) / log(2);
}

/* Refuses models without the statistics that the list needs. */
static int check(const ddpm_about *a, ddpm_error *err)
{
    if (!a->gamma || !a->mse)
        return dd_error(
            err, DDPM_EUSAGE,
            "spacing \"optimal\" needs statistics that this model does not have; make a model that has "
            "them with `ddpm eval DATA --statistics -o NEW`, or choose another spacing");

    if (a->steps > DD_OPTIMAL_STEPS_MAX)
        return dd_error(err, DDPM_EUSAGE,
                        "spacing \"optimal\" is for models of at most %d steps; this one has %d: choose "
                        "another spacing",
                        DD_OPTIMAL_STEPS_MAX, a->steps);

    for (int t = 0; t < a->steps; t++)
        if (!(a->gamma[t] >= 0 && a->mse[t] >= 0 && isfinite(a->gamma[t] + a->mse[t])))
            return dd_error(err, DDPM_EDATA,
                            "spacing \"optimal\": gamma is %g and mse %g at t = %d; a mean "
                            "square is 0 or more",
                            a->gamma[t], a->mse[t], t);
    return DDPM_OK;
}

int dd_optimal_steps(double *c, int K, const ddpm_about *a, ddpm_error *err)
{
    struct dd_optimal_steps best;
    int T = a->steps, code = check(a, err);
    if (code)
        return code;

    double *cost = malloc((size_t)T * (size_t)T * sizeof *cost);
    if (!cost)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the costs of %d x %d steps", T, T);

    /* A step leads down from r to s. */
    for (int s = 0; s < T; s++)
        for (int r = s + 1; r < T; r++)
            cost[(size_t)s * (size_t)T + (size_t)r] = dd_optimal_steps_term(a, s, r);

    code = dd_optimal_steps_create(&best, cost, T, K, err);
    if (!code) {
        dd_optimal_steps_path(&best, c, K);
        dd_optimal_steps_free(&best);
    }
    free(cost);
    return code;
}
