/* The end of a run in shards (shard.h): whether the folder holds all images, and one manifest for them. */
#ifndef DDPM_MERGE_H
#define DDPM_MERGE_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

struct merge {
    const char *folder;
    const uint32_t *index; /* [n] what is to be there; NULL: what the shards were asked for */
    int n;
    bool check;  /* read every image */
    double wait; /* seconds, for a run that is still at work */
    int images;  /* found: whole ones */
    int lost;    /* found: lost to NaN */
};

/* Counts the images of index [n] that no manifest of the folder accounts for, or whose file is not there. */
int merge_missing(int *missing, const char *folder, const uint32_t *index, int n, ddpm_error *err);
/* Merges the manifests; afterwards the folder is as one run would have left it.  If two lines are about one
   image the one counts that has the hash of its file.  DDPM_EMISSING: some images are not there, and
   nothing is changed. */
int merge_folder(struct merge *m, ddpm_error *err);
#endif
