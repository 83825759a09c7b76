/* JSON as Python's json module writes it: NaN, Infinity and -Infinity are values, and a byte order
   mark may stand in front. */
#ifndef DDPM_PYTHON_JSON_H
#define DDPM_PYTHON_JSON_H
#include <stddef.h>
#include <cjson/cJSON.h>
#include "base/error.h"

/* Works like dd_json_parse, and reads these three values as the texts "NaN", "Infinity" and "-Infinity". */
int python_json_parse(cJSON **root, const char *text, size_t size, const char *name, ddpm_error *err);
/* Reads the object in a file.  The caller deletes *root, which is NULL after an error. */
int python_json_file(cJSON **root, const char *path, ddpm_error *err);
#endif
