/* Reads the zip container of torch.save (checkpoint-families.md 7.2):

     FOLDER/data.pkl    the pickle
     FOLDER/data/KEY    one member for each storage, stored without compression
     FOLDER/byteorder   "little" or "big"; little where it is missing

   libzip reads the archive from the mapped file and compares every CRC.  The storages are then
   used where they lie in the file, so that a checkpoint needs no memory of its own.  Nothing is
   unpacked or written. */
#include <string.h>
#include <zip.h>
#include "base/error.h"
#include "checkpoint/source.h"

/* Returns the path of a member in the archive's folder; NULL when out of memory. */
static char *member(struct source *s, const char *name)
{
    return dd_arena_text(&s->arena, "%s/%s", s->torch.folder, name);
}

static int exists(struct source *s, const char *name)
{
    char *full = member(s, name);
    return full && zip_name_locate(s->torch.zip, full, 0) >= 0;
}

/* ---- the file as libzip sees it ---- */

struct view {
    const unsigned char *data;
    zip_uint64_t size, at; /* at: the next byte that libzip reads */
    zip_error_t error;
};

static zip_int64_t view_stat(const struct view *v, zip_stat_t *stat)
{
    zip_stat_init(stat);
    stat->size = v->size;
    stat->valid = ZIP_STAT_SIZE;
    return sizeof *stat;
}

/* Answers the commands of libzip, which reads a file through such a function (zip_source_function(3)). */
static zip_int64_t view_command(void *user, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
    struct view *v = user;
    zip_int64_t to;

    switch (command) {
    case ZIP_SOURCE_OPEN: v->at = 0; return 0;
    case ZIP_SOURCE_READ:
        length = length < v->size - v->at ? length : v->size - v->at;
        memcpy(data, v->data + v->at, length);
        v->at += length;
        return (zip_int64_t)length;
    case ZIP_SOURCE_SEEK:
        to = zip_source_seek_compute_offset(v->at, v->size, data, length, &v->error);
        v->at = to < 0 ? v->at : (zip_uint64_t)to;
        return to < 0 ? -1 : 0;
    case ZIP_SOURCE_TELL: return (zip_int64_t)v->at;
    case ZIP_SOURCE_STAT: return view_stat(v, data);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&v->error, data, length);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    default: zip_error_set(&v->error, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
}

/* Opens the archive in data [size]. */
static int open_archive(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    struct view *v = dd_arena(&s->arena, 1, sizeof *v);
    zip_error_t why;
    if (!v)
        return dd_error_memory(err, "the tensors of a checkpoint");

    *v = (struct view){ .data = data, .size = size };
    zip_error_init(&v->error);
    zip_error_init(&why);
    zip_source_t *from = zip_source_function_create(view_command, v, &why);
    s->torch.view = v;
    s->torch.zip = from ? zip_open_from_source(from, ZIP_RDONLY | ZIP_CHECKCONS, &why) : NULL;

    int code = DDPM_OK;
    if (!s->torch.zip) {
        code = zip_error_code_zip(&why) == ZIP_ER_MEMORY ? DDPM_ENOMEM : DDPM_EDATA;
        dd_error(err, code, "begins as a zip archive but is damaged or cut short (%s)",
                 zip_error_strerror(&why));
        zip_source_free(from);
    }
    zip_error_fini(&why);
    return code;
}

/* ---- members ---- */

/* Finds a member.  Checks that its bytes are stored uncompressed, and that all members read do not exceed
   the size of the file together. */
static int find(struct source *s, const char *name, zip_stat_t *stat, ddpm_error *err)
{
    char *full = member(s, name);
    if (!full)
        return dd_error_memory(err, "the tensors of a checkpoint");

    zip_int64_t index = zip_name_locate(s->torch.zip, full, 0);
    if (index < 0)
        return dd_error(err, DDPM_EDATA, "member %.100s is not in the archive", full);

    const zip_uint64_t needed = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(s->torch.zip, (zip_uint64_t)index, 0, stat) != 0 || (stat->valid & needed) != needed)
        return dd_error(err, DDPM_EDATA, "member %.100s: %s", full, zip_strerror(s->torch.zip));

    if (stat->comp_method != ZIP_CM_STORE || stat->encryption_method != ZIP_EM_NONE)
        return dd_error(
            err, DDPM_EDATA,
            "member %.100s is %s; torch stores members as they are: save it again with torch.save", full,
            stat->comp_method != ZIP_CM_STORE ? "compressed" : "encrypted");

    if (stat->size != stat->comp_size || stat->size > s->torch.left)
        return dd_error(err, DDPM_EDATA, "member %.100s claims %llu bytes, more than the file has", full,
                        (unsigned long long)stat->size);
    return DDPM_OK;
}

/* Reads a stored member to its end, where libzip compares the CRC.  Also finds the place in the file from
   which libzip took the bytes: once the first chunk is read, view->at is its end. */
static int read_through(struct source *s, const unsigned char **data, zip_file_t *f, const zip_stat_t *stat,
                        ddpm_error *err)
{
    const struct view *v = s->torch.view;
    unsigned char chunk[1 << 14];
    zip_uint64_t first = 0, done = 0;
    zip_int64_t n;

    while ((n = zip_fread(f, chunk, sizeof chunk)) > 0) {
        /* The first chunk ends at v->at. */
        if (!done)
            first = v->at - (zip_uint64_t)n;
        if (first > v->size || done + (zip_uint64_t)n > v->size - first ||
            memcmp(chunk, v->data + first + done, (size_t)n))
            return dd_error(err, DDPM_EIO, "the file changed while it was read");
        done += (zip_uint64_t)n;
    }

    if (n < 0)
        return dd_error(err, DDPM_EDATA, "%s", zip_error_strerror(zip_file_get_error(f)));
    if (done != stat->size)
        return dd_error(err, DDPM_EDATA, "has %llu of its %llu bytes", (unsigned long long)done,
                        (unsigned long long)stat->size);
    *data = v->data + first;
    return DDPM_OK;
}

/* Reads a whole member, with its CRC, and returns its place in the file. */
static int load(struct source *s, const char *name, const unsigned char **data, size_t *size, ddpm_error *err)
{
    zip_stat_t stat;
    int code = find(s, name, &stat, err);
    if (code)
        return code;
    zip_file_t *f = zip_fopen_index(s->torch.zip, stat.index, 0);
    if (!f)
        return dd_error(err, DDPM_EDATA, "member %.100s: %s", name, zip_strerror(s->torch.zip));

    code = read_through(s, data, f, &stat, err);
    if (code)
        dd_error_context(err, "member %.100s", name);
    zip_fclose(f);

    s->torch.left -= stat.size;
    *size = (size_t)stat.size;
    return code;
}

int torch_zip_storage(struct source *s, struct torch_storage *storage, ddpm_error *err)
{
    size_t size, bytes = dd_dtype_bits(storage->dtype) / 8;
    zip_stat_t stat;
    char *name = dd_arena_text(&s->arena, "data/%s", storage->key);
    if (!name)
        return dd_error_memory(err, "the tensors of a checkpoint");

    int code = find(s, name, &stat, err);
    if (code)
        return code;
    if (stat.size / bytes < storage->count)
        return dd_error(err, DDPM_EDATA,
                        "member %.100s has %llu bytes where %llu elements of %zu bytes belong", name,
                        (unsigned long long)stat.size, (unsigned long long)storage->count, bytes);
    return load(s, name, &storage->data, &size, err);
}

/* Refuses archives that torch.save did not write, and reads the byte order. */
static int check_marks(struct source *s, ddpm_error *err)
{
    const unsigned char *text;
    size_t size;

    if (exists(s, "constants.pkl") || exists(s, "code/"))
        return dd_error(err, DDPM_EDATA,
                        "is a TorchScript archive (constants.pkl), a program and no checkpoint; save the "
                        "model's state_dict()");
    if (!exists(s, "data.pkl"))
        return dd_error(err, DDPM_EDATA,
                        "is a zip archive but no torch file: it has no %.64s/data.pkl; unpack it first",
                        s->torch.folder);

    /* Earlier versions of torch wrote no byte order; theirs is little-endian. */
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
    const unsigned char *pickle;
    size_t length, used;
    int code = open_archive(s, data, size, err);
    if (code)
        return code;

    /* Members may share bytes in a hostile archive.  So the sum of what is read is bounded by the size of
       the file. */
    s->torch.left = size;

    /* The folder may have any name.  The first member's path begins with it. */
    const char *first = zip_get_name(s->torch.zip, 0, 0), *slash = first ? strchr(first, '/') : NULL;
    if (!slash)
        return dd_error(err, DDPM_EDATA,
                        "is a zip archive but no torch file: its members lie in no folder; unpack it first");
    s->torch.folder = dd_arena_text(&s->arena, "%.*s", (int)(slash - first), first);
    if (!s->torch.folder)
        return dd_error_memory(err, "the tensors of a checkpoint");

    if ((code = check_marks(s, err)) != DDPM_OK ||
        (code = load(s, "data.pkl", &pickle, &length, err)) != DDPM_OK)
        return code;
    if (length > PICKLE_BYTES_MAX)
        return dd_error(err, DDPM_EDATA, "data.pkl has %zu bytes; more than %d is no table of tensors",
                        length, PICKLE_BYTES_MAX);

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
