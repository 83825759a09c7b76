/* The Frechet distance between two sets of points is that between two Gaussians that have the means mu and
   the covariances S (divisor n - 1) of the sets (Dowson and Landau 1982; Heusel et al. 2017):

     D = |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a^1/2 S_b S_a^1/2)^1/2

   Here S^1/2 = V L^1/2 V^T for S = V L V^T.  The last trace is the sum of the roots of the eigenvalues.
   LAPACK (dsyevd) finds eigenvalues, BLAS multiplies.  Eigenvalues that rounding makes negative count as 0.

   For two samples from one distribution D is not 0 on average, but of the order of d^2 / n.  The bootstrap
   estimates this bias.  It draws both sets anew from themselves, with repetition, FRECHET_ROUNDS times; round
   r has the distance D*_r.  On average D*_r is as much above D as D is above the truth.  So with the
   quantiles q_p of D* (Efron and Tibshirani 1993, chapter 10)

     distance   2 D - mean D*
     interval   2 D - q_0.975 to 2 D - q_0.025, with values below 0 replaced by 0

   This interval is too narrow for two reasons.  Draws from n points have only (n - 1) / n of the variance of
   the distribution, and the quantiles take the variance as if it were known (normal, not Student).  So both
   ends are moved away from the distance by the factor t sqrt(n / (n - 1)) / 1.96, where n is the size of the
   smaller set and t is Student's quantile (Hesterberg 2015, section 5.3).  For two samples from one
   distribution the interval then holds 0 in about 95 % of cases.

   The draws of set k in round r come from Philox with index k, t = r and the purpose "order of data". */
#include "measure/frechet.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/rng.h"
#include "measure/student.h"

/* One set and its moments. */
struct set {
    const double *point; /* [n, d] */
    size_t n;
    uint32_t *times; /* [n]: how often each point is taken; the sum is n */
    double *mean;    /* [d] */
    double *cov;     /* [d, d], the covariance */
};

struct space {
    size_t d;
    struct set set[2];
    double *away;  /* [max(n, m), d]: points less their mean */
    double *root;  /* [d, d]: square root of the first covariance */
    double *work;  /* [d, d] */
    double *value; /* [max(d, n, m)]: eigenvalues, or random numbers */
};

/* Allocates the arrays for both sets.  DDPM_EUSAGE: a set has fewer than two points. */
static int open_space(struct space *s, const struct frechet_sets *of, ddpm_error *err)
{
    size_t d = of->d, square = d * d, most = of->n > of->m ? of->n : of->m;

    *s = (struct space){ .d = d };
    if (of->n < 2 || of->m < 2)
        return dd_error(err, DDPM_EUSAGE, "sets of %zu and %zu images: a distance needs at least 2 of each",
                        of->n, of->m);

    /* The block holds both means, both covariances, root, work and value. */
    double *block = calloc(4 * square + 3 * d + most, sizeof *block);
    uint32_t *times = calloc(of->n + of->m, sizeof *times);
    s->away = calloc(most, d * sizeof *s->away);
    if (!block || !times || !s->away) {
        free(block);
        free(times);
        free(s->away);
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for the distance of %zu and %zu points in %zu dimensions", of->n,
                        of->m, d);
    }

    double *cov = block + 2 * d;
    s->set[0] = (struct set){ of->a, of->n, times, block, cov };
    s->set[1] = (struct set){ of->b, of->m, times + of->n, block + d, cov + square };
    s->root = cov + 2 * square;
    s->work = s->root + square;
    s->value = s->work + square;
    return DDPM_OK;
}

static void close_space(struct space *s)
{
    free(s->set[0].mean);
    free(s->set[0].times);
    free(s->away);
}

/* Fills m [d, d] = R^T R for R = rows [n, d].  BLAS computes the upper triangle; the other is copied. */
static void multiply_by_itself(double *m, const double *rows, size_t n, size_t d)
{
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)n, 1, rows, (int)d, 0, m, (int)d);
    for (size_t e = 0; e < d; e++)
        for (size_t f = 0; f < e; f++)
            m[e * d + f] = m[f * d + e];
}

/* Fills c = a b, each [d, d]. */
static void multiply(double *c, const double *a, const double *b, size_t d)
{
    int n = (int)d;

    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
}

/* Fills mean and covariance of a set, in which each point counts as often as `times` says. */
static void find_moments(struct space *s, struct set *set)
{
    size_t d = s->d, rows = 0;

    memset(set->mean, 0, d * sizeof *set->mean);
    for (size_t i = 0; i < set->n; i++)
        for (size_t e = 0; e < d && set->times[i]; e++)
            set->mean[e] += set->times[i] * set->point[i * d + e] / (double)set->n;

    /* A point that is taken k times is one row, times sqrt(k / (n - 1)): R^T R is then the covariance. */
    for (size_t i = 0; i < set->n; i++) {
        double weight = sqrt(set->times[i] / (double)(set->n - 1));
        if (!set->times[i])
            continue;
        for (size_t e = 0; e < d; e++)
            s->away[rows * d + e] = weight * (set->point[i * d + e] - set->mean[e]);
        rows++;
    }
    multiply_by_itself(set->cov, s->away, rows, d);
}

/* Fills value [d] with the eigenvalues of the symmetric m [d, d] and, with `vectors`, the rows of m with the
   eigenvectors.  LAPACK stores matrices by columns: a symmetric matrix is the same, and its columns are our
   rows. */
static int find_eigenvalues(double *value, double *m, size_t d, bool vectors, ddpm_error *err)
{
    lapack_int n = (lapack_int)d;
    lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'U', n, m, n, value);

    if (info < -1000)
        return dd_error(err, DDPM_ENOMEM, "out of memory for eigenvalues");
    if (info)
        return dd_error(
            err, DDPM_ENAN,
            "the eigenvalues of a covariance of activations are not found; are all of them finite?");
    return DDPM_OK;
}

/* Fills root = S_a^1/2 = W^T W, where row k of W is eigenvector k times the fourth root of its
   eigenvalue. */
static int find_root(struct space *s, ddpm_error *err)
{
    size_t d = s->d;

    memcpy(s->work, s->set[0].cov, d * d * sizeof *s->work);
    int code = find_eigenvalues(s->value, s->work, d, true, err);
    if (code)
        return code;

    /* An eigenvalue of a covariance is negative only by rounding. */
    for (size_t k = 0; k < d; k++)
        for (size_t e = 0; e < d; e++)
            s->work[k * d + e] *= sqrt(sqrt(fmax(s->value[k], 0)));
    multiply_by_itself(s->root, s->work, d, d);
    return DDPM_OK;
}

/* Sets *distance to D for the points as often as they are taken. */
static int measure(double *distance, struct space *s, ddpm_error *err)
{
    size_t d = s->d;
    struct set *a = &s->set[0], *b = &s->set[1];
    double sum = 0;

    find_moments(s, a);
    find_moments(s, b);
    for (size_t e = 0; e < d; e++)
        sum += pow(a->mean[e] - b->mean[e], 2) + a->cov[e * d + e] + b->cov[e * d + e];

    /* The covariance of b is not needed any more, so the product takes its place. */
    int code = find_root(s, err);
    if (code)
        return code;
    multiply(s->work, s->root, b->cov, d);
    multiply(b->cov, s->work, s->root, d);
    code = find_eigenvalues(s->value, b->cov, d, false, err);
    if (code)
        return code;

    for (size_t e = 0; e < d; e++)
        sum -= 2 * sqrt(fmax(s->value[e], 0));
    *distance = fmax(0, sum);
    return DDPM_OK;
}

static void take_all(struct space *s)
{
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < s->set[k].n; i++)
            s->set[k].times[i] = 1;
}

/* Draws from each set as many points as it has, with repetition. */
static void draw(struct space *s, uint64_t seed, int round)
{
    for (int k = 0; k < 2; k++) {
        struct set *set = &s->set[k];
        struct dd_rng r = { seed, (uint32_t)k, (uint32_t)round, (uint32_t)DD_RNG_ORDER << 24 };

        memset(set->times, 0, set->n * sizeof *set->times);
        dd_rng_uniform(&r, s->value, set->n);
        for (size_t i = 0; i < set->n; i++)
            set->times[(size_t)(s->value[i] * (double)set->n)]++;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int frechet_plain(double *distance, const struct frechet_sets *sets, ddpm_error *err)
{
    struct space s;
    int code = open_space(&s, sets, err);
    if (code)
        return code;

    take_all(&s);
    code = measure(distance, &s, err);
    close_space(&s);
    return code;
}

/* Fills f from D = plain, the sorted distances D* and their mean; least: points in the smaller set. */
static void conclude(struct frechet *f, double plain, const double *again, double mean, size_t least)
{
    double corrected = 2 * plain - mean, share = (double)(least - 1) / (double)least;
    double wider = student_quantile(least - 1) / normal_quantile() / sqrt(share);

    f->plain = plain;

    /* A fortieth of the sorted distances, 2.5 %, lies outside at either end.  Mirroring them at D puts
           the upper quantile at the lower end of the interval. */
    f->below = wider * fmax(0, again[FRECHET_ROUNDS - 1 - FRECHET_ROUNDS / 40] - mean);
    f->above = wider * fmax(0, mean - again[FRECHET_ROUNDS / 40]);
    f->distance = fmax(0, corrected);
    f->low = fmax(0, corrected - f->below);
    f->high = fmax(0, corrected + f->above);
}

int frechet_distance(struct frechet *f, const struct frechet_sets *sets, uint64_t seed, ddpm_error *err)
{
    struct space s;
    double plain = NAN, again[FRECHET_ROUNDS], mean = 0;
    int code = open_space(&s, sets, err);
    if (code)
        return code;

    take_all(&s);
    code = measure(&plain, &s, err);
    for (int r = 0; r < FRECHET_ROUNDS && !code; r++) {
        draw(&s, seed, r);
        code = measure(&again[r], &s, err);
        mean += again[r] / FRECHET_ROUNDS;
    }
    close_space(&s);
    if (code)
        return code;

    /* The quantiles are read from the sorted distances. */
    qsort(again, FRECHET_ROUNDS, sizeof *again, compare);
    conclude(f, plain, again, mean, sets->n < sets->m ? sets->n : sets->m);
    return DDPM_OK;
}
