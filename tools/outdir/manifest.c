/* A manifest in memory: the images of one or of several files, by number and by name.
   manifest_lines.c reads the lines, manifest_write.c writes them. */
#include "outdir/manifest.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "cli/folder.h"

static int out_of_memory(const struct manifest *l, ddpm_error *err)
{
    return dd_error_memory(err, l->path ? l->path : "a manifest");
}

/* Orders lines by image, and the lines about one image by the order in which they were read. */
static int by_place(const void *a, const void *b)
{
    const struct manifest_line *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Orders lines by image.  Among the lines about one image, those that are not lost come last. */
static int by_state(const void *a, const void *b)
{
    const struct manifest_line *x = a, *y = b;
    if (x->index == y->index && x->ok != y->ok)
        return x->ok ? 1 : -1;
    return by_place(a, b);
}

static void free_line(struct manifest_line *line)
{
    free(line->file);
    free(line->other);
}

/* Sorts the lines by `compare` and keeps the last one about each image. */
static void keep_last(struct manifest *l, int (*compare)(const void *, const void *))
{
    size_t kept = 0;
    if (l->lines)
        qsort(l->line, l->lines, sizeof *l->line, compare);
    for (size_t i = 0; i < l->lines; i++)
        if (i + 1 < l->lines && l->line[i + 1].index == l->line[i].index)
            free_line(&l->line[i]);
        else
            l->line[kept++] = l->line[i];
    l->lines = kept;
}

/* Notes in the line that will be kept, the last about its image, the hash of a line that
   contradicts it. */
static int note_contradictions(struct manifest *l, ddpm_error *err)
{
    if (l->lines)
        qsort(l->line, l->lines, sizeof *l->line, by_state);
    for (size_t i = 0; i + 1 < l->lines; i++) {
        const struct manifest_line *line = &l->line[i];
        struct manifest_line *next = &l->line[i + 1];
        if (line->index != next->index || !line->ok)
            continue;

        /* A hash that was noted before is handed on to the next line. */
        const char *hash = strcmp(line->sha256, next->sha256) ? line->sha256 : line->other;
        if (hash && !next->other && !(next->other = strdup(hash)))
            return out_of_memory(l, err);
    }
    return DDPM_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct manifest_line *const *x = a, *const *y = b;
    return strcmp((*x)->file, (*y)->file);
}

/* Indexes the lines that are not lost by the names of their files.  DDPM_EDATA: two images share
   a file. */
static int order_files(struct manifest *l, ddpm_error *err)
{
    free(l->named);
    l->files = 0;
    l->named = malloc((l->lines + 1) * sizeof *l->named);
    if (!l->named)
        return out_of_memory(l, err);

    for (size_t i = 0; i < l->lines; i++)
        if (l->line[i].ok)
            l->named[l->files++] = &l->line[i];
    qsort(l->named, l->files, sizeof *l->named, by_name);

    for (size_t i = 1; i < l->files; i++)
        if (!strcmp(l->named[i - 1]->file, l->named[i]->file))
            return dd_error(err, DDPM_EDATA,
                            "%s: images %" PRIu32 " and %" PRIu32 " are both listed as "
                            "%.80s",
                            l->path ? l->path : "manifest.jsonl", l->named[i - 1]->index, l->named[i]->index,
                            l->named[i]->file);
    return DDPM_OK;
}

const struct manifest_line *manifest_named(const struct manifest *l, const char *file)
{
    size_t low = 0, high = l->files;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(l->named[middle]->file, file);
        if (!order)
            return l->named[middle];
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

int manifest_join(struct manifest *l, struct manifest *from, size_t count, ddpm_error *err)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < from[i].lines; k++) {
            struct manifest_line *more = dd_memory_more(l->line, l->lines, sizeof *more);
            if (!more)
                return out_of_memory(l, err);
            l->line = more;
            l->line[l->lines++] = from[i].line[k];
            from[i].line[k].file = from[i].line[k].other = NULL; /* l owns them now */
        }
        from[i].lines = 0;
    }

    for (size_t k = 0; k < l->lines; k++)
        l->line[k].place = k;

    int code = note_contradictions(l, err);
    keep_last(l, by_state);
    return code ? code : order_files(l, err);
}

char *manifest_path(const char *folder, const char *part)
{
    size_t size = strlen(folder) + strlen(part) + sizeof "/manifest.jsonl";
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/manifest%s.jsonl", folder, part);
    return path;
}

int manifest_read(struct manifest *l, const char *folder, const char *part, ddpm_error *err)
{
    struct dd_file f;
    *l = (struct manifest){ .path = manifest_path(folder, part), .fd = -1, .part = *part };
    if (!l->path)
        return out_of_memory(l, err);

    int code = folder_regular(l->path, err);
    if (!code)
        code = dd_file_map(&f, l->path, err);
    if (code == DDPM_EMISSING) /* then there is no manifest yet, and l->header stays NULL */
        return DDPM_OK;
    if (!code) {
        code = manifest_lines(l, (const char *)f.data, f.size, err);
        dd_file_unmap(&f);
    }
    keep_last(l, by_place);
    return code;
}

const struct manifest_line *manifest_find(const struct manifest *l, uint32_t index)
{
    struct manifest_line *base = l->line;
    for (size_t n = l->lines; n;) {
        size_t half = n / 2;
        if (base[half].index == index)
            return &base[half];
        if (base[half].index < index) {
            base += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return NULL;
}

int manifest_hash(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file f;
    struct dd_hash h;
    int code = dd_file_map(&f, path, err);
    if (code)
        return code;
    if (dd_hash_begin(&h)) {
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a hash");
    } else {
        dd_hash_add(&h, f.data, f.size);
        dd_hash_end(&h, hex);
    }
    dd_file_unmap(&f);
    return code;
}

void manifest_forget(struct manifest *l)
{
    for (size_t i = 0; i < l->lines; i++)
        free_line(&l->line[i]);
    free(l->line);
    free(l->named);
    free(l->header);
    free(l->asked);
    *l = (struct manifest){ .path = l->path, .fd = l->fd, .part = l->part };
}

void manifest_free(struct manifest *l)
{
    manifest_forget(l);
    if (l->path && l->fd >= 0)
        dd_system_close(l->fd);
    free(l->path);
    *l = (struct manifest){ .fd = -1 };
}
