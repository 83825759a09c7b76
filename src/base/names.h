/* Lists the names in a folder, tests their endings, and chooses one of several names. */
#ifndef DD_NAMES_H
#define DD_NAMES_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Says whether a name in a folder is wanted. */
typedef bool dd_names_fn(const char *folder, const char *name);

/* Fills *name [*n] with the wanted names in the folder at path, in the order of their bytes, which is the
   same everywhere.  The caller frees them with dd_names_free, after an error too. */
int dd_names_list(char ***name, size_t *n, const char *path, dd_names_fn *wanted, ddpm_error *err);
void dd_names_free(char **name, size_t n);

/* Returns whether a name has this ending, in upper or lower case, and is not that of a hidden file. */
bool dd_names_end(const char *name, const char *ending);

/* Adds a name to a list "A, B" of this size, which begins as an empty text.  A list that is too long is
   cut. */
void dd_names_join(char *list, size_t size, const char *name);

/* Returns the index of name in names, which end with NULL, or -1. */
int dd_names_find(const char *const *names, const char *name);

/* Fills *index with the index of name in names.  If the name is not among them, returns DDPM_EUSAGE with
   `WHAT "NAME": no such WHAT; it is one of A, B, C`. */
int dd_names_choose(int *index, const char *what, const char *name, const char *const *names,
                    ddpm_error *err);
#endif
