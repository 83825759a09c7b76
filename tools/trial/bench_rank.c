/* Ranks trials by the Pareto front of seconds and sliced Wasserstein distance.  All trials begin with the
   same noise, so they are compared pair by pair of images.  If the times are too noisy, or no trial is surely
   nearer than a faster one, nothing is ranked, and the refusal says why. */
#include "trial/bench_rank.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/progress.h"
#include "trial/bench_quality.h"

/* Fills the refusal if the times cannot be compared. */
static void judge(struct bench_rank *r, const struct trials *t, double spread)
{
    double noise = 100 * trials_noise(t);

    if (isnan(noise) && t->rounds < 2)
        snprintf(r->refusal, sizeof r->refusal,
                 "one round does not tell how noisy the machine is: use --rounds 2 or more");
    else if (isnan(noise))
        snprintf(r->refusal, sizeof r->refusal,
                 "the processor is slowed down for heat: %d runs were discarded, and too few are left",
                 trials_discarded(t));
    else if (noise > spread)
        snprintf(r->refusal, sizeof r->refusal,
                 "the machine is too noisy: rounds of the same work differ by %.0f %%, more than --spread "
                 "%g; close other programs",
                 noise, spread);
}

/* Rounds an estimate up: to a whole number, and from 100 on to two digits. */
static double two_digits(double v)
{
    double unit = v > 99 ? pow(10, floor(log10(v)) - 1) : 1;
    return unit * ceil(v / unit);
}

/* Fills the refusal if no trial is surely nearer than a faster one; it says how many images in a set
   would rank a first row. */
static void tell_overlap(struct bench_rank *r, struct trials *t, const struct quality_points *p)
{
    size_t size = sizeof r->refusal;
    char took[PROGRESS_TIME];
    int first, used;

    t->needed = quality_needed(p, t->n, &first);
    progress_time(took, t->needed * t->work);
    if (t->count < 2 || isnan(p->distance[0]))
        return;
    used =
        snprintf(r->refusal, size, "no row is surely nearer than a faster one, with %d images a set; ", t->n);
    if (first < 0)
        snprintf(r->refusal + used, size - (size_t)used, "the fastest row has the least distance");
    else
        snprintf(r->refusal + used, size - (size_t)used,
                 "about %.0f%s would tell %s of %d steps from all that is faster, and take about %s",
                 two_digits(t->needed), t->needed > TRIAL_IMAGES_MOST ? ", more than -n can make," : "",
                 t->trial[first].sampler, t->trial[first].K, took);
}

/* Fills over [n, n], see struct quality_points. */
static void compare_trials(struct trials *t, double *over)
{
    int n = t->count;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            struct sliced_order o;
            over[i * n + k] = NAN;
            if (!t->trial[i].compared || !t->trial[k].compared)
                continue;
            sliced_compare(&o, &t->trial[i].measured, &t->trial[k].measured);
            over[i * n + k] = o.high - o.difference;
        }
}

/* Fills `farther` of every trial but the nearest. */
static void compare_with_nearest(struct trials *t, int nearest)
{
    for (int i = 0; i < t->count; i++) {
        struct trial *one = &t->trial[i];
        one->farther = (struct sliced_order){ NAN, NAN, NAN, NAN };
        if (one->compared && nearest >= 0 && i != nearest)
            sliced_compare(&one->farther, &one->measured, &t->trial[nearest].measured);
    }
}

int bench_rank(struct bench_rank *r, struct trials *t, double spread, ddpm_error *err)
{
    double seconds[TRIALS_MAX], distance[TRIALS_MAX];
    double *over = calloc((size_t)t->count * (size_t)t->count + 1, sizeof *over);
    const struct quality_points points = { seconds, distance, over, t->count };
    int K[TRIALS_MAX];
    bool front[TRIALS_MAX];

    r->best = -1;
    *r->refusal = 0;
    if (!over)
        return dd_error_memory(err, "the order of the trials");

    judge(r, t, spread);
    for (int i = 0; i < t->count; i++) {
        seconds[i] = t->trial[i].median;
        K[i] = t->trial[i].K;
        distance[i] = t->trial[i].compared ? t->trial[i].measured.value : NAN;
    }
    compare_trials(t, over);
    compare_with_nearest(t, quality_nearest(&points, INFINITY));
    if (*r->refusal) {
        free(over);
        return DDPM_OK;
    }

    /* With comparable times but equal distances a suggestion is still possible. */
    if (!quality_front(front, &points))
        tell_overlap(r, t, &points);

    int knee = quality_knee(front, seconds, distance, t->count);
    for (int i = 0; i < t->count; i++) {
        t->trial[i].front = front[i];
        t->trial[i].knee = i == knee;
    }
    if (t->limit > 0)
        r->best = quality_best(&points, K, t->limit);
    free(over);
    return DDPM_OK;
}
