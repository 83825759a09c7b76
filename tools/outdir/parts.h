/* The manifests of a folder that several runs share: manifest.jsonl and manifest-I-of-N.jsonl, of shard I of N (shard.h). */
#ifndef DDPM_PARTS_H
#define DDPM_PARTS_H
#include "outdir/ledger.h"

struct parts {
    struct ledger *ledger;
    size_t count;
}; /* in order of their names */

/* All manifests of the folder but the one of a part, "-0-of-4" or "" (NULL: all), whole or still growing.  Unless header is NULL, one that
   begins otherwise is DDPM_EUSAGE. */
int parts_read(struct parts *p, const char *folder, const char *but, const char *header, ddpm_error *err);
void parts_free(struct parts *p);
/* Removes the manifests of shards and the batches that they were stopped in; manifest.jsonl stays. */
int parts_remove(const char *folder, ddpm_error *err);
#endif
