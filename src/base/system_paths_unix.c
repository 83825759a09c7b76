/* Names in folders by the calls of POSIX that WASI has too. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/system.h"

bool dd_system_replace(const char *from, const char *to)
{
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
