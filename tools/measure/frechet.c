/* The Frechet distance of two Gaussians with the mean mu and covariance S (divisor n - 1) of each set (Dowson and Landau 1982; Heusel et al. 2017):

     D = |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a^1/2 S_b S_a^1/2)^1/2

   with S^1/2 = V L^1/2 V^T, S = V L V^T, and the last trace the sum of the roots of the eigenvalues, by LAPACK (dsyevd).  Eigenvalues
   below 0, by rounding, are 0.

   D of two samples of one distribution is not 0 on average but of the order of d^2 / n.  The bootstrap tells how much: both sets drawn
   anew from themselves, with repetition, FRECHET_ROUNDS times, have D*_r, which is as much above D as D above the truth.  Hence (Efron and Tibshirani 1993, chapter 10)

     distance = 2 D - mean D*,   interval = 2 D - q_97.5 % to 2 D - q_2.5 % of D*                              nothing below 0

   Draws from n points have only n - 1 of n of their variance, and quantiles as of a known one.  So both
   ends of the interval are moved away from the distance by the factor t sqrt(n / (n - 1)) / 1.96 of the
   smaller set; t is Student's quantile (Hesterberg 2015, section 5.3).  It then holds 0 for two samples of
   one distribution.  Draw r of set k: Philox, index = set, t = round, purpose order of data. */
#include "measure/frechet.h"
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/rng.h"
#include "measure/student.h"

/* One set and what is computed of it. */
struct set {
    const double *point;
    size_t n;
    double *mean, *cov;
    uint32_t *times;
};

struct space {
    size_t d;
    struct set set[2];
    double *root, *work, *value;
}; /* [d, d] twice, [max(d, n, m)] */

static int open_space(struct space *s, const double *a, size_t n, const double *b, size_t m, size_t d,
                      ddpm_error *err)
{
    size_t square = d * d, most = n > m ? n : m;
    double *block = calloc(4 * square + 3 * d + most, sizeof *block);
    uint32_t *times = calloc(n + m, sizeof *times);
    *s = (struct space){ .d = d };
    if (n < 2 || m < 2 || !block || !times) {
        free(block), free(times);
        return n < 2 || m < 2
                   ? dd_error(err, DDPM_EUSAGE,
                              "sets of %zu and %zu images: a distance needs at least 2 of each", n, m)
                   : dd_error(err, DDPM_ENOMEM,
                              "out of memory for the distance of %zu and %zu points in %zu dimensions", n, m,
                              d);
    }
    s->set[0] = (struct set){ a, n, block, block + 2 * d, times };
    s->set[1] = (struct set){ b, m, block + d, block + 2 * d + square, times + n };
    s->root = block + 2 * d + 2 * square;
    s->work = s->root + square;
    s->value = s->work + square;
    return DDPM_OK;
}

static void close_space(struct space *s)
{
    free(s->set[0].mean);
    free(s->set[0].times);
}

/* mean [d], cov [d, d] of the points, each as often as times says. */
static void moments(struct set *s, size_t d)
{
    memset(s->mean, 0, d * sizeof *s->mean);
    memset(s->cov, 0, d * d * sizeof *s->cov);
    for (size_t i = 0; i < s->n; i++)
        for (size_t e = 0; e < d && s->times[i]; e++)
            s->mean[e] += s->times[i] * s->point[i * d + e] / (double)s->n;
    for (size_t i = 0; i < s->n; i++)
        for (size_t e = 0; e < d && s->times[i]; e++) {
            double away = s->times[i] * (s->point[i * d + e] - s->mean[e]) / (double)(s->n - 1);
            for (size_t f = 0; f <= e; f++)
                s->cov[e * d + f] += away * (s->point[i * d + f] - s->mean[f]);
        }
    for (size_t e = 0; e < d; e++)
        for (size_t f = 0; f < e; f++)
            s->cov[f * d + e] = s->cov[e * d + f];
}

/* value [d] and, if wanted, the eigenvectors in the rows of m [d, d], which is symmetric: column by column is row by row. */
static int eigen(double *value, double *m, size_t d, bool vectors, ddpm_error *err)
{
    lapack_int n = (lapack_int)d,
               info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'U', n, m, n, value);
    if (info)
        return dd_error(
            err, info < -1000 ? DDPM_ENOMEM : DDPM_ENAN,
            info < -1000
                ? "out of memory for eigenvalues"
                : "the eigenvalues of a covariance of activations are not found; are all of them finite?");
    return DDPM_OK;
}

/* root [d, d] = S_a^1/2. */
static int take_root(struct space *s, ddpm_error *err)
{
    size_t d = s->d;
    memcpy(s->work, s->set[0].cov, d * d * sizeof *s->work);
    int code = eigen(s->value, s->work, d, true, err);
    memset(s->root, 0, d * d * sizeof *s->root);
    for (size_t k = 0; k < d && !code; k++)
        for (size_t e = 0; e < d; e++)
            for (size_t f = 0; f < d; f++)
                s->root[e * d + f] += sqrt(fmax(s->value[k], 0)) * s->work[k * d + e] * s->work[k * d + f];
    return code;
}

/* c [d, d] = a b */
static void multiply(double *c, const double *a, const double *b, size_t d)
{
    memset(c, 0, d * d * sizeof *c);
    for (size_t e = 0; e < d; e++)
        for (size_t k = 0; k < d; k++)
            for (size_t f = 0; f < d; f++)
                c[e * d + f] += a[e * d + k] * b[k * d + f];
}

static int measure(double *distance, struct space *s, ddpm_error *err)
{
    size_t d = s->d;
    const struct set *a = &s->set[0], *b = &s->set[1];
    double sum = 0;
    moments(&s->set[0], d);
    moments(&s->set[1], d);
    for (size_t e = 0; e < d; e++)
        sum += pow(a->mean[e] - b->mean[e], 2) + a->cov[e * d + e] + b->cov[e * d + e];
    int code = take_root(s, err);
    if (code)
        return code;
    multiply(s->work, s->root, b->cov, d);
    multiply(b->cov, s->work, s->root, d);
    if ((code = eigen(s->value, b->cov, d, false, err)))
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

/* n points of each set, with repetition. */
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

int frechet_plain(double *distance, const double *a, size_t n, const double *b, size_t m, size_t d,
                  ddpm_error *err)
{
    struct space s;
    int code = open_space(&s, a, n, b, m, d, err);
    if (code)
        return code;
    take_all(&s);
    code = measure(distance, &s, err);
    close_space(&s);
    return code;
}

int frechet_distance(struct frechet *f, const double *a, size_t n, const double *b, size_t m, size_t d,
                     uint64_t seed, ddpm_error *err)
{
    struct space s;
    double again[FRECHET_ROUNDS], mean = 0;
    int code = open_space(&s, a, n, b, m, d, err);
    if (code)
        return code;
    take_all(&s);
    code = measure(&f->plain, &s, err);
    for (int r = 0; r < FRECHET_ROUNDS && !code; r++) {
        draw(&s, seed, r);
        code = measure(&again[r], &s, err);
        mean += again[r] / FRECHET_ROUNDS;
    }
    close_space(&s);
    if (code)
        return code;
    qsort(again, FRECHET_ROUNDS, sizeof *again, compare);
    size_t least = n < m ? n : m;
    double corrected = 2 * f->plain - mean;
    double share = (double)(least - 1) / (double)least;
    double wider = student_quantile(least - 1) / normal_quantile() / sqrt(share);
    f->below = wider * fmax(0, again[FRECHET_ROUNDS - 1 - FRECHET_ROUNDS / 40] - mean);
    f->above = wider * fmax(0, mean - again[FRECHET_ROUNDS / 40]);
    f->distance = fmax(0, corrected);
    f->low = fmax(0, corrected - f->below);
    f->high = fmax(0, corrected + f->above);
    return DDPM_OK;
}
