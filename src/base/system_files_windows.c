/* Files by the calls of Windows.  A descriptor is one of the C library, around a handle of the system. */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"

static HANDLE handle_of(int descriptor)
{
    return (HANDLE)_get_osfhandle(descriptor);
}

/* Returns whether the handle is that of a link itself.  Other reparse points, such as files that a cloud
   keeps, are files. */
static bool is_link(HANDLE h)
{
    FILE_ATTRIBUTE_TAG_INFO tag;
    return GetFileInformationByHandleEx(h, FileAttributeTagInfo, &tag, sizeof tag) &&
           tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT &&
           (tag.ReparseTag == IO_REPARSE_TAG_SYMLINK || tag.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
}

static uint64_t joined(DWORD high, DWORD low)
{
    return (uint64_t)high << 32 | low;
}

/* Fills f from a handle.  Times of files count units of 100 ns from 1601. */
static bool examine(struct dd_system_file *f, HANDLE h, bool links)
{
    BY_HANDLE_FILE_INFORMATION i;
    *f = (struct dd_system_file){ .kind = DD_SYSTEM_NOTHING };
    DWORD type = GetFileType(h);

    if (type == FILE_TYPE_CHAR || type == FILE_TYPE_PIPE) {
        f->kind = DD_SYSTEM_STREAM;
        return true;
    }
    if (!GetFileInformationByHandle(h, &i))
        return dd_system_failed();

    *f = (struct dd_system_file){
        .kind = i.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? DD_SYSTEM_FOLDER : DD_SYSTEM_FILE,
        .device = i.dwVolumeSerialNumber,
        .number = joined(i.nFileIndexHigh, i.nFileIndexLow),
        .size = joined(i.nFileSizeHigh, i.nFileSizeLow),
        .written = ((int64_t)joined(i.ftLastWriteTime.dwHighDateTime, i.ftLastWriteTime.dwLowDateTime) -
                    116444736000000000) *
                   100,
    };
    if (links && is_link(h))
        f->kind = DD_SYSTEM_LINK;
    return true;
}

static bool examine_path(struct dd_system_file *f, const char *path, bool links)
{
    *f = (struct dd_system_file){ .kind = DD_SYSTEM_NOTHING };
    HANDLE h = dd_system_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING,
                                FILE_FLAG_BACKUP_SEMANTICS | (links ? FILE_FLAG_OPEN_REPARSE_POINT : 0));
    if (h == INVALID_HANDLE_VALUE)
        return false;

    bool known = examine(f, h, links);
    CloseHandle(h);
    return known;
}

bool dd_system_examine(struct dd_system_file *f, const char *path)
{
    return examine_path(f, path, false);
}

bool dd_system_examine_link(struct dd_system_file *f, const char *path)
{
    return examine_path(f, path, true);
}

bool dd_system_examine_open(struct dd_system_file *f, int descriptor)
{
    return examine(f, handle_of(descriptor), false);
}

/* Opens a file, or makes it if it is missing.  A file that was removed, and that somebody still holds open,
   is neither there nor out of the way, and access to it is denied; so this is tried for a while. */
static HANDLE open_or_make(const char *path, DWORD rights, DWORD flags)
{
    enum { TRIES = 20, MILLISECONDS = 10 };

    HANDLE h = dd_system_handle(path, rights, OPEN_ALWAYS, flags);
    for (int i = 0; h == INVALID_HANDLE_VALUE && errno == EACCES && i < TRIES; i++) {
        Sleep(MILLISECONDS);
        h = dd_system_handle(path, rights, OPEN_ALWAYS, flags);
    }
    return h;
}

/* Folders are opened too, so that their kind can be examined. */
int dd_system_open(const char *path, unsigned how)
{
    bool writes = how & (DD_SYSTEM_WRITE | DD_SYSTEM_APPEND);
    DWORD rights = writes ? GENERIC_WRITE : GENERIC_READ, flags = FILE_FLAG_BACKUP_SEMANTICS;
    if (how & DD_SYSTEM_NO_LINK)
        flags |= FILE_FLAG_OPEN_REPARSE_POINT;

    HANDLE h;
    if (how & DD_SYSTEM_CREATE)
        h = open_or_make(path, rights, flags);
    else
        h = dd_system_handle(path, rights, how & DD_SYSTEM_NEW ? CREATE_NEW : OPEN_EXISTING, flags);
    if (h == INVALID_HANDLE_VALUE)
        return -1;
    if (how & DD_SYSTEM_NO_LINK && is_link(h)) {
        CloseHandle(h);
        errno = ELOOP;
        return -1;
    }

    int descriptor =
        _open_osfhandle((intptr_t)h, _O_BINARY | _O_NOINHERIT | (writes ? _O_WRONLY : _O_RDONLY) |
                                         (how & DD_SYSTEM_APPEND ? _O_APPEND : 0));
    if (descriptor < 0)
        CloseHandle(h);
    return descriptor;
}

void dd_system_close(int descriptor)
{
    _close(descriptor);
}

FILE *dd_system_stream(const char *path, const char *mode)
{
    unsigned how = *mode == 'w' ? DD_SYSTEM_WRITE | DD_SYSTEM_CREATE : 0;
    int descriptor = dd_system_open(path, *mode == 'a' ? DD_SYSTEM_APPEND | DD_SYSTEM_CREATE : how);
    if (descriptor < 0)
        return NULL;

    bool ready = *mode != 'w' || dd_system_cut(descriptor, 0);
    FILE *f = ready ? _fdopen(descriptor, mode) : NULL;
    if (!f)
        _close(descriptor);
    return f;
}

bool dd_system_write(int descriptor, const void *data, size_t size)
{
    enum { MOST = 1 << 30 };

    const unsigned char *at = data, *end = at + size;
    while (at < end) {
        int n = _write(descriptor, at, end - at < MOST ? (unsigned)(end - at) : MOST);
        if (n <= 0)
            return false;
        at += n;
    }
    return true;
}

bool dd_system_cut(int descriptor, uint64_t size)
{
    return _chsize_s(descriptor, (int64_t)size) == 0;
}

bool dd_system_flush(int descriptor)
{
    return FlushFileBuffers(handle_of(descriptor)) || dd_system_failed();
}

bool dd_system_flush_data(int descriptor)
{
    return dd_system_flush(descriptor);
}

/* A rename that is written through has flushed the names. */
bool dd_system_flush_folder(const char *path)
{
    (void)path;
    return true;
}

const void *dd_system_map(int descriptor, size_t size)
{
    HANDLE map = CreateFileMappingW(handle_of(descriptor), NULL, PAGE_READONLY, 0, 0, NULL);
    const void *data = map ? MapViewOfFile(map, FILE_MAP_READ, 0, 0, size) : NULL;
    if (!data)
        dd_system_failed();
    if (map)
        CloseHandle(map);
    return data;
}

void dd_system_unmap(const void *data, size_t size)
{
    (void)size;
    UnmapViewOfFile(data);
}

/* Unlocking pages that are not locked takes them out of the process's memory. */
void dd_system_forget(const void *data, size_t size)
{
    VirtualUnlock((void *)(uintptr_t)data, size);
}
