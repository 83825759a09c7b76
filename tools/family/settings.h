/* What is said about a checkpoint beside its tensors, under the origin's own names: a diffusers folder's JSON, then --config
   FILE (JSON or YAML nested as the origin nests it, or OpenAI's flags), then --set key=value; the later wins.

   A value is known by its path, "model.ch".  A path and a key name the same value when one ends, by whole components, in the
   other: the key "model.ch" finds "ch", "model.ch" and "config_yaml.model.ch".  So nesting may be left out, and wrapping does
   not matter. */
#ifndef DDPM_SETTINGS_H
#define DDPM_SETTINGS_H
#include <stdbool.h>
#include <cjson/cJSON.h>
#include "base/error.h"
#include "base/memory.h"

enum settings_from { SETTINGS_FOLDER, SETTINGS_CONFIG, SETTINGS_SET };

struct setting {
    const char *path, *where;
    const cJSON *value;
    enum settings_from from;
    bool used;
};

struct settings {
    struct setting *entry;
    int count;
    cJSON *owned;
    struct dd_arena arena;
    char missing[320];
    ddpm_error *err;
    int code; /* the first error sticks; settings_end returns it */
};

void settings_begin(struct settings *s, ddpm_error *err);
void settings_free(struct settings *s);
/* object stays the caller's; its members become section.NAME.  Both return the sticky code. */
int settings_add_object(struct settings *s, const cJSON *object, const char *section, const char *where);
int settings_add_file(struct settings *s, const char *path);
int settings_add_text(struct settings *s, const char *key_value);

/* A value as Python and JSON spell it; what is neither is a text. */
cJSON *settings_value(const char *text);
/* settings_flags.c: a line of --NAME VALUE flags, with the shell around it. */
bool settings_has_flags(const char *text);
int settings_add_flags(struct settings *s, const char *text, const char *where);
int settings_add_pair(struct settings *s, const char *key, const char *text, const char *where);
/* settings_yaml.c: a YAML document, whose top is a mapping; *root is to be deleted also on an error. */
int settings_yaml(cJSON **root, const char *text, size_t size, const char *where, ddpm_error *err);

/* NULL when nobody said; a JSON null is a value of its own. */
const cJSON *settings_find(struct settings *s, const char *key);
bool settings_given(struct settings *s, const char *key); /* said, and not null */
/* The fallback when not given; on an error too, and the error is kept. */
int settings_int(struct settings *s, const char *key, int low, int high, int fallback);
double settings_number(struct settings *s, const char *key, double low, double high, double fallback);
bool settings_bool(struct settings *s, const char *key, bool fallback);
const char *settings_text(struct settings *s, const char *key, const char *fallback);
/* A list, a single value, or a text such as "16,8", "24x32", "(1, 2)".  The count; 0 when not given. */
int settings_numbers(struct settings *s, const char *key, double *list, int most, double low, double high);
int settings_ints(struct settings *s, const char *key, int *list, int most, int low, int high);
int settings_texts(struct settings *s, const char *key, const char **list, int most);
/* Height and width from one number or two; false when not given. */
bool settings_size(struct settings *s, const char *key, int *height, int *width);

/* Notes something that must be said and was not: "image_size=64". */
void settings_ask(struct settings *s, const char *example);
/* An error about a value: "WHERE: PATH is VALUE, but ..." */
int settings_wrong(struct settings *s, const char *key, const char *format, ...) DD_PRINTF(3, 4);
/* Complains about what was asked for and about --set keys that nobody asked for and that are not in spare (NULL-terminated;
   "optim.*" is a whole section); unused lists, comma separated, what else was not used. */
int settings_end(struct settings *s, const char *file, const char *const *spare, char *unused, size_t size);
#endif
