/* The manifests of a folder that several runs share: manifest.jsonl, and manifest-I-of-N.jsonl
   from shard I of N (shard.h). */
#ifndef DDPM_SHARD_MANIFESTS_H
#define DDPM_SHARD_MANIFESTS_H
#include "outdir/manifest.h"

struct shard_manifests {
    struct manifest *manifest; /* [count], in the order of their names */
    size_t count;
};

/* Reads all manifests of the folder, except the one of part `but`, "-0-of-4" or "" (NULL: reads
   all).  Other runs may still be writing them.  DDPM_EUSAGE: header is not NULL, and a manifest
   has other settings. */
int shard_manifests_read(struct shard_manifests *p, const char *folder, const char *but, const char *header,
                         ddpm_error *err);
void shard_manifests_free(struct shard_manifests *p);
/* Fills *index [*n], allocated and ascending, with the images that all shards together were
   asked for: every image of any shard's list, once.  *n is 0 if no manifest has a list.
   DDPM_EDATA: a list is none. */
int shard_manifests_asked(uint32_t **index, int *n, const struct shard_manifests *p, ddpm_error *err);
/* Removes the manifests and the saved batches of shards; manifest.jsonl stays. */
int shard_manifests_remove(const char *folder, ddpm_error *err);
#endif
