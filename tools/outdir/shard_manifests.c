/* The files of shards are found by their names.  If another run is just writing a line, only the
   lines before it are read. */
#include "outdir/shard_manifests.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "cli/folder.h"
#include "base/names.h"
#include "base/system.h"
#include "sample/index_list.h"
#include "sample/recipe.h"

/* Returns the length of the part in a name, which is "" or "-0-of-4" between `before` and
   `after`; -1: the name has another form. */
static int part_length(const char *name, const char *before, const char *after)
{
    static const char digits[] = "0123456789";

    enum { LONGEST = 30 };

    size_t n = strlen(name), b = strlen(before), a = strlen(after);
    if (n < a + b || strncmp(name, before, b) || strcmp(name + n - a, after))
        return -1;
    if (n == a + b)
        return 0;

    const char *number = name + b, *of;
    if (*number++ != '-' || !strspn(number, digits))
        return -1;

    of = number + strspn(number, digits);
    if (strncmp(of, "-of-", 4))
        return -1;
    size_t last = strspn(of + 4, digits);
    return last && of + 4 + last == name + n - a && n - a - b < LONGEST ? (int)(n - a - b) : -1;
}

static bool is_manifest(const char *folder, const char *name)
{
    (void)folder;
    return part_length(name, "manifest", ".jsonl") >= 0;
}

static bool is_of_shard(const char *folder, const char *name)
{
    (void)folder;
    return part_length(name, "manifest", ".jsonl") > 0 || part_length(name, "resume", ".safetensors") > 0;
}

int shard_manifests_read(struct shard_manifests *p, const char *folder, const char *but, const char *header,
                         ddpm_error *err)
{
    char **name = NULL, part[32];
    size_t n = 0;

    *p = (struct shard_manifests){ .count = 0 };
    int code = dd_names_list(&name, &n, folder, is_manifest, err);
    p->manifest = code ? NULL : malloc((n + 1) * sizeof *p->manifest);
    if (!code && !p->manifest)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for its manifests", folder);

    for (size_t i = 0; i < n && !code; i++) {
        /* The part is the middle of the name: "-0-of-4" in manifest-0-of-4.jsonl. */
        snprintf(part, sizeof part, "%.*s", part_length(name[i], "manifest", ".jsonl"),
                 name[i] + strlen("manifest"));
        if (but && !strcmp(part, but))
            continue;

        struct manifest *l = &p->manifest[p->count++];
        code = manifest_read(l, folder, part, err);
        if (!code && header && l->header && strcmp(l->header, header))
            code = recipe_compare(l->header, header, l->path, err);
    }

    dd_names_free(name, n);
    if (code)
        shard_manifests_free(p);
    return code;
}

void shard_manifests_free(struct shard_manifests *p)
{
    for (size_t i = 0; i < p->count; i++)
        manifest_free(&p->manifest[i]);
    free(p->manifest);
    *p = (struct shard_manifests){ .count = 0 };
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Adds the numbers of the list to *index [*n], and keeps each number once. */
static int unite(uint32_t **index, int *n, const char *list, const char *where, ddpm_error *err)
{
    uint32_t *more = NULL, *all = NULL;
    int count = 0, kept = 0, code = index_list(&more, &count, list, 0, err);
    if (code == DDPM_EUSAGE)
        code = dd_error(err, DDPM_EDATA, "%s: \"asked\" is no list of images", where);
    if (!code && count > INDEX_LIST_MAX - *n)
        code = dd_error(err, DDPM_EDATA, "%s: the shards are asked for more than %d images", where,
                        INDEX_LIST_MAX);
    if (!code && !(all = realloc(*index, ((size_t)*n + (size_t)count) * sizeof *all)))
        code = dd_error_memory(err, where);

    if (!code) {
        memcpy(all + *n, more, (size_t)count * sizeof *all);
        count += *n;
        qsort(all, (size_t)count, sizeof *all, ascending);
        for (int i = 0; i < count; i++)
            if (!i || all[i] != all[i - 1])
                all[kept++] = all[i];
        *index = all;
        *n = kept;
    }
    free(more);
    return code;
}

int shard_manifests_asked(uint32_t **index, int *n, const struct shard_manifests *p, ddpm_error *err)
{
    int code = DDPM_OK;
    const char *before = "";
    *index = NULL;
    *n = 0;

    /* Most shards have the same list. */
    for (size_t i = 0; i < p->count && !code; i++) {
        const struct manifest *l = &p->manifest[i];
        if (!l->asked || !strcmp(l->asked, before))
            continue;
        before = l->asked;
        code = unite(index, n, l->asked, l->path, err);
    }

    if (code) {
        free(*index);
        *index = NULL;
    }
    return code;
}

int shard_manifests_remove(const char *folder, ddpm_error *err)
{
    char **name = NULL, *path = NULL;
    size_t n = 0;

    int code = dd_names_list(&name, &n, folder, is_of_shard, err);
    for (size_t i = 0; i < n && !code; i++) {
        size_t size = strlen(folder) + strlen(name[i]) + 2;
        if (!(path = malloc(size))) {
            code = dd_error(err, DDPM_ENOMEM, "out of memory for a path");
        } else {
            snprintf(path, size, "%s/%s", folder, name[i]);
            if (!dd_system_remove(path) && errno != ENOENT)
                code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be removed: %s", path,
                                strerror(errno));
        }
        free(path);
    }

    dd_names_free(name, n);
    return code || !n ? code : folder_synchronise(folder, err);
}
