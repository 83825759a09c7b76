/* A folder of images made by as many starts as it takes.  Each start makes exactly what is missing, first
   of all a batch that was stopped mid-chain.  A signal or a time ends a run early by `interrupted`; which
   images are asked for (a shard of them) is decided before. */
#ifndef DDPM_BATCH_H
#define DDPM_BATCH_H
#include "outdir/image_store.h"
#include "sample/generator.h"

struct batch {
    struct generator *generator;
    struct image_store image_store;
    struct image_work work;
    int made;                /* by this run */
    int lost;                /* to NaN, by earlier runs too */
    struct saved_batch stop; /* room for the batch under way */
    const uint32_t *list;    /* what is being made: work.todo, or the images of a saved batch */
};

/* Opens the folder and finds what is missing; generator, work.index, work.n and the image_store's fields
   are set by the caller. */
int batch_open(struct batch *b, ddpm_error *err);
/* Makes what is missing.  TRY_LATER: interrupted, and the next start goes on from there. */
int batch_run(struct batch *b, ddpm_error *err);
void batch_close(struct batch *b);
#endif
