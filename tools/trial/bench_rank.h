/* Ranks the trials of ddpm bench by time and quality. */
#ifndef DDPM_BENCH_RANK_H
#define DDPM_BENCH_RANK_H
#include "trial/trial.h"

struct bench_rank {
    char refusal[400]; /* why nothing is ranked, or "" */
    int best;          /* the suggested trial within t->limit (quality_best), or -1 */
};

/* Fills r, and farther, front and knee of every trial.  spread: percent by which rounds of the same work may
   differ.  Sets t->needed if no trial is surely nearer than a faster one.  DDPM_ENOMEM is the only error. */
int bench_rank(struct bench_rank *r, struct trials *t, double spread, ddpm_error *err);
#endif
