/* Names, folders, locks and the room of file systems by the calls of Windows.

   A lock binds one byte far behind the end of every file, so that it hinders nobody who reads or writes the
   file.  A folder cannot be locked, and a file in it would keep it from being renamed and removed.  So
   one file of the machine, PROGRAMDATA\ddpm.locks, has a byte for each folder: its place is a hash of the
   folder's number.  The descriptor of a folder is that file, whose position is at the byte. */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"

/* ---- names ---- */

/* Moves a file.  Where a program holds one of the two that looks at every new file for a moment, it is tried
   for a second. */
static bool move(const char *from, const char *to, DWORD flags)
{
    enum { TRIES = 20, MILLISECONDS = 50 };

    wchar_t *a = dd_system_path(from), *b = a ? dd_system_path(to) : NULL;
    bool moved = false;
    for (int i = 0; b && !moved && i < TRIES; i++) {
        if (i)
            Sleep(MILLISECONDS);
        moved = MoveFileExW(a, b, flags | MOVEFILE_WRITE_THROUGH) || dd_system_failed();
        if (!moved && errno != EBUSY && errno != EACCES)
            break;
    }
    free(a);
    free(b);
    return moved;
}

/* A file that somebody holds open without leave to remove it cannot be replaced: the system then refuses
   access to it, like to a file that is protected. */
bool dd_system_replace(const char *from, const char *to)
{
    struct dd_system_file f;
    if (move(from, to, MOVEFILE_REPLACE_EXISTING))
        return true;

    int number = errno;
    if (number == EACCES && dd_system_examine_link(&f, to)) {
        int fd = f.kind == DD_SYSTEM_FILE ? dd_system_open(to, DD_SYSTEM_WRITE) : -1;
        number = fd >= 0 ? EBUSY : number;
        number = f.kind == DD_SYSTEM_FOLDER ? EEXIST : number;
        if (fd >= 0)
            dd_system_close(fd);
    }
    errno = number;
    return false;
}

bool dd_system_rename(const char *from, const char *to)
{
    return move(from, to, 0);
}

bool dd_system_remove(const char *path)
{
    wchar_t *wide = dd_system_path(path);
    bool removed = wide && (DeleteFileW(wide) || dd_system_failed());
    free(wide);
    return removed;
}

bool dd_system_remove_folder(const char *path)
{
    wchar_t *wide = dd_system_path(path);
    bool removed = wide && (RemoveDirectoryW(wide) || dd_system_failed());
    free(wide);
    return removed;
}

bool dd_system_make_folder(const char *path)
{
    wchar_t *wide = dd_system_path(path);
    bool made = wide && (CreateDirectoryW(wide, NULL) || dd_system_failed());
    free(wide);
    return made;
}

/* Returns "PATH\*" for FindFirstFile, allocated. */
static wchar_t *pattern_of(const char *path)
{
    wchar_t *wide = dd_system_path(path);
    size_t n = wide ? wcslen(wide) : 0;
    wchar_t *pattern = wide ? malloc((n + 3) * sizeof *pattern) : NULL;
    if (pattern) {
        wcscpy(pattern, wide);
        wcscat(pattern, wide[n - 1] == L'\\' ? L"*" : L"\\*");
    }
    free(wide);
    return pattern;
}

bool dd_system_walk(const char *path, bool (*each)(void *user, const char *name), void *user)
{
    WIN32_FIND_DATAW found;
    wchar_t *pattern = pattern_of(path);
    HANDLE h = pattern ? FindFirstFileW(pattern, &found) : INVALID_HANDLE_VALUE;
    bool more = h != INVALID_HANDLE_VALUE;
    if (pattern && !more)
        dd_system_failed();
    free(pattern);
    if (!more)
        return false;

    while (more) {
        char *name = dd_system_narrow(found.cFileName);
        bool counts = name && strcmp(name, ".") && strcmp(name, "..");
        more = name && (!counts || each(user, name)) && FindNextFileW(h, &found);
        free(name);
    }
    FindClose(h);
    return true;
}

/* The system writes "\\?\C:\FOLDER" or "\\?\UNC\SERVER\FOLDER". */
char *dd_system_real_path(const char *path)
{
    HANDLE h = dd_system_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (h == INVALID_HANDLE_VALUE)
        return NULL;

    DWORD n = GetFinalPathNameByHandleW(h, NULL, 0, FILE_NAME_NORMALIZED);
    wchar_t *wide = n ? malloc((n + 1) * sizeof *wide) : NULL;
    char *real = NULL;
    if (wide && GetFinalPathNameByHandleW(h, wide, n, FILE_NAME_NORMALIZED) < n) {
        bool net = !wcsncmp(wide, L"\\\\?\\UNC\\", 8), prefix = !wcsncmp(wide, L"\\\\?\\", 4);
        wchar_t *bare = wide + (prefix ? 4 : 0);
        if (net)
            *(bare = wide + 6) = L'\\';
        real = dd_system_narrow(bare);
    }
    CloseHandle(h);
    free(wide);

    for (char *c = real; c && *c; c++)
        *c = *c == '\\' ? '/' : *c;
    return real;
}

/* ---- locks ---- */

/* The byte of a file is FAR_BEHIND its end.  Those of folders begin at FOLDERS, where the position of no
   other file gets to. */
#define FAR_BEHIND ((uint64_t)1 << 62)
#define FOLDERS ((uint64_t)1 << 42)

/* Returns where the byte of a file or folder lies, whose descriptor this is. */
static uint64_t byte_of(HANDLE h)
{
    LARGE_INTEGER at;
    bool is_folder = SetFilePointerEx(h, (LARGE_INTEGER){ .QuadPart = 0 }, &at, FILE_CURRENT) &&
                     (uint64_t)at.QuadPart >= FOLDERS;
    return is_folder ? (uint64_t)at.QuadPart : FAR_BEHIND;
}

bool dd_system_lock(int descriptor, bool shared)
{
    HANDLE h = (HANDLE)_get_osfhandle(descriptor);
    uint64_t byte = byte_of(h);
    OVERLAPPED place = { .Offset = (DWORD)byte, .OffsetHigh = (DWORD)(byte >> 32) };
    DWORD how = LOCKFILE_FAIL_IMMEDIATELY | (shared ? 0 : LOCKFILE_EXCLUSIVE_LOCK);
    if (LockFileEx(h, how, 0, 1, 0, &place))
        return true;

    if (GetLastError() == ERROR_IO_PENDING)
        SetLastError(ERROR_LOCK_VIOLATION);
    return dd_system_failed();
}

/* Opens the file of locks in a folder.  Another user's may be opened for reading alone, which is enough for a
   lock. */
static int open_locks_in(const wchar_t *folder)
{
    char path[4 * MAX_PATH + 32], *narrow = dd_system_narrow(folder);
    if (!narrow)
        return -1;

    snprintf(path, sizeof path, "%s/ddpm.locks", narrow);
    free(narrow);
    int fd = dd_system_open(path, 0);
    return fd >= 0 || errno != ENOENT ? fd : dd_system_open(path, DD_SYSTEM_WRITE | DD_SYSTEM_CREATE);
}

/* Opens the file of locks of the machine, or of the user where there is none. */
static int open_locks(void)
{
    wchar_t folder[MAX_PATH + 1];
    DWORD n = GetEnvironmentVariableW(L"ProgramData", folder, MAX_PATH);
    int fd = n && n < MAX_PATH ? open_locks_in(folder) : -1;
    if (fd < 0 && GetTempPathW(MAX_PATH, folder))
        fd = open_locks_in(folder);
    if (fd < 0)
        errno = EACCES;
    return fd;
}

int dd_system_open_folder(const char *path, struct dd_system_file *about)
{
    if (!dd_system_examine(about, path))
        return -1;
    if (about->kind != DD_SYSTEM_FOLDER) {
        errno = ENOTDIR;
        return -1;
    }

    /* Multiplications by odd constants spread the numbers (Knuth 6.4). */
    uint64_t hash = (about->number ^ about->device * 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
    LARGE_INTEGER byte = { .QuadPart = (int64_t)(FOLDERS + (hash >> 22)) };
    int fd = open_locks();
    if (fd >= 0 && !SetFilePointerEx((HANDLE)_get_osfhandle(fd), byte, NULL, FILE_BEGIN)) {
        dd_system_failed();
        dd_system_close(fd);
        return -1;
    }
    return fd;
}

/* The system does not tell. */
long dd_system_lock_holder(int descriptor)
{
    (void)descriptor;
    return 0;
}

/* ---- room and rights ---- */

bool dd_system_room(struct dd_system_room *r, const char *folder)
{
    ULARGE_INTEGER room;
    wchar_t *wide = dd_system_path(folder);
    bool known = wide && GetDiskFreeSpaceExW(wide, &room, NULL, NULL);
    free(wide);
    if (known)
        *r = (struct dd_system_room){ .bytes = (double)room.QuadPart, .files = INFINITY };
    return known;
}

static bool may(const char *path, DWORD rights)
{
    HANDLE h = dd_system_handle(path, rights, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (h == INVALID_HANDLE_VALUE)
        return false;
    CloseHandle(h);
    return true;
}

bool dd_system_may_read(const char *path)
{
    return may(path, GENERIC_READ);
}

bool dd_system_may_write_into(const char *folder)
{
    return may(folder, FILE_ADD_FILE);
}

FILE *dd_system_scratch(void)
{
    wchar_t folder[MAX_PATH + 1], name[MAX_PATH + 1];
    if (!GetTempPathW(MAX_PATH, folder) || !GetTempFileNameW(folder, L"ddp", 0, name)) {
        dd_system_failed();
        return NULL;
    }

    HANDLE h = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_DELETE, NULL, CREATE_ALWAYS,
                           FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (h == INVALID_HANDLE_VALUE) {
        dd_system_failed();
        return NULL;
    }
    int fd = _open_osfhandle((intptr_t)h, _O_BINARY | _O_RDWR | _O_NOINHERIT);
    FILE *f = fd >= 0 ? _fdopen(fd, "w+b") : NULL;
    if (!f && fd < 0)
        CloseHandle(h);
    else if (!f)
        _close(fd);
    return f;
}
