/* What is listed and there is done; what is listed and not there, or lost to NaN and to be tried again, or not listed, is missing. */
#include "outdir/image_store.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/error.h"
#include "base/scan.h"
#include "base/names.h"
#include "outdir/shard_manifests.h"

/* DDPM_EUSAGE unless a string of JSON can hold the pattern and a line of text can show it. */
static int check_text(const char *pattern, ddpm_error *err)
{
    char quoted[256];
    struct dd_scan s;
    struct dd_scan_text t;
    bool plain = true;
    for (const char *p = pattern; *p; p++)
        plain = plain && (unsigned char)*p >= ' ' && *p != 127;
    /* A quote or a backslash would be escaped; here only the bytes above 127 matter. */
    snprintf(quoted, sizeof quoted, "\"%s\"", pattern);
    for (char *p = quoted + 1; *p && p[1]; p++)
        *p = *p == '"' || *p == '\\' ? '_' : *p;
    dd_scan_begin(&s, quoted, strlen(quoted));
    if (plain && !dd_scan_string(&s, &t) && !dd_scan_end(&s))
        return DDPM_OK;
    return dd_error(err, DDPM_EUSAGE,
                    "--name: the pattern is no valid UTF-8, or has control characters: "
                    "expected one "
                    "such as image-%%06d.png");
}

int image_store_check_pattern(const char *pattern, ddpm_error *err)
{
    const char *p = strchr(pattern, '%');
    if (p && p[1] == '0' && isdigit((unsigned char)p[2]) && p[2] != '0')
        p += 2;
    if (!p || p[1] != 'd' || strchr(p + 1, '%') || strchr(pattern, '/') || strlen(pattern) > 200)
        return dd_error(err, DDPM_EUSAGE,
                        "--name %.80s: expected a file name with one %%d or %%06d for the number, such as "
                        "image-%%06d.png",
                        pattern);
    if (folder_own_name(pattern))
        return dd_error(err, DDPM_EUSAGE,
                        "--name %.80s: the program's own files are called so: choose a "
                        "name such as "
                        "image-%%06d.png",
                        pattern);
    return check_text(pattern, err);
}

enum { NAME_MOST = 256 };

/* The name that a pattern gives an image. */
static void put_name(char name[NAME_MOST], const char *pattern, uint32_t index)
{
    const char *p = strchr(pattern, '%'), *rest = strchr(p, 'd') + 1;
    int width = p[1] == '0' ? p[2] - '0' : 0;
    snprintf(name, NAME_MOST, "%.*s%0*u%s", (int)(p - pattern), pattern, width, index, rest);
}

/* Sets path to that of an image: its listed name, or the pattern with the index.  Returns the name. */
static char *image_path(struct image_store *a, uint32_t index, const struct manifest_line *line)
{
    char name[NAME_MOST];
    put_name(name, a->pattern, index);
    snprintf(a->path, a->path_size, "%s/%s", a->folder, line ? line->file : name);
    return a->path + strlen(a->folder) + 1;
}

/* Says whether there is something at a->path.  DDPM_ECREATE: it is no regular file, so it is neither an image
   nor to be replaced by one. */
static int look(bool *there, const struct image_store *a, ddpm_error *err)
{
    struct stat st;
    *there = lstat(a->path, &st) == 0;
    int code = *there ? folder_regular(a->path, err) : DDPM_OK;
    if (code && err)
        err->code = DDPM_ECREATE;
    return code ? DDPM_ECREATE : DDPM_OK;
}

/* Whether a listed file may go: it lies where this image belongs, or it is a picture that names this image
   alone. Any other may be somebody's that the manifest wrongly lists. */
static bool may_go(struct image_store *a, const struct manifest_line *line)
{
    const char *const patterns[] = { a->pattern, "image-%06d.png", "image-%06d.npy" };
    char name[NAME_MOST], *text = NULL;
    struct picture p = { .pixel = NULL };
    struct recipe r;
    cJSON *root = NULL;
    uint32_t *index = NULL;
    int n = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        put_name(name, patterns[i], line->index);
        if (!strcmp(name, line->file))
            return true;
    }
    image_path(a, 0, line);
    bool ours = !picture_read(&p, &text, a->path, NULL) &&
                !recipe_read(&r, &root, &index, &n, text, a->path, NULL) && n == 1 && *index == line->index;
    cJSON_Delete(root);
    free(index);
    free(text);
    picture_free(&p);
    return ours;
}

static double values(const struct image_store *a)
{
    return (double)a->recipe->keep_steps * a->about->height * a->about->width * a->about->channels;
}

/* Whether the file at path is a whole picture of this image with these settings; an array has its size only. */
static int settings_equal(bool *equal, struct image_store *a, uint32_t index, ddpm_error *err)
{
    enum { HEAD = 128 };
    struct picture p;
    struct stat st;
    char *text = NULL, *wanted;
    *equal = a->array && stat(a->path, &st) == 0 && (double)st.st_size == HEAD + 4 * values(a);
    if (a->array)
        return DDPM_OK;
    int code = picture_read(&p, &text, a->path, err);
    if (code == DDPM_EDATA)
        return DDPM_OK;
    if (code)
        return code;
    wanted = recipe_text(a->recipe, &index, 1);
    *equal = wanted && recipe_same(text, wanted);
    code = wanted ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the settings of a picture");
    cJSON_free(wanted);
    free(text);
    picture_free(&p);
    return code;
}

/* Says whether the file at a->path is the one that --force found there when it began with these settings. */
static int is_replaced(bool *known, const struct image_store *a, ddpm_error *err)
{
    bool same = a->replaced.header && recipe_same(a->replaced.header, a->header);
    const struct manifest_line *line =
        same ? manifest_named(&a->replaced, a->path + strlen(a->folder) + 1) : NULL;
    char sha256[65];
    int code = line ? manifest_hash(sha256, a->path, err) : DDPM_OK;
    *known = line && !code && !strcmp(sha256, line->sha256);
    return code;
}

/* Checks a file in the place of an image that is not listed.  The image is made again if the file has its
   settings, or if --force began to replace it. */
static int check_unlisted(struct image_store *a, uint32_t index, ddpm_error *err)
{
    bool ours = false;
    int code = is_replaced(&ours, a, err);
    if (!code && !ours && a->manifest.header)
        code = settings_equal(&ours, a, index, err);
    if (code || ours)
        return code;
    return dd_error(err, DDPM_ECREATE,
                    "%s exists already and the manifest does not list it: choose another "
                    "folder or --name",
                    a->path);
}

/* A listed file that is not what the manifest says is missing; it goes where it can only be the image. */
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
    if (may_go(a, line) && unlink(a->path))
        code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s is damaged and cannot be removed: %s",
                        a->path, strerror(errno));
    return code;
}

/* The place where an image is to be made holds nothing of others, and no other image is listed there. */
static int check_place(struct image_store *a, uint32_t index, ddpm_error *err)
{
    const struct manifest_line *here = manifest_named(&a->manifest, image_path(a, index, NULL));
    bool there = false;
    int code = look(&there, a, err);
    if (!code && here && here->index != index)
        code = dd_error(err, DDPM_ECREATE,
                        "%s is image %" PRIu32 " by the manifest, not image %" PRIu32 ": "
                        "choose another "
                        "--name",
                        a->path, here->index, index);
    return !code && there && !here && !a->force ? check_unlisted(a, index, err) : code;
}

static int find_missing(struct image_store *a, uint32_t *todo, int *missing, int *lost, const uint32_t *index,
                        int n, ddpm_error *err)
{
    bool there = false;
    int code = DDPM_OK;
    *missing = *lost = 0;
    for (int i = 0; i < n && !code; i++) {
        const struct manifest_line *line = manifest_find(&a->manifest, index[i]);
        bool again = !line || (!line->ok && a->retry);
        if (line && line->ok) {
            image_path(a, index[i], line);
            code = look(&there, a, err);
            again = !there;
            if (!code && there && a->check)
                code = check_listed(a, line, &again, err);
        }
        if (!code && again)
            code = check_place(a, index[i], err);
        *lost += line && !line->ok && !a->retry;
        if (again)
            todo[(*missing)++] = index[i];
    }
    return !code && a->damaged ? folder_synchronise(a->folder, err) : code;
}

/* Bytes of an image: what it takes at least (deflate makes at most 1032 bytes of one) and what it takes without compression. */
static void sizes(const struct image_store *a, double *least, double *most)
{
    double text = (double)strlen(a->header) + 100;
    *least = a->array ? 128 + 4 * values(a) : text + values(a) / 1032;
    *most = a->array ? *least : text + values(a) * 1.01;
}

static int check_room(struct image_store *a, int missing, ddpm_error *err)
{
    struct statvfs v;
    double least, most;
    if (access(a->folder, W_OK | X_OK))
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be written to: %s", a->folder,
                        strerror(errno));
    if (statvfs(a->folder, &v))
        return DDPM_OK;
    double room = (double)(geteuid() ? v.f_bavail : v.f_bfree) * (double)v.f_frsize;
    sizes(a, &least, &most);
    if (missing * least > room)
        return dd_error(
            err, DDPM_EIO,
            "%s: %d images take %.3g MB at least and %.3g MB are free: make room, or fewer images", a->folder,
            missing, missing * least / 1e6, room / 1e6);
    if (v.f_files && v.f_favail < (fsfilcnt_t)missing)
        return dd_error(err, DDPM_EIO, "%s: its file system has room for %llu more files, not for %d",
                        a->folder, (unsigned long long)v.f_favail, missing);
    if (missing * most > room)
        snprintf(a->warning, sizeof a->warning,
                 "%.100s: %d images may take up to %.3g MB, and %.3g MB are free", a->folder, missing,
                 missing * most / 1e6, room / 1e6);
    return DDPM_OK;
}

int image_store_lock(struct image_store *a, double wait, ddpm_error *err)
{
    char *part = *a->part ? manifest_path(a->folder, a->part) : NULL;
    int code = *a->part && !part ? dd_error(err, DDPM_ENOMEM, "out of memory for a path") : DDPM_OK;
    if (!code)
        code = folder_lock(&a->lock, a->folder, part, wait, ", or wait for it with --wait SEC", err);
    free(part);
    return code;
}

/* Reads our own for more lines, and what all others list. */
static int read_manifests(struct image_store *a, ddpm_error *err)
{
    struct shard_manifests others = { .count = 0 };
    int code = manifest_read(&a->manifest, a->folder, a->part, err);
    if (!code && a->manifest.header && !a->force)
        code = recipe_compare(a->manifest.header, a->header, a->manifest.path, err);
    a->begun = a->manifest.header;
    if (!code &&
        !(code = shard_manifests_read(&others, a->folder, a->part, a->force ? NULL : a->header, err))) {
        for (size_t i = 0; i < others.count; i++)
            a->begun = a->begun || others.manifest[i].header;
        code = manifest_join(&a->manifest, others.manifest, others.count, err);
        shard_manifests_free(&others);
    }
    if (!code && !(code = manifest_read(&a->replaced, a->folder, "-replaced", err)))
        code = manifest_join(&a->replaced, NULL, 0, err);
    return code;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool is_of_others(const char *folder, const char *name)
{
    (void)folder;
    return *name != '.' && !folder_own_name(name) && strcmp(name, "lost+found");
}

/* Counts the images of the manifests that are there, or, where a manifest cannot be read, all files. */
static int count_there(size_t *there, struct image_store *a, bool readable, ddpm_error *err)
{
    char **name = NULL;
    if (!readable) {
        int code = dd_names_list(&name, there, a->folder, is_of_others, err);
        dd_names_free(name, *there);
        return code;
    }

    *there = 0;
    for (size_t i = 0; i < a->manifest.files; i++) {
        image_path(a, 0, a->manifest.named[i]);
        *there += is_there(a->path);
    }
    for (size_t i = 0; i < a->replaced.files; i++) {
        image_path(a, 0, a->replaced.named[i]);
        *there += !manifest_named(&a->manifest, a->replaced.named[i]->file) && is_there(a->path);
    }
    return DDPM_OK;
}

/* Refuses to begin anew where the folder has images that this run does not make: nothing would list them any
   more. */
static int check_replaced(struct image_store *a, const uint32_t *index, int n, bool readable, ddpm_error *err)
{
    size_t there;
    int code = count_there(&there, a, readable, err);
    for (int i = 0; i < n && !code && there; i++) {
        const char *name = image_path(a, index[i], NULL);
        bool counted = !readable || manifest_named(&a->manifest, name) || manifest_named(&a->replaced, name);
        there -= counted && is_there(a->path);
    }
    if (code || !there)
        return code;
    if (!readable)
        return dd_error(err, DDPM_ECREATE,
                        "%s: its manifest is damaged, and it holds %zu file%s that this "
                        "run does not make again: choose another folder",
                        a->folder, there, there > 1 ? "s" : "");
    return dd_error(err, DDPM_ECREATE,
                    "%s: holds %zu image%s that this run does not make again: choose "
                    "another folder (or its own settings, without --force, to go on)",
                    a->folder, there, there > 1 ? "s" : "");
}

/* Adds a line about the file in the place of an image, where there is one. */
static int note_file(struct manifest *l, struct image_store *a, uint32_t index, ddpm_error *err)
{
    struct manifest_line *line = &l->line[l->lines];
    const char *name = image_path(a, index, NULL);
    if (!is_there(a->path))
        return DDPM_OK;
    *line = (struct manifest_line){ .index = index, .ok = true, .file = strdup(name) };
    if (!line->file)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the name of an image");
    l->lines++;
    return manifest_hash(line->sha256, a->path, err);
}

/* Writes down which files are replaced, so that a start without --force goes on with it. */
static int note_replaced(struct image_store *a, const uint32_t *index, int n, ddpm_error *err)
{
    struct manifest *l = &a->replaced;
    manifest_forget(l);
    l->path = l->path ? l->path : manifest_path(a->folder, "-replaced");
    l->header = strdup(a->header);
    l->line = malloc((size_t)n * sizeof *l->line);
    bool room = l->path && l->header && l->line;
    int code = room ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the names of images");
    for (int i = 0; i < n && !code; i++)
        code = note_file(l, a, index[i], err);
    if (!code)
        code = manifest_join(l, NULL, 0, err);
    if (!code && l->files)
        code = manifest_write(l, err);
    else if (!code)
        unlink(l->path);
    a->waiting = l->files;
    return code;
}

/* Counts the files that are still to be replaced; the list of them goes with the last. */
static void count_waiting(struct image_store *a)
{
    a->waiting = 0;
    for (size_t i = 0; i < a->replaced.files; i++)
        a->waiting += !manifest_named(&a->manifest, a->replaced.named[i]->file);
    if (a->replaced.header && !a->waiting && !*a->part)
        unlink(a->replaced.path);
}

/* Makes the manifest ready for more lines.  With force it is a new one, and those of shards go. */
static int open_manifest(struct image_store *a, const uint32_t *index, int n, ddpm_error *err)
{
    int code = a->force ? note_replaced(a, index, n, err) : DDPM_OK;
    if (!code)
        code = manifest_open(&a->manifest, a->header, a->force, err);
    if (!code && a->force)
        code = shard_manifests_remove(a->folder, err);
    if (!code && *a->part && (!a->manifest.asked || strcmp(a->manifest.asked, a->asked)))
        code = manifest_ask(&a->manifest, a->asked, err);
    return code || !*a->part ? code : folder_synchronise(a->folder, err);
}

/* Reads what the folder holds and checks that this run may work there. */
static int read_folder(struct image_store *a, const uint32_t *index, int n, ddpm_error *err)
{
    int code = read_manifests(a, err);
    if (a->force && (!code || code == DDPM_EDATA)) {
        code = check_replaced(a, index, n, !code, err);
        manifest_forget(&a->manifest);
    } else if (!code) {
        count_waiting(a);
    }
    return !code && !a->begun && !a->force ? folder_unshared(a->folder, err) : code;
}

static int prepare(struct image_store *a, uint32_t *todo, int *missing, int *lost, const uint32_t *index,
                   int n, ddpm_error *err)
{
    int code = DDPM_OK;
    a->path_size = strlen(a->folder) + 300;
    a->path = malloc(a->path_size);
    a->header = recipe_text(a->recipe, NULL, 0);
    if (!a->path || !a->header)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    if (a->lock.folder < 0 && ((code = folder_make(a->folder, err)) || (code = image_store_lock(a, 0, err))))
        return code;
    if ((code = read_folder(a, index, n, err)) ||
        (code = find_missing(a, todo, missing, lost, index, n, err)) || !*missing)
        return code;
    /* Where locks do not reach another machine, its temporaries look like those of a killed run: shards leave them to a run on its own. */
    if ((code = check_room(a, *missing, err)) || (!*a->part && (code = folder_clean(a->folder, err))))
        return code;
    return open_manifest(a, index, n, err);
}

int image_store_open(struct image_store *a, uint32_t *todo, int *missing, int *lost, const uint32_t *index,
                     int n, ddpm_error *err)
{
    a->manifest = a->replaced = (struct manifest){ .fd = -1 };
    a->waiting = 0;
    a->image = (struct image_output){
        .about = a->about, .recipe = a->recipe, .n = 1, .array = a->array, .single = true, .force = true
    };
    a->path = a->header = NULL;
    a->damaged = 0, *a->warning = 0;
    return prepare(a, todo, missing, lost, index, n, err);
}

void image_store_close(struct image_store *a)
{
    image_output_free(&a->image);
    if (a->manifest.path)
        manifest_free(&a->manifest);
    if (a->replaced.path)
        manifest_free(&a->replaced);
    folder_unlock(&a->lock);
    free(a->path), cJSON_free(a->header);
    a->path = a->header = NULL;
}

/* Whether the folder at this name is still the one that is locked. */
static int check_folder(const struct image_store *a, ddpm_error *err)
{
    struct stat begun, now;
    if (a->lock.folder < 0 || fstat(a->lock.folder, &begun))
        return DDPM_OK;
    if (stat(a->folder, &now) || now.st_ino != begun.st_ino || now.st_dev != begun.st_dev)
        return dd_error(err, DDPM_ECREATE,
                        "%s: the folder was removed or replaced while images were being made", a->folder);
    return DDPM_OK;
}

/* Puts the finished image in its place and its line into the manifest.  The line comes first where there was
   no file, and last where the image replaces one: a listed file is never an older one. */
static int put(struct image_store *a, const struct manifest_line *line, ddpm_error *err)
{
    bool replaces = is_there(a->path);
    int code = replaces ? image_output_commit(&a->image, err) : DDPM_OK;
    if (!code)
        code = manifest_add(&a->manifest, line, err);
    if (!code && !replaces)
        code = image_output_commit(&a->image, err);
    bool waited = manifest_named(&a->replaced, line->file) && !manifest_named(&a->manifest, line->file);
    if (!code && waited && !--a->waiting)
        unlink(a->replaced.path);
    return code;
}

int image_store_add(struct image_store *a, uint32_t index, const double *frame, int step, double seconds,
                    ddpm_error *err)
{
    struct manifest_line line = {
        .index = index, .ok = frame, .file = image_path(a, index, NULL), .step = step, .seconds = seconds
    };
    int code = check_folder(a, err);
    snprintf(line.seed, sizeof line.seed, "%" PRIu64, a->recipe->seed);
    if (code || !frame)
        return code ? code : manifest_add(&a->manifest, &line, err);
    a->image.index = &index;
    code = image_output_open(&a->image, a->path, err);
    if (!code && !(code = image_output_add(&a->image, 0, frame, err)) &&
        !(code = image_output_finish(&a->image, err)) &&
        !(code = manifest_hash(line.sha256, a->image.output.temporary, err)))
        code = put(a, &line, err);
    image_output_free(&a->image);
    return code;
}
