/* What a file is, for messages about a file of another kind than the one expected. */
#ifndef DD_KIND_H
#define DD_KIND_H
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* "PATH: is IS": "a PNG picture", "compressed with gzip"; NULL where the content says nothing.  hint: what to
   do, or NULL. */
struct dd_kind {
    const char *is, *hint;
    bool torch, text;
}; /* torch: a file that ddpm convert may read */

/* Looks at data [size], the whole file.  A safetensors file is no stranger: its "is" is NULL. */
struct dd_kind dd_kind(const unsigned char *data, size_t size);
/* DDPM_EDATA, "NAME: is IS, EXPECTED: HINT"; expected: "no model file of ddpm". */
int dd_kind_error(ddpm_error *err, const char *name, struct dd_kind kind, const char *expected);
#endif
