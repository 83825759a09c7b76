/* The safetensors container (huggingface.co/docs/safetensors, "Format"): a length, a JSON header, the data.
   Reading allocates the table of tensors and their names, a few times the header at most, and leaves the data
   where they are. */
#ifndef DD_SAFETENSORS_H
#define DD_SAFETENSORS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/dtype.h"
#include "base/file.h"

enum { DD_RANK_MAX = 8 };

/* The beginning of the JSON of a file that carries its hash. */
#define DD_SAFETENSORS_HASHED "{\"__metadata__\":{\"sha256\":\""

/* A tensor of count = dim[0] ... dim[rank-1] values in data [size] bytes, at any address. */
struct dd_entry {
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

/* A file that has been read.  Both tables are sorted by name. */
struct dd_matrix_shape {
    enum dd_dtype dtype;
    uint64_t rows, columns;
};

struct dd_safetensors {
    struct dd_entry *entry;
    size_t entries;
    struct dd_meta *meta;
    size_t metas;
    void *owned;
};

/* Reads data [size], the whole file, which must outlive s.  name is for messages.  DDPM_EDATA unless the
   header is strict JSON (see scan.h), every name differs, every shape fits its bytes, and the tensors cover
   the data without hole, overlap or rest. */
int dd_safetensors_read(struct dd_safetensors *s, const unsigned char *data, size_t size, const char *name,
                        ddpm_error *err);
void dd_safetensors_free(struct dd_safetensors *s);

/* Each returns the tensor or metadata value of that name, or NULL. */
const struct dd_entry *dd_safetensors_find(const struct dd_safetensors *s, const char *name);
/* Copies the tensor of this name to `to`.  DDPM_EDATA: there is none of this type and shape [rows,
   columns].  path is for messages. */
int dd_safetensors_matrix(void *to, const struct dd_safetensors *s, const char *name,
                          struct dd_matrix_shape shape, const char *path, ddpm_error *err);
const char *dd_safetensors_meta(const struct dd_safetensors *s, const char *key);

/* Writes the entries in the reference writer's order, by dtype from the widest, then by name: the same
   entries give the same bytes.  meta: key, value, ..., NULL; or NULL. */
int dd_safetensors_write(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta,
                         ddpm_error *err);

/* Writes the same with a hash of the whole file, which comes first in the metadata as "sha256".  No key of
   meta may have that name then. */
int dd_safetensors_write_hashed(FILE *f, const struct dd_entry *entry, size_t entries,
                                const char *const *meta, ddpm_error *err);

/* Returns whether data [size], the whole file, begins like a file with a hash. */
bool dd_safetensors_has_hash(const unsigned char *data, size_t size);

/* Returns DDPM_EDATA unless data [size], the whole file, carries such a hash and the hash is right.  It
   finds every changed bit.  dd_safetensors_read still has to read the container itself. */
int dd_safetensors_check_hash(const unsigned char *data, size_t size, const char *name, ddpm_error *err);
#endif
