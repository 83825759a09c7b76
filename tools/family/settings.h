/* Settings: all information about a checkpoint beside its tensors, under the origin's own names.  It comes
   from three places, and a later place wins: the JSON of a diffusers folder; --config FILE, which is JSON
   or YAML nested like in the origin, or OpenAI's flags; --set KEY=VALUE.

   A value has a path, "model.ch".  A path and a key name the same value when one ends in the other, by
   whole components: the key "model.ch" finds "ch", "model.ch" and "config_yaml.model.ch".  So nesting may
   be left out, and wrapping does not matter. */
#ifndef DDPM_SETTINGS_H
#define DDPM_SETTINGS_H
#include <stdbool.h>
#include <cjson/cJSON.h>
#include "base/error.h"
#include "base/memory.h"

enum settings_from { SETTINGS_FOLDER, SETTINGS_CONFIG, SETTINGS_SET };

struct setting {
    const char *path;  /* "model.ch" */
    const char *where; /* the file, or "--set" */
    const cJSON *value;
    enum settings_from from;
    bool used; /* a family asked for it */
};

struct settings {
    struct setting *entry;
    int count;
    cJSON *owned; /* an array of all values that were parsed here */
    struct dd_arena arena;
    char missing[320]; /* " --set image_size=64 --set ...": settings that are needed and missing */
    ddpm_error *err;
    int code; /* code of the first error; settings_end returns it */
};

void settings_begin(struct settings *s, ddpm_error *err);
void settings_free(struct settings *s);

/* Add the settings of one place and return s->code.  The members of an object become SECTION.NAME.  The
   object stays the caller's and outlives s. */
int settings_add_object(struct settings *s, const cJSON *object, const char *section, const char *where);
int settings_add_file(struct settings *s, const char *path);
int settings_add_text(struct settings *s, const char *key_value);

/* Returns the value that a text stands for in Python or JSON; any other text is a string.  The caller
   deletes it. */
cJSON *settings_value(const char *text);

/* settings_flags.c.  settings_has_flags returns whether a text has a flag --NAME at the beginning of a
   word.  settings_add_flags adds all flags in a text of shell commands, settings_add_pair one of them. */
bool settings_has_flags(const char *text);
int settings_add_flags(struct settings *s, const char *text, const char *where);
int settings_add_pair(struct settings *s, const char *key, const char *text, const char *where);

/* settings_yaml.c.  Parses a YAML document whose top is a mapping.  The caller deletes *root, after an
   error too. */
int settings_yaml(cJSON **root, const char *text, size_t size, const char *where, ddpm_error *err);

/* Returns the value of a key and marks it as used; NULL: it is not given.  A JSON null is a value of its
   own. */
const cJSON *settings_find(struct settings *s, const char *key);
/* Returns true when the key is given, and not null. */
bool settings_given(struct settings *s, const char *key);

/* Return a value within its bounds; the fallback when it is not given.  After a wrong value they note an
   error and return the fallback. */
int settings_int(struct settings *s, const char *key, int low, int high, int fallback);
double settings_number(struct settings *s, const char *key, double low, double high, double fallback);
bool settings_bool(struct settings *s, const char *key, bool fallback);
const char *settings_text(struct settings *s, const char *key, const char *fallback);

/* Fill list [most] from a list, a single value, or a text such as "16,8", "24x32" or "(1, 2)".  Return the
   count, 0 when the key is not given. */
int settings_numbers(struct settings *s, const char *key, double *list, int most, double low, double high);
int settings_ints(struct settings *s, const char *key, int *list, int most, int low, int high);
int settings_texts(struct settings *s, const char *key, const char **list, int most);
/* Reads height and width from one number or two; false when the key is not given. */
bool settings_size(struct settings *s, const char *key, int *height, int *width);

/* Notes that a setting is missing, by an example: "image_size=64". */
void settings_ask(struct settings *s, const char *example);
/* Notes an error about a value, "WHERE: PATH is VALUE, " and the text; returns s->code. */
int settings_wrong(struct settings *s, const char *key, const char *format, ...) DD_PRINTF(3, 4);

/* Returns the code of the first error.  Errors are also the settings that settings_ask noted, and a --set
   key that no family asked for, unless spare has it (NULL-terminated; "optim.*" is a whole section).
   Writes the other settings that were not asked for to unused [size], separated by commas. */
int settings_end(struct settings *s, const char *file, const char *const *spare, char *unused, size_t size);
#endif
