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
    int number, of;   /* shard `number` (from 0) of `of`; of 1: this run makes all images */
    bool asked;       /* --shard was given, even as "auto" */
    char source[128]; /* the variables that number and of were read from, or "" */
    char part[32];    /* "-0-of-4" in the names of the shard's files; "" if of is 1 */
};

/* Reads a shard from text, "I/N".  If text is "auto" or NULL, reads it from the environment variables of
   Slurm's arrays and steps, Kubernetes' indexed jobs and MPI's launchers.  DDPM_EUSAGE: text or a variable is
   wrong. */
int shard_read(struct shard *s, const char *text, ddpm_error *err);
/* Says that this run makes n of `all` images, and why.  If --shard was not given, it is said even with -q:
   somebody who did not mean to share would take a part for the whole. */
void shard_tell(const struct shard *s, const struct command *command, const struct common *c, int n, int all);
/* Removes from index [*n] the images that the shard does not make; the order stays. */
void shard_take(const struct shard *s, uint32_t *index, int *n);
#endif
