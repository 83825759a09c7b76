/* Reads --class (class_list.h).  The whole text is tried as a name before it is cut at its commas, because
   names may have commas. */
#include "sample/class_list.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/class_names.h"

/* Cuts text at its commas, and finds the class of each part. */
static int read_parts(struct recipe *r, int **list, char *text, const struct class_names *names,
                      const ddpm_about *a, ddpm_error *err)
{
    size_t most = 1;
    int code = DDPM_OK;
    for (const char *c = text; *c; c++)
        most += *c == ',';
    *list = malloc(most * sizeof **list);
    if (!*list)
        return dd_error_memory(err, "a list of classes");

    r->class = CLASS_LIST;
    r->classes = *list;
    r->class_count = 0;
    for (char *next = text; next && !code;) {
        char *comma = strchr(next, ',');
        if (comma)
            *comma = 0;
        code = class_names_find(names, &(*list)[r->class_count++], next, a, err);
        next = comma ? comma + 1 : NULL;
    }
    return code;
}

static int read_names(struct recipe *r, int **list, const char *text, const ddpm_about *a, ddpm_error *err)
{
    struct class_names names;
    class_names_open(&names, a);

    int code = class_names_find(&names, &r->class, text, a, err);
    if (code && strchr(text, ',') && !class_names_has(&names, text)) {
        char *copy = strdup(text);
        code = copy ? read_parts(r, list, copy, &names, a, err) : dd_error_memory(err, "a list of classes");
        free(copy);
    }
    class_names_free(&names);
    return code;
}

int class_list_read(struct recipe *r, int **list, const char *text, const ddpm_about *a, ddpm_error *err)
{
    *list = NULL;
    r->class = CLASS_UNSAID;
    if (text && !strcmp(text, "all"))
        r->class = CLASS_ALL;
    else if (text && !strcmp(text, "none"))
        r->class = CLASS_NONE;
    else if (text && !a->classes)
        return dd_error(err, DDPM_EUSAGE, "this model has no classes: leave out --class");
    else if (text)
        return read_names(r, list, text, a, err);
    return DDPM_OK;
}
