/* Lists the names in a folder in the order of their bytes, and names in a text. */
#include "base/names.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

bool dd_names_end(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && *name != '.' && !strcasecmp(name + n - m, ending);
}

void dd_names_join(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

void dd_names_free(char **name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends a copy of one name; false: there is no memory. */
static bool append(char ***name, size_t *n, const char *one)
{
    char **more = dd_memory_more(*name, *n, sizeof *more);
    if (!more)
        return false;
    *name = more;
    (*name)[*n] = strdup(one);
    return (*name)[*n] && ++*n;
}

int dd_names_list(char ***name, size_t *n, const char *path, dd_names_fn *wanted, ddpm_error *err)
{
    int code = DDPM_OK;
    *name = NULL;
    *n = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path,
                        strerror(errno));

    for (struct dirent *e; !code && (e = readdir(folder));)
        if (wanted(path, e->d_name) && !append(name, n, e->d_name))
            code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names in it", path);
    closedir(folder);

    if (*n)
        qsort(*name, *n, sizeof **name, compare);
    return code;
}
