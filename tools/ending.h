/* The endings of files' names. */
#ifndef DDPM_ENDING_H
#define DDPM_ENDING_H

/* What follows the last dot of a file's name, where it looks like an ending (letters and digits, a letter
   among them), else "". */
const char *ending_of(const char *name);
#endif
