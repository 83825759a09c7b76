/* Reads the values of settings by their kinds, within bounds (settings.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "family/settings.h"

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

/* Fills list [most] from a text such as "16,8", "24x32" or "(1, 2)" and returns the count; -1: the text is
   not a list of at most `most` numbers. */
static int numbers_in(const char *text, double *list, int most)
{
    int n = 0;

    /* "24x" is a size with one number missing. */
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

/* Does the same for any value.  A member of an array that is not a number becomes NaN. */
static int read_numbers(const cJSON *value, double *list, int most)
{
    const cJSON *item;
    int n = 0;
    if (cJSON_IsString(value))
        return numbers_in(value->valuestring, list, most);
    if (cJSON_IsNumber(value) && most > 0) {
        list[0] = value->valuedouble;
        return 1;
    }

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > most)
        return -1;
    cJSON_ArrayForEach(item, value)
        list[n++] = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    return n;
}

int settings_numbers(struct settings *s, const char *key, double *list, int most, double low, double high)
{
    if (!settings_given(s, key))
        return 0;

    int n = read_numbers(settings_find(s, key), list, most);
    for (int i = 0; i < n; i++)
        /* This refuses NaN too. */
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

/* Fills list [most] with the words of a text, which are separated by commas and spaces.  Returns their
   number, at most most + 1. */
static int split_words(struct settings *s, const char *text, const char **list, int most)
{
    char *copy = dd_arena_text(&s->arena, "%s", text), *place;
    int n = 0;
    if (!copy)
        s->code = dd_error_memory(s->err, "the settings of the checkpoint");

    char *word = copy ? strtok_r(copy, ", ", &place) : NULL;
    for (; word && n <= most; word = strtok_r(NULL, ", ", &place))
        if (n++ < most)
            list[n - 1] = word;
    return n;
}

int settings_texts(struct settings *s, const char *key, const char **list, int most)
{
    if (!settings_given(s, key))
        return 0;

    const cJSON *value = settings_find(s, key), *item;
    int n = 0;
    if (cJSON_IsString(value)) {
        n = split_words(s, value->valuestring, list, most);
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

    /* A single number is both. */
    *height = size[0];
    *width = size[n - 1];
    return true;
}
