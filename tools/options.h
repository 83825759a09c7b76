/* One static table of options per command gives parsing, --help, error texts, and later man pages and completion. */
#ifndef DDPM_OPTIONS_H
#define DDPM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum option_kind { OPTION_FLAG, OPTION_INT, OPTION_SEED, OPTION_NUMBER, OPTION_TEXT, OPTION_CHOICE, OPTION_TEXTS };
struct option {
    const char *name; char letter;           /* "threads", 0 or 'n' */
    enum option_kind kind;
    const char *value, *help;                /* "N"; one line; the default is part of it */
    const char *const *(*choices)(void);     /* OPTION_CHOICE: NULL-terminated */
    size_t offset;                           /* of the field in the command's struct: bool, int64_t, uint64_t, double, const char *, struct option_texts */
    double low, high;                        /* OPTION_INT, OPTION_NUMBER */
};
struct option_texts { const char *text[64]; int count; };
struct common { int64_t threads; const char *cpu, *conv; bool quiet, verbose, json, help; };   /* first member of every command's struct */
struct command {
    const char *name, *arguments, *does, *examples;
    const struct option *options; int count;
    int least, most;                         /* positional arguments */
    size_t size; const void *defaults;       /* the command's struct */
    int (*run)(void *settings, char **argument, int arguments);    /* exit code of cli.md */
};
extern const struct command command_sample, command_convert, command_info, command_forward, command_schedule, command_verify;

int  options_parse(const struct command *c, void *settings, int argc, char **argv, char ***argument, int *arguments, ddpm_error *err);
void options_help(const struct command *c);
/* The exit code of cli.md for a DDPM_E... code. */
int  exit_code(int code);
/* Prints "ddpm COMMAND: text" to stderr and returns exit_code(err->code). */
int  complain(const struct command *c, const ddpm_error *err);
#endif
