/* Targets of output in WASI: files, and standard output. */
#include "base/target.h"
#include <errno.h>
#include <string.h>
#include "base/file.h"
#include "base/system.h"

enum dd_target dd_target_kind(const char *path)
{
    struct dd_system_file f;
    if (!dd_system_examine(&f, path))
        return DD_TARGET_NEW;
    return f.kind == DD_SYSTEM_FILE ? DD_TARGET_FILE : DD_TARGET_OTHER;
}

int dd_target_open(int *fd, bool *standard, const char *path, ddpm_error *err)
{
    *standard = !strcmp(path, "-");
    *fd = *standard ? 1 : dd_system_open(path, DD_SYSTEM_WRITE);
    if (*fd >= 0)
        return DDPM_OK;
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened for writing: %s", path,
                    strerror(errno));
}
