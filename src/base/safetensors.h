/* The safetensors container (formats.md section 6): u64 length, JSON header, data.  Reading allocates the table of entries and
   nothing else; writing goes through dd_output. */
#ifndef DD_SAFETENSORS_H
#define DD_SAFETENSORS_H
#include <stdint.h>
#include "base/file.h"

enum dd_dtype { DD_BOOL, DD_U8, DD_I8, DD_F8, DD_I16, DD_U16, DD_F16, DD_BF16, DD_I32, DD_U32, DD_F32, DD_C64, DD_F64, DD_I64, DD_U64, DD_F4, DD_DTYPES };
const char *dd_dtype_name(enum dd_dtype t);            /* "F32" */
size_t      dd_dtype_bits(enum dd_dtype t);
/* n values of a floating dtype as float or double; other dtypes are DDPM_EUNSUPPORTED for the caller to report: returns -1. */
int dd_dtype_to_float(float *out, const void *in, enum dd_dtype t, size_t n);
int dd_dtype_to_double(double *out, const void *in, enum dd_dtype t, size_t n);
void dd_dtype_to_half(uint16_t *out, const float *in, size_t n);      /* round to nearest even */

enum { DD_RANK_MAX = 8 };
struct dd_entry { char *name; enum dd_dtype dtype; int rank; uint64_t dim[DD_RANK_MAX]; uint64_t count; size_t size; const unsigned char *data; };
struct dd_safetensors { struct dd_entry *entry; size_t entries; char **meta_key, **meta_value; size_t metas; void *owned; };  /* entries sorted by name */

/* data outlives s.  name is for messages.  Every check of formats.md 6. */
int  dd_safetensors_read(struct dd_safetensors *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err);
void dd_safetensors_free(struct dd_safetensors *s);
const struct dd_entry *dd_safetensors_find(const struct dd_safetensors *s, const char *name);
const char *dd_safetensors_meta(const struct dd_safetensors *s, const char *key);
/* Writes the entries in the reference writer's order (alignment descending, then name), one metadata map. Deterministic. */
int  dd_safetensors_write(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta, ddpm_error *err);  /* key, value, ..., NULL */
#endif
