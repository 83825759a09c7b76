/* Renaming, locks and the room of file systems by the calls of POSIX. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#if defined(__linux__)
#include <sys/sysmacros.h>
#endif
#include <unistd.h>
#include "base/system.h"

/* A flag of the system does this, or a link.  File systems that have neither are looked at first. */
bool dd_system_rename(const char *from, const char *to)
{
    struct stat st;
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno == EEXIST)
        return false;
#endif

    /* A link fails if `to` is there. */
    if (link(from, to) == 0) {
        unlink(from);
        return true;
    }

    if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS && errno != EMLINK)
        return false;

    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(from, to) == 0;
}

char *dd_system_real_path(const char *path)
{
    return realpath(path, NULL);
}

bool dd_system_lock(int descriptor, bool shared)
{
    int result;
    do
        result = flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
    while (result && errno == EINTR);
    return !result;
}

int dd_system_open_folder(const char *path, struct dd_system_file *about)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        dd_system_examine_open(about, fd);
    return fd;
}

/* Linux lists locks in /proc/locks.  A line is "1: FLOCK  ADVISORY  WRITE 1234 08:02:131234 0 EOF". */
long dd_system_lock_holder(int descriptor)
{
#if defined(__linux__)
    struct stat st;
    long found = 0;
    char line[256];
    long process;
    unsigned major_number, minor_number;
    unsigned long long inode;

    FILE *f = fstat(descriptor, &st) ? NULL : fopen("/proc/locks", "re");
    while (f && !found && fgets(line, sizeof line, f))
        if (sscanf(line, "%*d: FLOCK %*s WRITE %ld %x:%x:%llu", &process, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == st.st_ino && makedev(major_number, minor_number) == st.st_dev && process > 0)
            found = process;
    if (f)
        fclose(f);
    return found;
#else
    (void)descriptor;
    return 0;
#endif
}

/* Root may also use the blocks that are reserved for it.  Some file systems have no limit of files;
   f_files is then 0. */
bool dd_system_room(struct dd_system_room *r, const char *folder)
{
    struct statvfs v;
    if (statvfs(folder, &v))
        return false;

    r->bytes = (double)(geteuid() ? v.f_bavail : v.f_bfree) * (double)v.f_frsize;
    r->files = v.f_files ? (double)v.f_favail : INFINITY;
    return true;
}

bool dd_system_may_read(const char *path)
{
    return access(path, R_OK) == 0;
}

bool dd_system_may_write_into(const char *folder)
{
    return access(folder, W_OK | X_OK) == 0;
}

FILE *dd_system_scratch(void)
{
    return tmpfile();
}
