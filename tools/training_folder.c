/* Names of the files, and the newest checkpoint by them: steps have nine digits, so names sort as steps do. */
#include "training_folder.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"
#include "image_folder.h"

static bool is_checkpoint(const char *folder, const char *name)
{
    (void)folder;
    return !strncmp(name, "step-", 5) && strspn(name + 5, "0123456789") == 9 && !strcmp(name + 14, ".ddpm");
}

static bool is_ours(const char *folder, const char *name)
{
    return is_checkpoint(folder, name) || !strcmp(name, "best.ddpm") || !strcmp(name, "log.jsonl") || !strcmp(name, "loss.png") ||
           (!strncmp(name, "grid-", 5) && image_folder_ends(name, ".png"));
}

/* Removes the first n - keep, in order of names. */
static void remove_some(struct training_folder *f, bool (*which)(const char *, const char *), size_t keep)
{
    char **name;
    size_t n;
    image_folder_list(&name, &n, f->path, which, NULL);
    for (size_t i = 0; i + keep < n; i++)
        unlink(training_folder_path(f, "%s", name[i]));
    image_folder_free(name, n);
}

int training_folder_open(struct training_folder *f, const char *model, ddpm_error *err)
{
    size_t n = strlen(model) + 8;
    *f = (struct training_folder){ .path = malloc(n), .room = malloc(n + 64), .size = n + 64, .lock = folder_not_locked };
    if (!f->path || !f->room) {
        training_folder_close(f);
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    }
    snprintf(f->path, n, "%s.train", model);
    int code = folder_make(f->path, err);
    if (!code) code = folder_lock(&f->lock, f->path, NULL, 0, "", err);
    if (!code) code = folder_clean(f->path, err);
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

int64_t training_folder_newest(struct training_folder *f)
{
    char **name;
    size_t n;
    image_folder_list(&name, &n, f->path, is_checkpoint, NULL);
    int64_t step = n ? strtoll(name[n - 1] + 5, NULL, 10) : -1;
    image_folder_free(name, n);
    return step;
}

const char *training_folder_checkpoint(struct training_folder *f, int64_t step)
{
    return training_folder_path(f, "step-%09lld.ddpm", (long long)step);
}

void training_folder_prune(struct training_folder *f, int keep)
{
    remove_some(f, keep ? is_checkpoint : is_ours, (size_t)keep);
}

/* A folder with nothing in it is that of a training that was refused. */
void training_folder_close(struct training_folder *f)
{
    if (f->path && f->lock.folder >= 0)
        rmdir(f->path);
    folder_unlock(&f->lock);
    free(f->path), free(f->room);
    *f = (struct training_folder){ .lock = folder_not_locked };
}
