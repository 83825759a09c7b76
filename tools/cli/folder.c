/* Makes, locks and cleans a folder that a run works in.

   The lock is on the folder itself, so no lock file can be left behind. */
#include "cli/folder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/file.h"
#include "base/names.h"
#include "base/system.h"
#include "cli/interrupt.h"
#include "cli/options.h"

int folder_synchronise(const char *path, ddpm_error *err)
{
    if (dd_system_flush_folder(path))
        return DDPM_OK;
    return dd_error(err, DDPM_EIO, "%s: cannot be synchronised: %s", path, strerror(EIO));
}

int folder_make(const char *path, ddpm_error *err)
{
    if (dd_system_make_folder(path)) {
        /* The name of the new folder is safe from a crash once the folder above it is synchronised. */
        char *above = malloc(strlen(path) + sizeof "/..");
        int code = above ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for a path");

        if (above) {
            sprintf(above, "%s/..", path);
            code = folder_synchronise(above, err);
        }
        free(above);
        return code;
    }

    int number = errno;
    if (number == EEXIST && dd_system_is_folder(path))
        return DDPM_OK;
    return dd_error(err, dd_file_code(number == EEXIST ? ENOTDIR : number, DDPM_ECREATE),
                    "%s cannot be made a folder: %s", path, strerror(number));
}

static bool begins(const char *name, const char *word)
{
    return !strncasecmp(name, word, strlen(word));
}

bool folder_own_name(const char *name)
{
    return begins(name, ".ddpm-") || (begins(name, "manifest") && dd_names_end(name, ".jsonl")) ||
           (begins(name, "resume") && dd_names_end(name, ".safetensors"));
}

int folder_regular(const char *path, ddpm_error *err)
{
    struct dd_system_file f;
    if (!dd_system_examine_link(&f, path) || f.kind == DD_SYSTEM_FILE)
        return DDPM_OK;

    const char *kind = f.kind == DD_SYSTEM_FOLDER ? "folder" : "device or pipe";
    return dd_error(err, DDPM_EDATA, "%s: is a %s, expected a regular file: take it out of the way", path,
                    f.kind == DD_SYSTEM_LINK ? "link" : kind);
}

static int cannot_read(const char *path, ddpm_error *err)
{
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be read: %s", path, strerror(errno));
}

/* The files of other programs in a folder: how many they are, and the smallest of their names. */
struct others {
    int count;
    char first[256];
};

/* The order of names is arbitrary; the smallest one makes the message the same every time. */
static bool count_other(void *user, const char *name)
{
    struct others *o = user;
    if (*name == '.' || folder_own_name(name) || !strcmp(name, "lost+found"))
        return true;

    if (!o->count++ || strcmp(name, o->first) < 0)
        snprintf(o->first, sizeof o->first, "%.255s", name);
    return true;
}

int folder_unshared(const char *path, ddpm_error *err)
{
    struct others o = { .count = 0 };
    if (!dd_system_walk(path, count_other, &o))
        return cannot_read(path, err);
    if (!o.count)
        return DDPM_OK;
    return dd_error(err, DDPM_ECREATE,
                    "%s: has no manifest and holds %d other file%s (%.100s%s): choose a new or empty folder, "
                    "or have images among them with --force",
                    path, o.count, o.count > 1 ? "s" : "", o.first, o.count > 1 ? ", ..." : "");
}

/* Returns whether a name is ".ddpm-PID-N.tmp", as base/output.c makes it. */
static bool is_temporary(const char *name)
{
    static const char digits[] = "0123456789";
    if (strncmp(name, ".ddpm-", 6))
        return false;

    size_t process = strspn(name + 6, digits);
    const char *rest = name + 6 + process;
    if (!process || *rest++ != '-')
        return false;

    size_t number = strspn(rest, digits);
    return number && !strcmp(rest + number, ".tmp");
}

/* Removes a temporary file of a killed run.  A run holds the locks of its temporary files: if the lock is
   free, the run was killed. */
static void clean_one(const char *path)
{
    struct dd_system_file f;
    int fd = dd_system_open(path, DD_SYSTEM_NO_LINK);
    if (fd < 0)
        return;

    if (dd_system_examine_open(&f, fd) && f.kind == DD_SYSTEM_FILE && dd_system_lock(fd, false))
        dd_system_remove(path);
    dd_system_close(fd);
}

/* A folder that is cleaned; full: there was no memory for a path. */
struct cleaning {
    const char *folder;
    bool full;
};

static bool clean_name(void *user, const char *name)
{
    struct cleaning *c = user;
    size_t size = strlen(c->folder) + strlen(name) + 2;
    char *path = is_temporary(name) ? malloc(size) : NULL;
    if (path) {
        snprintf(path, size, "%s/%s", c->folder, name);
        clean_one(path);
        free(path);
    }
    c->full = !path && is_temporary(name);
    return !c->full;
}

int folder_clean(const char *path, ddpm_error *err)
{
    struct cleaning c = { .folder = path };
    if (!dd_system_walk(path, clean_name, &c))
        return cannot_read(path, err);
    return c.full ? dd_error_memory(err, "a path") : DDPM_OK;
}

/* Fills in the error that another process holds the lock. */
static int held(int fd, const char *path, const char *advice, ddpm_error *err)
{
    long process = dd_system_lock_holder(fd);
    char who[40] = "";
    if (process)
        snprintf(who, sizeof who, " (process %ld)", process);
    return dd_error(err, TRY_LATER, "%s: another ddpm%s is at work in it: try again later%s", path, who,
                    advice);
}

const struct folder_lock folder_not_locked = { .folder = -1, .part = -1 };

/* Takes the lock, alone or shared with others, and waits for it until `end`, a time of the running clock. */
static int lock(int fd, bool shared, const char *path, double end, const char *advice, ddpm_error *err)
{
    while (!dd_system_lock(fd, shared) && errno == EWOULDBLOCK) {
        if (interrupted || dd_system_time(DD_TIME_RUNNING) >= end)
            return held(fd, path, advice, err);
        /* There is no waiting with a limit, so it is tried every 50 milliseconds. */
        dd_system_pause(0.05);
    }
    return DDPM_OK;
}

/* Locks the file of a part, and makes it if it is missing.  In a folder where nothing may be written,
   nothing is locked. */
static int lock_part(struct folder_lock *l, const char *path, double end, const char *advice, ddpm_error *err)
{
    struct dd_system_file mine, named;
    l->path = strdup(path);
    if (!l->path)
        return dd_error_memory(err, "a path");

    for (;;) {
        l->part = dd_system_open(path, DD_SYSTEM_WRITE | DD_SYSTEM_CREATE | DD_SYSTEM_NO_LINK);
        if (l->part < 0 && (errno == EACCES || errno == EROFS))
            return DDPM_OK;
        if (l->part < 0)
            return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened: %s", path,
                            strerror(errno));

        /* The process that held the lock may have removed the file meanwhile.  Then another file has this
           name, and the loop opens that one. */
        int code = lock(l->part, false, path, end, advice, err);
        if (!code && dd_system_examine_open(&mine, l->part) && dd_system_examine(&named, path) &&
            mine.number == named.number && mine.device == named.device)
            return DDPM_OK;

        dd_system_close(l->part);
        l->part = -1;
        if (code)
            return code;
    }
}

int folder_lock(struct folder_lock *l, const char *path, const char *part, double wait, const char *advice,
                ddpm_error *err)
{
    double end = dd_system_time(DD_TIME_RUNNING) + wait;
    *l = folder_not_locked;
    l->folder = dd_system_open_folder(path, &l->about);
    if (l->folder < 0 && errno == ENOENT)
        return DDPM_OK;
    if (l->folder < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened as a folder: %s", path,
                        strerror(errno));

    /* Runs on parts share the lock of the folder; a run on the whole folder holds it alone. */
    int code = lock(l->folder, part, path, end, advice, err);
    if (!code && part)
        code = lock_part(l, part, end, advice, err);
    if (code)
        folder_unlock(l);
    return code;
}

void folder_unlock(struct folder_lock *l)
{
    struct dd_system_file f;

    /* The empty file of a part is removed while its lock is still held. */
    if (l->part >= 0 && dd_system_examine_open(&f, l->part) && f.kind == DD_SYSTEM_FILE && f.size == 0)
        dd_system_remove(l->path);

    if (l->part >= 0)
        dd_system_close(l->part);
    if (l->folder >= 0)
        dd_system_close(l->folder);
    free(l->path);
    *l = folder_not_locked;
}
