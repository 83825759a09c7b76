/* A saved batch is a safetensors file.  It is written whole, synchronised and renamed, and removed once its
   images are in the folder. */
#include "outdir/saved_batch.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/safetensors.h"
#include "base/system.h"
#include "cli/folder.h"

/* Returns the path of the file, allocated; NULL: out of memory. */
static char *path_in(const char *folder, const char *part, ddpm_error *err)
{
    size_t size = strlen(folder) + strlen(part) + sizeof "/resume.safetensors";
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/resume%s.safetensors", folder, part);
    else
        dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    return path;
}

/* Fills entry with the three tensors of f, whose data are those of f. */
static void describe(struct dd_entry entry[3], const struct saved_batch *f)
{
    const uint64_t n = (uint64_t)f->n;
    entry[0] = (struct dd_entry){
        .name = "index",
        .dtype = DD_U32,
        .rank = 1,
        .dim = { n },
        .data = (const unsigned char *)f->index,
    };
    entry[1] = (struct dd_entry){
        .name = "state",
        .dtype = DD_F64,
        .rank = 3,
        .dim = { f->buffers, n, f->d },
        .data = (const unsigned char *)f->state,
    };
    entry[2] = (struct dd_entry){
        .name = "frames",
        .dtype = DD_F64,
        .rank = 3,
        .dim = { n, f->frames, f->d },
        .data = (const unsigned char *)f->frame,
    };

    for (int i = 0; i < 3; i++) {
        entry[i].count = 1;
        for (int k = 0; k < entry[i].rank; k++)
            entry[i].count *= entry[i].dim[k];
        entry[i].size = (size_t)entry[i].count * (dd_dtype_bits(entry[i].dtype) / 8);
    }
}

int saved_batch_save(const struct saved_batch *f, const char *folder, const char *part, const char *header,
                     ddpm_error *err)
{
    struct dd_output o;
    struct dd_entry entry[3];
    char taken[16], *path = path_in(folder, part, err);
    const char *const meta[] = { "recipe", header, "taken", taken, NULL };
    if (!path)
        return DDPM_ENOMEM;

    snprintf(taken, sizeof taken, "%d", f->taken);
    describe(entry, f);
    int code = dd_output_create(&o, path, 1, err);
    if (!code)
        code = dd_safetensors_write_hashed(o.stream, entry, 3, meta, err);
    if (!code)
        code = dd_output_commit(&o, err);
    else if (o.stream)
        dd_output_abandon(&o);
    free(path);
    return code;
}

static bool all_finite(const double *x, size_t n)
{
    size_t i = 0;
    while (i < n && isfinite(x[i]))
        i++;
    return i == n;
}

/* Copies the three tensors into f, which has room for them. */
static int load_tensors(struct saved_batch *f, const struct dd_safetensors *s, const char *path,
                        ddpm_error *err)
{
    struct dd_entry entry[3];
    describe(entry, f);
    for (int i = 0; i < 3; i++) {
        const struct dd_entry *e = dd_safetensors_find(s, entry[i].name);
        if (!e || e->dtype != entry[i].dtype || e->rank != entry[i].rank ||
            memcmp(e->dim, entry[i].dim, (size_t)e->rank * sizeof *e->dim))
            return dd_error(err, DDPM_EDATA, "%s: tensor %s is not as the sampler needs it", path,
                            entry[i].name);

        /* entry[i].data is f's own memory, const only because an entry is meant for reading. */
        memcpy((void *)(uintptr_t)entry[i].data, e->data, e->size);
    }
    return DDPM_OK;
}

/* Loads f from an open file.  The first buffer, which is the images themselves, and the states to show must
   be finite; the other buffers are a solver's memory, which is NAN until it is written. */
static int load(struct saved_batch *f, const struct dd_safetensors *s, const struct generator *generator,
                const char *header, const char *path, ddpm_error *err)
{
    const char *recipe = dd_safetensors_meta(s, "recipe"), *taken = dd_safetensors_meta(s, "taken");
    const struct dd_entry *index = dd_safetensors_find(s, "index");
    int steps = generator_steps(generator);
    bool counted = index && index->rank == 1 && index->dim[0] >= 1 && index->dim[0] <= 65536;
    if (!recipe || !taken || !counted || !recipe_same(recipe, header) || atoi(taken) < 1 ||
        atoi(taken) >= steps)
        return dd_error(err, DDPM_EDATA, "%s is of another run", path);

    int code = saved_batch_create(f, generator, (int)index->dim[0], err);
    if (code)
        return code;

    f->taken = atoi(taken);
    code = load_tensors(f, s, path, err);
    if (code)
        return code;

    size_t n = (size_t)f->n;
    if (!all_finite(f->state, n * f->d) || !all_finite(f->frame, n * f->frames * f->d))
        return dd_error(err, DDPM_EDATA, "%s: its images hold a value that is not finite", path);
    return DDPM_OK;
}

int saved_batch_load(struct saved_batch *f, const struct generator *s, const char *folder, const char *part,
                     const char *header, ddpm_error *err)
{
    struct dd_file file;
    struct dd_safetensors container;
    char *path = path_in(folder, part, err);
    *f = (struct saved_batch){ .n = 0 };

    int code = path ? folder_regular(path, err) : DDPM_ENOMEM;
    if (!code && !(code = dd_file_map(&file, path, err))) {
        code = dd_safetensors_check_hash(file.data, file.size, path, err);
        if (!code && !(code = dd_safetensors_read(&container, file.data, file.size, path, err))) {
            code = load(f, &container, s, header, path, err);
            dd_safetensors_free(&container);
        }
        dd_file_unmap(&file);
    }
    free(path);

    /* A missing file is no error: few runs are stopped in a batch. */
    if (code)
        saved_batch_free(f);
    return code == DDPM_EMISSING ? DDPM_OK : code;
}

void saved_batch_keep(struct saved_batch *f, const uint32_t *index, int n)
{
    int kept = 0;

    /* The kept images move to the front of every buffer, each of which still has room for f->n. */
    for (int k = 0; k < f->n; k++) {
        bool wanted = false;
        for (int i = 0; i < n && !wanted; i++)
            wanted = index[i] == f->index[k];
        if (!wanted)
            continue;
        f->index[kept] = f->index[k];
        for (size_t b = 0; b < f->buffers; b++)
            memmove(f->state + (b * (size_t)f->n + (size_t)kept) * f->d,
                    f->state + (b * (size_t)f->n + (size_t)k) * f->d, f->d * sizeof *f->state);
        memmove(f->frame + (size_t)kept * f->frames * f->d, f->frame + (size_t)k * f->frames * f->d,
                f->frames * f->d * sizeof *f->frame);
        kept++;
    }

    /* The buffers move together, so that state is [buffers, kept, d] without gaps. */
    for (size_t b = 1; b < f->buffers; b++)
        memmove(f->state + b * (size_t)kept * f->d, f->state + b * (size_t)f->n * f->d,
                (size_t)kept * f->d * sizeof *f->state);
    f->n = kept;
}

int saved_batch_check(const char *folder, const char *part, ddpm_error *err)
{
    struct dd_system_file f;
    char *path = path_in(folder, part, err);
    int code = path ? DDPM_OK : DDPM_ENOMEM;
    if (path && dd_system_examine_link(&f, path) && f.kind == DD_SYSTEM_FOLDER)
        code =
            dd_error(err, DDPM_ECREATE,
                     "%s: is a folder, where a batch that is stopped would be saved: take it out of the way",
                     path);
    free(path);
    return code;
}

int saved_batch_remove(const char *folder, const char *part, ddpm_error *err)
{
    struct dd_system_file f;
    char *path = path_in(folder, part, err);
    int code = path ? DDPM_OK : DDPM_ENOMEM;

    /* In a folder that is read-only unlink fails even for a file that is not there. */
    if (path && dd_system_examine_link(&f, path) && !dd_system_remove(path) && errno != ENOENT)
        code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be removed: %s", path,
                        strerror(errno));
    free(path);
    return code;
}
