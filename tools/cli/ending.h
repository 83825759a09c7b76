/* The endings of files' names. */
#ifndef DDPM_ENDING_H
#define DDPM_ENDING_H
#include "ddpm.h"

/* What follows the last dot of a file's name, where it looks like an ending (letters and digits, a letter
   among them), else "". */
const char *ending_of(const char *name);
/* DDPM_EUSAGE for a name that says another format than safetensors, which a model file is too, or for "-",
   which is no place for one. */
int ending_check(const char *name, ddpm_error *err);
#endif
