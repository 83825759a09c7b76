/* The sliced Wasserstein distance of two laws P and Q on R^d, squared (Rabin, Peyre, Delon and Bernot 2011;
   Bonneel, Rabin, Peyre and Pfister 2015), is

     W(P, Q) = mean over directions v of the integral of (F_v^-1(u) - G_v^-1(u))^2 over u from 0 to 1

   where F_v and G_v are the distribution functions of v.x for x from P and Q, and v is uniform on the sphere.
   On a line the integral is the squared Wasserstein-2 distance.  For two sets of points it is exact: both
   inverse functions are steps at the sorted points, and sets of different sizes are compared quantile by
   quantile.  The mean is over SLICED_DIRECTIONS random directions.

   For two samples from one law W is not 0 on average, but of the order of 1 / n.  So the value is
   measured between halves, which vary independently.  Let a and a' be the sorted points of two disjoint
   random parts of the first set, b and b' those of the second set, all of h points, the half of the
   smaller set.  Then

     value = mean over k of ((a_k - b_k)(a'_k - b'_k) + (a_k - b'_k)(a'_k - b_k)) / 2

   has the expectation mean over k of (E a_k - E b_k)^2, since the expectation of a product of
   independent numbers is the product of their expectations (the same idea as in Walther et al. 2016,
   "crossnobis").  It is exactly 0 for equal laws.  The mean is over SLICED_SPLITS random splits and the
   directions.

   The interval is that of W by the bootstrap, moved to the value.  Two sets a and b that are compared
   with one third set have the same directions, splits and draws, so that what the pairs of points have
   in common cancels in the difference.

   All random numbers come from Philox with the purpose "order of data": index v for direction v; the
   number of the set as index and the split as t for splits; bootstrap.c for the draws. */
#include "measure/sliced.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/rng.h"
#include "cli/interrupt.h"

enum { SLICED_DIRECTIONS = 128, SLICED_SPLITS = 50 };

/* Streams with the same index and t differ by their number of a draw; 0 is that of bootstrap.c. */
enum { DRAW_SPLIT = 1, DRAW_DIRECTION = 2 };

/* A point on the line of a direction. */
struct place {
    double at;
    uint32_t i; /* the number of the point */
};

/* One set, and the set on the line of a direction. */
struct set {
    const double *point; /* [n, d] */
    size_t n;
    uint32_t *times; /* [BOOTSTRAP_ROUNDS, n]: how often each point is drawn */
    uint8_t *part;   /* [SLICED_SPLITS, n]: 1 or 2, the part that has the point, or 0: none */
    struct place *line;
    double *half[2]; /* [h]: the sorted points of both parts */
    double *at;      /* [n]: the sorted points that a round has drawn, and how often */
    uint32_t *mass;
};

struct space {
    size_t d, h;
    struct set set[2];
    double *v, *u; /* [d] a direction, [n] random numbers */
};

static void close_set(struct set *s)
{
    free(s->times);
    free(s->part);
    free(s->line);
    free(s->half[0]);
    free(s->half[1]);
    free(s->at);
    free(s->mass);
}

static void close_space(struct space *s)
{
    close_set(&s->set[0]);
    close_set(&s->set[1]);
    free(s->v);
    free(s->u);
}

/* Puts all points of a set into no part, then h random ones into part 1 and h into part 2. */
static void split_set(struct space *s, struct set *set, uint64_t seed, int number, int split)
{
    uint8_t *part = set->part + (size_t)split * set->n;
    struct dd_rng r = { seed, (uint32_t)number, (uint32_t)split, (uint32_t)DD_RNG_ORDER << 24 | DRAW_SPLIT };

    /* Place k of the shuffled list takes one of the points that are left (Fisher and Yates).  The line is not
       in use yet, so it has room for the list. */
    dd_rng_uniform(&r, s->u, 2 * s->h);
    for (size_t i = 0; i < set->n; i++)
        set->line[i].i = (uint32_t)i;
    for (size_t k = 0; k < 2 * s->h; k++) {
        size_t from = k + (size_t)(s->u[k] * (double)(set->n - k));
        uint32_t taken = set->line[from].i;
        set->line[from].i = set->line[k].i;
        part[taken] = k < s->h ? 1 : 2;
    }
}

/* Allocates the arrays of a set, and draws its splits and rounds. */
static int open_set(struct space *s, int number, uint64_t seed, ddpm_error *err)
{
    struct set *set = &s->set[number];

    set->times = calloc(set->n, BOOTSTRAP_ROUNDS * sizeof *set->times);
    set->part = calloc(set->n, SLICED_SPLITS);
    set->line = calloc(set->n, sizeof *set->line);
    set->half[0] = calloc(s->h, sizeof *set->half[0]);
    set->half[1] = calloc(s->h, sizeof *set->half[1]);
    set->at = calloc(set->n, sizeof *set->at);
    set->mass = calloc(set->n, sizeof *set->mass);
    if (!set->times || !set->part || !set->line || !set->half[0] || !set->half[1] || !set->at || !set->mass)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the distance of %zu points in %zu dimensions",
                        set->n, s->d);

    for (size_t i = 0; i < set->n * s->d; i++)
        if (!isfinite(set->point[i]))
            return dd_error(err, DDPM_ENAN, "the activations of image %zu of a set are not finite", i / s->d);

    for (int split = 0; split < SLICED_SPLITS; split++)
        split_set(s, set, seed, number, split);
    for (int round = 0; round < BOOTSTRAP_ROUNDS; round++)
        bootstrap_draw(set->times + (size_t)round * set->n, s->u, set->n, seed, number, round);
    return DDPM_OK;
}

static int open_space(struct space *s, const struct point_sets *of, uint64_t seed, ddpm_error *err)
{
    size_t least = of->n < of->m ? of->n : of->m, most = of->n < of->m ? of->m : of->n;

    *s = (struct space){
        .d = of->d,
        .h = least / 2,
        .set = { { .point = of->a, .n = of->n }, { .point = of->b, .n = of->m } },
    };
    if (least < 2)
        return dd_error(err, DDPM_EUSAGE, "sets of %zu and %zu images: a distance needs at least 2 of each",
                        of->n, of->m);

    s->v = calloc(of->d, sizeof *s->v);
    s->u = calloc(most, sizeof *s->u);
    if (!s->v || !s->u)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the distance of %zu points", most);
    int code = open_set(s, 0, seed, err);
    return code ? code : open_set(s, 1, seed, err);
}

static int compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->at != y->at)
        return (x->at > y->at) - (x->at < y->at);
    return (x->i > y->i) - (x->i < y->i);
}

/* Fills v with a random direction. */
static void choose_direction(struct space *s, uint64_t seed, int number)
{
    struct dd_rng r = { seed, (uint32_t)number, 0, (uint32_t)DD_RNG_ORDER << 24 | DRAW_DIRECTION };
    double square = 0;

    dd_rng_normal(&r, s->v, s->d);
    for (size_t e = 0; e < s->d; e++)
        square += s->v[e] * s->v[e];
    for (size_t e = 0; e < s->d; e++)
        s->v[e] /= sqrt(square);
}

/* Fills line [n] with the points on the line of the direction, sorted. */
static void project(const struct space *s, struct set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const double *x = set->point + i * s->d;
        double sum = 0;
        for (size_t e = 0; e < s->d; e++)
            sum += x[e] * s->v[e];
        set->line[i] = (struct place){ sum, (uint32_t)i };
    }
    qsort(set->line, set->n, sizeof *set->line, compare);
}

/* Fills at and mass with the places of the points that a round has drawn, or with all once if round is
   negative.  Returns how many places there are. */
static size_t gather(struct set *set, int round)
{
    const uint32_t *times = set->times + (size_t)(round < 0 ? 0 : round) * set->n;
    size_t n = 0;

    for (size_t k = 0; k < set->n; k++) {
        uint32_t taken = round < 0 ? 1 : times[set->line[k].i];
        set->at[n] = set->line[k].at;
        set->mass[n] = taken;
        n += taken > 0;
    }
    return n;
}

/* Returns the integral of (F^-1 - G^-1)^2 for the points of a round.  Each point of the first set has
   the mass 1 / n, cut into m parts of 1 / (n m), and each of the second has n such parts.  So the
   integral is a sum of whole numbers of parts. */
static double transport(struct space *s, int round)
{
    struct set *a = &s->set[0], *b = &s->set[1];
    size_t places_a = gather(a, round), places_b = gather(b, round), i = 0, k = 0;
    size_t left_a = a->mass[0] * b->n, left_b = b->mass[0] * a->n;
    double sum = 0;

    while (i < places_a && k < places_b) {
        size_t step = left_a < left_b ? left_a : left_b;
        double apart = a->at[i] - b->at[k];

        sum += (double)step * apart * apart;
        left_a -= step;
        left_b -= step;
        if (!left_a && ++i < places_a)
            left_a = a->mass[i] * b->n;
        if (!left_b && ++k < places_b)
            left_b = b->mass[k] * a->n;
    }
    return sum / (double)a->n / (double)b->n;
}

/* Fills both halves with the sorted points of the parts of a split. */
static void take_halves(struct set *set, int split)
{
    const uint8_t *part = set->part + (size_t)split * set->n;
    size_t n[2] = { 0, 0 };

    for (size_t k = 0; k < set->n; k++) {
        int p = part[set->line[k].i];
        if (p)
            set->half[p - 1][n[p - 1]++] = set->line[k].at;
    }
}

/* Returns the value of a split on the line of the direction. */
static double value_of(struct space *s, int split)
{
    struct set *a = &s->set[0], *b = &s->set[1];
    double sum = 0;

    take_halves(a, split);
    take_halves(b, split);
    for (size_t k = 0; k < s->h; k++) {
        double a1 = a->half[0][k], a2 = a->half[1][k], b1 = b->half[0][k], b2 = b->half[1][k];
        sum += ((a1 - b1) * (a2 - b2) + (a1 - b2) * (a2 - b1)) / 2;
    }
    return sum / (double)s->h;
}

int sliced_measure(struct sliced *f, const struct point_sets *sets, uint64_t seed, ddpm_error *err)
{
    struct space s;
    int code = open_space(&s, sets, seed, err);

    *f = (struct sliced){ .least = sets->n < sets->m ? sets->n : sets->m };
    for (int v = 0; v < SLICED_DIRECTIONS && !code && !interrupted; v++) {
        choose_direction(&s, seed, v);
        project(&s, &s.set[0]);
        project(&s, &s.set[1]);

        f->plain += transport(&s, -1) / SLICED_DIRECTIONS;
        for (int split = 0; split < SLICED_SPLITS; split++)
            f->value += value_of(&s, split) / SLICED_SPLITS / SLICED_DIRECTIONS;
        for (int round = 0; round < BOOTSTRAP_ROUNDS; round++)
            f->again[round] += transport(&s, round) / SLICED_DIRECTIONS;
    }
    close_space(&s);
    return code;
}

void sliced_distance(struct set_distance *f, const struct sliced *s)
{
    f->plain = s->plain;
    f->distance = fmax(0, s->value);
    bootstrap_interval(&f->below, &f->above, s->again, s->least);
    f->low = fmax(0, s->value - f->below);
    f->high = fmax(0, s->value + f->above);
}

void sliced_compare(struct sliced_order *o, const struct sliced *a, const struct sliced *b)
{
    double again[BOOTSTRAP_ROUNDS], below, above;
    int nearer = 0;

    for (int r = 0; r < BOOTSTRAP_ROUNDS; r++)
        again[r] = a->again[r] - b->again[r];
    bootstrap_interval(&below, &above, again, a->least < b->least ? a->least : b->least);

    /* A round that lies above the mean of the rounds says that the truth lies as far below the difference. */
    double mean = bootstrap_mean(again);
    o->difference = a->value - b->value;
    o->low = o->difference - below;
    o->high = o->difference + above;
    for (int r = 0; r < BOOTSTRAP_ROUNDS; r++)
        nearer += o->difference - (again[r] - mean) < 0;
    o->share = (double)nearer / BOOTSTRAP_ROUNDS;
}
