/* The safetensors container (formats.md section 6): u64 length, JSON header, data.  Reading allocates the table of entries and
   nothing else; writing goes through dd_output. */
#ifndef DD_SAFETENSORS_H
#define DD_SAFETENSORS_H
#include <stdint.h>
#include "base/dtype.h"
#include "base/file.h"

enum { DD_RANK_MAX = 8 };
struct dd_entry {                               /* size bytes at data: count = dim[0] ... dim[rank-1] values, aligned to nothing */
    const char *name;
    enum dd_dtype dtype;
    int rank;
    uint64_t dim[DD_RANK_MAX], count;
    size_t size;
    const unsigned char *data;
};
struct dd_meta { const char *key, *value; };
struct dd_safetensors { struct dd_entry *entry; size_t entries; struct dd_meta *meta; size_t metas; void *owned; };  /* both sorted by name */

/* data outlives s.  name is for messages.  Every check of formats.md 6. */
int  dd_safetensors_read(struct dd_safetensors *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err);
void dd_safetensors_free(struct dd_safetensors *s);
const struct dd_entry *dd_safetensors_find(const struct dd_safetensors *s, const char *name);
const char *dd_safetensors_meta(const struct dd_safetensors *s, const char *key);
/* Writes the entries in the reference writer's order (alignment descending, then name), one metadata map. Deterministic. */
int  dd_safetensors_write(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta, ddpm_error *err);  /* key, value, ..., NULL */
#endif
