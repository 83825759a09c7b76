/* Renaming, locks and room of WASI.  There are no other processes, so locks are
   always granted; the room of a file system is not known. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/system.h"

bool dd_system_rename(const char *from, const char *to)
{
    struct stat st;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(from, to) == 0;
}

char *dd_system_real_path(const char *path)
{
    return strdup(path);
}

bool dd_system_lock(int descriptor, bool shared)
{
    (void)descriptor;
    (void)shared;
    return true;
}

int dd_system_open_folder(const char *path, struct dd_system_file *about)
{
    return dd_system_examine(about, path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
}

long dd_system_lock_holder(int descriptor)
{
    (void)descriptor;
    return 0;
}

bool dd_system_room(struct dd_system_room *r, const char *folder)
{
    (void)r;
    (void)folder;
    return false;
}

bool dd_system_may_read(const char *path)
{
    return access(path, R_OK) == 0;
}

bool dd_system_may_write_into(const char *folder)
{
    return access(folder, W_OK) == 0;
}

FILE *dd_system_scratch(void)
{
    errno = ENOSYS;
    return NULL;
}
