/* A folder of images made by as many starts as it takes: each makes exactly what is missing, a batch that was stopped mid-chain first.
   What ends a run early (a signal, a time) sets `interrupted`; which images are asked for (a shard of them) is decided before. */
#ifndef DDPM_BATCH_H
#define DDPM_BATCH_H
#include "outdir/image_store.h"
#include "sample/generator.h"

struct batch {
    struct generator *generator;
    struct image_store image_store;
    const uint32_t *index;
    int n; /* asked for */
    uint32_t *todo;
    int missing;             /* [n]; how many of them are to be made */
    int made, lost;          /* by this run; NaN, earlier runs' included */
    struct saved_batch stop; /* room for the batch under way */
    const uint32_t *list;    /* what is being made: todo, or the images of a saved_batch */
};

/* generator, index, n and the image_store's fields are set by the caller. */
int batch_open(struct batch *b, ddpm_error *err);
/* TRY_LATER: interrupted, and the next start goes on from there. */
int batch_run(struct batch *b, ddpm_error *err);
void batch_close(struct batch *b);
#endif
