/* One static table of options per command gives parsing, --help, error texts, man pages and completion (manual/manual.c). */
#ifndef DDPM_OPTIONS_H
#define DDPM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum option_kind {
    OPTION_FLAG,
    OPTION_INT,
    OPTION_SEED,
    OPTION_NUMBER,
    OPTION_TIME,
    OPTION_SIZE,
    OPTION_TEXT,
    OPTION_CHOICE,
    OPTION_TEXTS
};

struct option {
    const char *name;
    char letter; /* "threads", 0 or 'n' */
    enum option_kind kind;
    const char *value, *help;            /* "N"; one line; the default is part of it */
    const char *const *(*choices)(void); /* OPTION_CHOICE: NULL-terminated */
    size_t
        offset; /* of the field in the command's struct: bool, int64_t, uint64_t, double (OPTION_TIME: seconds, _SIZE: bytes), const char *,
                                                struct option_texts */
    double low, high; /* OPTION_INT, OPTION_NUMBER */
};

enum { OPTION_TEXTS_MAX = 64 };

struct option_texts {
    const char *text[OPTION_TEXTS_MAX];
    int count;
};

struct common {
    int64_t threads;
    const char *cpu, *conv, *memory;
    bool quiet, verbose, json, help;
}; /* first member of every command's struct */

struct command {
    const char *name, *arguments, *does, *examples;
    const struct option *options;
    int count;
    int least, most; /* positional arguments */
    size_t size;
    const void *defaults;                                       /* the command's struct */
    int (*run)(void *settings, char **argument, int arguments); /* exit code of command-line.md */
};
extern const struct command command_sample, command_convert, command_export, command_info, command_forward,
    command_schedule, command_verify, command_eval, command_distance, command_train, command_bench;
extern const char exit_codes[]; /* what --help says of them */

/* Fills settings from argv [argc], which follows the command's name; *argument [*arguments] are the positional ones, argv reordered. */
int options_parse(const struct command *c, void *settings, int argc, char **argv, char ***argument,
                  int *arguments, ddpm_error *err);
void options_help(const struct command *c);
/* Prints a paragraph and a newline; on a terminal its lines end between words. */
void help_words(const char *text);
/* The i-th option of a command, the common ones behind its own; NULL behind the last. */
const struct option *option_at(const struct command *c, int i);
/* The first of the command's own options that has another value than its default and is not among taken
   (NULL-terminated), or NULL. */
const char *option_beside(const struct command *c, const void *settings, const char *const *taken);
/* The one of names (NULL-terminated) that somebody who wrote text may have meant, or NULL. */
const char *nearest_name(const char *text, const char *const *names);

enum { TRY_LATER = 100 }; /* beside DDPM_E...: locked, or stopped where the next start goes on */

/* The exit code of command-line.md for a DDPM_E... code. */
int exit_code(int code);
/* Prints "ddpm COMMAND: text" to stderr and returns exit_code(err->code). */
int complain(const struct command *c, const ddpm_error *err);
/* Prints "ddpm COMMAND: text" to stderr, as one line, even when the user wants it quiet. */
void notice(const struct command *c, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Prints "ddpm COMMAND: text" to stderr unless the user wants it quiet. */
void remark(const struct command *c, const struct common *common, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
#endif
