/* A foreign checkpoint opened: its files found and read, the U-Net chosen among their tensors, and each tensor laid out. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint.h"
#include "source.h"

static int hash_file(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file file;
    struct dd_hash hash;
    int code = dd_file_map(&file, path, err);
    if (code)
        return code;
    if (dd_hash_begin(&hash) != 0) {
        dd_file_unmap(&file);
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    }
    dd_hash_add(&hash, file.data, file.size);
    dd_hash_end(&hash, hex);
    dd_file_unmap(&file);
    return DDPM_OK;
}

static int open_files(struct files *f, const char *path, ddpm_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return diffusers_folder_open(f, path, err);
    f->weights = path;
    f->source = dd_arena(&f->arena, 1, sizeof *f->source);
    if (!f->source)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    f->sources = 1;
    return source_open(f->source, path, err);
}

static int lay_out(struct checkpoint *c, struct files *f, const struct choice *choice, ddpm_error *err)
{
    c->tensor = dd_arena(&f->arena, choice->tensors, sizeof *c->tensor);
    if (!c->tensor)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    c->tensors = choice->tensors;
    for (size_t i = 0; i < choice->tensors; i++) {
        int code = source_tensor(&c->tensor[i], &choice->tensor[i], err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

static int open_all(struct checkpoint *c, struct files *f, const char *path, const char *want, ddpm_error *err)
{
    struct choice choice = { 0 };
    int code = open_files(f, path, err);
    c->config = f->config;
    c->scheduler = f->scheduler;
    if (code || (code = unwrap(&choice, &f->arena, f->source, want, err)) != DDPM_OK || (code = lay_out(c, f, &choice, err)) != DDPM_OK)
        return code;
    c->weights = choice.weights;
    c->has_ema = choice.has_ema;
    c->has_raw = choice.has_raw;
    c->version = f->source->version;
    const char *slash = strrchr(f->weights, '/');
    strncpy(c->file, slash ? slash + 1 : f->weights, sizeof c->file - 1);
    return hash_file(c->sha256, f->weights, err);
}

int checkpoint_open(struct checkpoint *c, const char *path, const char *want, ddpm_error *err)
{
    *c = (struct checkpoint){ 0 };
    struct files *f = calloc(1, sizeof *f);
    if (!f)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    c->owned = f;
    int code = open_all(c, f, path, want, err);
    if (code)
        checkpoint_close(c);
    return code;
}

void checkpoint_close(struct checkpoint *c)
{
    struct files *f = c->owned;
    if (f) {
        for (size_t i = 0; i < f->sources; i++)
            source_close(&f->source[i]);
        cJSON_Delete(f->config);
        cJSON_Delete(f->scheduler);
        dd_arena_free(&f->arena);
        free(f);
    }
    *c = (struct checkpoint){ 0 };
}

static int tensor_order(const void *a, const void *b)
{
    return strcmp(((const struct checkpoint_tensor *)a)->name, ((const struct checkpoint_tensor *)b)->name);
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name)
{
    struct checkpoint_tensor key = { .name = name };
    return bsearch(&key, c->tensor, c->tensors, sizeof key, tensor_order);
}

/* ---- values ---- */

enum { BLOCK = 1024 };

/* Elements first .. first + n - 1 in row-major order, packed and little-endian. */
static void gather(unsigned char *out, const struct checkpoint_tensor *t, uint64_t first, size_t n, size_t bytes)
{
    int64_t index[DD_RANK_MAX] = { 0 };
    uint64_t rest = first;
    for (int k = t->rank; k--; rest /= (uint64_t)t->dim[k])
        index[k] = (int64_t)(rest % (uint64_t)t->dim[k]);
    for (size_t i = 0; i < n; i++, out += bytes) {
        int64_t at = 0;
        for (int k = 0; k < t->rank; k++)
            at += index[k] * t->stride[k];
        const unsigned char *from = t->data + (size_t)at * bytes;
        for (size_t b = 0; b < bytes; b++)
            out[b] = from[t->big_endian ? bytes - 1 - b : b];
        for (int k = t->rank; k-- && ++index[k] == t->dim[k];)
            index[k] = 0;
    }
}

static int read_values(const struct checkpoint *c, const struct checkpoint_tensor *t, float *single, double *full, ddpm_error *err)
{
    _Alignas(16) unsigned char block[BLOCK * 8];
    uint64_t count = 1;
    size_t bytes = dd_dtype_bits(t->dtype) / 8;
    for (int k = 0; k < t->rank; k++)
        count *= (uint64_t)t->dim[k];
    for (uint64_t first = 0; first < count; first += BLOCK) {
        size_t n = count - first < BLOCK ? (size_t)(count - first) : BLOCK;
        if (bytes <= 8)
            gather(block, t, first, n, bytes);
        if (single ? dd_dtype_to_float(single + first, block, t->dtype, n) : dd_dtype_to_double(full + first, block, t->dtype, n))
            return dd_error(err, DDPM_EDATA, "%s: tensor %.120s is stored as %s; weights are floating-point numbers", c->file, t->name,
                            dd_dtype_name(t->dtype));
        for (uint64_t i = first; i < first + n; i++) {
            double v = single ? (double)single[i] : full[i];
            if (!(v - v == 0))
                return dd_error(err, DDPM_EDATA, "%s: tensor %.120s: element %llu of %llu is %s", c->file, t->name, (unsigned long long)i,
                                (unsigned long long)count, v != v ? "not a number" : "infinite");
        }
    }
    return DDPM_OK;
}

int checkpoint_floats(const struct checkpoint *c, const struct checkpoint_tensor *t, float *out, ddpm_error *err)
{
    return read_values(c, t, out, NULL, err);
}

int checkpoint_doubles(const struct checkpoint *c, const struct checkpoint_tensor *t, double *out, ddpm_error *err)
{
    return read_values(c, t, NULL, out, err);
}
