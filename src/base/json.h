/* Strict reading of small JSON texts through cJSON: every key is asked for once, every wrong type, null, unknown, doubled or
   missing key is an error that names its path ("net.heads.down[2]"). */
#ifndef DD_JSON_H
#define DD_JSON_H
#include <stdbool.h>
#include <cjson/cJSON.h>
#include "base/error.h"

/* Parses exactly one value, by the grammar of scan.h, without doubled keys or infinite numbers, at most 4 MB.  name is for messages.
   Free with cJSON_Delete. */
int dd_json_parse(cJSON **root, const char *text, size_t size, const char *name, ddpm_error *err);

/* An object being read: marks what was asked for; dd_json_end complains about the rest.  The first error sticks: later reads
   return zero values, and dd_json_end returns it.  So a reader is a plain list of reads and one check. */
struct dd_json {
    const cJSON *object;
    char path[128];
    unsigned seen[8];
    ddpm_error *err;
    int code;
};

/* path: "" at the top.  object NULL: what dd_json_object returned on an error; every read then returns zero and dd_json_end the code. */
void dd_json_begin(struct dd_json *j, const cJSON *object, const char *path, ddpm_error *err);
bool dd_json_has(struct dd_json *j, const char *key); /* also when it is null; does not mark it */
double dd_json_number(struct dd_json *j, const char *key, double low, double high);
int dd_json_int(struct dd_json *j, const char *key, int low, int high); /* 4.0 is a whole number */
bool dd_json_bool(struct dd_json *j, const char *key);
const char *dd_json_text(struct dd_json *j, const char *key); /* lives as long as the root; "" on error */
int dd_json_choice(struct dd_json *j, const char *key,
                   const char *const *names); /* names: NULL-terminated; index */
int dd_json_ints(struct dd_json *j, const char *key, int *values, int most, int low,
                 int high); /* values [most]; count */
int dd_json_texts(struct dd_json *j, const char *key, const char **values,
                  int most);                                     /* values [most]; count */
const cJSON *dd_json_object(struct dd_json *j, const char *key); /* NULL on error */
int dd_json_end(struct dd_json *j);                              /* code */
#endif
