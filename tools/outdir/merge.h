/* Ends a run in shards (shard.h): checks that the folder has all images, and joins their
   manifests in one. */
#ifndef DDPM_MERGE_H
#define DDPM_MERGE_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

struct merge {
    const char *folder;
    const uint32_t *index; /* [n] the images to be there; NULL: those that the shards were asked for */
    int n;
    bool check;  /* compare every image with its hash */
    double wait; /* seconds to wait for a run that is still at work */
    int images;  /* result: images in the folder */
    int lost;    /* result: images lost to NaN */
};

/* Counts the images of index [n] that no manifest of the folder accounts for, or whose file is
   not there. */
int merge_missing(int *missing, const char *folder, const uint32_t *index, int n, ddpm_error *err);
/* Merges the manifests; afterwards the folder is as one run would have left it.  If two lines
   give one image different hashes, the hash that its file has counts.  DDPM_EMISSING: some
   images are not there, and nothing is changed. */
int merge_folder(struct merge *m, ddpm_error *err);
#endif
