/* Tells what a path leads to, and opens devices and pipes for writing.  Devices have names such as con and
   nul, in every folder; pipes lie below "//./pipe/". */
#include "base/target.h"
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/system_windows.h"

static bool is_special(const char *path)
{
    return !strncmp(path, "//./", 4) || !strncmp(path, "\\\\.\\", 4);
}

enum dd_target dd_target_kind(const char *path)
{
    struct dd_system_file f;
    if (is_special(path) || dd_system_is_device(path))
        return DD_TARGET_STREAM;

    if (!dd_system_examine_link(&f, path) && errno == EINVAL)
        return DD_TARGET_INVALID;
    if (f.kind == DD_SYSTEM_LINK && !dd_system_examine(&f, path))
        return DD_TARGET_FILE;
    switch (f.kind) {
    case DD_SYSTEM_NOTHING: return DD_TARGET_NEW;
    case DD_SYSTEM_FILE: return DD_TARGET_FILE;
    case DD_SYSTEM_STREAM: return DD_TARGET_STREAM;
    default: return DD_TARGET_OTHER;
    }
}

/* Opens "nul", or a pipe.  Other devices, a console among them, are refused. */
static int open_path(const char *path)
{
    HANDLE h = dd_system_handle(_stricmp(path, "nul") ? path : "//./nul", GENERIC_WRITE, OPEN_EXISTING, 0);
    if (h == INVALID_HANDLE_VALUE)
        return -1;

    int fd = _open_osfhandle((intptr_t)h, _O_BINARY | _O_WRONLY | _O_NOINHERIT);
    if (fd < 0)
        CloseHandle(h);
    return fd;
}

/* Returns a descriptor of standard output that may be closed. */
static int copy_standard_output(void)
{
    fflush(stdout);
    int fd = _dup(1);
    if (fd >= 0)
        _setmode(fd, _O_BINARY);
    return fd;
}

int dd_target_open(int *fd, bool *standard, const char *path, ddpm_error *err)
{
    DWORD mode;
    *standard = !strcmp(path, "-");
    *fd = *standard ? copy_standard_output() : open_path(path);

    if (*fd < 0 && errno == ENXIO)
        return dd_error(err, DDPM_ECREATE, "%s: is a device, which is not written to: choose another place",
                        path);
    if (*fd < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened for writing: %s", path,
                        strerror(errno));

    if (!GetConsoleMode((HANDLE)_get_osfhandle(*fd), &mode))
        return DDPM_OK;
    _close(*fd);
    return dd_error(err, DDPM_EUSAGE,
                    "%s: is a terminal, which would take the bytes of a file for orders: send them to a file "
                    "or a program",
                    *standard ? "standard output" : path);
}
