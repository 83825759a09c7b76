/* What is said about a checkpoint beside its tensors: see settings.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/json.h"
#include "base/kind.h"
#include "base/memory.h"
#include "checkpoint/python_json.h"
#include "family/settings.h"

static int no_memory(struct settings *s)
{
    return s->code = dd_error_memory(s->err, "the settings of the checkpoint");
}

void settings_begin(struct settings *s, ddpm_error *err)
{
    memset(s, 0, sizeof *s);
    s->err = err;
    s->owned = cJSON_CreateArray();
    if (!s->owned)
        no_memory(s);
}

void settings_free(struct settings *s)
{
    free(s->entry);
    cJSON_Delete(s->owned);
    dd_arena_free(&s->arena);
}

static int add(struct settings *s, const char *path, const char *where, const cJSON *value,
               enum settings_from from)
{
    struct setting *more = dd_memory_more(s->entry, (size_t)s->count, sizeof *more);
    if (!more)
        return no_memory(s);
    s->entry = more;
    s->entry[s->count++] = (struct setting){ path, where, value, from, false };
    return s->code;
}

/* diffusers lists in "_use_default_values" what its writer did not mean: the defaults of the day apply. */
static bool is_default(const cJSON *object, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, "_use_default_values"))
        if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
            return true;
    return false;
}

static int own(struct settings *s, cJSON *value)
{
    if (!value || !cJSON_AddItemToArray(s->owned, value))
        return no_memory(s);
    return DDPM_OK;
}

/* Adds a value of a file, in which a number, true, false or a list may stand in quotes. */
static int add_quoted(struct settings *s, const char *path, const char *where, const cJSON *value,
                      enum settings_from from)
{
    cJSON *meant =
        from == SETTINGS_CONFIG && cJSON_IsString(value) ? settings_value(value->valuestring) : NULL;
    bool same = !meant || cJSON_IsString(meant) || cJSON_IsObject(meant);
    if (same)
        cJSON_Delete(meant);
    else if (own(s, meant) != DDPM_OK)
        return s->code;
    return add(s, path, where, same ? value : meant, from);
}

/* Weights & Biases writes {"value": 64, "desc": null} for each value. */
static const cJSON *unwrapped(const cJSON *object)
{
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, "value"), *member;
    cJSON_ArrayForEach(member, object)
        if (strcmp(member->string, "value") && strcmp(member->string, "desc"))
            return object;
    return inner ? inner : object;
}

/* Objects are taken apart; the parser bounds how deep they nest. */
static int add_value(struct settings *s, const char *path, const char *where, const cJSON *value,
                     enum settings_from from)
{
    if (*path != '\0' && cJSON_IsObject(value))
        value = unwrapped(value);
    if (!cJSON_IsObject(value))
        return add_quoted(s, path, where, value, from);
    const cJSON *member;
    cJSON_ArrayForEach(member, value) {
        if (is_default(value, member->string))
            continue;
        const char *below =
            *path == '\0' ? member->string : dd_arena_text(&s->arena, "%s.%s", path, member->string);
        if (!below)
            return no_memory(s);
        if (add_value(s, below, where, member, from) != DDPM_OK)
            break;
    }
    return s->code;
}

int settings_add_object(struct settings *s, const cJSON *object, const char *section, const char *where)
{
    return s->code || !object ? s->code : add_value(s, section, where, object, SETTINGS_FOLDER);
}

/* Python's and JSON's spellings; what is neither is a text. */
cJSON *settings_value(const char *text)
{
    cJSON *value;
    char *end;
    if (!strcmp(text, "True") || !strcmp(text, "true"))
        return cJSON_CreateTrue();
    if (!strcmp(text, "False") || !strcmp(text, "false"))
        return cJSON_CreateFalse();
    if (!strcmp(text, "None") || !strcmp(text, "null"))
        return cJSON_CreateNull();
    if (*text != '\0' && strspn(text, "+-.0123456789eE") == strlen(text)) {
        double number = strtod(text, &end);
        if (*end == '\0' && isfinite(number))
            return cJSON_CreateNumber(number);
    }
    if (*text != '\0' && strchr("[{\"", *text) != NULL &&
        dd_json_parse(&value, text, strlen(text), "value", NULL) == DDPM_OK)
        return value;
    return cJSON_CreateString(text);
}

static int add_pair(struct settings *s, const char *key, const char *text, const char *where,
                    enum settings_from from)
{
    cJSON *value = settings_value(text);
    if (own(s, value) != DDPM_OK)
        return s->code;
    return add_value(s, key, where, value, from);
}

int settings_add_pair(struct settings *s, const char *key, const char *text, const char *where)
{
    return s->code ? s->code : add_pair(s, key, text, where, SETTINGS_CONFIG);
}

int settings_add_text(struct settings *s, const char *key_value)
{
    const char *equals = strchr(key_value, '=');
    if (s->code)
        return s->code;
    if (!equals || equals == key_value)
        return s->code = dd_error(s->err, DDPM_EUSAGE,
                                  "--set %s: expected KEY=VALUE, such as --set num_heads=4", key_value);
    const char *key = dd_arena_text(&s->arena, "%.*s", (int)(equals - key_value), key_value);
    return !key ? no_memory(s) : add_pair(s, key, equals + 1, "--set", SETTINGS_SET);
}

/* A diffusers configuration does not say in which folder it lay, but what it configures. */
static const char *section_of(const cJSON *root)
{
    const char *class = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "_class_name"));
    return !class ? "" : strstr(class, "Scheduler") != NULL ? "scheduler" : "unet";
}

static int add_contents(struct settings *s, const char *text, size_t size, const char *where)
{
    bool mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    const char *first = text + (mark ? 3 : 0);
    first += strspn(first, " \t\r\n");
    cJSON *root = NULL;
    if (*first != '{' && strlen(text) == size && settings_has_flags(first))
        return settings_add_flags(s, first, where);
    s->code = *first == '{' ? python_json_parse(&root, text, size, where, s->err)
                            : settings_yaml(&root, text, size, where, s->err);
    if (s->code) {
        cJSON_Delete(root);
        return s->code;
    }
    return own(s, root) != DDPM_OK ? s->code : add_value(s, section_of(root), where, root, SETTINGS_CONFIG);
}

int settings_add_file(struct settings *s, const char *path)
{
    struct dd_file file;
    if (s->code)
        return s->code;
    if ((s->code = dd_file_map(&file, path, s->err)) != DDPM_OK)
        return s->code;
    struct dd_kind kind = dd_kind(file.data, file.size);
    const char *where = dd_arena_text(&s->arena, "%s", path);
    bool small = file.size < (size_t)1 << 20;
    char *text = small ? dd_arena_text(&s->arena, "%.*s", (int)file.size, (const char *)file.data) : "";
    if (!where || !text)
        no_memory(s);
    else if (kind.is && !kind.text)
        s->code = dd_kind_error(s->err, path, kind, "a configuration is expected");
    else if (*text == '\0')
        s->code = dd_error(s->err, DDPM_EDATA, "%s: expected a small text, found %zu bytes", path, file.size);
    else
        add_contents(s, text, file.size, where);
    dd_file_unmap(&file);
    return s->code;
}

static bool ends_in(const char *path, const char *tail)
{
    size_t a = strlen(path), b = strlen(tail);
    return a >= b && !strcmp(path + a - b, tail) && (a == b || path[a - b - 1] == '.');
}

/* Do two settings of one place, such as one file, say different things? */
static bool contradict(const struct setting *a, const struct setting *b)
{
    return a->from == b->from && a->from != SETTINGS_FOLDER && !strcmp(a->where, b->where) &&
           !cJSON_IsNull(a->value) && !cJSON_IsNull(b->value) && !cJSON_Compare(a->value, b->value, true);
}

/* Refuses what one place says twice in different ways: neither is meant for sure. */
static void refuse_both(struct settings *s, const struct setting *a, const struct setting *b)
{
    char *one = cJSON_PrintUnformatted(a->value), *two = cJSON_PrintUnformatted(b->value);
    if (!s->code)
        s->code = dd_error(s->err, b->from == SETTINGS_SET ? DDPM_EUSAGE : DDPM_EDATA,
                           "%s: %.80s is %.40s, and then %.80s is %.40s: leave one out", b->where, a->path,
                           one ? one : "?", b->path, two ? two : "?");
    cJSON_free(one);
    cJSON_free(two);
}

static struct setting *find(struct settings *s, const char *key)
{
    struct setting *found = NULL, *other = NULL;
    for (int i = 0; i < s->count; i++)
        if (ends_in(s->entry[i].path, key) || ends_in(key, s->entry[i].path)) {
            other = found && contradict(found, &s->entry[i]) ? found : NULL;
            found = &s->entry[i];
            found->used = true;
        }
    if (other)
        refuse_both(s, other, found);
    return found;
}

const cJSON *settings_find(struct settings *s, const char *key)
{
    const struct setting *e = find(s, key);
    return !e ? NULL : e->value;
}

bool settings_given(struct settings *s, const char *key)
{
    const cJSON *value = settings_find(s, key);
    return value && !cJSON_IsNull(value);
}

int settings_wrong(struct settings *s, const char *key, const char *format, ...)
{
    const struct setting *e = find(s, key);
    if (s->code)
        return s->code;
    char why[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    char *value = !e ? NULL : cJSON_PrintUnformatted(e->value);
    if (!e)
        s->code = dd_error(s->err, DDPM_EUSAGE, "%s: %s", key, why);
    else
        s->code = dd_error(s->err, e->from == SETTINGS_SET ? DDPM_EUSAGE : DDPM_EDATA, "%s: %s is %.60s, %s",
                           e->where, e->path, !value ? "?" : value, why);
    cJSON_free(value);
    return s->code;
}

double settings_number(struct settings *s, const char *key, double low, double high, double fallback)
{
    if (!settings_given(s, key))
        return fallback;
    const cJSON *value = settings_find(s, key);
    if (cJSON_IsNumber(value) && value->valuedouble >= low && value->valuedouble <= high)
        return value->valuedouble;
    settings_wrong(s, key, "expected a number from %g to %g", low, high);
    return fallback;
}

int settings_int(struct settings *s, const char *key, int low, int high, int fallback)
{
    if (!settings_given(s, key))
        return fallback;
    const cJSON *value = settings_find(s, key);
    if (cJSON_IsNumber(value) && value->valuedouble >= low && value->valuedouble <= high &&
        value->valuedouble == floor(value->valuedouble))
        return (int)value->valuedouble;
    settings_wrong(s, key, "expected an integer from %d to %d", low, high);
    return fallback;
}

bool settings_bool(struct settings *s, const char *key, bool fallback)
{
    if (!settings_given(s, key))
        return fallback;
    const cJSON *value = settings_find(s, key);
    if (!cJSON_IsBool(value))
        settings_wrong(s, key, "expected true or false");
    return cJSON_IsTrue(value);
}

const char *settings_text(struct settings *s, const char *key, const char *fallback)
{
    if (!settings_given(s, key))
        return fallback;
    const cJSON *value = settings_find(s, key);
    if (cJSON_IsString(value))
        return value->valuestring;
    settings_wrong(s, key, "expected a text");
    return fallback;
}

/* "16,8", "24x32", "(1, 2)"; -1 when it is no list of at most so many numbers. */
static int numbers_in(const char *text, double *list, int most)
{
    int n = 0;
    if (*text == 'x' || (*text != '\0' && text[strlen(text) - 1] == 'x'))
        return -1;
    for (text += strspn(text, " ,x()[]"); *text != '\0'; text += strspn(text, " ,x()[]")) {
        char *end;
        if (n == most || strchr("+-.0123456789", *text) == NULL)
            return -1;
        list[n++] = strtod(text, &end);
        if (end == text)
            return -1;
        text = end;
    }
    return n;
}

int settings_numbers(struct settings *s, const char *key, double *list, int most, double low, double high)
{
    if (!settings_given(s, key))
        return 0;
    const cJSON *value = settings_find(s, key), *item;
    int n = 0;
    if (cJSON_IsString(value)) {
        n = numbers_in(value->valuestring, list, most);
    } else if (cJSON_IsNumber(value) && most > 0) {
        list[n++] = value->valuedouble;
    } else {
        n = cJSON_IsArray(value) && cJSON_GetArraySize(value) <= most ? 0 : -1;
        if (n == 0)
            cJSON_ArrayForEach(item, value)
                list[n++] = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    }
    for (int i = 0; i < n; i++)
        if (!(list[i] >= low && list[i] <= high))
            n = -1;
    if (n < 0)
        settings_wrong(s, key, "expected at most %d numbers from %g to %g", most, low, high);
    return n < 0 ? 0 : n;
}

int settings_ints(struct settings *s, const char *key, int *list, int most, int low, int high)
{
    double number[64];
    int n = settings_numbers(s, key, number, most < 64 ? most : 64, low, high);
    for (int i = 0; i < n; i++) {
        list[i] = (int)number[i];
        if (list[i] != number[i])
            settings_wrong(s, key, "expected integers");
    }
    return n;
}

int settings_texts(struct settings *s, const char *key, const char **list, int most)
{
    if (!settings_given(s, key))
        return 0;
    const cJSON *value = settings_find(s, key), *item;
    int n = 0;
    if (cJSON_IsString(value)) {
        char *copy = dd_arena_text(&s->arena, "%s", value->valuestring), *place;
        if (!copy)
            no_memory(s);
        for (char *word = !copy ? NULL : strtok_r(copy, ", ", &place); word && n <= most;
             word = strtok_r(NULL, ", ", &place))
            if (n++ < most)
                list[n - 1] = word;
    } else {
        cJSON_ArrayForEach(item, value)
            if (n <= most && n++ < most)
                list[n - 1] = cJSON_IsString(item) ? item->valuestring : "";
    }
    if (n > most || (n == 0 && !cJSON_IsArray(value)))
        settings_wrong(s, key, "expected at most %d texts", most);
    return n > most ? 0 : n;
}

bool settings_size(struct settings *s, const char *key, int *height, int *width)
{
    int size[2], n = settings_ints(s, key, size, 2, 1, 65536);
    if (n == 0)
        return false;
    *height = size[0];
    *width = size[n - 1];
    return true;
}

void settings_ask(struct settings *s, const char *example)
{
    size_t used = strlen(s->missing);
    snprintf(s->missing + used, sizeof s->missing - used, " --set %s", example);
}

static bool spared(const char *path, const char *const *spare)
{
    for (; *spare; spare++) {
        size_t size = strlen(*spare) - 1;
        if ((*spare)[size] != '*' && ends_in(path, *spare))
            return true;
        for (const char *at = path; at && (*spare)[size] == '*';
             at = strchr(at, '.') == NULL ? NULL : strchr(at, '.') + 1)
            if (!strncmp(at, *spare, size))
                return true;
    }
    return false;
}

int settings_end(struct settings *s, const char *file, const char *const *spare, char *unused, size_t size)
{
    static const char rest[] = " and 1234567890 more";
    size_t written = 0;
    int more = 0;
    *unused = '\0';
    if (!s->code && s->missing[0] != '\0')
        s->code = dd_error(
            s->err, DDPM_EUSAGE,
            "%s does not say all that is needed; add, with the values that it was trained with instead of "
            "these examples:%s",
            file, s->missing);
    for (int i = 0; i < s->count && !s->code; i++) {
        const struct setting *e = &s->entry[i];
        if (e->used || spared(e->path, spare))
            continue;
        if (e->from == SETTINGS_SET)
            s->code = dd_error(s->err, DDPM_EUSAGE, "--set %s: this kind of checkpoint knows no such setting",
                               e->path);
        else if (more == 0 && written + strlen(e->path) + 2 + sizeof rest <= size)
            written +=
                (size_t)snprintf(unused + written, size - written, "%s%s", written > 0 ? ", " : "", e->path);
        else
            more++;
    }
    if (more > 0)
        snprintf(unused + written, size - written, " and %d more", more);
    return s->code;
}
