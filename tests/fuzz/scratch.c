/* Keeps one folder for each process, in /dev/shm where there is one. */
#include "scratch.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

void require(int good)
{
    if (!good)
        abort();
}

void refused(int code, const ddpm_error *err)
{
    require(!code ||
            ((code == DDPM_EDATA || code == DDPM_EUSAGE) && err->text[0] && !strchr(err->text, '\n')));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_all(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name)
{
    static char paths[4][256];
    static int turn;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/ddpm-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_all);
    }
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void scratch_folder(const char *name)
{
    const char *path = scratch_path(name);
    if (access(path, F_OK) && mkdir(path, 0700))
        abort();
}

void scratch_write(const char *name, const uint8_t *data, size_t size)
{
    const char *path = scratch_path(name);
    unlink(path);
    FILE *f = size ? fopen(path, "wb") : NULL;
    if (size && (!f || fwrite(data, 1, size, f) != size || fclose(f)))
        abort();
}

size_t scratch_part(const uint8_t **part, const uint8_t **data, size_t *size)
{
    const uint8_t *end = memmem(*data, *size, "\n%%\n", 4);
    size_t n = end ? (size_t)(end - *data) : *size, taken = end ? n + 4 : n;
    *part = *data;
    *data += taken;
    *size -= taken;
    return n;
}
