/* Reads the labels beside an IDX file of images (LeCun, Cortes, Burges, "The MNIST database"): the
   bytes 0 0 8 1, a big-endian count of four bytes, and a byte for each label.  zlib reads a file
   that is not compressed as it is. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"
#include "image/dataset_array.h"

/* Returns the name of the images' file with "images" and "idx3" replaced in its last part,
   allocated; NULL when it does not contain them, or when out of memory. */
static char *labels_name(const char *images)
{
    const char *slash = strrchr(images, '/');
    const char *at = strstr(slash ? slash : images, "images");
    const char *idx = at ? strstr(at, "idx3") : NULL;
    char *name = idx ? strdup(images) : NULL;
    if (!name)
        return NULL;

    memcpy(name + (at - images), "labels", 6);
    name[idx - images + 3] = '1';
    /* Compressed images may have labels that are not compressed. */
    if (!dd_system_may_read(name) && dd_names_end(name, ".gz"))
        name[strlen(name) - 3] = 0;
    return name;
}

/* Reads the head, compares the count of labels with the count of images, and reads the labels. */
static int read_labels(int32_t **classes, gzFile f, const char *name, size_t count, ddpm_error *err)
{
    unsigned char head[8];
    if (gzread(f, head, 8) != 8 || memcmp(head, "\0\0\010\1", 4))
        return dd_error(err, DDPM_EDATA, "%s: lies beside the images, but is no IDX file of labels", name);

    size_t n = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    if (n != count)
        return dd_error(err, DDPM_EDATA, "%s: %zu labels for %zu images", name, n, count);

    /* One element more than needed is asked for, because malloc(0) may return NULL. */
    *classes = malloc((n + 1) * sizeof **classes);
    if (!*classes)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu labels", name, n);
    for (size_t i = 0; i < n; i++)
        if (((*classes)[i] = gzgetc(f)) < 0)
            return dd_error(err, DDPM_EDATA, "%s: cut off or damaged", name);
    return DDPM_OK;
}

int dataset_labels(int32_t **classes, const char *images, size_t count, ddpm_error *err)
{
    char *name = labels_name(images);
    bool there = name && dd_system_may_read(name);

    /* Opening a pipe would wait for its writer. */
    if (there && !dd_system_is_file(name)) {
        int code = dd_error(err, DDPM_EDATA,
                            "%s: is no regular file, but the labels of %s are expected there", name, images);
        free(name);
        return code;
    }

    int descriptor = there ? dd_system_open(name, 0) : -1;
    gzFile f = descriptor >= 0 ? gzdopen(descriptor, "rb") : NULL;
    int code = f ? read_labels(classes, f, name, count, err) : DDPM_OK;
    if (f)
        gzclose(f);
    else if (descriptor >= 0)
        dd_system_close(descriptor);
    free(name);
    return code;
}
