/* The basic bootstrap (Efron and Tibshirani 1993, chapter 13; Davison and Hinkley 1997, equation 5.6).  A
   round draws each set of n points n times from itself, with repetition.  The values D* of the rounds vary
   about their mean as D does about the truth, so with the quantiles q_p of D* the interval reaches

     below   q_0.975 - mean D*
     above   mean D* - q_0.025

   This interval is too narrow for two reasons.  Draws from n points have only (n - 1) / n of the variance of
   the distribution, and the quantiles take the variance as if it were known (normal, not Student).  So both
   ends are moved away by the factor t sqrt(n / (n - 1)) / 1.96, where n is the size of the smallest set and t
   is Student's quantile (Hesterberg 2015, section 5.3).

   The draws of set k in round r come from Philox with index k, t = r and the purpose "order of data". */
#include "measure/bootstrap.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "measure/student.h"

void bootstrap_draw(uint32_t *times, double *u, size_t n, uint64_t seed, int set, int round)
{
    struct dd_rng r = { seed, (uint32_t)set, (uint32_t)round, (uint32_t)DD_RNG_ORDER << 24 };

    memset(times, 0, n * sizeof *times);
    dd_rng_uniform(&r, u, n);
    for (size_t i = 0; i < n; i++)
        times[(size_t)(u[i] * (double)n)]++;
}

double bootstrap_mean(const double *again)
{
    double mean = 0;
    for (int r = 0; r < BOOTSTRAP_ROUNDS; r++)
        mean += again[r] / BOOTSTRAP_ROUNDS;
    return mean;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bootstrap_interval(double *below, double *above, const double *again, size_t least)
{
    double sorted[BOOTSTRAP_ROUNDS], mean = bootstrap_mean(again);
    double share = (double)(least - 1) / (double)least;
    double wider = student_quantile(least - 1) / normal_quantile() / sqrt(share);

    memcpy(sorted, again, sizeof sorted);
    qsort(sorted, BOOTSTRAP_ROUNDS, sizeof *sorted, compare);

    /* A fortieth of the sorted values, 2.5 %, lies outside at either end. */
    *below = wider * fmax(0, sorted[BOOTSTRAP_ROUNDS - 1 - BOOTSTRAP_ROUNDS / 40] - mean);
    *above = wider * fmax(0, mean - sorted[BOOTSTRAP_ROUNDS / 40]);
}
