/* A foreign checkpoint opened: its files found and read, the U-Net chosen among their tensors, and
   each tensor laid out. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/unwrap.h"

static int hash_data(char hex[65], const unsigned char *data, size_t size, ddpm_error *err)
{
    struct dd_hash hash;
    if (dd_hash_begin(&hash) != 0)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    dd_hash_add(&hash, data, size);
    dd_hash_end(&hash, hex);
    return DDPM_OK;
}

static int hash_file(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file file;
    int code = dd_file_map(&file, path, err);
    if (code)
        return code;
    code = hash_data(hex, file.data, file.size, err);
    dd_file_unmap(&file);
    return code;
}

/* The one source of a checkpoint that is a single file. */
static struct source *only_source(struct files *f, const char *name, ddpm_error *err)
{
    f->weights = name;
    f->source = dd_arena(&f->arena, 1, sizeof *f->source);
    if (!f->source)
        dd_error(err, DDPM_ENOMEM, "out of memory");
    f->sources = f->source != NULL;
    return f->source;
}

static int open_files(struct files *f, const char *path, const char *want, ddpm_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return diffusers_folder_open(f, path, want, err);
    struct source *s = only_source(f, path, err);
    return s ? source_open(s, path, err) : DDPM_ENOMEM;
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

void checkpoint_add_note(char *notes, size_t size, const char *format, va_list arguments)
{
    size_t used = strlen(notes);
    vsnprintf(notes + used, size - used, format, arguments);
    used = strlen(notes);
    if (used + 1 < size)
        memcpy(notes + used, "\n", 2);
}

static void note(struct checkpoint *c, const char *format, ...) DD_PRINTF(2, 3);

static void note(struct checkpoint *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    checkpoint_add_note(c->notes, sizeof c->notes, format, arguments);
    va_end(arguments);
}

static int choose(struct checkpoint *c, struct files *f, const char *want, ddpm_error *err)
{
    struct choice choice = { 0 };
    int code = unwrap(&choice, &f->arena, f->source, *f->label ? NULL : want, err);
    if (code || (code = lay_out(c, f, &choice, err)) != DDPM_OK)
        return code;
    c->weights = choice.weights;
    c->has_ema = choice.has_ema;
    c->has_raw = choice.has_raw;
    c->version = f->source->version;
    const char *slash = strrchr(f->weights, '/');
    strncpy(c->file, slash ? slash + 1 : f->weights, sizeof c->file - 1);
    if (choice.left)
        note(c, "left out: %zu tensors of other networks beside the U-Net, such as %.120s", choice.left,
             choice.left_name);
    if (f->source->named_like && *c->weights == 'e')
        note(c,
             "the averaged tensors have no names: they have those of %s, in whose order and shapes they are",
             *f->source->named_like ? f->source->named_like : "the table beside them");
    if (*f->source->torch.pickle.foreign)
        note(c, "passed over: objects of %s, of which nothing was executed", f->source->torch.pickle.foreign);
    return DDPM_OK;
}

static int is_average(const struct dirent *e)
{
    return !strncmp(e->d_name, "ema_", 4);
}

/* Returns the name of the average of the same step, or NULL: OpenAI's training writes
   ema_0.9999_000100.pt beside model000100.pt. */
static const char *average_of_step(struct files *f, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *found = NULL;
    char *folder = slash ? dd_arena_text(&f->arena, "%.*s/", (int)(slash - path), path) : ".";
    char *end = strncmp(base, "model", 5) ? NULL : dd_arena_text(&f->arena, "_%s", base + 5);
    struct dirent **entry = NULL;
    int count = folder && end ? scandir(folder, &entry, is_average, alphasort) : 0;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(entry[i]->d_name), m = strlen(end);
        if (!found && n > m && !strcmp(entry[i]->d_name + n - m, end))
            found = dd_arena_text(&f->arena, "%s", entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return found;
}

/* Joins what the tensors say of the weights with what their place says; a label that nothing gives
   is not made up. */
static int label(struct checkpoint *c, struct files *f, const char *want, ddpm_error *err)
{
    if (!*f->label && *c->weights == 'r')
        f->average_beside = f->source->beside;
    if (!*c->weights && *f->label) {
        c->weights = f->label;
        c->has_ema = f->both || *f->label == 'e';
        c->has_raw = f->both || *f->label == 'r';
    }
    if (want && *c->weights && strcmp(want, c->weights))
        return dd_error(err, DDPM_EDATA, "%s: holds %s weights only, not the %s ones asked for%s%s",
                        f->weights, *c->weights == 'e' ? "averaged (ema)" : "raw",
                        *want == 'e' ? "averaged" : "raw",
                        f->average_beside ? ": those are beside it, in " : "",
                        f->average_beside ? f->average_beside : "");
    if (want && *want == 'e' && !*c->weights)
        return dd_error(err, DDPM_EDATA,
                        "%s: nothing says that its weights are averaged (ema), and it has no others: "
                        "leave --weights out to take them",
                        f->weights);
    if (f->average_beside && !f->both)
        note(c, "the averaged weights are beside it, in %s", f->average_beside);
    c->others = f->others != NULL;
    if (f->others)
        note(c, "other weights are beside it, in %s", f->others);
    if (f->scheduler && f->scheduler_above)
        note(c, "the scheduler is that of %.300s", f->scheduler_path);
    return DDPM_OK;
}

static struct files *begin(struct checkpoint *c, ddpm_error *err)
{
    struct files *f = calloc(1, sizeof *f);
    *c = (struct checkpoint){ .owned = f };
    if (f)
        f->label = "";
    else
        dd_error(err, DDPM_ENOMEM, "out of memory");
    return f;
}

/* "model-00001-of-00003.safetensors": one of several files that only together are a model. */
static int is_shard(const char *path)
{
    static const char digits[] = "0123456789";
    const char *at = strstr(path, "-of-");
    return at && at - path > 6 && at[-6] == '-' && strspn(at - 5, digits) == 5 &&
           strspn(at + 4, digits) == 5 && strncmp(at + 4, "00001", 5) && !strchr(at, '/');
}

int checkpoint_open(struct checkpoint *c, const char *path, const char *want, const char *part,
                    ddpm_error *err)
{
    struct files *f = begin(c, err);
    if (!f)
        return DDPM_ENOMEM;
    int code = open_files(f, path, want, err);
    if (!code && is_shard(path))
        code = dd_error(err, DDPM_EDATA, "%s: is one of several files of a model: give their folder", path);
    int folder = f->config != NULL;
    if (!code) {
        f->source->part = part;
        f->source->beside = folder ? NULL : average_of_step(f, path);
        code = choose(c, f, want, err);
    }
    if (!code && !folder && checkpoint_find(c, "time_embedding.linear_1.weight"))
        code = diffusers_folder_beside(f, path, err);
    c->config = f->config;
    c->scheduler = f->scheduler;
    if (!code && (code = label(c, f, want, err)) == DDPM_OK)
        code = f->sharded ? hash_file(c->sha256, f->weights, err)
                          : hash_data(c->sha256, f->source->file.data, f->source->file.size, err);
    if (code)
        checkpoint_close(c);
    return code;
}

int checkpoint_open_memory(struct checkpoint *c, const unsigned char *data, size_t size, const char *name,
                           const char *want, ddpm_error *err)
{
    struct files *f = begin(c, err);
    struct source *s = f ? only_source(f, name, err) : NULL;
    int code = s ? source_read(s, data, size, name, err) : DDPM_ENOMEM;
    if (!code && (code = choose(c, f, want, err)) == DDPM_OK && (code = label(c, f, want, err)) == DDPM_OK)
        code = hash_data(c->sha256, data, size, err);
    if (code)
        checkpoint_close(c);
    return code;
}

int checkpoint_unchanged(const struct checkpoint *c, ddpm_error *err)
{
    const struct files *f = c->owned;
    int code = DDPM_OK;
    for (size_t i = 0; i < f->sources && !code; i++)
        code = dd_file_unchanged(&f->source[i].file, f->source[i].name, err);
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

/* Do the elements lie as dd_dtype_to_float takes them: row after row, without gaps, little-endian? */
static int packed(const struct checkpoint_tensor *t)
{
    int64_t stride = 1;
    for (int k = t->rank; k--; stride *= t->dim[k])
        if (t->dim[k] != 1 && t->stride[k] != stride)
            return 0;
    return !t->big_endian;
}

/* Elements first .. first + n - 1 in row-major order, packed and little-endian. */
static void gather(unsigned char *out, const struct checkpoint_tensor *t, uint64_t first, size_t n,
                   size_t bytes)
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

static int read_values(const struct checkpoint *c, const struct checkpoint_tensor *t, float *single,
                       double *full, ddpm_error *err)
{
    unsigned char block[BLOCK * 8];
    uint64_t count = 1;
    size_t bytes = dd_dtype_bits(t->dtype) / 8;
    int straight = packed(t);
    for (int k = 0; k < t->rank; k++)
        count *= (uint64_t)t->dim[k];
    for (uint64_t first = 0; first < count; first += BLOCK) {
        size_t n = count - first < BLOCK ? (size_t)(count - first) : BLOCK;
        const unsigned char *from = straight ? t->data + first * bytes : block;
        if (!straight)
            gather(block, t, first, n, bytes);
        if (single ? dd_dtype_to_float(single + first, from, t->dtype, n)
                   : dd_dtype_to_double(full + first, from, t->dtype, n))
            return dd_error(err, DDPM_EDATA,
                            "%s: tensor %.120s is stored as %s; weights are floating-point numbers", c->file,
                            t->name, dd_dtype_name(t->dtype));
        for (uint64_t i = first; i < first + n; i++) {
            double v = single ? (double)single[i] : full[i];
            if (!(v - v == 0))
                return dd_error(err, DDPM_EDATA, "%s: tensor %.120s: element %llu of %llu is %s", c->file,
                                t->name, (unsigned long long)i, (unsigned long long)count,
                                v != v ? "not a number" : "infinite");
        }
    }
    return DDPM_OK;
}

int checkpoint_floats(const struct checkpoint *c, const struct checkpoint_tensor *t, float *out,
                      ddpm_error *err)
{
    return read_values(c, t, out, NULL, err);
}

int checkpoint_doubles(const struct checkpoint *c, const struct checkpoint_tensor *t, double *out,
                       ddpm_error *err)
{
    return read_values(c, t, NULL, out, err);
}
