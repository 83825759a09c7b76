/* Strict reading of small JSON texts through cJSON.  Every key is asked for once.  A wrong type, a null, and
   an unknown, doubled or missing key are errors that name their path ("net.heads.down[2]"). */
#ifndef DD_JSON_H
#define DD_JSON_H
#include <stdbool.h>
#include <cjson/cJSON.h>
#include "base/error.h"

/* Parses exactly one value of at most 4 MB, by the grammar of scan.h, without doubled keys or infinite
   numbers. name is for messages.  The caller frees *root with cJSON_Delete. */
int dd_json_parse(cJSON **root, const char *text, size_t size, const char *name, ddpm_error *err);

/* An object being read.  It marks the keys that were asked for, and dd_json_end reports the others.  The
   first error stays: later reads return zero values, and dd_json_end returns it.  So a reader is a plain
   list of reads and one check. */
struct dd_json {
    const cJSON *object;
    char path[128];
    unsigned seen[8];
    ddpm_error *err;
    int code;
};

/* Begins to read an object.  path is its place in the text, "" at the top.  object is NULL if
   dd_json_object failed; every read then returns zero, and dd_json_end returns an error. */
void dd_json_begin(struct dd_json *j, const cJSON *object, const char *path, ddpm_error *err);

/* Returns whether the object has the key, even with the value null.  Does not mark it. */
bool dd_json_has(struct dd_json *j, const char *key);

/* Each returns the value of a key, which must be there.  A whole number may be written as 4.0.  A text lives
   as long as the root, and is "" after an error; an object is NULL after one. */
double dd_json_number(struct dd_json *j, const char *key, double low, double high);
int dd_json_int(struct dd_json *j, const char *key, int low, int high);
bool dd_json_bool(struct dd_json *j, const char *key);
const char *dd_json_text(struct dd_json *j, const char *key);
const cJSON *dd_json_object(struct dd_json *j, const char *key);

/* Returns a list of at most `most` values, to be walked by cJSON_ArrayForEach; NULL after an error. */
const cJSON *dd_json_list(struct dd_json *j, const char *key, int most);

/* Returns the index of the text in names, which end with NULL. */
int dd_json_choice(struct dd_json *j, const char *key, const char *const *names);

/* Each fills values [most] from a list, and returns how many there are. */
int dd_json_ints(struct dd_json *j, const char *key, int *values, int most, int low, int high);
int dd_json_texts(struct dd_json *j, const char *key, const char **values, int most);

/* Returns the first error, or DDPM_EDATA if the object has a key that was not asked for. */
int dd_json_end(struct dd_json *j);
#endif
