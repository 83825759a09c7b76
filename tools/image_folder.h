/* The images of a folder, or of its sub-folders, each of which is a class. */
#ifndef DDPM_IMAGE_FOLDER_H
#define DDPM_IMAGE_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

struct image_folder { char **file; int *label; size_t files; int classes; };   /* names below the folder; label NULL: no classes */
/* Pictures by their endings in order of names; sub-folders, in the same order, count only where the folder itself has none. */
int  image_folder_open(struct image_folder *f, const char *path, ddpm_error *err);
void image_folder_close(struct image_folder *f);
/* The names in a folder that end so, sorted; free with image_folder_free. */
int  image_folder_list(char ***name, size_t *n, const char *path, bool (*wanted)(const char *folder, const char *name), ddpm_error *err);
void image_folder_free(char **name, size_t n);
bool image_folder_ends(const char *name, const char *ending);         /* in any case; not a hidden file */
#endif
