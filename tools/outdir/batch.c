/* A saved_batch (saved_batch.h) is taken up before anything else, and removed when its images are listed; interrupted, the batch under way becomes one, in
   room that was there from the beginning. */
#include "outdir/batch.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "outdir/saved_batch.h"

static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct batch *b = user;
    int step = lost ? (int)ddpm_chain_tables(b->generator->chain)->t[lost - 1] : 0;
    int code = image_store_add(&b->image_store, b->list[place], lost ? NULL : frame, step, seconds, err);
    b->made += !code && !lost;
    b->lost += !code && lost;
    return code;
}

int batch_open(struct batch *b, ddpm_error *err)
{
    b->made = b->lost = b->missing = 0;
    b->stop = (struct saved_batch){ .n = 0 };
    b->todo = malloc((size_t)b->n * sizeof *b->todo);
    if (!b->todo)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", b->n);
    return image_store_open(&b->image_store, b->todo, &b->missing, &b->lost, b->index, b->n, err);
}

/* Takes the images of f out of todo. */
static void leave_out(struct batch *b, const struct saved_batch *f)
{
    int kept = 0;
    for (int i = 0; i < b->missing; i++) {
        bool flies = false;
        for (int k = 0; k < f->n && !flies; k++)
            flies = f->index[k] == b->todo[i];
        if (!flies)
            b->todo[kept++] = b->todo[i];
    }
    b->missing = kept;
}

/* What a stop in the middle leaves: images lost so far in the manifest, the others in the file.  err says why it stopped. */
static int save(struct batch *b, ddpm_error *err)
{
    const struct generator *s = b->generator;
    const char *without = b->image_store.force ? " without --force" : "";
    ddpm_error why = *err;
    int code = DDPM_OK, K = s->top + 1 + (s->encode ? s->top : 0), taken = s->taken;
    for (int row = 0; row < s->rows && !code; row++)
        if (ddpm_sampler_lost(s->sampler, row))
            code = take_image(b, (int)(s->index - b->list) + row, NULL, ddpm_sampler_lost(s->sampler, row), 0,
                              err);
    if (code)
        return code;
    generator_saved_batch(s, &b->stop);
    if (b->stop.n)
        code = saved_batch_save(&b->stop, b->image_store.folder, b->image_store.part, b->image_store.header,
                                err);
    if (!code && b->stop.n)
        code = dd_error(err, TRY_LATER,
                        "%s: %.20s at step %d of %d of a batch: the same command%s goes on "
                        "from there",
                        b->image_store.folder, why.text, taken, K, without);
    else if (!code)
        code = dd_error(err, TRY_LATER, "%s: %.20s, %d images made: the same command%s goes on from there",
                        b->image_store.folder, why.text, b->made, without);
    return code;
}

/* A file that cannot be used costs time, not images: it goes.  That is said even with -q, because a disk may
   be failing. */
static int resume(struct batch *b, ddpm_error *err)
{
    ddpm_error said;
    struct saved_batch f;
    int code = b->image_store.force ? DDPM_OK
                                    : saved_batch_load(&f, b->generator, b->image_store.folder,
                                                       b->image_store.part, b->image_store.header, err);
    if (b->image_store.force)
        f = (struct saved_batch){ .n = 0 };
    if (code == DDPM_EDATA) {
        dd_error(&said, code, "%s; what it holds is made again", err->text);
        complain(b->generator->command, &said);
        code = DDPM_OK;
    }
    if (code)
        return code;
    saved_batch_keep(&f, b->todo, b->missing);
    leave_out(b, &f);
    b->list = f.index;
    if (f.n)
        code = generator_resume(b->generator, &f, take_image, b, err);
    if (code == TRY_LATER)
        code = save(b, err);
    saved_batch_free(&f);
    return code ? code : saved_batch_remove(b->image_store.folder, b->image_store.part, err);
}

int batch_run(struct batch *b, ddpm_error *err)
{
    int code = saved_batch_check(b->image_store.folder, b->image_store.part, err);
    if (code || !b->missing)
        return code ? code : saved_batch_remove(b->image_store.folder, b->image_store.part, err);
    code = saved_batch_create(&b->stop, b->generator, b->generator->batch, err);
    if (code || (code = resume(b, err)) || !b->missing)
        return code;
    b->list = b->todo;
    code = generator_run(b->generator, b->todo, b->missing, take_image, b, err);
    return code == TRY_LATER ? save(b, err) : code;
}

void batch_close(struct batch *b)
{
    image_store_close(&b->image_store);
    saved_batch_free(&b->stop);
    free(b->todo);
    b->todo = NULL;
}
