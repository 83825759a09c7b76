/* How functions report failures: they return an int code of ddpm.h and fill the caller's ddpm_error with
   one sentence.  The sentence names the file, tensor or field, what was found, what was expected, and what
   to do. */
#ifndef DD_ERROR_H
#define DD_ERROR_H
#include "ddpm.h"

/* The conversions are those of C11 on every system. */
#if defined(__clang__)
#define DD_PRINTF(f, a) __attribute__((format(__printf__, f, a)))
#elif defined(__GNUC__)
#define DD_PRINTF(f, a) __attribute__((format(__gnu_printf__, f, a)))
#else
#define DD_PRINTF(f, a)
#endif

/* Fills *err (may be NULL) and returns code, so that a caller can write: return dd_error(err, DDPM_EDATA,
   "..."). */
int dd_error(ddpm_error *err, int code, const char *format, ...) DD_PRINTF(3, 4);

/* Puts "context: " before the text that is already in *err.  Returns err->code. */
int dd_error_context(ddpm_error *err, const char *format, ...) DD_PRINTF(2, 3);

/* Fills *err with "out of memory for WHAT" and returns DDPM_ENOMEM. */
int dd_error_memory(ddpm_error *err, const char *what);
#endif
