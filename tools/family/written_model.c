/* Writes a model file, reads it again and compares (written_model.h). */
#include "family/written_model.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"
#include "base/error.h"
#include "base/system.h"

const char *const *dtype_names(void)
{
    static const char *const names[] = { "f32", "f16", NULL };
    return names;
}

static size_t elements_of(const ddpm_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}

static size_t size_of(int dtype)
{
    static const size_t size[] = { [DDPM_F32] = 4, [DDPM_F16] = 2, [DDPM_F64] = 8 };
    return size[dtype];
}

/* Writes to bytes what a file with type dtype holds for a tensor of n elements. */
static int convert_as_written(void *bytes, const ddpm_tensor *made, int dtype, size_t n)
{
    if (made->dtype == dtype) {
        memcpy(bytes, made->data, n * size_of(dtype));
        return DDPM_OK;
    }

    /* With DDPM_SAVE_F16 a file has float16 for float32; without it, float32 for float16. */
    if (made->dtype == DDPM_F32 && dtype == DDPM_F16) {
        dd_dtype_to_half(bytes, made->data, n);
        return DDPM_OK;
    }
    if (made->dtype == DDPM_F16 && dtype == DDPM_F32)
        return dd_dtype_to_float(bytes, made->data, DD_F16, n);
    return DDPM_EIO;
}

static int compare_tensor(const ddpm_tensor *made, const ddpm_tensor *read, const char *path, ddpm_error *err)
{
    size_t n = elements_of(made), size = n * size_of(read->dtype);
    void *bytes = malloc(size);
    if (!bytes)
        return dd_error_memory(err, "a tensor");

    bool same = !strcmp(made->name, read->name) && elements_of(read) == n &&
                convert_as_written(bytes, made, read->dtype, n) == DDPM_OK &&
                !memcmp(bytes, read->data, size);
    free(bytes);

    if (same)
        return DDPM_OK;
    return dd_error(err, DDPM_EIO, "%s: read again, %s is not what was written; the file is removed", path,
                    made->name);
}

/* Compares the file with the model that was written, and returns the id of the file. */
static int compare(char id[65], const ddpm_model *made, const char *path, ddpm_error *err)
{
    ddpm_model *read;
    const ddpm_tensor *a, *b;
    int code = ddpm_model_open(&read, path, err);
    if (code)
        return code;

    size_t n = ddpm_model_tensors(made, &a);
    if (ddpm_model_tensors(read, &b) != n)
        code = dd_error(err, DDPM_EIO,
                        "%s: read again, it has another number of tensors; the file is removed", path);
    for (size_t i = 0; i < n && !code; i++)
        code = compare_tensor(&a[i], &b[i], path, err);
    if (!code)
        code = ddpm_model_check(read, err);

    memcpy(id, ddpm_model_about(read)->id, 65);
    ddpm_model_close(read);
    return code;
}

static int write_and_compare(char id[65], const ddpm_model *m, const char *path, unsigned flags,
                             ddpm_error *err)
{
    int code = ddpm_model_save(m, path, flags, err);
    if (code)
        return code;
    code = compare(id, m, path, err);
    if (code)
        dd_system_remove(path);
    return code;
}

/* Writes the new file beside the old one, and renames it into its place once it has been compared. */
static int replace(char id[65], const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    size_t size = strlen(path) + 32;
    char *beside = malloc(size);
    if (!beside)
        return dd_error_memory(err, "a path");
    /* A rename within one folder replaces the old file in one step. */
    snprintf(beside, size, "%s.%ld.tmp", path, dd_system_process());

    int code = write_and_compare(id, m, beside, flags, err);
    if (!code && !dd_system_replace(beside, path))
        code = dd_error(err, DDPM_EIO, "%s: cannot be put in place: %s", path, strerror(errno));
    if (code)
        dd_system_remove(beside);
    free(beside);
    return code;
}

int write_model(char id[65], const ddpm_model *m, const char *path, bool half, bool force, ddpm_error *err)
{
    unsigned flags = (half ? DDPM_SAVE_F16 : 0) | (force ? DDPM_SAVE_REPLACE : 0);
    struct dd_system_file f;
    bool there = force && dd_system_examine_link(&f, path) && f.kind == DD_SYSTEM_FILE;
    return (there ? replace : write_and_compare)(id, m, path, flags, err);
}
