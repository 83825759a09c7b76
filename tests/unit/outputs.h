/* What the tests of inputs and outputs share. */
#ifndef OUTPUTS_H
#define OUTPUTS_H
#include "base/file.h"

/* Writes a file directly. */
void output_put(const char *path, const char *text);
/* Returns whether a file holds this text. */
int output_holds(const char *path, const char *text);
/* Maps a file; returns the code, whose message names the file. */
int output_map_code(const char *path);
/* Writes text to path through an output, which is then committed or abandoned. */
int output_write(const char *path, const char *text, int replace, int abandon);
#endif
