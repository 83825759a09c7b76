/* flock on the folder itself: there is no file that could be left behind.  Linux tells in /proc/locks who holds one. */
#include "lock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

static int held(int fd, const char *folder, ddpm_error *err)
{
    long process = holder(fd);
    char who[40] = "";
    if (process)
        snprintf(who, sizeof who, " (process %ld)", process);
    return dd_error(err, TRY_LATER, "%s: another ddpm sample%s is making images in it: try again later, or wait for it with --wait SEC", folder, who);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int lock_folder(int *fd, const char *folder, double wait, ddpm_error *err)
{
    double end = now() + wait;
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? DDPM_OK : dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened as a folder: %s", folder, strerror(errno));
    while (flock(*fd, LOCK_EX | LOCK_NB) && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (interrupted || now() >= end) {
            int code = held(*fd, folder, err);
            close(*fd);
            *fd = -1;
            return code;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    return DDPM_OK;
}
