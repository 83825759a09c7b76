/* The manifests of a folder that several runs share: manifest.jsonl, and manifest-I-of-N.jsonl of shard I
   of N (shard.h). */
#ifndef DDPM_SHARD_MANIFESTS_H
#define DDPM_SHARD_MANIFESTS_H
#include "outdir/manifest.h"

struct shard_manifests {
    struct manifest *manifest; /* [count], in the order of their names */
    size_t count;
};

/* Reads all manifests of the folder, whole or still growing, but the one of the part `but`, "-0-of-4" or
   "" (NULL: all). Unless header is NULL, one that begins otherwise is DDPM_EUSAGE. */
int shard_manifests_read(struct shard_manifests *p, const char *folder, const char *but, const char *header,
                         ddpm_error *err);
void shard_manifests_free(struct shard_manifests *p);
/* Removes the manifests of shards and the batches that they were stopped in; manifest.jsonl stays. */
int shard_manifests_remove(const char *folder, ddpm_error *err);
#endif
