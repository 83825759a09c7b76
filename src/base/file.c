/* Maps whole files for reading. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#define st_mtim st_mtimespec
#endif

int dd_file_line(char *line, int size, const char *root, const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s%s%s", root, folder, name);
    FILE *f = n < (int)sizeof path ? fopen(path, "re") : NULL;
    int ok = f && fgets(line, size, f);

    if (f)
        fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = 0;

    return ok;
}

int dd_file_code(int number, int missing)
{
    switch (number) {
    case ENOENT:
    case EEXIST:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EROFS: return missing;
    case EACCES:
    case EPERM: return DDPM_EPERM;
    case ENOMEM:
    case EMFILE:
    case ENFILE: return DDPM_ENOMEM;
    default: return DDPM_EIO;
    }
}

/* Maps the file behind fd, which must be a regular file. */
static int map_open(struct dd_file *f, int fd, const char *path, ddpm_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return dd_error(err, DDPM_EIO, "%s: cannot be examined: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return dd_error(err, DDPM_EDATA, "%s: is a folder, a regular file is expected", path);
    if (!S_ISREG(st.st_mode))
        return dd_error(err, DDPM_EDATA,
                        "%s: is a device or pipe, a regular file is expected: write what comes from it to a "
                        "file first",
                        path);
    if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        return dd_error(err, DDPM_ENOMEM, "%s: %jd bytes do not fit into the address space", path,
                        (intmax_t)st.st_size);

    *f = (struct dd_file){
        .data = (const unsigned char *)"",
        .device = st.st_dev,
        .inode = st.st_ino,
        .written = st.st_mtim,
    };
    if (st.st_size == 0)
        return DDPM_OK;

    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return dd_error(err, dd_file_code(errno, DDPM_EIO), "%s: cannot be mapped: %s", path,
                        strerror(errno));

    f->data = p;
    f->size = (size_t)st.st_size;
    return DDPM_OK;
}

int dd_file_map(struct dd_file *f, const char *path, ddpm_error *err)
{
    *f = (struct dd_file){ .data = NULL };
    /* Without O_NONBLOCK the open of a pipe would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENXIO)
        return dd_error(err, DDPM_EDATA,
                        "%s: is a socket or a device that is not there, a regular file is expected", path);
    if (fd < 0)
        return dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be opened: %s", path,
                        strerror(errno));

    int code = map_open(f, fd, path, err);
    close(fd);
    return code;
}

void dd_file_unmap(struct dd_file *f)
{
    if (f->size)
        munmap((void *)(uintptr_t)f->data, f->size);
    *f = (struct dd_file){ .data = NULL };
}

/* If the file of this name has another device or inode, a rename has put it there, and the mapping is
   whole. */
int dd_file_unchanged(const struct dd_file *f, const char *path, ddpm_error *err)
{
    struct stat st;
    if (!f->data || stat(path, &st) != 0 || st.st_dev != f->device || st.st_ino != f->inode)
        return DDPM_OK;

    if ((size_t)st.st_size == f->size && st.st_mtim.tv_sec == f->written.tv_sec &&
        st.st_mtim.tv_nsec == f->written.tv_nsec)
        return DDPM_OK;

    return dd_error(err, DDPM_EDATA,
                    "%s: was written to while it was being read: start again when it is complete", path);
}

/* Only whole pages can be given back.  They are clean, because nobody writes to the private mapping, so a
   reader just fetches them again. */
void dd_file_forget(const struct dd_file *f, const void *data, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), file = (uintptr_t)f->data;
    uintptr_t begin = (uintptr_t)data, end = begin + size;
    if (begin < file || end > file + f->size)
        return;

    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}
