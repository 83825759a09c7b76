/* Lists the names in a folder in the order of their bytes, and finds a name in a list of possible names. */
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

int dd_names_find(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

int dd_names_choose(int *index, const char *what, const char *name, const char *const *names, ddpm_error *err)
{
    char list[256] = "";
    *index = dd_names_find(names, name);
    if (*index >= 0)
        return DDPM_OK;

    for (int i = 0; names[i]; i++)
        dd_names_join(list, sizeof list, names[i]);
    return dd_error(err, DDPM_EUSAGE, "%s \"%.60s\": no such %s; it is one of %s", what, name, what, list);
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

/* Appends a copy of one name.  Returns false when there is no memory. */
static bool append(char ***name, size_t *n, const char *one)
{
    char **more = dd_memory_more(*name, *n, sizeof *more);
    if (!more)
        return false;

    *name = more;
    more[*n] = strdup(one);
    return more[*n] && ++*n;
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
