/* The endings of files' names. */
#ifndef DDPM_ENDING_H
#define DDPM_ENDING_H
#include "ddpm.h"

/* Returns what follows the last dot of a file's name where it looks like an ending (letters and digits, a letter
   among them), else "". */
const char *ending_of(const char *name);
/* Returns DDPM_EUSAGE for a name with the ending of another format than safetensors, which a model file is, and
   for "-", because no model file goes to standard output. */
int ending_check(const char *name, ddpm_error *err);
#endif
