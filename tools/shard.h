/* Which part of the images a run makes, when several machines share the work: of the list that all are asked for, shard I of N makes those at
   the places I, I + N, I + 2N, ... (I from 0), so that a longer list leaves every image with its shard. */
#ifndef DDPM_SHARD_H
#define DDPM_SHARD_H
#include <stdint.h>
#include "ddpm.h"

enum { SHARDS_MAX = 1000000 };
struct shard {
    int number, of;                      /* of 1: there is nobody to share with */
    char source[128];                    /* the variables that said so, or "" */
    char part[32];                       /* "-0-of-4", in the names of its files; "" for of 1 */
};
/* text: "I/N"; NULL: from the variables of Slurm's arrays and steps, Kubernetes' indexed jobs and MPI's launchers. */
int  shard_read(struct shard *s, const char *text, ddpm_error *err);
/* Leaves of index [*n] what the shard makes, in order. */
void shard_take(const struct shard *s, uint32_t *index, int *n);
#endif
