/* Tells what a path leads to, and opens devices and pipes for writing.

   A link below /proc (where /dev/stdout and /dev/fd lead) stands for a file that a process holds open.
   Even if it is a regular file, the process that opened it expects the output in it, behind its contents. */
#include "base/target.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"

/* A path may go through LINKS_MOST links.  A pipe is tried TRIES times, a hundredth of a second apart. */
enum { LINKS_MOST = 40, TRIES = 200 };

/* Cuts path into the real path of its folder and the name in it.  Returns false when there is no
   such folder. */
static bool split(char folder[PATH_MAX], char name[PATH_MAX], const char *path)
{
    char head[PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(name, PATH_MAX, "%s", slash ? slash + 1 : path);
    snprintf(head, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return realpath(head, folder) != NULL;
}

/* Writes "folder/name" into at.  Returns false when that is too long. */
static bool join(char at[PATH_MAX], const char *folder, const char *name)
{
    int n = snprintf(at, PATH_MAX, "%s/%s", folder, name);
    return n > 0 && n < PATH_MAX;
}

/* Follows path from link to link until a link lies below /proc, and leaves that link's folder and name in
   folder and name.  Returns false when no link lies there. */
static bool leads_through_proc(char folder[PATH_MAX], char name[PATH_MAX], const char *path)
{
    char at[PATH_MAX], link[PATH_MAX];
    snprintf(at, sizeof at, "%s", path);

    for (int i = 0; i < LINKS_MOST && split(folder, name, at) && join(at, folder, name); i++) {
        /* readlink fails where the name is not a link. */
        ssize_t n = readlink(at, link, sizeof link - 1);
        if (n < 0)
            return false;

        if (!strncmp(folder, "/proc/", 6))
            return true;

        link[n] = 0;
        if (!join(at, *link == '/' ? "" : folder, link))
            return false;
    }
    return false;
}

/* Returns the number of a descriptor of this process that path leads to, or -1. */
static int own_descriptor(const char *path)
{
    char folder[PATH_MAX], name[PATH_MAX], own[64], *end;
    if (!leads_through_proc(folder, name, path) || !isdigit((unsigned char)*name))
        return -1;

    long number = strtol(name, &end, 10);
    snprintf(own, sizeof own, "/proc/%ld/", (long)getpid());
    size_t length = strlen(folder);
    bool descriptors = length > 3 && !strcmp(folder + length - 3, "/fd");

    return !*end && number <= INT_MAX && descriptors && !strncmp(folder, own, strlen(own)) ? (int)number : -1;
}

enum dd_target dd_target_kind(const char *path)
{
    char folder[PATH_MAX], name[PATH_MAX];
    struct stat own, st;
    if (lstat(path, &own) != 0)
        return DD_TARGET_NEW;

    /* stat follows links, lstat does not. */
    bool dangling = stat(path, &st) != 0;

    if (!dangling && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
        return DD_TARGET_OTHER;
    if (!dangling && !S_ISREG(st.st_mode))
        return DD_TARGET_STREAM;

    return S_ISLNK(own.st_mode) && leads_through_proc(folder, name, path) ? DD_TARGET_STREAM : DD_TARGET_FILE;
}

/* Opens a pipe or device.  A pipe's reader may still be starting, so it is given a little time. */
static int open_path(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    for (int i = 0; fd < 0 && errno == ENXIO && i < TRIES; i++) {
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
        fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }

    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

/* Refuses a descriptor that is not open for writing, a terminal (it may obey bytes as control sequences), a
   disk, a folder, and a regular file that another process holds open. */
static int check_opened(int fd, bool own, const char *path, ddpm_error *err)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return dd_error(err, DDPM_ECREATE, "%s: is closed or open for reading only: choose another place",
                        path);

    if (isatty(fd))
        return dd_error(err, DDPM_EUSAGE,
                        "%s: is a terminal, which would take the bytes of a file for orders: send them to a "
                        "file or a program",
                        path);

    if (fstat(fd, &st) != 0 || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && !own))
        return dd_error(err, DDPM_ECREATE,
                        "%s: is a disk, a folder or another process's file: choose another place", path);
    return DDPM_OK;
}

/* Says why a pipe or device that is there cannot be opened. */
static int no_other_end(const char *path, ddpm_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
        return dd_error(err, DDPM_ECREATE, "%s: is a device that is not there: choose another place", path);
    return dd_error(err, DDPM_ECREATE, "%s: is a pipe that no program reads from: start the reader first",
                    path);
}

int dd_target_open(int *fd, bool *standard, const char *path, ddpm_error *err)
{
    int number = strcmp(path, "-") ? own_descriptor(path) : STDOUT_FILENO;
    *standard = number == STDOUT_FILENO;
    *fd = number >= 0 ? fcntl(number, F_DUPFD_CLOEXEC, 3) : open_path(path);

    if (*fd < 0 && errno == ENXIO)
        return no_other_end(path, err);
    if (*fd < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened for writing: %s", path,
                        strerror(errno));

    int code = check_opened(*fd, number >= 0, *standard ? "standard output" : path, err);
    if (code)
        close(*fd);
    return code;
}
