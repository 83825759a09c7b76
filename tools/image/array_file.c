/* Writes arrays in numpy's format .npy, version 1.0 (NEP 1, numpy.lib.format): "\x93NUMPY", the
   version, the length of the head in two bytes, the head, the values.  The head is a dict of
   Python, padded with blanks so that the values begin at a multiple of 64 bytes, and ends with a
   new line. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "base/error.h"
#include "image/array_file.h"

size_t array_head_bytes(unsigned char head[ARRAY_HEAD], const char *type, const size_t *dim, int rank)
{
    char text[192], shape[128] = "";
    size_t n = 0;

    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%zu%s", dim[i],
                              i + 1 < rank || rank == 1 ? ", " : "");
    n = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type,
                         shape);

    /* 10 bytes stand in front of the head, and one new line ends it. */
    size_t padding = 63 - (10 + n) % 64, length = n + padding + 1;
    const unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)
    };

    memcpy(head, start, sizeof start);
    snprintf((char *)head + sizeof start, ARRAY_HEAD - sizeof start, "%s%*s\n", text, (int)padding, "");
    return sizeof start + length;
}

int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err)
{
    unsigned char head[ARRAY_HEAD];
    size_t size = array_head_bytes(head, type, dim, rank);
    if (fwrite(head, 1, size, f) != size)
        return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    return DDPM_OK;
}

int array_values(FILE *f, const double *x, size_t n, ddpm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        float v = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        const unsigned char bytes[4] = { (unsigned char)bits, (unsigned char)(bits >> 8),
                                         (unsigned char)(bits >> 16), (unsigned char)(bits >> 24) };
        if (fwrite(bytes, 1, 4, f) != 4)
            return dd_error(err, DDPM_EIO, "cannot write the array: %s", strerror(errno));
    }
    return DDPM_OK;
}
