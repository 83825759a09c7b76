/* Tells what a file is, for messages about a file of another kind than the one expected. */
#ifndef DD_KIND_H
#define DD_KIND_H
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* is:     what the file is: "a PNG picture", "compressed with gzip"; NULL: its content does not tell
   hint:   what to do, or NULL
   torch:  it may be a file that `ddpm convert` reads
   text:   it is text */
struct dd_kind {
    const char *is, *hint;
    bool torch, text;
};

/* Returns the kind of data [size], the whole file.  For a safetensors file, which callers expect, "is" is
   NULL. */
struct dd_kind dd_kind(const unsigned char *data, size_t size);

/* Returns DDPM_EDATA with "NAME: is IS, EXPECTED: HINT".  expected: "no model file of ddpm". */
int dd_kind_error(ddpm_error *err, const char *name, struct dd_kind kind, const char *expected);
#endif
