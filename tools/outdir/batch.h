/* Makes a folder of images in as many starts as it takes.  Each start makes exactly the missing
   images, and first of all a batch that was stopped mid-chain.  A signal (`interrupted`) or the
   time budget ends a run early.  The caller says which images are asked for, all or those of a
   shard. */
#ifndef DDPM_BATCH_H
#define DDPM_BATCH_H
#include "outdir/image_store.h"
#include "sample/generator.h"

struct batch {
    struct generator *generator;
    struct image_store image_store;
    struct image_work work;
    int made;                /* images made by this run */
    int lost;                /* images lost to NaN, in earlier runs too */
    struct saved_batch stop; /* room for the batch under way */
    const uint32_t *list;    /* the images being made: work.todo, or those of a saved batch */
};

/* Opens the folder and finds the missing images.  The caller has set generator, work.index,
   work.n and the first fields of image_store.  batch_close is allowed after an error too. */
int batch_open(struct batch *b, ddpm_error *err);
/* Makes the missing images.  TRY_LATER: interrupted; the next start goes on from there. */
int batch_run(struct batch *b, ddpm_error *err);
void batch_close(struct batch *b);
#endif
