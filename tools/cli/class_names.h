/* The names of a model's classes, which its metadata may hold as "class_names" (model-file.md). */
#ifndef DDPM_CLASS_NAMES_H
#define DDPM_CLASS_NAMES_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include "ddpm.h"

struct class_names {
    cJSON *root;       /* the metadata */
    const cJSON *list; /* strings, one for each class; NULL: the model has no names */
};

/* Reads the names from the metadata of a; class_names_free releases them. */
void class_names_open(struct class_names *c, const ddpm_about *a);
void class_names_free(struct class_names *c);
/* Returns whether a class has this name. */
bool class_names_has(const struct class_names *c, const char *text);
/* Finds the class that a text names: a number, or a name.  DDPM_EUSAGE: there is no such class, or several
   have this name. */
int class_names_find(const struct class_names *c, int *class, const char *text, const ddpm_about *a,
                     ddpm_error *err);
/* Prints "classes       0 ant, 1 bee"; nothing where there are no names. */
void class_names_print(const cJSON *list);
#endif
