/* Intervals by the bootstrap: sets are drawn anew from themselves, and what is measured is measured again. */
#ifndef DDPM_BOOTSTRAP_H
#define DDPM_BOOTSTRAP_H
#include <stddef.h>
#include <stdint.h>

enum { BOOTSTRAP_ROUNDS = 200 };

/* Fills times [n] with how often each of n points is taken in a round.  u [n] is room for random numbers.
   The draws depend on seed, round, n and the number of the set alone. */
void bootstrap_draw(uint32_t *times, double *u, size_t n, uint64_t seed, int set, int round);

/* Sets *below and *above to how far the 95 % interval of a measurement reaches below and above it.  again
   [BOOTSTRAP_ROUNDS] is what the rounds measured; least: points in the smallest set. */
void bootstrap_interval(double *below, double *above, const double *again, size_t least);

/* Returns the mean over the rounds. */
double bootstrap_mean(const double *again);
#endif
