/* Maps whole files for reading. */
#include "base/file.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>

int dd_file_line(char *line, int size, const char *root, const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s%s%s", root, folder, name);
    FILE *f = n < (int)sizeof path ? dd_system_stream(path, "r") : NULL;
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
    case EINVAL: /* the system has no such names */
    case EROFS: return missing;
    case EACCES:
    case EPERM: return DDPM_EPERM;
    case ENOMEM:
    case EMFILE:
    case ENFILE: return DDPM_ENOMEM;
    default: return DDPM_EIO;
    }
}

/* Maps the file of a descriptor, which must be a regular file. */
static int map_open(struct dd_file *f, int descriptor, const char *path, ddpm_error *err)
{
    struct dd_system_file about;
    if (!dd_system_examine_open(&about, descriptor))
        return dd_error(err, DDPM_EIO, "%s: cannot be examined: %s", path, strerror(errno));
    if (about.kind == DD_SYSTEM_FOLDER)
        return dd_error(err, DDPM_EDATA, "%s: is a folder, a regular file is expected", path);
    if (about.kind != DD_SYSTEM_FILE)
        return dd_error(err, DDPM_EDATA,
                        "%s: is a device or pipe, a regular file is expected: write what comes from it to a "
                        "file first",
                        path);
    if (about.size > SIZE_MAX / 2)
        return dd_error(err, DDPM_ENOMEM, "%s: %ju bytes do not fit into the address space", path,
                        (uintmax_t)about.size);

    *f = (struct dd_file){ .data = (const unsigned char *)"", .about = about };
    if (about.size == 0)
        return DDPM_OK;

    const void *p = dd_system_map(descriptor, (size_t)about.size);
    if (!p)
        return dd_error(err, dd_file_code(errno, DDPM_EIO), "%s: cannot be mapped: %s", path,
                        strerror(errno));

    f->data = p;
    f->size = (size_t)about.size;
    return DDPM_OK;
}

int dd_file_map(struct dd_file *f, const char *path, ddpm_error *err)
{
    *f = (struct dd_file){ .data = NULL };
    int descriptor = dd_system_open(path, 0);
    if (descriptor < 0 && errno == ENXIO)
        return dd_error(err, DDPM_EDATA,
                        "%s: is a socket or a device that is not there, a regular file is expected", path);
    if (descriptor < 0)
        return dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be opened: %s", path,
                        strerror(errno));

    int code = map_open(f, descriptor, path, err);
    dd_system_close(descriptor);
    return code;
}

void dd_file_unmap(struct dd_file *f)
{
    if (f->size)
        dd_system_unmap(f->data, f->size);
    *f = (struct dd_file){ .data = NULL };
}

/* If the file of this name is another one, a rename has put it there, and the mapping is whole. */
int dd_file_unchanged(const struct dd_file *f, const char *path, ddpm_error *err)
{
    struct dd_system_file now;
    if (!f->data || !dd_system_examine(&now, path) || now.device != f->about.device ||
        now.number != f->about.number)
        return DDPM_OK;

    if (now.size == f->size && now.written == f->about.written)
        return DDPM_OK;

    return dd_error(err, DDPM_EDATA,
                    "%s: was written to while it was being read: start again when it is complete", path);
}

void dd_file_forget(const struct dd_file *f, const void *data, size_t size)
{
    uintptr_t file = (uintptr_t)f->data, begin = (uintptr_t)data;
    if (begin >= file && begin + size <= file + f->size)
        dd_system_forget(data, size);
}
