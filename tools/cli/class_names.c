/* Finds classes by their names (class_names.h). */
#include "cli/class_names.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/options.h"

void class_names_open(struct class_names *c, const ddpm_about *a)
{
    c->root = a->json ? cJSON_Parse(a->json) : NULL;
    c->list = cJSON_GetObjectItemCaseSensitive(c->root, "class_names");
}

void class_names_free(struct class_names *c)
{
    cJSON_Delete(c->root);
    *c = (struct class_names){ .root = NULL };
}

bool class_names_has(const struct class_names *c, const char *text)
{
    const cJSON *name;
    bool found = false;
    cJSON_ArrayForEach(name, c->list)
        found = found || !strcmp(name->valuestring, text);
    return found;
}

/* Returns whether text is a whole number, and stores it; -1 stands for a number that no class has. */
static bool is_number(int *class, const char *text)
{
    if (!*text || text[strspn(text, "0123456789")])
        return false;
    *class = strlen(text) < 10 ? atoi(text) : -1;
    return true;
}

/* Refuses a name that no class has, with the name that was probably meant. */
static int unknown(const struct class_names *c, const char *text, ddpm_error *err)
{
    if (!c->list)
        return dd_error(err, DDPM_EUSAGE,
                        "--class %.40s: expected the number of a class, all or none; the model has no names",
                        text);

    const char **names = calloc((size_t)cJSON_GetArraySize(c->list) + 1, sizeof *names);
    const cJSON *name;
    int n = 0;
    if (!names)
        return dd_error_memory(err, "the names of the classes");
    cJSON_ArrayForEach(name, c->list)
        names[n++] = name->valuestring;

    const char *near = nearest_name(text, names);
    free(names);
    return dd_error(err, DDPM_EUSAGE, "--class %.40s: no class has this name%s%.40s%s; ddpm info lists all",
                    text, near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

int class_names_find(const struct class_names *c, int *class, const char *text, const ddpm_about *a,
                     ddpm_error *err)
{
    const cJSON *name;
    int k = 0, found = 0;
    if (is_number(class, text))
        return *class >= 0 && *class < a->classes
                   ? DDPM_OK
                   : dd_error(err, DDPM_EUSAGE, "--class %.40s: this model has classes 0 to %d", text,
                              a->classes - 1);

    cJSON_ArrayForEach(name, c->list) {
        if (!strcmp(name->valuestring, text)) {
            if (found++)
                return dd_error(err, DDPM_EUSAGE,
                                "--class %.40s: classes %d and %d have this name: give the number", text,
                                *class, k);
            *class = k;
        }
        k++;
    }
    return found ? DDPM_OK : unknown(c, text, err);
}

void class_names_print(const cJSON *list)
{
    int k = 0;
    for (const cJSON *c = list ? list->child : NULL; c; c = c->next, k++)
        print_plain("%s %d %s%s", k ? "" : "classes      ", k, c->valuestring, c->next ? "," : "\n");
}
