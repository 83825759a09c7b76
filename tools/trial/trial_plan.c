/* Plans a bench: how many images and which numbers of steps there is time for.  All sets have
   the same number of images, because the bias of a distance depends on it.  An estimate takes
   the seconds of a step from the warm-up, and after a round from that round, which tells more
   about a machine that others use. */
#include "trial/trial_plan.h"
#include <math.h>
#include <string.h>

static void remove_trial(struct trials *t, int i)
{
    picture_free(&t->trial[i].images);
    memmove(&t->trial[i], &t->trial[i + 1], (size_t)(t->count - i - 1) * sizeof t->trial[0]);
    t->count--;
}

int trial_plan_most(const struct trials *t)
{
    int most = 0;
    for (int i = 0; i < t->count; i++)
        most = t->trial[i].K > most ? t->trial[i].K : most;
    return most;
}

int trial_plan_fewest(const struct trials *t)
{
    int fewest = t->trial[0].K;
    for (int i = 0; i < t->count; i++)
        fewest = t->trial[i].K < fewest ? t->trial[i].K : fewest;
    return fewest;
}

double trial_plan_steps(const struct trials *t)
{
    double steps = t->data ? 0 : t->reference.K;
    for (int i = 0; i < t->count; i++)
        steps += t->trial[i].K;
    return steps;
}

/* Returns the seconds of all trials for each image of a set. */
static double trials_seconds(const struct trials *t)
{
    double seconds = 0;
    for (int i = 0; i < t->count; i++)
        seconds += t->trial[i].K * t->trial[i].step;
    return seconds;
}

/* Returns the seconds of what follows the trials, for each image of a set: the steps of the
   reference or, with data, of the bound, which is measured once for each number of steps; and
   one step for each time that its activations are computed. */
static double seconds_after(const struct trials *t)
{
    int steps = 1 + t->count + (t->data ? 0 : t->reference.K);

    for (int i = 0; i < t->count && t->data; i++) {
        bool again = false;
        for (int k = 0; k < i; k++)
            again = again || t->trial[k].K == t->trial[i].K;
        steps += again ? 0 : t->trial[i].K;
    }
    return steps * t->trial[0].step;
}

double trial_plan_seconds(const struct trials *t)
{
    return trials_seconds(t) + seconds_after(t);
}

void trial_plan_leave_out_slow(struct trials *t)
{
    int fewest = trial_plan_fewest(t);

    for (int i = t->count - 1; i >= 0 && t->limit > 0; i--)
        if (t->trial[i].K * t->trial[i].step > 2 * t->limit && t->trial[i].K > fewest) {
            remove_trial(t, i);
            t->slow++;
        }
}

/* Removes the trials with the most steps. */
static void leave_out_most(struct trials *t)
{
    int most = trial_plan_most(t);

    for (int i = t->count - 1; i >= 0 && t->reference.K == most; i--)
        if (t->trial[i].K == most)
            remove_trial(t, i);
    t->reference.K = trial_plan_most(t);
    t->left_out++;
}

void trial_plan_fit(struct trials *t)
{
    while (t->budget > 0) {
        /* A multiple of the rounds, so that they have equal shares. */
        double n = floor(t->budget / trial_plan_seconds(t) / t->rounds) * t->rounds;
        if (n >= t->least ||
            (t->reference.K == trial_plan_fewest(t) && trial_plan_most(t) == trial_plan_fewest(t))) {
            t->n = (int)fmax(t->least, fmin(n, t->n));
            break;
        }
        leave_out_most(t);
    }
}

void trial_plan_again(struct trials *t, double spent, int rounds)
{
    if (!(t->budget > 0))
        return;

    /* The images that are made also take the time that follows the trials. */
    double left = t->budget - spent - t->made * seconds_after(t);
    double n = t->made + floor(left / trial_plan_seconds(t));

    /* Every round to come takes at least one image. */
    t->n = (int)fmax(fmax(t->least, t->made + rounds), fmin(n, t->most));
}
