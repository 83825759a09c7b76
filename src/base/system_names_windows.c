/* Paths of Windows.  The program speaks of files in UTF-8 with slashes; the system takes UTF-16.  A path that
   begins with "\\?\" may have any length, but the system then leaves it as it is, so it is made whole first
   (GetFullPathName).

   Some names stand for devices in every folder, with any ending ("con.png"), and a colon behind a name stands
   for a hidden stream of the file.  Neither is a file, so both are refused. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"

bool dd_system_failed(void)
{
    static const struct {
        DWORD error;
        int number;
    } known[] = {
        { ERROR_FILE_NOT_FOUND, ENOENT },
        { ERROR_PATH_NOT_FOUND, ENOENT },
        { ERROR_BAD_NETPATH, ENOENT },
        { ERROR_BAD_NET_NAME, ENOENT },
        { ERROR_INVALID_DRIVE, ENOENT },
        { ERROR_NOT_READY, ENOENT },
        { ERROR_ACCESS_DENIED, EACCES },
        { ERROR_SHARING_VIOLATION, EBUSY },
        { ERROR_USER_MAPPED_FILE, EBUSY },
        { ERROR_LOCK_VIOLATION, EWOULDBLOCK },
        { ERROR_ALREADY_EXISTS, EEXIST },
        { ERROR_FILE_EXISTS, EEXIST },
        { ERROR_DIR_NOT_EMPTY, ENOTEMPTY },
        { ERROR_DIRECTORY, ENOTDIR },
        { ERROR_DISK_FULL, ENOSPC },
        { ERROR_HANDLE_DISK_FULL, ENOSPC },
        { ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
        { ERROR_OUTOFMEMORY, ENOMEM },
        { ERROR_COMMITMENT_LIMIT, ENOMEM },
        { ERROR_TOO_MANY_OPEN_FILES, EMFILE },
        { ERROR_WRITE_PROTECT, EROFS },
        { ERROR_INVALID_NAME, EINVAL },
        { ERROR_BAD_PATHNAME, EINVAL },
        { ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
        { ERROR_INVALID_HANDLE, EINVAL },
        { ERROR_INVALID_FUNCTION, EINVAL },
        { ERROR_CANT_RESOLVE_FILENAME, ELOOP },
        { ERROR_BROKEN_PIPE, EPIPE },
        { ERROR_NO_DATA, EPIPE },
    };

    DWORD error = GetLastError();

    errno = EIO;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == error)
            errno = known[i].number;
    return false;
}

wchar_t *dd_system_wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof *wide) : NULL;
    if (wide)
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n);
    else
        errno = n > 0 ? ENOMEM : EINVAL;
    return wide;
}

char *dd_system_narrow(const wchar_t *text)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *narrow = n > 0 ? malloc((size_t)n) : NULL;
    if (narrow)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, narrow, n, NULL, NULL);
    else
        errno = n > 0 ? ENOMEM : EINVAL;
    return narrow;
}

const char *dd_system_name(const char *path)
{
    const char *name = path;
    for (const char *c = path; *c; c++)
        if (*c == '/' || *c == '\\' || (*c == ':' && c == path + 1))
            name = c + 1;
    return name;
}

/* The spaces before the ending do not count. */
bool dd_system_is_device(const char *path)
{
    static const char *const names[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };
    const char *name = dd_system_name(path);
    size_t n = strcspn(name, ".:");
    while (n && name[n - 1] == ' ')
        n--;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && !_strnicmp(name, names[i], n))
            return true;
    return n == 4 && (!_strnicmp(name, "com", 3) || !_strnicmp(name, "lpt", 3)) && name[3] >= '1' &&
           name[3] <= '9';
}

/* Returns a whole path with the prefix, or the path itself where it names a device ("\\.\") or has the prefix
   already. */
static wchar_t *with_prefix(const wchar_t *path)
{
    bool bare = !wcsncmp(path, L"\\\\.\\", 4) || !wcsncmp(path, L"\\\\?\\", 4);
    bool net = !bare && !wcsncmp(path, L"\\\\", 2);
    wchar_t *whole = malloc((wcslen(path) + sizeof "\\\\?\\UNC\\") * sizeof *whole);
    if (!whole) {
        errno = ENOMEM;
        return NULL;
    }

    *whole = 0;
    if (net)
        wcscpy(whole, L"\\\\?\\UNC\\");
    else if (!bare)
        wcscpy(whole, L"\\\\?\\");
    wcscat(whole, path + (net ? 2 : 0));
    return whole;
}

wchar_t *dd_system_path(const char *path)
{
    bool drive = isalpha((unsigned char)*path) && path[1] == ':';
    bool special = !strncmp(path, "//./", 4) || !strncmp(path, "\\\\.\\", 4) || !strncmp(path, "\\\\?\\", 4);
    if (!*path) {
        errno = ENOENT;
        return NULL;
    }
    if (!special && (dd_system_is_device(path) || strchr(path + (drive ? 2 : 0), ':'))) {
        errno = dd_system_is_device(path) ? ENXIO : EINVAL;
        return NULL;
    }

    wchar_t *wide = dd_system_wide(path);
    DWORD n = wide ? GetFullPathNameW(wide, 0, NULL, NULL) : 0;
    wchar_t *full = n ? malloc(n * sizeof *full) : NULL, *whole = NULL;
    if (full && GetFullPathNameW(wide, n, full, NULL) < n)
        whole = with_prefix(full);
    free(full);
    free(wide);
    return whole;
}

HANDLE dd_system_handle(const char *path, DWORD rights, DWORD how, DWORD flags)
{
    wchar_t *wide = dd_system_path(path);
    if (!wide)
        return INVALID_HANDLE_VALUE;

    HANDLE h = CreateFileW(wide, rights, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how,
                           flags, NULL);
    if (h == INVALID_HANDLE_VALUE)
        dd_system_failed();
    free(wide);
    return h;
}
