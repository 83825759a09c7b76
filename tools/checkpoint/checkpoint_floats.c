/* Reads the values of a checkpoint's tensors in row-major order, whatever their strides and byte order in
   the file. */
#include <math.h>
#include "base/error.h"
#include "checkpoint/checkpoint.h"

/* How many elements are gathered at a time. */
enum { BLOCK = 1024 };

/* Returns whether the elements lie as dd_dtype_to_float takes them: row after row, without
   gaps, little-endian. */
static int packed(const struct checkpoint_tensor *t)
{
    int64_t stride = 1;
    for (int k = t->rank; k--; stride *= t->dim[k])
        if (t->dim[k] != 1 && t->stride[k] != stride)
            return 0;
    return !t->big_endian;
}

/* Copies elements first ..  first + n - 1 in row-major order to out, packed and little-endian; an element
   has `bytes` bytes. */
static void gather(unsigned char *out, const struct checkpoint_tensor *t, uint64_t first, size_t n,
                   size_t bytes)
{
    /* index is the place of the element, one number a dimension. */
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

        /* Counts the index up, the last dimension fastest. */
        for (int k = t->rank; k-- && ++index[k] == t->dim[k];)
            index[k] = 0;
    }
}

/* Reads all elements into single or full, whichever is not NULL. */
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
            if (!isfinite(v))
                return dd_error(err, DDPM_EDATA, "%s: tensor %.120s: element %llu of %llu is %s", c->file,
                                t->name, (unsigned long long)i, (unsigned long long)count,
                                isnan(v) ? "not a number" : "infinite");
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
