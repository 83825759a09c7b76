/* Finds the trials that are worth their time. */
#ifndef DDPM_BENCH_RANK_H
#define DDPM_BENCH_RANK_H
#include "trial/trial.h"

struct bench_rank {
    char refusal[400]; /* why nothing is ranked, or "" */
    int best;          /* the trial of most quality within t->limit, or -1 */
};

/* Fills r, and front and knee of every trial.  spread: percent by which rounds of the same work
   may differ.  Sets t->needed where the distances cannot be told apart. */
void bench_rank(struct bench_rank *r, struct trials *t, double spread);
#endif
