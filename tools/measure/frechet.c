/* The Frechet distance between two sets of points is that between two Gaussians that have the means mu and
   the covariances S (divisor n - 1) of the sets (Dowson and Landau 1982; Heusel et al. 2017):

     D = |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a^1/2 S_b S_a^1/2)^1/2

   Here S^1/2 = V L^1/2 V^T for S = V L V^T.  The last trace is the sum of the roots of the eigenvalues.
   LAPACK (dsyevd) finds eigenvalues, BLAS multiplies.  Eigenvalues that rounding makes negative count as 0.

   For two samples from one distribution D is not 0 on average, but of the order of d^2 / n.  The bootstrap
   (bootstrap.c) estimates this bias: its rounds have distances D* that are on average as much above D as D is
   above the truth (Efron and Tibshirani 1993, chapter 10).  So

     distance   2 D - mean D*
     interval   as far below and above as bootstrap_interval says, with values below 0 replaced by 0

   For two samples from one distribution the interval then holds 0 in about 95 % of cases. */
#include "measure/frechet.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "measure/bootstrap.h"

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
static int open_space(struct space *s, const struct point_sets *of, ddpm_error *err)
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

int frechet_plain(double *distance, const struct point_sets *sets, ddpm_error *err)
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

/* Fills f from D = plain and the distances D* of the rounds; least: points in the smaller set. */
static void conclude(struct set_distance *f, double plain, const double *again, size_t least)
{
    double corrected = 2 * plain - bootstrap_mean(again);

    bootstrap_interval(&f->below, &f->above, again, least);
    f->plain = plain;
    f->distance = fmax(0, corrected);
    f->low = fmax(0, corrected - f->below);
    f->high = fmax(0, corrected + f->above);
}

int frechet_distance(struct set_distance *f, const struct point_sets *sets, uint64_t seed, ddpm_error *err)
{
    struct space s;
    double plain = NAN, again[BOOTSTRAP_ROUNDS];
    int code = open_space(&s, sets, err);
    if (code)
        return code;

    take_all(&s);
    code = measure(&plain, &s, err);
    for (int r = 0; r < BOOTSTRAP_ROUNDS && !code; r++) {
        for (int k = 0; k < 2; k++)
            bootstrap_draw(s.set[k].times, s.value, s.set[k].n, seed, k, r);
        code = measure(&again[r], &s, err);
    }
    close_space(&s);
    if (!code)
        conclude(f, plain, again, sets->n < sets->m ? sets->n : sets->m);
    return code;
}
