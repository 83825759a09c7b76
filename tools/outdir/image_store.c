/* The store reads all manifests of the folder, finds which images are missing (missing_images.c), and then
   adds one image after the other.  An image that is listed and whose file exists is done. */
#include "outdir/image_store.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "outdir/image_name.h"
#include "outdir/image_replace.h"
#include "outdir/missing_images.h"
#include "outdir/shard_manifests.h"

char *image_store_path(struct image_store *a, uint32_t index, const struct manifest_line *line)
{
    char name[IMAGE_NAME_MOST];
    image_name_put(name, a->pattern, index);
    snprintf(a->path, a->path_size, "%s/%s", a->folder, line ? line->file : name);
    return a->path + strlen(a->folder) + 1;
}

double image_store_values(const struct image_store *a)
{
    return (double)a->recipe->keep_steps * a->about->height * a->about->width * a->about->channels;
}

/* Estimates the bytes of an image file.  The least is at deflate's highest ratio, 1032 to 1; the most is
   without compression.  A picture has its settings twice.  An array has a head of 128 bytes. */
static void estimate_size(const struct image_store *a, double *least, double *most)
{
    double text = 2 * (double)strlen(a->header) + 200, size = image_store_values(a) * a->format->bytes;

    *least = a->format->picture ? text / 2 + size / 1032 : 128 + size;
    *most = a->format->picture ? text + size * 1.01 : *least;
}

/* Checks that the folder can be written to and that its file system has room for the missing images. */
static int check_room(struct image_store *a, int missing, ddpm_error *err)
{
    struct dd_system_room room;
    double least, most;

    if (!dd_system_may_write_into(a->folder))
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be written to: %s", a->folder,
                        strerror(errno));
    if (!dd_system_room(&room, a->folder)) /* then nothing is known about the room */
        return DDPM_OK;

    estimate_size(a, &least, &most);
    if (missing * least > room.bytes)
        return dd_error(
            err, DDPM_EIO,
            "%s: %d images take %.3g MB at least and %.3g MB are free: make room, or fewer images", a->folder,
            missing, missing * least / 1e6, room.bytes / 1e6);

    if (room.files < missing)
        return dd_error(err, DDPM_EIO, "%s: its file system has room for %.0f more files, not for %d",
                        a->folder, room.files, missing);

    if (missing * most > room.bytes)
        snprintf(a->warning, sizeof a->warning,
                 "%.100s: %d images may take up to %.3g MB, and %.3g MB are free", a->folder, missing,
                 missing * most / 1e6, room.bytes / 1e6);
    return DDPM_OK;
}

int image_store_lock(struct image_store *a, double wait, ddpm_error *err)
{
    char *part = *a->part ? manifest_path(a->folder, a->part) : NULL;
    int code = *a->part && !part ? dd_error(err, DDPM_ENOMEM, "out of memory for a path") : DDPM_OK;
    if (!code)
        code = folder_lock(&a->lock, a->folder, part, wait, ", or wait for it with --wait TIME", err);
    free(part);
    return code;
}

/* Adds the lines of the other runs' manifests to our own. */
static int read_others(struct image_store *a, ddpm_error *err)
{
    struct shard_manifests others = { .count = 0 };
    int code = shard_manifests_read(&others, a->folder, a->part, a->force ? NULL : a->header, err);
    if (code)
        return code;

    for (size_t i = 0; i < others.count; i++)
        a->begun = a->begun || others.manifest[i].header;
    code = manifest_join(&a->manifest, others.manifest, others.count, err);
    shard_manifests_free(&others);
    return code;
}

/* Reads our own manifest, to which lines will be added, those of the other runs, and the list of replaced
   files. */
static int read_manifests(struct image_store *a, ddpm_error *err)
{
    int code = manifest_read(&a->manifest, a->folder, a->part, err);
    if (!code && a->manifest.header && !a->force)
        code = recipe_compare(a->manifest.header, a->header, a->manifest.path, err);
    a->begun = a->manifest.header;
    if (!code)
        code = read_others(a, err);
    if (!code && !(code = manifest_read(&a->replaced, a->folder, "-replaced", err)))
        code = manifest_join(&a->replaced, NULL, 0, err); /* sorts and indexes its lines */
    return code;
}

/* Makes the manifest ready for more lines.  With force it is a new one, and those of shards are removed. */
static int open_manifest(struct image_store *a, const struct image_work *w, ddpm_error *err)
{
    int code = a->force ? image_replace_note(a, w, err) : DDPM_OK;
    if (!code)
        code = manifest_open(&a->manifest, a->header, a->force, err);
    if (!code && a->force)
        code = shard_manifests_remove(a->folder, err);
    if (!code && *a->part && (!a->manifest.asked || strcmp(a->manifest.asked, a->asked)))
        code = manifest_ask(&a->manifest, a->asked, err);
    return code || !*a->part ? code : folder_synchronise(a->folder, err);
}

/* Reads the manifests and checks that this run may work in the folder. */
static int read_folder(struct image_store *a, const struct image_work *w, ddpm_error *err)
{
    int code = read_manifests(a, err);
    if (a->force && (!code || code == DDPM_EDATA)) {
        code = image_replace_check(a, w, !code, err);
        manifest_forget(&a->manifest);
    } else if (!code) {
        image_replace_count(a);
    }
    return !code && !a->begun && !a->force ? folder_unshared(a->folder, err) : code;
}

/* Locks the folder, finds the missing images, and opens the manifest if there are any. */
static int prepare(struct image_store *a, struct image_work *w, ddpm_error *err)
{
    int code = DDPM_OK;
    a->path_size = strlen(a->folder) + IMAGE_NAME_MOST + 2;
    a->path = malloc(a->path_size);
    a->header = recipe_text(a->recipe, NULL, 0);
    if (!a->path || !a->header)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    if (a->lock.folder < 0 && ((code = folder_make(a->folder, err)) || (code = image_store_lock(a, 0, err))))
        return code;

    /* From here on no other process changes this part of the folder. */
    code = read_folder(a, w, err);
    if (!code)
        code = missing_images_find(a, w, err);
    if (code || !w->missing)
        return code;

    /* Locks may not reach another machine.  Its temporaries then look like those of a killed run: shards
       leave them to a run on its own. */
    code = check_room(a, w->missing, err);
    if (!code && !*a->part)
        code = folder_clean(a->folder, err);
    return code ? code : open_manifest(a, w, err);
}

int image_store_open(struct image_store *a, struct image_work *w, ddpm_error *err)
{
    a->manifest = a->replaced = (struct manifest){ .fd = -1 };
    a->waiting = 0;
    a->image = (struct image_output){
        .about = a->about, .recipe = a->recipe, .n = 1, .format = a->format, .single = true, .force = true
    };
    a->path = a->header = NULL;
    a->damaged = a->named = 0;
    *a->warning = 0;
    w->missing = w->lost = 0;
    return prepare(a, w, err);
}

void image_store_close(struct image_store *a)
{
    image_output_free(&a->image);
    if (a->manifest.path)
        manifest_free(&a->manifest);
    if (a->replaced.path)
        manifest_free(&a->replaced);
    folder_unlock(&a->lock);
    free(a->path);
    cJSON_free(a->header);
    a->path = a->header = NULL;
}

/* Returns DDPM_ECREATE unless the folder at this name is still the one that is locked. */
static int check_folder(const struct image_store *a, ddpm_error *err)
{
    const struct dd_system_file *begun = &a->lock.about;
    struct dd_system_file now;
    if (a->lock.folder < 0)
        return DDPM_OK;
    if (!dd_system_examine(&now, a->folder) || now.device != begun->device || now.number != begun->number)
        return dd_error(err, DDPM_ECREATE,
                        "%s: the folder was removed or replaced while images were being made", a->folder);
    return DDPM_OK;
}

/* Puts the finished image in its place and its line into the manifest.  If there was no file, the line comes
   first; if the image replaces a file, the line comes last, so that the old file is never listed as the new
   image. */
static int put(struct image_store *a, const struct manifest_line *line, ddpm_error *err)
{
    bool replaces = image_replace_is_there(a->path);
    bool waited = manifest_named(&a->replaced, line->file) && !manifest_named(&a->manifest, line->file);
    int code = replaces ? image_output_commit(&a->image, err) : DDPM_OK;
    if (!code)
        code = manifest_add(&a->manifest, line, err);
    if (!code && !replaces)
        code = image_output_commit(&a->image, err);
    if (!code && waited && !--a->waiting)
        dd_system_remove(a->replaced.path);
    return code;
}

int image_store_add(struct image_store *a, uint32_t index, const double *frame, int step, double seconds,
                    ddpm_error *err)
{
    struct manifest_line line = {
        .index = index,
        .ok = frame,
        .file = image_store_path(a, index, NULL),
        .step = step,
        .seconds = seconds,
    };
    snprintf(line.seed, sizeof line.seed, "%" PRIu64, a->recipe->seed);
    int code = check_folder(a, err);
    if (code || !frame)
        return code ? code : manifest_add(&a->manifest, &line, err);

    /* The hash is that of the temporary file, before it gets its name. */
    a->image.index = &index;
    code = image_output_open(&a->image, a->path, err);
    if (!code)
        code = image_output_add(&a->image, 0, frame, err);
    if (!code)
        code = image_output_finish(&a->image, err);
    if (!code)
        code = manifest_hash(line.sha256, a->image.output.temporary, err);
    if (!code)
        code = put(a, &line, err);

    image_output_free(&a->image);
    return code;
}
