/* The lock is flock on the folder itself: there is no file that could be left behind.  Linux tells in /proc/locks who holds one. */
#include "folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "base/error.h"
#include "base/file.h"
#include "interrupt.h"
#include "options.h"

int folder_synchronise(const char *path, ddpm_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd >= 0 && fsync(fd) && errno == EIO;
    if (fd >= 0)
        close(fd);
    return failed ? dd_error(err, DDPM_EIO, "%s: cannot be synchronised: %s", path, strerror(EIO)) : DDPM_OK;
}

/* A new folder's name is safe once the one above is synchronised. */
int folder_make(const char *path, ddpm_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
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
    return dd_error(err, dd_file_code(number == EEXIST ? ENOTDIR : number, DDPM_ECREATE), "%s cannot be made a folder: %s", path, strerror(number));
}

/* Temporaries of runs that were killed: nobody holds their lock. */
int folder_clean(const char *path, ddpm_error *err)
{
    DIR *d = opendir(path);
    if (!d)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be read: %s", path, strerror(errno));
    for (const struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, ".ddpm-", 6) || n < 10 || strcmp(e->d_name + n - 4, ".tmp"))
            continue;
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    closedir(d);
    return DDPM_OK;
}

/* The process that holds the lock, or 0: not known. */
static long holder(int fd)
{
    struct stat st;
    char line[256];
    long found = 0, process;
    unsigned major_number, minor_number;
    unsigned long long inode;
    FILE *f = fstat(fd, &st) ? NULL : fopen("/proc/locks", "re");
    while (f && !found && fgets(line, sizeof line, f))
        if (sscanf(line, "%*d: FLOCK %*s WRITE %ld %x:%x:%llu", &process, &major_number, &minor_number, &inode) == 4 && inode == st.st_ino &&
            makedev(major_number, minor_number) == st.st_dev && process > 0)
            found = process;
    if (f)
        fclose(f);
    return found;
}

static int held(int fd, const char *path, const char *advice, ddpm_error *err)
{
    long process = holder(fd);
    char who[40] = "";
    if (process)
        snprintf(who, sizeof who, " (process %ld)", process);
    return dd_error(err, TRY_LATER, "%s: another ddpm%s is at work in it: try again later%s", path, who, advice);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int folder_lock(int *fd, const char *path, double wait, const char *advice, ddpm_error *err)
{
    double end = now() + wait;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? DDPM_OK : dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened as a folder: %s", path, strerror(errno));
    while (flock(*fd, LOCK_EX | LOCK_NB) && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (interrupted || now() >= end) {
            int code = held(*fd, path, advice, err);
            close(*fd);
            *fd = -1;
            return code;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    return DDPM_OK;
}
