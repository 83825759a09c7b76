/* What a picture of a data set may hold: PNG, JPEG, BMP, PGM, PPM.  Its pixels, all of which are read, or a sentence. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tools/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct picture p;
    ddpm_error err = { 0, "" };
    int fd = memfd_create("image", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int code = picture_pixels(&p, path, &err);
    if (code && (code != DDPM_EDATA || !err.text[0] || strchr(err.text, '\n')))
        abort();
    volatile unsigned sum = 0;
    for (size_t i = 0; !code && i < (size_t)p.width * (size_t)p.height * (size_t)p.channels; i++)
        sum += p.pixel[i];
    picture_free(&p);
    close(fd);
    return 0;
}
