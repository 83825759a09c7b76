/* Reads, writes and checks model files.  The tensors must be exactly those that the metadata ask for.  The
   id of a model is the SHA-256 of all tensor bytes, in order of names. */
#include "net/model_file.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/kind.h"
#include "base/safetensors.h"

/* The first three complaints about tensors, and how many there are in all. */
struct complaints {
    char text[320];
    int count;
};

static void complain(struct complaints *c, const char *format, ...) DD_PRINTF(2, 3);

static void complain(struct complaints *c, const char *format, ...)
{
    size_t used = strlen(c->text);
    va_list ap;
    if (c->count++ >= 3)
        return;

    snprintf(c->text + used, sizeof c->text - used, "%s", used ? ", " : "");
    used = strlen(c->text);
    va_start(ap, format);
    vsnprintf(c->text + used, sizeof c->text - used, format, ap);
    va_end(ap);
}

/* Writes "[64,3,3,3]". */
static const char *shape_text(char text[96], int rank, const int64_t *dim)
{
    int used = snprintf(text, 96, "[");
    for (int i = 0; i < rank && used < 80; i++)
        used += snprintf(text + used, 96 - (size_t)used, "%s%lld", i ? "," : "", (long long)dim[i]);
    snprintf(text + used, 96 - (size_t)used, "]");
    return text;
}

static bool same_shape(const ddpm_tensor *t, const struct dd_entry *e)
{
    bool same = t->rank == e->rank;
    for (int i = 0; same && i < t->rank; i++)
        same = (uint64_t)t->dim[i] == e->dim[i];
    return same;
}

/* Accepts the type that a tensor is stored as.  Only weights of two and more dimensions may be float16.  No
   tensor of a training checkpoint may, because training goes on from its bits. */
static bool take_dtype(ddpm_tensor *t, enum dd_dtype dtype, bool training)
{
    if (dtype == DD_F16 && t->dtype == DDPM_F32 && t->rank >= 2 && !training)
        t->dtype = DDPM_F16;
    else if (dtype != (t->dtype == DDPM_F64 ? DD_F64 : DD_F32))
        return false;
    return true;
}

/* Points t at its data where they lie, or at a copy if they are not aligned as C requires. */
static int take_data(ddpm_model *m, ddpm_tensor *t, const struct dd_entry *e, ddpm_error *err)
{
    t->data = (void *)(uintptr_t)e->data;
    if ((uintptr_t)e->data % (dd_dtype_bits(e->dtype) / 8) == 0)
        return DDPM_OK;
    t->data = dd_arena(&m->arena, e->size, 1);
    if (!t->data)
        return dd_error(err, DDPM_ENOMEM, "out of memory: %zu bytes for tensor %s", e->size, t->name);
    memcpy(t->data, e->data, e->size);
    return DDPM_OK;
}

/* Compares the tensors of the file with those of the model, and points these at their data. */
static int match(ddpm_model *m, const struct dd_safetensors *s, const char *name, ddpm_error *err)
{
    struct complaints c = { "", 0 };
    char a[96], b[96];
    int code = DDPM_OK;
    for (size_t i = 0; i < m->tensors && !code; i++) {
        ddpm_tensor *t = &m->tensor[i];
        const struct dd_entry *e = dd_safetensors_find(s, t->name);
        if (!e) {
            complain(&c, "%s is missing", t->name);
        } else if (!same_shape(t, e)) {
            int64_t dim[DD_RANK_MAX];
            memcpy(dim, e->dim, sizeof dim);
            complain(&c, "%s is %s where %s is expected", t->name, shape_text(a, e->rank, dim),
                     shape_text(b, t->rank, t->dim));
        } else if (!take_dtype(t, e->dtype, m->training)) {
            complain(&c, "%s is %s where %s is expected", t->name, dd_dtype_name(e->dtype),
                     t->dtype == DDPM_F64 ? "F64" : "F32");
        } else {
            code = take_data(m, t, e, err);
        }
    }

    for (size_t i = 0; i < s->entries && !code; i++)
        if (!dd_model_find(m, s->entry[i].name))
            complain(&c, "%.80s is not expected", s->entry[i].name);

    if (!code && c.count)
        code = dd_error(err, DDPM_EDATA, "%s: %d tensor%s not fit: %s%s", name, c.count,
                        c.count > 1 ? "s do" : " does", c.text, c.count > 3 ? ", ..." : "");
    return code;
}

int dd_model_file_open(ddpm_model **out, const unsigned char *data, size_t size, const char *name,
                       ddpm_error *err)
{
    struct dd_safetensors s;
    struct dd_kind kind = dd_kind(data, size);
    ddpm_model *m = NULL;
    *out = NULL;
    /* The first bytes show which other kind of file it is. */
    if (kind.torch)
        kind.hint = "make one with ddpm convert";
    if (kind.is)
        return dd_kind_error(err, name, kind, "no model file of ddpm");

    bool hashed = dd_safetensors_has_hash(data, size);
    int code = hashed ? dd_safetensors_check_hash(data, size, name, err) : DDPM_OK;
    if (!code)
        code = dd_safetensors_read(&s, data, size, name, err);
    if (code)
        return code;

    const char *format = dd_safetensors_meta(&s, "format"), *json = dd_safetensors_meta(&s, "ddpm");
    if (!format || strcmp(format, "ddpm") || !json)
        code =
            dd_error(err, DDPM_EDATA,
                     "%s: is no model file of ddpm (its metadata lack \"ddpm\"): make one with ddpm convert",
                     name);
    if (!code)
        code = dd_model_describe(&m, json, strlen(json), name, true, err);
    /* A training checkpoint is always written with its hash. */
    if (!code && m->low && !hashed)
        code = dd_safetensors_check_hash(data, size, name, err);
    if (!code)
        code = match(m, &s, name, err);

    dd_safetensors_free(&s);
    if (code)
        dd_model_free(m);
    else
        *out = m;
    return code;
}

/* ---- writing ---- */

static bool to_half(const ddpm_tensor *t, unsigned flags)
{
    return t->dtype == DDPM_F32 && t->rank >= 2 && (flags & DDPM_SAVE_F16);
}

static bool to_float(const ddpm_tensor *t, unsigned flags)
{
    return t->dtype == DDPM_F16 && !(flags & DDPM_SAVE_F16);
}

static int half_overflow(const ddpm_tensor *t, const uint16_t *half, int64_t n, const char *path,
                         ddpm_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if ((half[i] & 0x7c00) == 0x7c00)
            return dd_error(err, DDPM_EDATA,
                            "%s: tensor %s: element %lld is %g, too large for float16: write float32", path,
                            t->name, (long long)i, (double)((const float *)t->data)[i]);
    return DDPM_OK;
}

/* Makes the entry for t as it will be stored.  Data of another type are converted into *room, which then
   moves on. */
static int make_entry(struct dd_entry *e, const ddpm_tensor *t, unsigned flags, char **room, const char *path,
                      ddpm_error *err)
{
    static const enum dd_dtype dtype[] = { [DDPM_F32] = DD_F32, [DDPM_F16] = DD_F16, [DDPM_F64] = DD_F64 };

    int64_t n;
    size_t size = dd_model_bytes(t, &n);
    int code = DDPM_OK;

    *e = (struct dd_entry){
        .name = t->name,
        .dtype = dtype[t->dtype],
        .rank = t->rank,
        .count = (uint64_t)n,
        .size = size,
        .data = t->data,
    };
    for (int i = 0; i < t->rank; i++)
        e->dim[i] = (uint64_t)t->dim[i];
    if (!to_half(t, flags) && !to_float(t, flags))
        return code;

    e->data = (unsigned char *)*room;
    if (to_half(t, flags)) {
        e->dtype = DD_F16;
        e->size = size / 2;
        dd_dtype_to_half((uint16_t *)(void *)*room, t->data, (size_t)n);
        code = half_overflow(t, (const uint16_t *)(const void *)*room, n, path, err);
    } else {
        e->dtype = DD_F32;
        e->size = 2 * size;
        dd_dtype_to_float((float *)(void *)*room, t->data, DD_F16, (size_t)n);
    }

    /* The next tensor begins on a cache line of its own. */
    *room += (e->size + 63) / 64 * 64;
    return code;
}

static size_t room_for_conversion(const ddpm_model *m, unsigned flags)
{
    size_t room = 0;
    for (size_t i = 0; i < m->tensors; i++) {
        const ddpm_tensor *t = &m->tensor[i];
        size_t size = dd_model_bytes(t, NULL);
        if (to_half(t, flags))
            room += size / 2 + 64;
        else if (to_float(t, flags))
            room += 2 * size + 64;
    }
    return room;
}

/* Fills id with the SHA-256 of all tensor bytes, in order of names; returns -1 when out of memory. */
static int make_id(char id[65], const struct dd_entry *entry, size_t entries)
{
    struct dd_hash h;
    if (dd_hash_begin(&h))
        return -1;
    for (size_t i = 0; i < entries; i++)
        dd_hash_add(&h, entry[i].data, entry[i].size);
    dd_hash_end(&h, id);
    return 0;
}

/* Returns the metadata with this id as text, which the caller frees by cJSON_free; NULL: out of memory. */
static char *metadata_text(const ddpm_model *m, const char *id)
{
    cJSON *root = cJSON_Duplicate(m->root, 1);
    char *text = NULL;
    if (root)
        cJSON_DeleteItemFromObjectCaseSensitive(root, "id");
    if (root && cJSON_AddStringToObject(root, "id", id))
        text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

/* Writes the container.  A training checkpoint gets its hash, because training goes on from its bits. */
static int write_tensors(FILE *f, const ddpm_model *m, const struct dd_entry *entry, const char *const *meta,
                         ddpm_error *err)
{
    return m->low ? dd_safetensors_write_hashed(f, entry, m->tensors, meta, err)
                  : dd_safetensors_write(f, entry, m->tensors, meta, err);
}

static int write_file(const ddpm_model *m, const struct dd_entry *entry, const char *path, unsigned flags,
                      ddpm_error *err)
{
    char id[65];
    if (make_id(id, entry, m->tensors))
        return dd_error_memory(err, path);
    char *json = metadata_text(m, id);
    if (!json)
        return dd_error_memory(err, path);

    const char *meta[] = { "ddpm", json, "format", "ddpm", NULL };

    /* The file appears under this name only when it is complete. */
    struct dd_output o;
    int code = dd_output_create(&o, path, flags & DDPM_SAVE_REPLACE, err);
    if (!code) {
        code = write_tensors(o.stream, m, entry, meta, err);
        if (!code)
            code = dd_model_unchanged(m, err);
        if (code) {
            dd_error_context(err, "%s", path);
            dd_output_abandon(&o);
        } else {
            code = dd_output_commit(&o, err);
        }
    }

    cJSON_free(json);
    return code;
}

int dd_model_file_save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    struct dd_entry *entry = malloc(m->tensors * sizeof *entry);
    char *room = malloc(room_for_conversion(m, flags) + 1), *at = room;
    int code = entry && room ? DDPM_OK : dd_error_memory(err, path);

    for (size_t i = 0; i < m->tensors && !code; i++)
        code = make_entry(&entry[i], &m->tensor[i], flags, &at, path, err);
    if (!code)
        code = write_file(m, entry, path, flags, err);

    free(room);
    free(entry);
    return code;
}

int dd_model_file_check(const ddpm_model *m, ddpm_error *err)
{
    struct dd_hash h;
    char id[65];
    if (!m->id[0])
        return dd_error(err, DDPM_EUSAGE, "the model has no id to check, because it was never saved");

    if (dd_hash_begin(&h))
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    for (size_t i = 0; i < m->tensors; i++)
        dd_hash_add(&h, m->tensor[i].data, dd_model_bytes(&m->tensor[i], NULL));
    dd_hash_end(&h, id);

    int code = dd_model_unchanged(m, err);
    if (code)
        return code;
    if (strcmp(id, m->id))
        return dd_error(
            err, DDPM_EDATA,
            "the tensors have changed since the file was written: their SHA-256 is %s, id says %s", id,
            m->id);
    return DDPM_OK;
}
