/* Files by the calls of POSIX. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/system.h"

#if defined(__APPLE__)
#define st_mtim st_mtimespec
#endif

static enum dd_system_kind kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return DD_SYSTEM_FILE;
    case S_IFDIR: return DD_SYSTEM_FOLDER;
    case S_IFLNK: return DD_SYSTEM_LINK;
    case S_IFIFO:
    case S_IFCHR: return DD_SYSTEM_STREAM;
    default: return DD_SYSTEM_OTHER;
    }
}

/* Fills f from the result of a call of stat's family. */
static bool fill(struct dd_system_file *f, int result, const struct stat *st)
{
    *f = (struct dd_system_file){ .kind = DD_SYSTEM_NOTHING };
    if (result)
        return false;

    *f = (struct dd_system_file){
        .kind = kind_of(st->st_mode),
        .device = (uint64_t)st->st_dev,
        .number = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .written = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
    return true;
}

bool dd_system_examine(struct dd_system_file *f, const char *path)
{
    struct stat st;
    return fill(f, stat(path, &st), &st);
}

bool dd_system_examine_link(struct dd_system_file *f, const char *path)
{
    struct stat st;
    return fill(f, lstat(path, &st), &st);
}

bool dd_system_examine_open(struct dd_system_file *f, int descriptor)
{
    struct stat st;
    return fill(f, fstat(descriptor, &st), &st);
}

int dd_system_open(const char *path, unsigned how)
{
    int flags = O_NONBLOCK | O_CLOEXEC;
    flags |= how & (DD_SYSTEM_WRITE | DD_SYSTEM_APPEND) ? O_WRONLY : O_RDONLY;
    flags |= how & DD_SYSTEM_APPEND ? O_APPEND : 0;
    flags |= how & (DD_SYSTEM_CREATE | DD_SYSTEM_NEW) ? O_CREAT : 0;
    flags |= how & DD_SYSTEM_NEW ? O_EXCL : 0;
    flags |= how & DD_SYSTEM_NO_LINK ? O_NOFOLLOW : 0;
    return open(path, flags, 0666);
}

void dd_system_close(int descriptor)
{
    close(descriptor);
}

FILE *dd_system_stream(const char *path, const char *mode)
{
    char own[8];
    snprintf(own, sizeof own, "%se", mode);
    return fopen(path, own);
}

/* A signal may interrupt a write. */
bool dd_system_write(int descriptor, const void *data, size_t size)
{
    const unsigned char *at = data, *end = at + size;
    while (at < end) {
        ssize_t n = write(descriptor, at, (size_t)(end - at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
    }
    return true;
}

bool dd_system_cut(int descriptor, uint64_t size)
{
    return ftruncate(descriptor, (off_t)size) == 0;
}

bool dd_system_flush(int descriptor)
{
    return fsync(descriptor) == 0;
}

bool dd_system_flush_data(int descriptor)
{
    return fdatasync(descriptor) == 0;
}

/* Other failures of fsync mean that the file system cannot synchronise folders. */
bool dd_system_flush_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool failed = fd >= 0 && fsync(fd) && errno == EIO;
    if (fd >= 0)
        close(fd);
    errno = failed ? EIO : 0;
    return !failed;
}

const void *dd_system_map(int descriptor, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return p == MAP_FAILED ? NULL : p;
}

void dd_system_unmap(const void *data, size_t size)
{
    munmap((void *)(uintptr_t)data, size);
}

/* Only whole pages can be given back.  They are clean, because nobody writes to the private mapping, so a
   reader just fetches them again. */
void dd_system_forget(const void *data, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)data, end = begin + size;

    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}
