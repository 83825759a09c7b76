/* Finds the newest checkpoint of a training by the file names, which sort by step. */
#include "cli/newest_checkpoint.h"
#include <stdio.h>
#include <string.h>
#include "base/names.h"

bool newest_checkpoint_is(const char *folder, const char *name)
{
    (void)folder;
    return !strncmp(name, "step-", 5) && strspn(name + 5, "0123456789") == 9 && !strcmp(name + 14, ".ddpm");
}

bool newest_checkpoint(char *path, size_t size, const char *folder)
{
    char **name;
    size_t n;
    dd_names_list(&name, &n, folder, newest_checkpoint_is, NULL);

    /* Names sort by step, so the last one is the newest. */
    bool fits = n && (size_t)snprintf(path, size, "%s/%s", folder, name[n - 1]) < size;
    dd_names_free(name, n);
    return fits;
}
