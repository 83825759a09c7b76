/* A shard is the part of the images that a run makes when several machines share the work.  All are asked
   for the same list; shard I of N makes the images at the places I, I + N, I + 2N, ... of it (I from 0).
   So a longer list leaves every image with its shard. */
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

/* Reads a shard from text, "I/N"; with "auto" or NULL from the variables of Slurm's arrays and steps,
   Kubernetes' indexed jobs and MPI's launchers. */
int shard_read(struct shard *s, const char *text, ddpm_error *err);
/* Says which n of all images this run makes, and why.  A shard that only variables tell of is told even
   with -q: somebody who did not mean it would take a part for the whole. */
void shard_tell(const struct shard *s, const struct command *command, const struct common *c, int n, int all);
/* Takes out of index [*n] what the shard does not make; the order stays. */
void shard_take(const struct shard *s, uint32_t *index, int *n);
#endif
