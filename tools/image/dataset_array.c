/* Opens files of many images (dataset_array.h), whose first bytes tell the format.  Images are used where
   they lie in the mapped file; only a .gz or .npz is copied, because it has to be inflated.

   - IDX (LeCun, Cortes, Burges, "The MNIST database"): the bytes 0 0 8 r, then r sizes of four
     bytes, big-endian, [n, h, w] or [n, h, w, c], then a byte for each number.
   - CIFAR-10 binary (Krizhevsky): records of a class below 10 and 3 x 32 x 32 bytes, channel by
     channel, without a head.
   - Arrays of numpy: dataset_numpy.c and dataset_npz.c. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/error.h"
#include "base/kind.h"
#include "base/system.h"
#include "image/dataset_array.h"

enum {
    IDX_HEAD = 20, /* bytes in the longest head */
    RECORD = 3073, /* bytes of a CIFAR-10 record: class and image */
    SIDE_MAX = 65535
};

int dataset_array_refuse(const struct dataset_array *a, const char *path, ddpm_error *err)
{
    struct dd_kind kind = dd_kind(a->map.data, a->map.size);
    return dd_error(err, DDPM_EDATA,
                    "%s is %s%sno data set: expected a folder of images, an IDX file (.gz too), CIFAR-10 "
                    "binary batches, .npy or .npz",
                    path, kind.is ? kind.is : "", kind.is ? ", " : "");
}

int dataset_array_shape(struct dataset_array *a, const char *path, const uint64_t dim[4], size_t size,
                        ddpm_error *err)
{
    for (int i = 1; i < 4; i++)
        if (dim[i] < 1 || dim[i] > SIDE_MAX)
            return dd_error(err, DDPM_EDATA, "%s: images of %llu x %llu x %llu; each is 1 to %d", path,
                            (unsigned long long)dim[1], (unsigned long long)dim[2],
                            (unsigned long long)dim[3], SIDE_MAX);

    a->height = (int)dim[1];
    a->width = (int)dim[2];
    a->channels = (int)dim[3];
    a->stride = (size_t)(dim[1] * dim[2] * dim[3]) * (size_t)a->number.bytes + a->class_byte;
    a->step[0] = (size_t)(dim[2] * dim[3]);
    a->step[1] = (size_t)dim[3];
    a->step[2] = 1;

    if (dim[0] == 0)
        return dd_error(err, DDPM_EDATA, "%s: it holds no images, expected at least one", path);
    if (dim[0] > UINT32_MAX || size / a->stride < dim[0])
        return dd_error(err, DDPM_EDATA,
                        "%s: its head says %llu images of %zu bytes, which %zu bytes cannot hold", path,
                        (unsigned long long)dim[0], a->stride, size);
    a->count = (size_t)dim[0];
    return DDPM_OK;
}

/* ---- IDX ---- */

/* Returns the length of the IDX head at the beginning of p [size], and fills in its sizes n, h, w, c; 0: p
   has no IDX head. */
static size_t idx_head(uint64_t dim[4], const unsigned char *p, size_t size)
{
    size_t rank = size >= 4 && !p[0] && !p[1] && p[2] == 8 ? p[3] : 0;
    if ((rank != 3 && rank != 4) || size < 4 + 4 * rank)
        return 0;

    dim[3] = 1;
    for (size_t i = 0; i < rank; i++)
        dim[i] = (uint64_t)p[4 + 4 * i] << 24 | (uint64_t)p[5 + 4 * i] << 16 | (uint64_t)p[6 + 4 * i] << 8 |
                 p[7 + 4 * i];
    return 4 + 4 * rank;
}

/* Refuses sizes that look like [n, c, h, w]: at most 4 rows, and more than 4 channels. */
static int check_order(const uint64_t dim[4], const char *path, ddpm_error *err)
{
    if (dim[1] > 4 || dim[3] <= 4)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA,
                    "%s: an IDX file is [n, h, w, c], and this one has images of %llu x %llu with %llu "
                    "channels: transpose it, or save it as .npy",
                    path, (unsigned long long)dim[1], (unsigned long long)dim[2], (unsigned long long)dim[3]);
}

static int open_idx(struct dataset_array *a, const char *path, size_t head, const uint64_t dim[4],
                    ddpm_error *err)
{
    size_t rest = a->map.size - head;
    int code = check_order(dim, path, err);
    if (!code)
        code = dataset_array_shape(a, path, dim, rest, err);
    a->data = a->map.data + head;
    if (!code && rest != a->count * a->stride)
        return dd_error(err, DDPM_EDATA, "%s: %zu bytes follow its head, expected %zu", path, rest,
                        a->count * a->stride);
    return code;
}

/* ---- IDX, compressed ---- */

/* Fills out with the first n bytes that the file inflates to.  all: the data must end there. */
static int inflate_head(unsigned char *out, size_t n, const struct dataset_array *a, const char *path,
                        bool all, ddpm_error *err)
{
    unsigned char spare;
    const struct dd_file *f = &a->map;
    z_stream z = { .next_in = (Bytef *)f->data, .avail_in = (uInt)f->size };
    /* 15 is the largest window; adding 16 expects the head of gzip. */
    int status = inflateInit2(&z, 15 + 16);
    if (status != Z_OK)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory to inflate it", path);

    /* zlib counts in 32 bits, so a large file is inflated in parts. */
    for (size_t done = 0; status == Z_OK && done < n; done = (size_t)(z.next_out - out)) {
        z.next_out = out + done;
        z.avail_out = n - done > UINT_MAX ? UINT_MAX : (uInt)(n - done);
        status = inflate(&z, Z_NO_FLUSH);
    }

    /* The checksum follows the last byte.  zlib compares it when another byte is asked for. */
    bool full = z.total_out == n;
    if (full && all && status == Z_OK) {
        z.next_out = &spare;
        z.avail_out = 1;
        status = inflate(&z, Z_FINISH);
    }
    inflateEnd(&z);

    /* A .gz that inflates to less than the longest IDX head is another kind of file. */
    if (!full && n <= IDX_HEAD && status == Z_STREAM_END)
        return dataset_array_refuse(a, path, err);
    if (!full || (all && status != Z_STREAM_END))
        return dd_error(err, DDPM_EDATA,
                        "%s: its compressed data are damaged, cut off or longer than their head says", path);
    return DDPM_OK;
}

/* Opens a compressed IDX file.  It inflates the head first, and then only the images that are wanted. */
static int open_gz(struct dataset_array *a, const char *path, size_t most, ddpm_error *err)
{
    unsigned char start[IDX_HEAD];
    uint64_t dim[4];
    if (a->map.size > UINT_MAX)
        return dd_error(err, DDPM_EDATA, "%s: too large; gunzip it first", path);

    int code = inflate_head(start, sizeof start, a, path, false, err);
    if (code)
        return code;
    size_t head = idx_head(dim, start, sizeof start);
    if (!head)
        return dataset_array_refuse(a, path, err);
    /* The file cannot inflate to more than map.size * DATASET_INFLATES bytes, whatever its head claims. */
    if ((code = check_order(dim, path, err)) ||
        (code = dataset_array_shape(a, path, dim, a->map.size * DATASET_INFLATES, err)))
        return code;

    bool all = !most || most >= a->count;
    size_t n = head + (all ? a->count : most) * a->stride;
    a->inflated = malloc(n);
    if (!a->inflated)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory for %zu bytes of images", path, n);
    a->data = a->inflated + head;
    return inflate_head(a->inflated, n, a, path, all, err);
}

/* ---- CIFAR-10 ---- */

/* Returns whether a file consists of CIFAR-10 records, whose first byte is a class below 10. */
static bool is_cifar(const struct dd_file *f)
{
    if (!f->size || f->size % RECORD)
        return false;
    for (size_t at = 0; at < f->size; at += RECORD)
        if (f->data[at] > 9)
            return false;
    return true;
}

static int open_cifar(struct dataset_array *a, const char *path, ddpm_error *err)
{
    const uint64_t dim[4] = { a->map.size / RECORD, 32, 32, 3 };
    a->class_byte = true;
    a->data = a->map.data;
    int code = dataset_array_shape(a, path, dim, a->map.size, err);

    /* A record is [c, h, w], while other formats are [h, w, c]. */
    a->step[0] = 32;
    a->step[1] = 1;
    a->step[2] = 32 * 32;
    return code;
}

/* ---- any format ---- */

/* Opens the mapped file in the format that its first bytes tell.  CIFAR-10 has no head, so it is tried
   last. */
static int open_any(struct dataset_array *a, const char *path, size_t most, ddpm_error *err)
{
    uint64_t dim[4];
    const unsigned char *p = a->map.data;
    size_t size = a->map.size, head = idx_head(dim, p, size);
    if (head)
        return open_idx(a, path, head, dim, err);
    if (dataset_is_numpy(p, size))
        return dataset_numpy(a, path, p, size, err);
    if (size >= 4 && !memcmp(p, "PK\3\4", 4))
        return dataset_npz(a, path, err);
    if (size >= 2 && p[0] == 0x1F && p[1] == 0x8B)
        return open_gz(a, path, most, err);
    return is_cifar(&a->map) ? open_cifar(a, path, err) : dataset_array_refuse(a, path, err);
}

int dataset_array_open(struct dataset_array *a, const char *path, size_t most, ddpm_error *err)
{
    *a = (struct dataset_array){ .descriptor = -1, .number = view_byte };
    int code = dd_file_map(&a->map, path, err);
    if (!code && (a->descriptor = dd_system_open(path, 0)) < 0)
        code = dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path,
                        strerror(errno));

    if (!code)
        code = open_any(a, path, most, err);
    if (!code && !a->class_byte && !a->classes)
        code = dataset_labels(&a->classes, path, a->count, err);
    if (code)
        dataset_array_close(a);
    return code;
}

int dataset_array_unchanged(const struct dataset_array *a, const char *name, ddpm_error *err)
{
    struct dd_system_file now;
    if (a->inflated)
        return DDPM_OK;

    if (!dd_system_examine_open(&now, a->descriptor) || now.size < a->map.size)
        return dd_error(err, DDPM_EDATA, "%s: the file has become shorter while it was in use", name);
    if (now.size == a->map.size && now.written == a->map.about.written)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: the file was written to while it was in use", name);
}

void dataset_array_close(struct dataset_array *a)
{
    dd_file_unmap(&a->map);
    free(a->inflated);
    free(a->classes);
    if (a->descriptor >= 0)
        dd_system_close(a->descriptor);
    *a = (struct dataset_array){ .descriptor = -1 };
}
