/* Which part of the images a run makes, when several machines share the work: of the list that all are
   asked for, shard I of N makes those at the places I, I + N, I + 2N, ... (I from 0), so that a longer
   list leaves every image with its shard. */
#ifndef DDPM_SHARD_H
#define DDPM_SHARD_H
#include <stdbool.h>
#include <stdint.h>
#include "cli/options.h"

enum { SHARDS_MAX = 1000000 };

struct shard {
    int number, of;   /* of 1: there is nobody to share with */
    bool asked;       /* on the command line, if only by "auto" */
    char source[128]; /* the variables that said so, or "" */
    char part[32];    /* "-0-of-4", in the names of its files; "" for of 1 */
};

/* text: "I/N"; "auto" or NULL: from the variables of Slurm's arrays and steps, Kubernetes' indexed jobs and
   MPI's launchers. */
int shard_read(struct shard *s, const char *text, ddpm_error *err);
/* Says which n of all images this run makes, and why.  What only variables say is told even with -q: whoever
   did not mean it would take a part for the whole. */
void shard_tell(const struct shard *s, const struct command *command, const struct common *c, int n, int all);
/* Leaves of index [*n] what the shard makes, in order. */
void shard_take(const struct shard *s, uint32_t *index, int *n);
#endif
