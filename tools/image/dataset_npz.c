/* Reads a .npz, the zip archive of np.savez with a member NAME.npy for each array.  The images
   are arr_0, as np.savez and OpenAI's samplers name them, with their classes in arr_1; or they
   are the only array. */
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include "base/error.h"
#include "base/names.h"
#include "image/dataset_array.h"

/* Reads a member into *data [*size], allocated; the caller frees it after an error too. */
static int read_member(unsigned char **data, size_t *size, zip_t *z, zip_uint64_t at, const char *path,
                       ddpm_error *err)
{
    zip_stat_t s;
    if (zip_stat_index(z, at, 0, &s) || !(s.valid & ZIP_STAT_SIZE) || !(s.valid & ZIP_STAT_COMP_SIZE))
        return dd_error(err, DDPM_EDATA, "%s: is damaged: a member without a size", path);

    /* A small file could claim any amount of memory. */
    if (s.size / DATASET_INFLATES > s.comp_size)
        return dd_error(err, DDPM_EDATA, "%s: %s claims %llu bytes in %llu", path, s.name,
                        (unsigned long long)s.size, (unsigned long long)s.comp_size);

    *size = (size_t)s.size;
    *data = malloc(*size + 1);
    if (!*data)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu bytes of images", path, *size);

    /* libzip compares the CRC when a read meets the end of the member, so one byte more is asked for. */
    zip_file_t *f = zip_fopen_index(z, at, 0);
    zip_int64_t n = f ? zip_fread(f, *data, s.size) : -1;
    if (n >= 0 && zip_fread(f, *data + n, 1) != 0)
        n = -1;
    if (f && zip_fclose(f))
        n = -1;
    return n == (zip_int64_t)s.size ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: %s is damaged", path, s.name);
}

/* Returns the index of the member that holds the images: arr_0, or the only array; -1: neither is there.
   Fills names [room] with the names of the first arrays, for a message. */
static zip_int64_t find_images(zip_t *z, char *names, size_t room)
{
    zip_int64_t n = zip_get_num_entries(z, 0), only = -1, found = zip_name_locate(z, "arr_0.npy", 0);
    int arrays = 0;
    *names = 0;

    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);
        if (!name || !dd_names_end(name, ".npy"))
            continue;

        only = i;
        if (arrays++ < 8 && strlen(names) + strlen(name) + 3 < room)
            dd_names_join(names, room, name);
    }

    if (found < 0 && arrays == 1)
        found = only;
    return found;
}

/* Reads the classes in arr_1, if it is there. */
static int read_classes(struct dataset_array *a, zip_t *z, const char *path, ddpm_error *err)
{
    zip_int64_t at = zip_name_locate(z, "arr_1.npy", 0);
    unsigned char *data = NULL;
    size_t size;
    if (at < 0)
        return DDPM_OK;

    int code = read_member(&data, &size, z, (zip_uint64_t)at, path, err);
    if (!code)
        code = dataset_numpy_classes(&a->classes, path, data, size, a->count, err);
    free(data);
    return code;
}

int dataset_npz(struct dataset_array *a, const char *path, ddpm_error *err)
{
    char names[256];
    size_t size = 0;
    int why;
    zip_t *z = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &why);
    if (!z)
        return dd_error(err, why == ZIP_ER_MEMORY ? DDPM_ENOMEM : DDPM_EDATA,
                        "%s: begins as a zip archive (.npz) but is damaged or cut short", path);

    zip_int64_t at = find_images(z, names, sizeof names);
    if (at < 0 && !*names) {
        zip_discard(z);
        return dataset_array_refuse(a, path, err);
    }

    int code;
    if (at < 0)
        code = dd_error(err, DDPM_EDATA,
                        "%s: expected one array, or the images in arr_0; it holds %s: save the images as a "
                        ".npy of their own",
                        path, names);
    else
        code = read_member(&a->inflated, &size, z, (zip_uint64_t)at, path, err);
    if (!code && !dataset_is_numpy(a->inflated, size))
        code = dd_error(err, DDPM_EDATA, "%s: its member is no .npy array", path);
    if (!code)
        code = dataset_numpy(a, path, a->inflated, size, err);
    if (!code)
        code = read_classes(a, z, path, err);
    zip_discard(z);
    return code;
}
