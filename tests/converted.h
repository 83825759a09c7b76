/* A checkpoint turned into a model file by the command that users have. */
#ifndef CONVERTED_H
#define CONVERTED_H

enum { CONVERTED_FLAGS = 20 };

/* ddpm convert PATH -o OUT -q FLAGS; flags ends with NULL.  Returns the exit code. */
int converted(const char *path, const char *const flags[CONVERTED_FLAGS], const char *out);
#endif
