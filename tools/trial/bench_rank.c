/* Ranks trials by the Pareto front of seconds and Frechet distance.  If the times are too noisy or the
   intervals of the distances overlap, nothing is ranked, and the refusal says why. */
#include "trial/bench_rank.h"
#include <math.h>
#include <stdio.h>
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

/* Fills the refusal if the intervals overlap; it says how many images in a set would rank a first row. */
static void tell_overlap(struct bench_rank *r, struct trials *t, const struct quality_points *p)
{
    size_t size = sizeof r->refusal;
    char took[PROGRESS_TIME];
    int first, used;

    t->needed = quality_needed(p, t->n, &first);
    progress_time(took, t->needed * t->work);
    if (t->count < 2 || isnan(p->distance[0]))
        return;
    used = snprintf(r->refusal, size, "the intervals of the distances overlap, with %d images a set; ", t->n);
    if (first < 0)
        snprintf(r->refusal + used, size - (size_t)used, "the fastest row has the least distance");
    else
        snprintf(r->refusal + used, size - (size_t)used,
                 "about %.0f%s would tell %s of %d steps from all that is faster, and take about %s",
                 two_digits(t->needed), t->needed > TRIAL_IMAGES_MOST ? ", more than -n can make," : "",
                 t->trial[first].sampler, t->trial[first].K, took);
}

void bench_rank(struct bench_rank *r, struct trials *t, double spread)
{
    double seconds[TRIALS_MAX], distance[TRIALS_MAX], low[TRIALS_MAX], below[TRIALS_MAX], above[TRIALS_MAX];
    const struct quality_points points = { seconds, distance, below, above, t->count };
    int K[TRIALS_MAX];
    bool front[TRIALS_MAX];

    r->best = -1;
    *r->refusal = 0;
    judge(r, t, spread);
    for (int i = 0; i < t->count; i++) {
        const struct trial *one = &t->trial[i];
        seconds[i] = one->median;
        K[i] = one->K;
        distance[i] = one->compared ? one->distance.distance : NAN;
        low[i] = one->distance.low;
        below[i] = one->distance.below;
        above[i] = one->distance.above;
    }
    if (*r->refusal)
        return;

    /* With comparable times but overlapping distances a suggestion is still possible. */
    if (!quality_front(front, &points))
        tell_overlap(r, t, &points);

    int knee = quality_knee(front, seconds, distance, t->count);
    for (int i = 0; i < t->count; i++) {
        t->trial[i].front = front[i];
        t->trial[i].knee = i == knee;
    }
    if (t->limit > 0)
        r->best = quality_best(K, seconds, distance, low, t->count, t->limit);
}
