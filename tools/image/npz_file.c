/* Writes a .npz with libzip (npz_file.h): a zip archive with a stored member NAME.npy for each array, as
   np.savez writes it.  libzip writes into our stream through the commands of a source, of which reading is
   never asked for in an archive that is made anew. */
#include "image/npz_file.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zip.h>
#include "base/error.h"

/* 1 January 1980, the first day that a zip archive knows: no time of the run is stored. */
enum { DOS_DATE = 0x21 };

struct sink {
    FILE *file;
    zip_error_t error;
    int number; /* errno of the first failure, or 0 */
};

static zip_int64_t fail(struct sink *s)
{
    s->number = s->number ? s->number : errno;
    zip_error_set(&s->error, ZIP_ER_WRITE, s->number);
    return -1;
}

/* Does a command of libzip's source. */
static zip_int64_t command(void *user, void *data, zip_uint64_t size, zip_source_cmd_t what)
{
    struct sink *s = user;
    const zip_source_args_seek_t *to;

    switch (what) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
                                              ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
                                              ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_SEEK_WRITE,
                                              ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, ZIP_SOURCE_WRITE, -1);
    case ZIP_SOURCE_WRITE: return fwrite(data, 1, size, s->file) == size ? (zip_int64_t)size : fail(s);
    case ZIP_SOURCE_SEEK_WRITE:
        to = ZIP_SOURCE_GET_ARGS(zip_source_args_seek_t, data, size, &s->error);
        return to && !fseek(s->file, (long)to->offset, to->whence) ? 0 : fail(s);
    case ZIP_SOURCE_TELL_WRITE: return ftell(s->file);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&s->error, data, size);
    case ZIP_SOURCE_STAT:
        /* There is no archive yet. */
        zip_error_set(&s->error, ZIP_ER_READ, ENOENT);
        return -1;
    default: return 0;
    }
}

/* Adds an array as a member that is stored as it is. */
static bool add(zip_t *z, const struct npz_array *a)
{
    zip_source_t *source = zip_source_buffer(z, a->data, a->size, 0);
    zip_int64_t at = source ? zip_file_add(z, a->name, source, 0) : -1;
    if (source && at < 0)
        zip_source_free(source);
    return at >= 0 && !zip_set_file_compression(z, (zip_uint64_t)at, ZIP_CM_STORE, 0) &&
           !zip_file_set_dostime(z, (zip_uint64_t)at, 0, DOS_DATE, 0);
}

int npz_write(FILE *f, const struct npz_array *array, int arrays, ddpm_error *err)
{
    struct sink s = { .file = f };
    zip_error_init(&s.error);
    zip_source_t *out = zip_source_function_create(command, &s, NULL);
    zip_t *z = out ? zip_open_from_source(out, ZIP_CREATE | ZIP_TRUNCATE, NULL) : NULL;
    bool done = z != NULL;

    for (int i = 0; i < arrays && done; i++)
        done = add(z, &array[i]);

    /* zip_close frees z, and with it `out`, only after a success. */
    if (done && zip_close(z)) {
        done = false;
        zip_discard(z);
    } else if (!done && z) {
        zip_discard(z);
    } else if (!z && out) {
        zip_source_free(out);
    }

    zip_error_fini(&s.error);
    if (done)
        return DDPM_OK;
    if (s.number)
        return dd_error(err, DDPM_EIO, "cannot write the archive: %s", strerror(s.number));
    return dd_error(err, DDPM_ENOMEM, "out of memory for an archive of %d arrays", arrays);
}
