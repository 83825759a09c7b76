/* --force begins a folder anew.  It is refused where an image would stay that this run does not make again.
   Before it replaces the first file, it writes the names and hashes of all files in the places of its images
   to manifest-replaced.jsonl.  After an interruption a file of that list may be replaced, whatever its
   settings. */
#include "outdir/image_replace.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"
#include "cli/ending.h"

bool image_replace_is_there(const char *path)
{
    struct dd_system_file f;
    return dd_system_examine_link(&f, path);
}

/* Returns whether a file may be an image.  A hidden file counts only with an image's ending, as --name may
   begin with a dot. */
static bool may_be_image(const char *folder, const char *name)
{
    (void)folder;
    return (*name != '.' || image_format_ending(ending_of(name))) && !folder_own_name(name) &&
           strcmp(name, "lost+found");
}

/* Counts the listed images whose files exist.  If a manifest cannot be read, counts all files that may be
   images. */
static int count_there(size_t *there, struct image_store *a, bool readable, ddpm_error *err)
{
    char **name = NULL;
    if (!readable) {
        int code = dd_names_list(&name, there, a->folder, may_be_image, err);
        dd_names_free(name, *there);
        return code;
    }

    *there = 0;
    for (size_t i = 0; i < a->manifest.files; i++) {
        image_store_path(a, 0, a->manifest.named[i]);
        *there += image_replace_is_there(a->path);
    }
    for (size_t i = 0; i < a->replaced.files; i++) {
        const struct manifest_line *line = a->replaced.named[i];
        image_store_path(a, 0, line);
        *there += !manifest_named(&a->manifest, line->file) && image_replace_is_there(a->path);
    }
    return DDPM_OK;
}

int image_replace_check(struct image_store *a, const struct image_work *w, bool readable, ddpm_error *err)
{
    size_t left; /* images that this run would leave behind without a line in a manifest */
    int code = count_there(&left, a, readable, err);

    for (int i = 0; i < w->n && !code && left; i++) {
        const char *name = image_store_path(a, w->index[i], NULL);
        bool counted = !readable || manifest_named(&a->manifest, name) || manifest_named(&a->replaced, name);

        /* A file that was not counted above is not subtracted. */
        left -= counted && image_replace_is_there(a->path);
    }

    if (code || !left)
        return code;

    if (!readable)
        return dd_error(err, DDPM_ECREATE,
                        "%s: its manifest is damaged, and it holds %zu file%s that this run does not make "
                        "again: choose another folder",
                        a->folder, left, left > 1 ? "s" : "");
    return dd_error(err, DDPM_ECREATE,
                    "%s: holds %zu image%s that this run does not make again: choose another folder (or its "
                    "own settings, without --force, to go on)",
                    a->folder, left, left > 1 ? "s" : "");
}

/* Adds a line about the file in the place of image `index`; does nothing if there is no file. */
static int note_file(struct manifest *l, struct image_store *a, uint32_t index, ddpm_error *err)
{
    struct manifest_line *line = &l->line[l->lines];
    const char *name = image_store_path(a, index, NULL);
    if (!image_replace_is_there(a->path))
        return DDPM_OK;

    *line = (struct manifest_line){ .index = index, .ok = true, .file = strdup(name) };
    if (!line->file)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the name of an image");
    l->lines++;
    return manifest_hash(line->sha256, a->path, err);
}

int image_replace_note(struct image_store *a, const struct image_work *w, ddpm_error *err)
{
    struct manifest *l = &a->replaced;
    manifest_forget(l);
    l->path = l->path ? l->path : manifest_path(a->folder, "-replaced");
    l->header = strdup(a->header);
    l->line = malloc((size_t)w->n * sizeof *l->line);
    bool room = l->path && l->header && l->line;
    int code = room ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the names of images");

    for (int i = 0; i < w->n && !code; i++)
        code = note_file(l, a, w->index[i], err);
    if (!code)
        code = manifest_join(l, NULL, 0, err); /* joining nothing sorts the lines and indexes them by name */

    /* With nothing to replace, an earlier list is out of date. */
    if (!code && l->files)
        code = manifest_write(l, err);
    else if (!code)
        dd_system_remove(l->path);
    a->waiting = l->files;
    return code;
}

void image_replace_count(struct image_store *a)
{
    /* An image that the new manifest lists has been made already. */
    a->waiting = 0;
    for (size_t i = 0; i < a->replaced.files; i++)
        a->waiting += !manifest_named(&a->manifest, a->replaced.named[i]->file);

    /* A shard leaves the list to the others. */
    if (a->replaced.header && !a->waiting && !*a->part)
        dd_system_remove(a->replaced.path);
}
