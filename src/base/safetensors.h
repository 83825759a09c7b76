/* The safetensors container (huggingface.co/docs/safetensors, "Format"): u64 length, JSON header, data.  Reading allocates the table of
   tensors and its names, a few times the header at most, and leaves the data where they are. */
#ifndef DD_SAFETENSORS_H
#define DD_SAFETENSORS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/dtype.h"
#include "base/file.h"

enum { DD_RANK_MAX = 8 };

/* The JSON of a file that carries its hash begins so. */
#define DD_SAFETENSORS_HASHED "{\"__metadata__\":{\"sha256\":\""

struct dd_entry { /* data [size] bytes: count = dim[0] ... dim[rank-1] values, aligned to nothing */
    const char *name;
    enum dd_dtype dtype;
    int rank;
    uint64_t dim[DD_RANK_MAX], count;
    size_t size;
    const unsigned char *data;
};

struct dd_meta {
    const char *key, *value;
};

struct dd_safetensors { /* both tables are sorted by name */
    struct dd_entry *entry;
    size_t entries;
    struct dd_meta *meta;
    size_t metas;
    void *owned;
};

/* data [size], the whole file, outlives s; name is for messages.  DDPM_EDATA unless the header is strict JSON (see scan.h), every name
   differs, every shape fits its bytes, and the tensors cover the data without hole, overlap or rest. */
int dd_safetensors_read(struct dd_safetensors *s, const unsigned char *data, size_t size, const char *name,
                        ddpm_error *err);
void dd_safetensors_free(struct dd_safetensors *s);
const struct dd_entry *dd_safetensors_find(const struct dd_safetensors *s, const char *name); /* NULL: none */
const char *dd_safetensors_meta(const struct dd_safetensors *s, const char *key);             /* NULL: none */
/* Writes the entries in the reference writer's order, by dtype from the widest, then by name, so the same entries give the same bytes.
   meta: key, value, ..., NULL; or NULL. */
int dd_safetensors_write(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta,
                         ddpm_error *err);
/* Writes the same with a hash of the whole file, which comes first in the metadata as "sha256".
   No key of meta has that name then. */
int dd_safetensors_write_hashed(FILE *f, const struct dd_entry *entry, size_t entries,
                                const char *const *meta, ddpm_error *err);
/* Returns whether data [size], the whole file, begins as one with a hash does. */
bool dd_safetensors_has_hash(const unsigned char *data, size_t size);
/* Returns DDPM_EDATA unless data [size], the whole file, carries such a hash and fits it.  A single bit that
   has changed anywhere is found.  The container itself is read by dd_safetensors_read. */
int dd_safetensors_check_hash(const unsigned char *data, size_t size, const char *name, ddpm_error *err);
#endif
