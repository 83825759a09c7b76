/* Collects the settings of a checkpoint from files and texts, finds them by key, and accounts for all of
   them at the end (settings.h). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/json.h"
#include "base/kind.h"
#include "base/names.h"
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

/* Returns true for a value that diffusers lists in "_use_default_values": the writer of the file did not
   choose it, so the constructor's default applies. */
static bool is_default(const cJSON *object, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, "_use_default_values"))
        if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
            return true;
    return false;
}

/* Takes ownership of a value. */
static int own(struct settings *s, cJSON *value)
{
    if (!value || !cJSON_AddItemToArray(s->owned, value))
        return no_memory(s);
    return DDPM_OK;
}

/* Adds a value.  In a --config file, a number, true, false or a list may stand in quotes. */
static int add_quoted(struct settings *s, const char *path, const char *where, const cJSON *value,
                      enum settings_from from)
{
    if (from != SETTINGS_CONFIG || !cJSON_IsString(value))
        return add(s, path, where, value, from);

    cJSON *meant = settings_value(value->valuestring);
    if (!meant || cJSON_IsString(meant) || cJSON_IsObject(meant)) {
        cJSON_Delete(meant);
        return add(s, path, where, value, from);
    }
    return own(s, meant) != DDPM_OK ? s->code : add(s, path, where, meant, from);
}

/* Returns the value inside of {"value": 64, "desc": null}, which Weights & Biases writes for each value;
   other objects stay as they are. */
static const cJSON *unwrapped(const cJSON *object)
{
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, "value"), *member;
    cJSON_ArrayForEach(member, object)
        if (strcmp(member->string, "value") && strcmp(member->string, "desc"))
            return object;
    return inner ? inner : object;
}

/* Adds a value.  An object is split into its members.  The parser bounds how deep objects nest. */
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

/* Returns the section for a configuration.  A configuration of diffusers names the class that it
   configures. */
static const char *section_of(const cJSON *root)
{
    const char *class = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "_class_name"));
    if (!class)
        return "";
    return strstr(class, "Scheduler") != NULL ? "scheduler" : "unet";
}

/* Adds the contents of a file: flags, JSON or YAML, which differ in how they begin. */
static int add_contents(struct settings *s, const char *text, size_t size, const char *where)
{
    /* UTF-8's byte order mark may come first. */
    bool mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    const char *first = text + (mark ? 3 : 0);
    first += strspn(first, " \t\r\n");
    if (*first != '{' && strlen(text) == size && settings_has_flags(first))
        return settings_add_flags(s, first, where);

    /* A text that begins with "{" is JSON, as Python may have written it; any other is YAML. */
    cJSON *root = NULL;
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

    /* The name and the text are copied, because the file is closed before its values are asked for. */
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

/* Returns true when path ends in tail, by whole components. */
static bool ends_in(const char *path, const char *tail)
{
    size_t a = strlen(path), b = strlen(tail);
    /* The tail begins at the beginning of the path or behind a dot. */
    return a >= b && !strcmp(path + a - b, tail) && (a == b || path[a - b - 1] == '.');
}

/* Returns true when one place, such as a file, gives a setting two different values.  A diffusers folder
   may do that, so it never counts. */
static bool contradict(const struct setting *a, const struct setting *b)
{
    return a->from == b->from && a->from != SETTINGS_FOLDER && !strcmp(a->where, b->where) &&
           !cJSON_IsNull(a->value) && !cJSON_IsNull(b->value) && !cJSON_Compare(a->value, b->value, true);
}

/* Refuses two different values from one place, because nobody can know which is meant. */
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

/* Returns the last setting with this key, and marks all of them as used; NULL: there is none. */
static struct setting *find(struct settings *s, const char *key)
{
    struct setting *found = NULL, *other = NULL;
    for (int i = 0; i < s->count; i++)
        if (ends_in(s->entry[i].path, key) || ends_in(key, s->entry[i].path)) {
            /* The later place wins.  Two values within one place are refused. */
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

void settings_ask(struct settings *s, const char *example)
{
    size_t used = strlen(s->missing);
    snprintf(s->missing + used, sizeof s->missing - used, " --set %s", example);
}

/* Returns true when one of the components of path begins with begin [size]. */
static bool has_section(const char *path, const char *begin, size_t size)
{
    while (strncmp(path, begin, size)) {
        path = strchr(path, '.');
        if (!path)
            return false;
        path++;
    }
    return true;
}

static bool is_spare(const char *path, const char *const *spare)
{
    for (; *spare; spare++) {
        size_t last = strlen(*spare) - 1;
        if ((*spare)[last] == '*' ? has_section(path, *spare, last) : ends_in(path, *spare))
            return true;
    }
    return false;
}

/* Adds a path to a list of settings, or counts it if the list is full. */
static void add_unused(char *list, size_t size, const char *path, int *more)
{
    static const char rest[] = " and 1234567890 more"; /* what may have to follow */
    size_t used = strlen(list);

    if (*more == 0 && used + strlen(path) + 2 + sizeof rest <= size)
        dd_names_join(list, size, path);
    else
        ++*more;
}

int settings_end(struct settings *s, const char *file, const char *const *spare, char *unused, size_t size)
{
    int more = 0;

    *unused = '\0';
    if (!s->code && s->missing[0] != '\0')
        s->code = dd_error(
            s->err, DDPM_EUSAGE,
            "%s does not say all that is needed; add, with the values that it was trained with instead of "
            "these examples:%s",
            file, s->missing);

    /* A --set key without effect is a mistake of the user; a file may hold settings that do not matter
       here. */
    for (int i = 0; i < s->count && !s->code; i++) {
        const struct setting *e = &s->entry[i];
        if (e->used || is_spare(e->path, spare))
            continue;
        if (e->from == SETTINGS_SET)
            s->code = dd_error(s->err, DDPM_EUSAGE, "--set %s: this kind of checkpoint knows no such setting",
                               e->path);
        else
            add_unused(unused, size, e->path, &more);
    }

    size_t used = strlen(unused);
    if (more > 0)
        snprintf(unused + used, size - used, " and %d more", more);
    return s->code;
}
