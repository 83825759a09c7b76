/* A run first finishes a saved batch (saved_batch.h) and removes its file when its images are
   listed.  When the run is interrupted, it saves the batch under way; the memory for that is
   allocated at its start, so that saving cannot run out of memory. */
#include "outdir/batch.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "outdir/saved_batch.h"

/* Puts an image of the list into the folder; lost: 1 + the chain position at which it became
   NaN, or 0. */
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
    struct image_work *w = &b->work;

    b->made = b->lost = w->missing = 0;
    b->stop = (struct saved_batch){ .n = 0 };
    w->todo = malloc((size_t)w->n * sizeof *w->todo);
    if (!w->todo)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", w->n);

    int code = image_store_open(&b->image_store, w, err);
    b->lost = w->lost;
    return code;
}

static bool holds(const struct saved_batch *f, uint32_t index)
{
    for (int k = 0; k < f->n; k++)
        if (f->index[k] == index)
            return true;
    return false;
}

/* Removes the images of f from those that are to be made. */
static void leave_out(struct image_work *w, const struct saved_batch *f)
{
    int kept = 0;
    for (int i = 0; i < w->missing; i++)
        if (!holds(f, w->todo[i]))
            w->todo[kept++] = w->todo[i];
    w->missing = kept;
}

/* Lists the images of the batch under way that are lost to NaN so far. */
static int list_lost(struct batch *b, ddpm_error *err)
{
    const struct generator *s = b->generator;
    int code = DDPM_OK, first = (int)(s->index - b->list);

    for (int row = 0; row < s->rows && !code; row++) {
        int lost = ddpm_sampler_lost(s->sampler, row);
        if (lost)
            code = take_image(b, first + row, NULL, lost, 0, err);
    }
    return code;
}

/* Saves the batch under way: lists the images lost so far in the manifest, and writes the others
   to a file.  On entry err says why the run stopped; on return it also says that the next start
   goes on. */
static int save(struct batch *b, ddpm_error *err)
{
    const struct generator *s = b->generator;
    const struct image_store *a = &b->image_store;
    const char *without = a->force ? " without --force" : "";
    ddpm_error why = *err;
    int steps = generator_steps(s), taken = s->taken;

    int code = list_lost(b, err);
    if (code)
        return code;

    generator_saved_batch(s, &b->stop);
    if (!b->stop.n)
        return dd_error(err, TRY_LATER, "%s: %.20s, %d images made: the same command%s goes on from there",
                        a->folder, why.text, b->made, without);

    code = saved_batch_save(&b->stop, a->folder, a->part, a->header, err);
    if (code)
        return code;
    return dd_error(err, TRY_LATER,
                    "%s: %.20s at step %d of %d of a batch: the same command%s goes on from there", a->folder,
                    why.text, taken, steps, without);
}

/* Loads the saved batch; f->n is 0 if there is no file, or with --force.  The images of a file
   that cannot be used are made again.  That is said even with -q, because a disk may be failing. */
static int load_saved(struct saved_batch *f, const struct batch *b, ddpm_error *err)
{
    const struct image_store *a = &b->image_store;
    ddpm_error said;

    *f = (struct saved_batch){ .n = 0 };
    if (a->force)
        return DDPM_OK;

    int code = saved_batch_load(f, b->generator, a->folder, a->part, a->header, err);
    if (code != DDPM_EDATA)
        return code;

    dd_error(&said, code, "%s; what it holds is made again", err->text);
    complain(b->generator->command, &said);
    return DDPM_OK;
}

/* Finishes the images of a saved batch and removes its file. */
static int resume(struct batch *b, ddpm_error *err)
{
    struct saved_batch f;
    int code = load_saved(&f, b, err);
    if (code)
        return code;

    /* Only images that are still missing are finished, and only the others are begun anew. */
    saved_batch_keep(&f, b->work.todo, b->work.missing);
    leave_out(&b->work, &f);
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
    const struct image_store *a = &b->image_store;
    struct image_work *w = &b->work;
    int code = saved_batch_check(a->folder, a->part, err);

    /* If no image is missing, a saved batch is of no use. */
    if (!code && !w->missing)
        return saved_batch_remove(a->folder, a->part, err);
    if (!code)
        code = saved_batch_create(&b->stop, b->generator, b->generator->batch, err);
    if (!code)
        code = resume(b, err);
    if (code || !w->missing)
        return code;

    b->list = w->todo;
    code = generator_run(b->generator, w->todo, w->missing, take_image, b, err);
    return code == TRY_LATER ? save(b, err) : code;
}

void batch_close(struct batch *b)
{
    image_store_close(&b->image_store);
    saved_batch_free(&b->stop);
    free(b->work.todo);
    b->work.todo = NULL;
}
