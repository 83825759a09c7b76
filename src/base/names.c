/* Lists the names in a folder in the order of their bytes, and finds a name in a list of possible names. */
#include "base/names.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"

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

/* A list that grows while a folder is walked through. */
struct list {
    const char *path;
    dd_names_fn *wanted;
    char **name;
    size_t n;
    bool full; /* there was no memory for a name */
};

/* Appends a copy of the name if it is wanted. */
static bool append(void *user, const char *name)
{
    struct list *l = user;
    if (!l->wanted(l->path, name))
        return true;

    char **more = dd_memory_more(l->name, l->n, sizeof *more);
    if (more) {
        l->name = more;
        more[l->n] = strdup(name);
    }
    l->full = !more || !more[l->n];
    l->n += !l->full;
    return !l->full;
}

int dd_names_list(char ***name, size_t *n, const char *path, dd_names_fn *wanted, ddpm_error *err)
{
    struct list l = { .path = path, .wanted = wanted };
    int code = DDPM_OK;
    if (!dd_system_walk(path, append, &l))
        code = dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path,
                        strerror(errno));
    else if (l.full)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names in it", path);

    if (l.n)
        qsort(l.name, l.n, sizeof *l.name, compare);
    *name = l.name;
    *n = l.n;
    return code;
}
