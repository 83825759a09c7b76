/* For every image asked for, the manifest and the file in its place are compared.  A file that
   may belong to somebody else is never removed or replaced. */
#include "outdir/missing_images.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "outdir/image_name.h"

/* Sets *there to whether there is something at a->path.  DDPM_ECREATE: it is no regular file, so
   it is no image and must not be replaced by one. */
static int look(bool *there, const struct image_store *a, ddpm_error *err)
{
    struct dd_system_file f;
    *there = dd_system_examine_link(&f, a->path);
    int code = *there ? folder_regular(a->path, err) : DDPM_OK;
    if (code && err)
        err->code = DDPM_ECREATE;
    return code ? DDPM_ECREATE : DDPM_OK;
}

/* Returns whether the picture at a->path names this image alone. */
static bool names_image(const struct image_store *a, uint32_t index)
{
    struct picture p = { .pixel = NULL };
    struct stored_recipe r = { .n = 0 };
    char *text = NULL;
    bool ours = !picture_read(&p, &text, a->path, NULL) && !recipe_read(&r, text, a->path, NULL) &&
                r.n == 1 && r.index[0] == index;

    recipe_free(&r);
    free(text);
    picture_free(&p);
    return ours;
}

/* Returns whether a listed file may go: it lies where this image belongs, or it is a picture
   that names this image alone.  Any other file may be somebody's that a forged manifest lists. */
static bool may_go(struct image_store *a, const struct manifest_line *line)
{
    const char *const patterns[] = { a->pattern, "image-%06d.png", "image-%06d.npy" };
    char name[IMAGE_NAME_MOST];

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        image_name_put(name, patterns[i], line->index);
        if (!strcmp(name, line->file))
            return true;
    }

    image_store_path(a, 0, line); /* fills a->path, which names_image reads */
    return names_image(a, line->index);
}

/* Sets *equal to whether the file at a->path is a whole picture of this image with these
   settings.  An array holds no settings, so only its size is compared. */
static int settings_equal(bool *equal, const struct image_store *a, uint32_t index, ddpm_error *err)
{
    enum { HEAD = 128 }; /* bytes before the values of a .npy file */

    struct picture p;
    struct dd_system_file f;
    char *text = NULL;

    if (!a->format->picture) {
        *equal = dd_system_examine(&f, a->path) &&
                 (double)f.size == HEAD + a->format->bytes * image_store_values(a);
        return DDPM_OK;
    }

    *equal = false;
    int code = picture_read(&p, &text, a->path, err);
    if (code)
        return code == DDPM_EDATA ? DDPM_OK : code;

    char *wanted = recipe_text(a->recipe, &index, 1);
    *equal = wanted && recipe_same(text, wanted);
    code = wanted ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the settings of a picture");

    cJSON_free(wanted);
    free(text);
    picture_free(&p);
    return code;
}

/* Sets *known to whether the file at a->path is the one that --force found there when it began
   with these settings. */
static int is_replaced(bool *known, const struct image_store *a, ddpm_error *err)
{
    const char *name = a->path + strlen(a->folder) + 1;
    const struct manifest_line *line = NULL;
    char sha256[65];

    if (a->replaced.header && recipe_same(a->replaced.header, a->header))
        line = manifest_named(&a->replaced, name);
    int code = line ? manifest_hash(sha256, a->path, err) : DDPM_OK;
    *known = line && !code && !strcmp(sha256, line->sha256);
    return code;
}

/* Checks a file in the place of an image that is not listed.  The image is made again if the
   file has its settings, or if --force began to replace it. */
static int check_unlisted(const struct image_store *a, uint32_t index, ddpm_error *err)
{
    bool ours = false;
    int code = is_replaced(&ours, a, err);
    if (!code && !ours && a->manifest.header)
        code = settings_equal(&ours, a, index, err);
    if (code || ours)
        return code;
    return dd_error(err, DDPM_ECREATE,
                    "%s exists already and the manifest does not list it: choose another folder or --name",
                    a->path);
}

/* Checks a listed file by its hash and settings.  A file that differs is damaged: its image is
   missing. */
static int check_listed(struct image_store *a, const struct manifest_line *line, bool *missing,
                        ddpm_error *err)
{
    char hex[65];
    bool equal = false;
    int code = manifest_hash(hex, a->path, err);
    if (!code && !strcmp(hex, line->sha256))
        code = settings_equal(&equal, a, line->index, err);
    if (code || equal)
        return code;

    a->damaged++;
    *missing = true;
    if (may_go(a, line) && !dd_system_remove(a->path))
        code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s is damaged and cannot be removed: %s",
                        a->path, strerror(errno));
    return code;
}

/* Checks that the place of an image to be made holds no file of others and no other listed image. */
static int check_place(struct image_store *a, uint32_t index, ddpm_error *err)
{
    const struct manifest_line *here = manifest_named(&a->manifest, image_store_path(a, index, NULL));
    bool there = false;

    int code = look(&there, a, err);
    if (!code && here && here->index != index)
        code =
            dd_error(err, DDPM_ECREATE,
                     "%s is image %" PRIu32 " by the manifest, not image %" PRIu32 ": choose another --name",
                     a->path, here->index, index);
    return !code && there && !here && !a->force ? check_unlisted(a, index, err) : code;
}

/* Returns whether a listed image has another name than the one by the pattern. */
static bool has_other_name(const struct image_store *a, const struct manifest_line *line)
{
    char name[IMAGE_NAME_MOST];
    image_name_put(name, a->pattern, line->index);
    return strcmp(name, line->file) != 0;
}

/* Sets *missing to whether an image is to be made, by its line in the manifest (NULL: it is not
   listed) and its file. */
static int is_missing(bool *missing, struct image_store *a, uint32_t index, const struct manifest_line *line,
                      ddpm_error *err)
{
    bool there = false;
    int code = DDPM_OK;

    *missing = !line || (!line->ok && a->retry);
    if (line && line->ok) {
        image_store_path(a, index, line);
        code = look(&there, a, err);
        *missing = !there;

        if (!code && there && a->check)
            code = check_listed(a, line, missing, err);
        a->named += !*missing && has_other_name(a, line);
    }
    return !code && *missing ? check_place(a, index, err) : code;
}

int missing_images_find(struct image_store *a, struct image_work *w, ddpm_error *err)
{
    int code = DDPM_OK;
    w->missing = w->lost = 0;

    for (int i = 0; i < w->n && !code; i++) {
        const struct manifest_line *line = manifest_find(&a->manifest, w->index[i]);
        bool missing = false;
        code = is_missing(&missing, a, w->index[i], line, err);
        w->lost += line && !line->ok && !a->retry;
        if (missing)
            w->todo[w->missing++] = w->index[i];
    }
    return !code && a->damaged ? folder_synchronise(a->folder, err) : code;
}
