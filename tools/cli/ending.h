/* File name endings. */
#ifndef DDPM_ENDING_H
#define DDPM_ENDING_H
#include "ddpm.h"

/* Returns the ending of a file name without its dot: the letters and digits behind the last dot, at least
   one a letter; "" when there is no ending. */
const char *ending_of(const char *name);
/* Returns DDPM_EUSAGE when a model file cannot have this name: the ending belongs to another format than
   safetensors, or the name is "-", standard output. */
int ending_check(const char *name, ddpm_error *err);
#endif
