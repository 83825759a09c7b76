/* Opens the source of a data set (dataset.h): a folder of pictures, a folder of CIFAR-10 batches, or one
   file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"
#include "image/dataset.h"

/* ---- a folder of CIFAR-10's batches ---- */

static bool is_batch(const char *folder, const char *name)
{
    (void)folder;
    return dd_names_end(name, ".bin");
}

static bool is_test(const char *name)
{
    return !strncasecmp(name, "test", strlen("test"));
}

/* Leaves the test batches out of a folder that has training batches too: they are meant for measuring. */
static void without_test(struct dataset *d, char **name, size_t *names)
{
    size_t kept = 0, others = 0;
    for (size_t i = 0; i < *names; i++)
        others += !is_test(name[i]);

    for (size_t i = 0; i < *names; i++) {
        if (!is_test(name[i]) || !others) {
            name[kept++] = name[i];
            continue;
        }
        /* The user is told the name of the first. */
        if (d->tests++)
            free(name[i]);
        else
            d->test = name[i];
    }
    *names = kept;
}

/* Opens the batches, one after the other. */
static int open_batches(struct dataset *d, char **name, size_t names, size_t most, ddpm_error *err)
{
    int code = DDPM_OK;
    d->array = calloc(names, sizeof *d->array);
    if (!d->array)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu files", d->path, names);

    for (size_t i = 0; i < names && !code; i++) {
        size_t n = strlen(d->path) + strlen(name[i]) + 2;
        char *path = malloc(n);
        if (!path)
            return dd_error(err, DDPM_ENOMEM, "%s: out of memory for a name", d->path);
        snprintf(path, n, "%s/%s", d->path, name[i]);

        code = dataset_array_open(&d->array[i], path, most, err);
        if (!code && !d->array[i].class_byte)
            code = dd_error(err, DDPM_EDATA,
                            "%s: the .bin files of a folder are CIFAR-10 batches, this one is not", path);

        /* Closing d closes this many arrays. */
        d->arrays = i + 1;
        free(path);
    }
    return code;
}

/* ---- a folder of pictures ---- */

/* Returns the part of a data set that a folder is named after: 1: for training, 2: for measuring, 0:
   neither. */
static int part_of(const char *name, size_t length)
{
    static const char *const part[] = { "train", "training", "val",     "valid", "validation",
                                        "dev",   "test",     "testing", "eval" };

    enum { TO_TRAIN = 2, PARTS = sizeof part / sizeof *part };

    for (int i = 0; i < PARTS; i++)
        if (strlen(part[i]) == length && !strncasecmp(name, part[i], length))
            return i < TO_TRAIN ? 1 : 2;
    return 0;
}

/* Refuses a folder that holds parts for training and for measuring, at any depth.  Folders such as train
   and test are not classes, and are not meant to be taken together. */
static int check_parts(const struct dataset *d, ddpm_error *err)
{
    const char *part[3] = { NULL };
    int length[3] = { 0 };

    for (size_t i = 0; i < d->folder.files; i++) {
        const char *file = d->folder.file[i], *from = file;
        for (const char *end = strchr(from, '/'); end; end = strchr(from, '/')) {
            /* The first file of each kind is named by its path up to the folder of the part. */
            int k = part_of(from, (size_t)(end - from));
            if (!part[k]) {
                part[k] = file;
                length[k] = (int)(end - file);
            }
            from = end + 1;
        }
    }

    if (!part[1] || !part[2])
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA,
                    "%s holds the parts %.*s and %.*s of a data set: name one of them, such as %s/%.*s",
                    d->path, length[1], part[1], length[2], part[2], d->path, length[1], part[1]);
}

/* ---- the source ---- */

/* Opens a folder of pictures or, if it holds no picture, of batches. */
static int open_folder(struct dataset *d, size_t most, ddpm_error *err)
{
    char **name, left_out[160];
    size_t names;
    int code = image_folder_open(&d->folder, d->path, err);
    if (code || d->folder.files)
        return code ? code : check_parts(d, err);

    code = dd_names_list(&name, &names, d->path, is_batch, err);
    image_folder_left_out(left_out, sizeof left_out, &d->folder);
    if (!code && !names)
        code = dd_error(err, DDPM_EDATA,
                        "%s holds no image: expected " IMAGE_FILE_KINDS ", in it or in sub-folders, or "
                        "CIFAR-10's .bin%s%s",
                        d->path, *left_out ? "; found " : "", left_out);

    if (!code)
        without_test(d, name, &names);
    if (!code)
        code = open_batches(d, name, names, most, err);
    dd_names_free(name, names);
    return code;
}

int dataset_open_source(struct dataset *d, size_t most, ddpm_error *err)
{
    if (dd_system_is_folder(d->path))
        return open_folder(d, most, err);

    d->array = calloc(1, sizeof *d->array);
    if (!d->array)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", d->path);
    d->arrays = 1;
    return dataset_array_open(d->array, d->path, most, err);
}
