/* Writes the safetensors container of safetensors.c, with a hash of itself if the caller asks for it. */
#include "base/safetensors.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

enum { DIGITS = 64 };

/* The target of a header: first nothing, to find its length; then the hash, if there is one; then the
   file. */
struct sink {
    FILE *file;
    struct dd_hash *hash;
    uint64_t size;
};

static void put(struct sink *o, const char *text)
{
    size_t n = strlen(text);
    if (o->file)
        fwrite(text, 1, n, o->file);
    if (o->hash)
        dd_hash_add(o->hash, text, n);
    o->size += n;
}

static void put_size(struct sink *o, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    put(o, text);
}

static void put_string(struct sink *o, const char *text)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    put(o, "\"");
    for (; *text; text++) {
        const char *named = strchr(from, *text);
        char escaped[8] = { *text, 0 };
        if (named)
            snprintf(escaped, sizeof escaped, "\\%c", to[named - from]);
        else if ((unsigned char)*text < ' ')
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*text);
        put(o, escaped);
    }
    put(o, "\"");
}

static void put_entry(struct sink *o, const struct dd_entry *e, uint64_t offset)
{
    put_string(o, e->name);
    put(o, ":{\"dtype\":\"");
    put(o, dd_dtype_name(e->dtype));
    put(o, "\",\"shape\":[");
    for (int i = 0; i < e->rank; i++) {
        put(o, i ? "," : "");
        put_size(o, e->dim[i]);
    }
    put(o, "],\"data_offsets\":[");
    put_size(o, offset);
    put(o, ",");
    put_size(o, offset + e->size);
    put(o, "]}");
}

/* The contents of a header.  digits is the hash, or NULL for a file without one. */
struct contents {
    const struct dd_entry **entry;
    size_t entries;
    const char *const *meta, *digits;
};

static void put_metadata(struct sink *o, const struct contents *c)
{
    const char *const *meta = c->meta;
    if (c->digits) {
        put(o, DD_SAFETENSORS_HASHED);
        put(o, c->digits);
        put(o, meta && meta[0] ? "\"," : "\"");
    } else {
        put(o, "{\"__metadata__\":{");
    }

    for (size_t i = 0; meta && meta[i]; i += 2) {
        put(o, i ? "," : "");
        put_string(o, meta[i]);
        put(o, ":");
        put_string(o, meta[i + 1]);
    }

    put(o, c->entries ? "}," : "}");
}

/* Writes the header, padded with blanks to a multiple of 8, so that the data begin aligned. */
static void put_header(struct sink *o, const struct contents *c)
{
    uint64_t offset = 0;
    if (c->digits || (c->meta && c->meta[0]))
        put_metadata(o, c);
    else
        put(o, "{");

    for (size_t i = 0; i < c->entries; i++) {
        put(o, i ? "," : "");
        put_entry(o, c->entry[i], offset);
        offset += c->entry[i]->size;
    }

    put(o, "}");
    while (o->size % 8)
        put(o, " ");
}

/* Sorts wide types first, which aligns each tensor to its own type. */
static int by_dtype(const void *a, const void *b)
{
    const struct dd_entry *x = *(const struct dd_entry *const *)a, *y = *(const struct dd_entry *const *)b;
    if (x->dtype != y->dtype)
        return x->dtype < y->dtype ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* Fills the eight bytes that come before the header. */
static void length_bytes(unsigned char bytes[8], uint64_t length)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
}

/* Fills digits with the hash of the file to be written; c->digits are still zeros. */
static int hash_contents(char digits[DIGITS + 1], const struct contents *c, const unsigned char length[8],
                         ddpm_error *err)
{
    struct dd_hash h;
    struct sink header = { NULL, &h, 0 };
    if (dd_hash_begin(&h))
        return dd_error(err, DDPM_ENOMEM, "out of memory for a hash");

    dd_hash_add(&h, length, 8);
    put_header(&header, c);
    for (size_t i = 0; i < c->entries; i++)
        dd_hash_add(&h, c->entry[i]->data, c->entry[i]->size);

    dd_hash_end(&h, digits);
    return DDPM_OK;
}

static int write_contents(FILE *f, const struct contents *c, const unsigned char length[8], ddpm_error *err)
{
    struct sink header = { f, NULL, 0 };
    size_t done = 0;
    fwrite(length, 1, 8, f);
    put_header(&header, c);

    errno = 0;
    while (done < c->entries &&
           fwrite(c->entry[done]->data, 1, c->entry[done]->size, f) == c->entry[done]->size)
        done++;

    /* EFAULT: pages of a mapped file are no longer there. */
    if (done < c->entries && errno == EFAULT)
        return dd_error(
            err, DDPM_EDATA,
            "the file that its tensors come from was cut off while it was being read: start again "
            "when it is complete");
    if (done < c->entries || ferror(f))
        return dd_error(err, DDPM_EIO, "tensors cannot be written: %s",
                        errno ? strerror(errno) : "an earlier write failed");
    return DDPM_OK;
}

static int write_file(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta,
                      bool with_hash, ddpm_error *err)
{
    struct sink measure = { NULL, NULL, 0 };
    unsigned char length[8];
    char digits[DIGITS + 1] = "";
    const struct dd_entry **order = malloc((entries + 1) * sizeof *order);
    struct contents c = { order, entries, meta, with_hash ? digits : NULL };
    if (!order)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a table of %zu tensors", entries);

    for (size_t i = 0; i < entries; i++)
        order[i] = &entry[i];
    if (entries)
        qsort(order, entries, sizeof *order, by_dtype);

    /* The header's length is measured with zeros in the place of the hash. */
    memset(digits, '0', DIGITS);
    put_header(&measure, &c);
    length_bytes(length, measure.size);
    int code = with_hash ? hash_contents(digits, &c, length, err) : DDPM_OK;
    if (!code)
        code = write_contents(f, &c, length, err);

    free(order);
    return code;
}

int dd_safetensors_write(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta,
                         ddpm_error *err)
{
    return write_file(f, entry, entries, meta, false, err);
}

int dd_safetensors_write_hashed(FILE *f, const struct dd_entry *entry, size_t entries,
                                const char *const *meta, ddpm_error *err)
{
    return write_file(f, entry, entries, meta, true, err);
}
