/* Makes, locks and cleans a folder that a run works in.

   The lock is flock(2) on the folder itself, so no lock file can be left behind.  Linux tells in /proc/locks
   which process holds one. */
#include "cli/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/error.h"
#include "base/file.h"
#include "base/names.h"
#include "base/system.h"
#include "cli/interrupt.h"
#include "cli/options.h"

int folder_synchronise(const char *path, ddpm_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Other failures of fsync mean that the file system cannot synchronise folders. */
    int failed = fd >= 0 && fsync(fd) && errno == EIO;
    if (fd >= 0)
        close(fd);
    return failed ? dd_error(err, DDPM_EIO, "%s: cannot be synchronised: %s", path, strerror(EIO)) : DDPM_OK;
}

int folder_make(const char *path, ddpm_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
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
    if (number == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
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
    struct stat st;
    if (lstat(path, &st) || S_ISREG(st.st_mode))
        return DDPM_OK;

    const char *kind = S_ISDIR(st.st_mode) ? "folder" : "device or pipe";
    return dd_error(err, DDPM_EDATA, "%s: is a %s, expected a regular file: take it out of the way", path,
                    S_ISLNK(st.st_mode) ? "link" : kind);
}

static int cannot_read(const char *path, ddpm_error *err)
{
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be read: %s", path, strerror(errno));
}

int folder_unshared(const char *path, ddpm_error *err)
{
    char first[256] = "";
    int count = 0;
    DIR *d = opendir(path);
    if (!d)
        return cannot_read(path, err);

    for (const struct dirent *e; (e = readdir(d));) {
        if (*e->d_name == '.' || folder_own_name(e->d_name) || !strcmp(e->d_name, "lost+found"))
            continue;

        /* readdir's order is arbitrary; the smallest name makes the message the same every time. */
        if (!count++ || strcmp(e->d_name, first) < 0)
            snprintf(first, sizeof first, "%.255s", e->d_name);
    }
    closedir(d);

    if (!count)
        return DDPM_OK;
    return dd_error(err, DDPM_ECREATE,
                    "%s: has no manifest and holds %d other file%s (%.100s%s): choose a new or empty folder, "
                    "or have images among them with --force",
                    path, count, count > 1 ? "s" : "", first, count > 1 ? ", ..." : "");
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

int folder_clean(const char *path, ddpm_error *err)
{
    DIR *d = opendir(path);
    if (!d)
        return cannot_read(path, err);

    for (const struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (!is_temporary(e->d_name))
            continue;

        /* A run holds the locks of its temporary files: if the lock is free, the run was killed. */
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    closedir(d);
    return DDPM_OK;
}

/* Returns the process that holds the lock of a file; 0: it is not known. */
static long holder(int fd)
{
    struct stat st;
    char line[256];
    long found = 0, process;
    unsigned major_number, minor_number;
    unsigned long long inode;

    /* A line is "1: FLOCK  ADVISORY  WRITE 1234 08:02:131234 0 EOF". */
    FILE *f = fstat(fd, &st) ? NULL : fopen("/proc/locks", "re");
    while (f && !found && fgets(line, sizeof line, f))
        if (sscanf(line, "%*d: FLOCK %*s WRITE %ld %x:%x:%llu", &process, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == st.st_ino && makedev(major_number, minor_number) == st.st_dev && process > 0)
            found = process;

    if (f)
        fclose(f);
    return found;
}

/* Fills in the error that another process holds the lock. */
static int held(int fd, const char *path, const char *advice, ddpm_error *err)
{
    long process = holder(fd);
    char who[40] = "";
    if (process)
        snprintf(who, sizeof who, " (process %ld)", process);
    return dd_error(err, TRY_LATER, "%s: another ddpm%s is at work in it: try again later%s", path, who,
                    advice);
}

const struct folder_lock folder_not_locked = { -1, -1, NULL };

/* Takes the lock, waiting for it until `end`, a time of the monotonic clock.  how: LOCK_SH or LOCK_EX. */
static int lock(int fd, int how, const char *path, double end, const char *advice, ddpm_error *err)
{
    while (flock(fd, how | LOCK_NB) && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (interrupted || dd_system_time(DD_TIME_RUNNING) >= end)
            return held(fd, path, advice, err);
        /* flock cannot wait with a limit, so it is tried every 50 milliseconds. */
        dd_system_pause(0.05);
    }
    return DDPM_OK;
}

/* Locks the file of a part, and makes it if it is missing.  In a folder where nothing may be written,
   nothing is locked. */
static int lock_part(struct folder_lock *l, const char *path, double end, const char *advice, ddpm_error *err)
{
    struct stat mine, named;
    l->path = strdup(path);
    if (!l->path)
        return dd_error_memory(err, "a path");

    for (;;) {
        l->part = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (l->part < 0 && (errno == EACCES || errno == EROFS))
            return DDPM_OK;
        if (l->part < 0)
            return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened: %s", path,
                            strerror(errno));

        /* The process that held the lock may have removed the file meanwhile.  Then another file has this
           name, and the loop opens that one. */
        int code = lock(l->part, LOCK_EX, path, end, advice, err);
        if (!code && fstat(l->part, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
            mine.st_dev == named.st_dev)
            return DDPM_OK;

        close(l->part);
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
    l->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->folder < 0 && errno == ENOENT)
        return DDPM_OK;
    if (l->folder < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened as a folder: %s", path,
                        strerror(errno));

    /* Runs on parts share the lock of the folder; a run on the whole folder holds it alone. */
    int code = lock(l->folder, part ? LOCK_SH : LOCK_EX, path, end, advice, err);
    if (!code && part)
        code = lock_part(l, part, end, advice, err);
    if (code)
        folder_unlock(l);
    return code;
}

void folder_unlock(struct folder_lock *l)
{
    struct stat st;

    /* The empty file of a part is removed while its lock is still held. */
    if (l->part >= 0 && fstat(l->part, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        unlink(l->path);

    if (l->part >= 0)
        close(l->part);
    if (l->folder >= 0)
        close(l->folder);
    free(l->path);
    *l = folder_not_locked;
}
