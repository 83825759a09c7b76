/* The zip container of torch.save (formats.md 7.2): FOLDER/data.pkl and one stored member FOLDER/data/KEY per storage.  libzip reads
   the archive, from the mapped file; nothing is ever written, and no member is named by anything but the pickle's own keys. */
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include "base/error.h"
#include "source.h"

static char *member(struct source *s, const char *name) { return dd_arena_text(&s->arena, "%s/%s", s->torch.folder, name); }

static int exists(struct source *s, const char *name)
{
    char *full = member(s, name);
    return full && zip_name_locate(s->torch.zip, full, 0) >= 0;
}

static int open_archive(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *from = zip_source_buffer_create(data, size, 0, &why);
    s->torch.zip = from ? zip_open_from_source(from, ZIP_RDONLY | ZIP_CHECKCONS, &why) : NULL;
    if (!s->torch.zip) {
        int code = zip_error_code_zip(&why) == ZIP_ER_MEMORY ? DDPM_ENOMEM : DDPM_EDATA;
        dd_error(err, code, "begins as a zip archive but is damaged or cut short (%s)", zip_error_strerror(&why));
        zip_source_free(from);
        zip_error_fini(&why);
        return code;
    }
    zip_error_fini(&why);
    return DDPM_OK;
}

/* Member index's place in the archive, once it is known that reading it costs no more than the file's own size. */
static int find(struct source *s, const char *name, zip_stat_t *stat, ddpm_error *err)
{
    char *full = member(s, name);
    if (!full)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    zip_int64_t index = zip_name_locate(s->torch.zip, full, 0);
    const zip_uint64_t needed = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (index < 0)
        return dd_error(err, DDPM_EDATA, "member %.100s is not in the archive", full);
    if (zip_stat_index(s->torch.zip, (zip_uint64_t)index, 0, stat) != 0 || (stat->valid & needed) != needed)
        return dd_error(err, DDPM_EDATA, "member %.100s: %s", full, zip_strerror(s->torch.zip));
    if (stat->comp_method != ZIP_CM_STORE || stat->encryption_method != ZIP_EM_NONE)
        return dd_error(err, DDPM_EDATA, "member %.100s is %s; torch stores members as they are: save it again with torch.save", full,
                        stat->comp_method != ZIP_CM_STORE ? "compressed" : "encrypted");
    if (stat->size != stat->comp_size || stat->size > s->torch.loaded)
        return dd_error(err, DDPM_EDATA, "member %.100s claims %llu bytes, more than the file has", full, (unsigned long long)stat->size);
    return DDPM_OK;
}

/* A whole member; libzip compares its CRC when the end is read.  All that is read together is at most the file's size. */
static int load(struct source *s, const char *name, unsigned char **data, size_t *size, ddpm_error *err)
{
    zip_stat_t stat;
    int code = find(s, name, &stat, err);
    if (code)
        return code;
    unsigned char *to = dd_arena(&s->arena, (size_t)stat.size + 1, 1);
    if (!to)
        return dd_error(err, DDPM_ENOMEM, "out of memory for member %.100s of %llu bytes", name, (unsigned long long)stat.size);
    zip_file_t *f = zip_fopen_index(s->torch.zip, stat.index, 0);
    if (!f)
        return dd_error(err, DDPM_EDATA, "member %.100s: %s", name, zip_strerror(s->torch.zip));
    /* One byte more is asked for: it makes libzip reach the end, where the CRC is compared. */
    zip_int64_t n = zip_fread(f, to, stat.size), end = n < 0 ? n : zip_fread(f, to + stat.size, 1);
    if (n < 0 || end < 0)
        dd_error(err, DDPM_EDATA, "member %.100s: %s", name, zip_error_strerror(zip_file_get_error(f)));
    else if ((zip_uint64_t)n != stat.size || end)
        dd_error(err, DDPM_EDATA, "member %.100s has %lld of its %llu bytes", name, (long long)n, (unsigned long long)stat.size);
    zip_fclose(f);
    s->torch.loaded -= stat.size;
    *data = to;
    *size = (size_t)stat.size;
    return n < 0 || (zip_uint64_t)n != stat.size || end ? DDPM_EDATA : DDPM_OK;
}

int torch_zip_storage(struct source *s, struct torch_storage *storage, ddpm_error *err)
{
    unsigned char *data;
    size_t size, bytes = dd_dtype_bits(storage->dtype) / 8;
    zip_stat_t stat;
    char *name = dd_arena_text(&s->arena, "data/%s", storage->key);
    if (!name)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    int code = find(s, name, &stat, err);
    if (code)
        return code;
    if (stat.size / bytes < storage->count)
        return dd_error(err, DDPM_EDATA, "member %.100s has %llu bytes where %llu elements of %zu bytes belong", name,
                        (unsigned long long)stat.size, (unsigned long long)storage->count, bytes);
    code = load(s, name, &data, &size, err);
    if (!code)
        storage->data = data;
    return code;
}

static int check_marks(struct source *s, ddpm_error *err)
{
    unsigned char *text;
    size_t size;
    if (exists(s, "constants.pkl") || exists(s, "code/"))
        return dd_error(err, DDPM_EDATA, "is a TorchScript archive (constants.pkl), a program and no checkpoint; save the model's state_dict()");
    if (!exists(s, "data.pkl"))
        return dd_error(err, DDPM_EDATA, "is a zip archive but no torch file: it has no %.64s/data.pkl", s->torch.folder);
    if (!exists(s, "byteorder"))
        return DDPM_OK;
    int code = load(s, "byteorder", &text, &size, err);
    if (code)
        return code;
    s->torch.big_endian = size == 3 && !memcmp(text, "big", 3);
    if (!s->torch.big_endian && (size != 6 || memcmp(text, "little", 6)))
        return dd_error(err, DDPM_EDATA, "its byteorder is neither \"little\" nor \"big\"");
    return DDPM_OK;
}

int torch_zip_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    unsigned char *pickle;
    size_t length, used;
    int code = open_archive(s, data, size, err);
    if (code)
        return code;
    s->torch.loaded = size;
    const char *first = zip_get_name(s->torch.zip, 0, 0), *slash = first ? strchr(first, '/') : NULL;
    if (!slash)
        return dd_error(err, DDPM_EDATA, "is a zip archive but no torch file: its members lie in no folder");
    s->torch.folder = dd_arena_text(&s->arena, "%.*s", (int)(slash - first), first);
    if (!s->torch.folder)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    if ((code = check_marks(s, err)) != DDPM_OK || (code = load(s, "data.pkl", &pickle, &length, err)) != DDPM_OK)
        return code;
    if (length > PICKLE_BYTES_MAX)
        return dd_error(err, DDPM_EDATA, "data.pkl has %zu bytes; more than %d is no table of tensors", length, PICKLE_BYTES_MAX);
    if ((code = pickle_read(&s->torch.pickle, &s->arena, pickle, length, &used, err)) != DDPM_OK ||
        (code = torch_storages(s, 0, err)) != DDPM_OK)
        return code;
    return torch_states(s, err);
}

void torch_zip_close(struct source *s)
{
    if (s->torch.zip)
        zip_discard(s->torch.zip);
}
