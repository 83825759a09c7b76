/* Keeps the folder of a training.  The names of checkpoints have nine digits for the step, so that they sort
   by step. */
#include "training/training_folder.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/names.h"
#include "base/system.h"
#include "cli/newest_checkpoint.h"

enum { ASIDE_MOST = 10000 };

static bool is_ours(const char *folder, const char *name)
{
    return newest_checkpoint_is(folder, name) || !strcmp(name, "best.ddpm") || !strcmp(name, "log.jsonl") ||
           !strcmp(name, "loss.png") || (!strncmp(name, "grid-", 5) && dd_names_end(name, ".png"));
}

/* Fills *f for a file with a name that a training uses.  Returns false if the name is another one, or if
   there is no such file (a link may lead nowhere). */
static bool examine(struct dd_system_file *f, const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = is_ours(folder, name) ? malloc(size) : NULL;

    if (!path)
        return false;
    snprintf(path, size, "%s/%s", folder, name);
    bool there = dd_system_examine(f, path);
    free(path);
    return there;
}

static bool is_in_the_way(const char *folder, const char *name)
{
    struct dd_system_file f;
    return examine(&f, folder, name) && f.kind != DD_SYSTEM_FILE;
}

/* Returns whether the file holds work of a training.  An empty log does not: its training was killed before
   the first checkpoint. */
static bool is_work(const char *folder, const char *name)
{
    struct dd_system_file f;
    return examine(&f, folder, name) && f.size > 0;
}

/* Returns DDPM_ECREATE if something that is no regular file has a name that a training uses. */
static int check_files(struct training_folder *f, ddpm_error *err)
{
    char **name;
    size_t n;
    int code = dd_names_list(&name, &n, f->path, is_in_the_way, err);

    if (!code && n)
        code = dd_error(err, DDPM_ECREATE,
                        "%s is a folder, device or pipe, where a training keeps a regular "
                        "file: move it elsewhere",
                        training_folder_path(f, "%s", name[0]));
    dd_names_free(name, n);
    return code;
}

int training_folder_open(struct training_folder *f, const char *model, ddpm_error *err)
{
    size_t n = strlen(model) + 8;

    *f = (struct training_folder){
        .path = malloc(n), .room = malloc(n + 64), .size = n + 64, .lock = folder_not_locked
    };
    if (!f->path || !f->room) {
        training_folder_close(f);
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    }
    snprintf(f->path, n, "%s.train", model);

    int code = folder_make(f->path, err);
    if (!code)
        code = folder_lock(&f->lock, f->path, NULL, 0, "", err);
    if (!code)
        code = folder_clean(f->path, err);
    if (!code)
        code = check_files(f, err);

    if (code)
        training_folder_close(f);
    return code;
}

const char *training_folder_path(struct training_folder *f, const char *format, ...)
{
    va_list ap;
    size_t n = (size_t)snprintf(f->room, f->size, "%s/", f->path);

    va_start(ap, format);
    vsnprintf(f->room + n, f->size - n, format, ap);
    va_end(ap);
    return f->room;
}

int64_t training_folder_newest(struct training_folder *f, int64_t below)
{
    char **name;
    size_t n;
    int64_t newest = -1;

    dd_names_list(&name, &n, f->path, newest_checkpoint_is, NULL);
    for (size_t i = 0; i < n; i++) {
        int64_t step = strtoll(name[i] + 5, NULL, 10);
        newest = step < below ? step : newest;
    }
    dd_names_free(name, n);
    return newest;
}

const char *training_folder_checkpoint(struct training_folder *f, int64_t step)
{
    return training_folder_path(f, "step-%09lld.ddpm", (long long)step);
}

void training_folder_prune(struct training_folder *f, int64_t last, int keep)
{
    char **name;
    size_t n;

    dd_names_list(&name, &n, f->path, newest_checkpoint_is, NULL);

    /* Names begin with "step-" and are sorted.  Later checkpoints are taken off the list; then the oldest are
       removed. */
    while (n && strtoll(name[n - 1] + 5, NULL, 10) > last)
        free(name[--n]);
    for (size_t i = 0; i + (size_t)keep < n; i++)
        dd_system_remove(training_folder_path(f, "%s", name[i]));
    dd_names_free(name, n);
}

/* Renames the folder to the first free FOLDER.N.  Renaming fails for a folder that has something in it, so
   nothing can be lost.  kept [size]: the new name. */
static int rename_folder(struct training_folder *f, char *kept, size_t size, ddpm_error *err)
{
    bool failed = true;

    errno = ENAMETOOLONG; /* the error if no name fits into kept */
    for (int i = 1; i < ASIDE_MOST && failed; i++) {
        if (snprintf(kept, size, "%s.%d", f->path, i) >= (int)size)
            break;
        failed = !dd_system_replace(f->path, kept);
        if (failed && errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
            break;
    }
    if (!failed)
        return DDPM_OK;
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE),
                    "%s holds the work of an earlier training and "
                    "cannot be renamed to keep it: %s; choose another name",
                    f->path, strerror(errno));
}

int training_folder_set_aside(struct training_folder *f, char *kept, size_t size, ddpm_error *err)
{
    char **name;
    size_t n;
    struct folder_lock old = f->lock;
    int code = dd_names_list(&name, &n, f->path, is_work, err);

    dd_names_free(name, n);
    *kept = 0;
    if (code || !n)
        return code;

    code = rename_folder(f, kept, size, err);
    if (code)
        return code;

    /* The old lock belongs to the renamed folder; it is released once the new folder is locked. */
    code = folder_make(f->path, err);
    if (!code)
        code = folder_lock(&f->lock, f->path, NULL, 0, "", err);
    if (!code)
        folder_unlock(&old);
    return code;
}

/* An empty folder was made for a training that was then refused.  Only an empty folder is removed. */
void training_folder_close(struct training_folder *f)
{
    if (f->path && f->lock.folder >= 0)
        dd_system_remove_folder(f->path);
    folder_unlock(&f->lock);
    free(f->path);
    free(f->room);
    *f = (struct training_folder){ .lock = folder_not_locked };
}
