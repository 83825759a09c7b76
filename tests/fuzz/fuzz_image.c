/* Fuzzes a picture of a data set: PNG, JPEG, WebP, TIFF. Its pixels must be the same whatever lay in memory
   before, or a sentence must refuse it. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tools/image/image_file.h"

/* Returns a number made of all pixels, or of the refusal. */
static unsigned read_in(const char *path, int memory)
{
    struct image_file p;
    ddpm_error err = { 0, "" };
    mallopt(M_PERTURB, memory);
    int code = image_file_read(&p, path, &err);
    mallopt(M_PERTURB, 0);
    if (code && (code != DDPM_EDATA || !err.text[0] || strchr(err.text, '\n')))
        abort();
    unsigned sum = (unsigned)code;
    for (size_t i = 0; !code && i < (size_t)p.width * (size_t)p.height * (size_t)p.channels * (size_t)p.bytes;
         i++)
        sum = 31 * sum + p.value[i];
    image_file_free(&p);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("image", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (read_in(path, 0x55) != read_in(path, 0xAA))
        abort();
    close(fd);
    return 0;
}
