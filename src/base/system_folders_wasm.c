/* Names and folders of WASI, by those calls of POSIX that it has.  There are no other processes, so locks are
   always granted; the room of a file system is not known. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/system.h"

bool dd_system_replace(const char *from, const char *to)
{
    return rename(from, to) == 0;
}

bool dd_system_rename(const char *from, const char *to)
{
    struct stat st;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(from, to) == 0;
}

bool dd_system_remove(const char *path)
{
    return unlink(path) == 0;
}

bool dd_system_remove_folder(const char *path)
{
    return rmdir(path) == 0;
}

bool dd_system_make_folder(const char *path)
{
    return mkdir(path, 0777) == 0;
}

bool dd_system_walk(const char *path, bool (*each)(void *user, const char *name), void *user)
{
    DIR *folder = opendir(path);
    if (!folder)
        return false;

    for (const struct dirent *e; (e = readdir(folder));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && !each(user, e->d_name))
            break;
    closedir(folder);
    return true;
}

const char *dd_system_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
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
