/* Merging joins the manifests of all shards, counts the images that they were asked for, and
   writes one manifest.  It is in its place before those of the shards are removed, so a merge
   that was killed can be repeated. */
#include "outdir/merge.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "cli/folder.h"
#include "cli/options.h"
#include "outdir/shard_manifests.h"
#include "sample/recipe.h"

enum { NAMED = 5 };

/* The images that are missing: how many, and the first of them. */
struct missing {
    int count;
    uint32_t index[NAMED];
    bool damaged; /* a missing image may also be a damaged one: its file was compared with its hash */
};

/* Sets *there to whether the file of a line is in the folder and, with m->check, has the listed
   hash.  A line that another one contradicts is always checked. */
static int is_there(bool *there, const struct merge *m, const struct manifest_line *line, ddpm_error *err)
{
    char hex[65] = "";
    struct dd_system_file f;
    bool check = m->check || line->other;
    size_t size = strlen(m->folder) + strlen(line->file) + 2;
    char *path = malloc(size);
    if (!path)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");

    snprintf(path, size, "%s/%s", m->folder, line->file);
    *there = dd_system_examine_link(&f, path) && f.kind == DD_SYSTEM_FILE;
    int code = *there && check ? manifest_hash(hex, path, err) : DDPM_OK;
    if (check && strcmp(hex, line->sha256))
        *there = false;
    free(path);
    return code;
}

/* Settles contradictions: if two lines give one image different hashes, keeps the hash that its
   file has. */
static int settle(struct manifest *l, const struct merge *m, ddpm_error *err)
{
    int code = DDPM_OK;
    for (size_t i = 0; i < l->lines && !code; i++) {
        struct manifest_line *line = &l->line[i];
        struct manifest_line other = *line;
        bool there = false;
        if (!line->other)
            continue;
        snprintf(other.sha256, sizeof other.sha256, "%s", line->other);
        code = is_there(&there, m, &other, err);
        if (!code && there)
            *line = other;
    }
    return code;
}

/* Counts those images of index [n] that are in the folder, are lost to NaN, and are missing. */
static int count(struct merge *m, struct missing *missing, const struct manifest *l, const uint32_t *index,
                 int n, ddpm_error *err)
{
    int code = DDPM_OK;
    m->images = m->lost = 0;
    for (int i = 0; i < n && !code; i++) {
        const struct manifest_line *line = manifest_find(l, index[i]);
        bool there = false, lost = line && !line->ok;
        if (line && line->ok)
            code = is_there(&there, m, line, err);

        m->images += there;
        m->lost += lost;
        if (there || lost)
            continue;
        missing->damaged = missing->damaged || m->check || (line && line->other);
        if (missing->count < NAMED)
            missing->index[missing->count] = index[i];
        missing->count++;
    }
    return code;
}

/* Returns DDPM_EMISSING with the first missing images named. */
static int refuse(const struct merge *m, const struct missing *missing, int n, ddpm_error *err)
{
    char list[12 * NAMED + 8] = "";
    for (int i = 0; i < missing->count && i < NAMED; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%u", i ? ", " : "", missing->index[i]);
    return dd_error(
        err, DDPM_EMISSING,
        "%s: of %d images %d are missing%s: %s%s; start the shards again, or one run for all of them",
        m->folder, n, missing->count, missing->damaged ? " or damaged" : "", list,
        missing->count > NAMED ? ", ..." : "");
}

/* Counts the images that the manifest lists, for a folder that was merged before. */
static int count_listed(struct merge *m, struct missing *missing, const struct manifest *l, ddpm_error *err)
{
    uint32_t *index = malloc((l->lines + 1) * sizeof *index);
    if (!index)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu indices", m->folder, l->lines);

    for (size_t i = 0; i < l->lines; i++)
        index[i] = l->line[i].index;

    int code = count(m, missing, l, index, (int)l->lines, err);
    free(index);
    return !code && missing->count ? refuse(m, missing, (int)l->lines, err) : code;
}

/* Counts the images that the shards were asked for. */
static int count_asked(struct merge *m, struct missing *missing, const struct manifest *l,
                       const struct shard_manifests *p, ddpm_error *err)
{
    uint32_t *index;
    int n, code = shard_manifests_asked(&index, &n, p, err);
    if (!code && !n)
        return count_listed(m, missing, l, err);

    if (!code)
        code = count(m, missing, l, index, n, err);
    if (!code && missing->count)
        code = refuse(m, missing, n, err);
    free(index);
    return code;
}

/* Takes the header that all manifests share.  DDPM_EUSAGE: their settings differ. */
static int join_headers(struct manifest *l, const struct shard_manifests *p, const struct merge *m,
                        ddpm_error *err)
{
    int code = DDPM_OK;
    for (size_t i = 0; i < p->count && !code; i++) {
        const struct manifest *from = &p->manifest[i];
        if (!from->header)
            continue;
        if (l->header)
            code = recipe_compare(from->header, l->header, from->path, err);
        else if (!(l->header = strdup(from->header)))
            code = dd_error(err, DDPM_ENOMEM, "%s: out of memory", from->path);
    }

    if (!code && !l->header)
        code = dd_error(err, DDPM_EMISSING, "%s has no manifest: it is no folder of ddpm sample --outdir",
                        m->folder);
    return code;
}

/* Joins the lines of all manifests in l. */
static int join(struct manifest *l, struct shard_manifests *p, const struct merge *m, ddpm_error *err)
{
    *l = (struct manifest){ .fd = -1, .path = manifest_path(m->folder, "") };
    if (!l->path)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    int code = join_headers(l, p, m, err);
    if (!code)
        code = manifest_join(l, p->manifest, p->count, err);
    return code ? code : settle(l, m, err);
}

/* Returns whether the folder has only the manifest that merging would write. */
static bool is_merged(const struct shard_manifests *p, const struct manifest *merged)
{
    const struct manifest *only = p->manifest;
    return p->count == 1 && !strcmp(only->path, merged->path) && !only->torn && !only->asked;
}

/* Counts the images in the folder.  DDPM_EMISSING: some are missing. */
static int count_all(struct merge *m, const struct manifest *l, const struct shard_manifests *p,
                     ddpm_error *err)
{
    struct missing missing = { .count = 0 };
    if (!m->index)
        return count_asked(m, &missing, l, p, err);
    int code = count(m, &missing, l, m->index, m->n, err);
    return !code && missing.count ? refuse(m, &missing, m->n, err) : code;
}

/* Merges the manifests in p, if no image is missing. */
static int merge_parts(struct merge *m, struct shard_manifests *p, ddpm_error *err)
{
    struct manifest l;
    int code = join(&l, p, m, err);
    if (!code)
        code = count_all(m, &l, p, err);

    /* From here on the folder changes. */
    if (!code && !is_merged(p, &l)) {
        code = manifest_write(&l, err);
        if (!code)
            code = shard_manifests_remove(m->folder, err);
    }
    if (!code)
        code = folder_clean(m->folder, err);
    manifest_free(&l);
    return code;
}

int merge_missing(int *missing, const char *folder, const uint32_t *index, int n, ddpm_error *err)
{
    struct merge m = { .folder = folder };
    struct shard_manifests p = { .count = 0 };
    struct manifest l = { .fd = -1 };
    struct missing found = { .count = 0 };
    int code = shard_manifests_read(&p, folder, NULL, NULL, err);
    if (!code)
        code = join(&l, &p, &m, err);
    if (!code)
        code = count(&m, &found, &l, index, n, err);

    /* DDPM_EMISSING: there is no folder, or nothing is listed yet. */
    *missing = code == DDPM_EMISSING ? n : found.count;

    manifest_free(&l);
    shard_manifests_free(&p);
    return code == DDPM_EMISSING ? DDPM_OK : code;
}

int merge_folder(struct merge *m, ddpm_error *err)
{
    struct folder_lock lock;
    struct shard_manifests p;
    int code = folder_lock(&lock, m->folder, NULL, m->wait, ", or wait for it with --wait TIME", err);
    if (code)
        return code;
    if (lock.folder < 0)
        code = dd_error(err, DDPM_EMISSING, "%s: there is no such folder", m->folder);
    if (!code && !(code = shard_manifests_read(&p, m->folder, NULL, NULL, err))) {
        code = merge_parts(m, &p, err);
        shard_manifests_free(&p);
    }
    folder_unlock(&lock);
    return code;
}
