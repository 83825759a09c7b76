/* Answers questions about paths from what every system tells about a file. */
#include "base/system.h"

bool dd_system_exists(const char *path)
{
    struct dd_system_file f;
    return dd_system_examine(&f, path);
}

bool dd_system_is_folder(const char *path)
{
    struct dd_system_file f;
    return dd_system_examine(&f, path) && f.kind == DD_SYSTEM_FOLDER;
}

bool dd_system_is_file(const char *path)
{
    struct dd_system_file f;
    return dd_system_examine(&f, path) && f.kind == DD_SYSTEM_FILE;
}

bool dd_system_same(const char *a, const char *b)
{
    struct dd_system_file f, g;
    return dd_system_examine(&f, a) && dd_system_examine(&g, b) && f.device == g.device &&
           f.number == g.number;
}
