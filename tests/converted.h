/* Turns a checkpoint into a model file by the command that users have, so that tests see what users
   get. */
#ifndef CONVERTED_H
#define CONVERTED_H

enum { CONVERTED_FLAGS = 20 };

/* Runs `ddpm convert PATH -o OUT -q FLAGS`, where flags ends with NULL. Returns the exit code. */
int converted(const char *path, const char *const flags[CONVERTED_FLAGS], const char *out);
#endif
