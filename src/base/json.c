/* Reads JSON values by their keys, in three passes.  dd_scan checks the text, because cJSON lets invalid
   UTF-8, control characters, leading zeros and escaped NULs pass.  Then cJSON builds the tree.  Then the tree
   is searched for doubled keys and infinite numbers. */
#include "base/json.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/names.h"
#include "base/scan.h"

/* cJSON takes up to 40 bytes for each byte of the text. */
enum { TEXT_MOST = 4 << 20 };

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns a key that an object holds twice, or NULL.  Sets *full when out of memory. */
static const char *doubled_key(const cJSON *object, bool *full)
{
    size_t n = 0;
    for (const cJSON *c = object->child; c; c = c->next)
        n++;
    const char **key = malloc((n + 1) * sizeof *key), *found = NULL;
    if (!key) {
        *full = true;
        return NULL;
    }

    n = 0;
    for (const cJSON *c = object->child; c; c = c->next)
        key[n++] = c->string;
    /* After sorting, equal keys are neighbours. */
    qsort(key, n, sizeof *key, compare_keys);

    for (size_t i = 1; i < n && !found; i++)
        if (!strcmp(key[i - 1], key[i]))
            found = key[i];

    free(key);
    return found;
}

/* The place of a value in the tree, such as "net.heads.down[2]".  A text that is too long is cut. */
struct place {
    char path[128];
    size_t used;
};

/* Returns the place of a child. */
static struct place below(const struct place *p, const cJSON *child, int index)
{
    struct place q = *p;
    char *end = q.path + q.used;
    size_t room = sizeof q.path - q.used;
    int n = child->string ? snprintf(end, room, "%s%s", q.used ? "." : "", child->string)
                          : snprintf(end, room, "[%d]", index);

    q.used += (size_t)n < room ? (size_t)n : room - 1;
    return q;
}

/* Searches for doubled keys and infinite numbers.  The recursion goes no deeper than the scanner let pass. */
static int check_tree(const cJSON *c, const struct place *p, const char *name, ddpm_error *err)
{
    bool full = false;

    const char *twice = cJSON_IsObject(c) ? doubled_key(c, &full) : NULL;
    if (full)
        return dd_error_memory(err, name);
    if (twice)
        return dd_error(err, DDPM_EDATA, "%s: %s%s%s: the key occurs twice", name, p->path,
                        p->used ? "." : "", twice);

    /* strtod makes 1e999 infinite. */
    if (cJSON_IsNumber(c) && !isfinite(c->valuedouble))
        return dd_error(err, DDPM_EDATA, "%s: %s: the number is too large", name,
                        p->used ? p->path : "the top level");

    /* Children of a list have an index, children of an object have a key. */
    int i = 0;
    for (const cJSON *child = c->child; child; child = child->next, i++) {
        struct place q = below(p, child, i);
        int code = check_tree(child, &q, name, err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

int dd_json_parse(cJSON **root, const char *text, size_t size, const char *name, ddpm_error *err)
{
    struct dd_scan s;
    *root = NULL;
    if (size > TEXT_MOST)
        return dd_error(err, DDPM_EDATA, "%s: %zu bytes of JSON, at most %d are read", name, size, TEXT_MOST);

    dd_scan_begin(&s, text, size);
    if (dd_scan_value(&s) || dd_scan_end(&s))
        return dd_error(err, DDPM_EDATA, "%s: not valid JSON at byte %zu: %s", name, (size_t)(s.at - s.start),
                        s.fault);

    /* The text is valid JSON by now, so cJSON can fail only for lack of memory. */
    *root = cJSON_ParseWithLength(text, size);
    if (!*root)
        return dd_error_memory(err, name);

    int code = check_tree(*root, &(struct place){ "", 0 }, name, err);
    if (code) {
        cJSON_Delete(*root);
        *root = NULL;
    }

    return code;
}

/* ---- reading an object ---- */

/* Sets the error for a key, "" for the object itself, unless there is an error already. */
static int fail(struct dd_json *j, int code, const char *key, const char *format, ...) DD_PRINTF(4, 5);

static int fail(struct dd_json *j, int code, const char *key, const char *format, ...)
{
    char text[256];
    va_list ap;
    if (j->code)
        return j->code;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);

    const char *dot = *j->path && *key && *key != '[' ? "." : "";
    j->code =
        dd_error(j->err, code, "%s%s%s: %s", j->path, dot, *j->path || *key ? key : "the top level", text);
    return j->code;
}

/* How many bits an element of dd_json.seen has. */
enum { SEEN_BITS = 8 * sizeof(unsigned) };

/* Returns the type of a value in words. */
static const char *type_name(const cJSON *c)
{
    if (cJSON_IsNull(c))
        return "null";
    if (cJSON_IsBool(c))
        return "true or false";
    if (cJSON_IsNumber(c))
        return "a number";
    if (cJSON_IsString(c))
        return "a string";
    return cJSON_IsArray(c) ? "a list" : "an object";
}

void dd_json_begin(struct dd_json *j, const cJSON *object, const char *path, ddpm_error *err)
{
    *j = (struct dd_json){ .object = object, .err = err };
    snprintf(j->path, sizeof j->path, "%s", path);

    if (!object)
        j->code = DDPM_EDATA; /* err already has the text of the first error */
    else if (!cJSON_IsObject(object))
        fail(j, DDPM_EDATA, "", "an object is expected, found %s", type_name(object));
    else if ((size_t)cJSON_GetArraySize(object) > 8 * sizeof j->seen)
        fail(j, DDPM_EDATA, "", "%d keys, at most %zu are read", cJSON_GetArraySize(object),
             8 * sizeof j->seen);
}

/* Returns the value of key and marks it as seen; NULL when there is no such key. */
static const cJSON *look(struct dd_json *j, const char *key)
{
    size_t i = 0;
    for (const cJSON *c = j->code ? NULL : j->object->child; c; c = c->next, i++)
        if (!strcmp(c->string, key)) {
            j->seen[i / SEEN_BITS] |= 1u << i % SEEN_BITS;
            return c;
        }
    return NULL;
}

/* Returns the value of key if it has the type.  Otherwise it returns NULL and sets an error that says what
   was expected. */
static const cJSON *want(struct dd_json *j, const char *key, cJSON_bool (*is)(const cJSON *),
                         const char *expected)
{
    const cJSON *c = look(j, key);
    if (!c)
        fail(j, DDPM_EDATA, key, "missing: %s is expected", expected);
    else if (!is(c))
        fail(j, DDPM_EDATA, key, "%s is expected, found %s", expected, type_name(c));
    return j->code ? NULL : c;
}

bool dd_json_has(struct dd_json *j, const char *key)
{
    return !j->code && cJSON_GetObjectItemCaseSensitive(j->object, key);
}

double dd_json_number(struct dd_json *j, const char *key, double low, double high)
{
    const cJSON *c = want(j, key, cJSON_IsNumber, "a number");
    if (c && !(low <= c->valuedouble && c->valuedouble <= high))
        fail(j, DDPM_EDATA, key, "%.15g found, a number between %g and %g is expected", c->valuedouble, low,
             high);
    return c && !j->code ? c->valuedouble : 0;
}

/* Returns c as a whole number from low to high; 0 when it is not such a number, or NULL. */
static int integer(struct dd_json *j, const char *key, const cJSON *c, int low, int high)
{
    if (!c)
        return 0;

    double v = c->valuedouble;
    if (!cJSON_IsNumber(c))
        fail(j, DDPM_EDATA, key, "a whole number is expected, found %s", type_name(c));
    else if (!(low <= v && v <= high && v == floor(v)))
        fail(j, DDPM_EDATA, key, "%.15g found, a whole number between %d and %d is expected", v, low, high);
    return j->code ? 0 : (int)v;
}

int dd_json_int(struct dd_json *j, const char *key, int low, int high)
{
    return integer(j, key, want(j, key, cJSON_IsNumber, "a whole number"), low, high);
}

bool dd_json_bool(struct dd_json *j, const char *key)
{
    const cJSON *c = want(j, key, cJSON_IsBool, "true or false");
    return c && cJSON_IsTrue(c);
}

const char *dd_json_text(struct dd_json *j, const char *key)
{
    const cJSON *c = want(j, key, cJSON_IsString, "a string");
    return c ? c->valuestring : "";
}

int dd_json_choice(struct dd_json *j, const char *key, const char *const *names)
{
    const char *text = dd_json_text(j, key);
    char all[160] = "";
    if (j->code)
        return 0;

    int i = dd_names_find(names, text);
    if (i >= 0)
        return i;

    for (i = 0; names[i]; i++)
        dd_names_join(all, sizeof all, names[i]);
    fail(j, DDPM_EDATA, key, "\"%.60s\" found, one of these is expected: %s", text, all);
    return 0;
}

/* Returns the list at key, which must have at most `most` values. */
static const cJSON *list(struct dd_json *j, const char *key, int most)
{
    const cJSON *c = want(j, key, cJSON_IsArray, "a list");
    if (c && cJSON_GetArraySize(c) > most)
        fail(j, DDPM_EDATA, key, "%d values found, at most %d are expected", cJSON_GetArraySize(c), most);
    return j->code ? NULL : c;
}

int dd_json_ints(struct dd_json *j, const char *key, int *values, int most, int low, int high)
{
    char place[64];
    int n = 0;
    const cJSON *all = list(j, key, most), *c;
    cJSON_ArrayForEach(c, all) {
        snprintf(place, sizeof place, "%.40s[%d]", key, n);
        values[n++] = integer(j, place, c, low, high);
    }
    return j->code ? 0 : n;
}

int dd_json_texts(struct dd_json *j, const char *key, const char **values, int most)
{
    char place[64];
    int n = 0;
    const cJSON *all = list(j, key, most), *c;
    cJSON_ArrayForEach(c, all) {
        snprintf(place, sizeof place, "%.40s[%d]", key, n);
        if (!cJSON_IsString(c))
            fail(j, DDPM_EDATA, place, "a string is expected, found %s", type_name(c));
        else
            values[n++] = c->valuestring;
    }
    return j->code ? 0 : n;
}

const cJSON *dd_json_list(struct dd_json *j, const char *key, int most)
{
    return list(j, key, most);
}

const cJSON *dd_json_object(struct dd_json *j, const char *key)
{
    return want(j, key, cJSON_IsObject, "an object");
}

int dd_json_end(struct dd_json *j)
{
    size_t i = 0;
    for (const cJSON *c = j->code ? NULL : j->object->child; c; c = c->next, i++)
        if (!(j->seen[i / SEEN_BITS] >> i % SEEN_BITS & 1))
            fail(j, DDPM_EDATA, c->string, "unknown key");
    return j->code;
}
