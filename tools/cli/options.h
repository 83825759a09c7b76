/* The options of a command.  One static table gives parsing, --help, error texts, man pages and completion
   (manual/manual.c). */
#ifndef DDPM_OPTIONS_H
#define DDPM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

/* What the value of an option is, and the type of the field that holds it. */
enum option_kind {
    OPTION_FLAG,   /* bool: given or not */
    OPTION_INT,    /* int64_t from low to high */
    OPTION_SEED,   /* uint64_t */
    OPTION_NUMBER, /* double from low to high */
    OPTION_TIME,   /* double, seconds: "90s", "2h" */
    OPTION_SIZE,   /* double, bytes: "500M" */
    OPTION_TEXT,   /* const char * */
    OPTION_CHOICE, /* const char *, one of choices() */
    OPTION_TEXTS,  /* struct option_texts: may be given several times */
    OPTION_HEADING /* no option: begins a group of them, see OPTION_GROUP */
};

struct option {
    const char *name; /* "threads" for --threads */
    char letter;      /* 'n' for -n; 0: none */
    enum option_kind kind;
    const char *value;                   /* what stands for the value in --help: "N" */
    const char *help;                    /* one line, which says the default too */
    const char *const *(*choices)(void); /* OPTION_CHOICE: NULL-terminated */
    size_t offset;                       /* of the field in the command's struct */
    double low, high;                    /* OPTION_INT, OPTION_NUMBER */
};

/* A row of a table that begins a group of options under a title.  Options in front of the first such row are
   the group "Options". */
#define OPTION_GROUP(title)                   \
    {                                         \
        .kind = OPTION_HEADING, .help = title \
    }

enum { OPTION_TEXTS_MAX = 64 };

struct option_texts {
    const char *text[OPTION_TEXTS_MAX];
    int count;
};

/* The options that several commands have; the first member of every command's struct. */
struct common {
    int64_t threads;
    const char *cpu, *conv, *memory;
    bool background, quiet, verbose, json, help;
};

/* A command has --json, --quiet and --help, and those common options that mean something to it. */
enum {
    COMMON_NETWORK = 1, /* --threads, --cpu, --conv, --memory: it makes a network */
    COMMON_VERBOSE = 2, /* --verbose: it has more to say */
    COMMON_LONG = 4     /* --background: it may run for hours beside other work */
};

struct command {
    const char *name, *arguments, *does, *examples;
    const struct option *options; /* its own [count] */
    int count;
    unsigned common; /* COMMON_... */
    int least, most; /* positional arguments */
    size_t size;
    const void *defaults;                                       /* the command's struct [size] */
    int (*run)(void *settings, char **argument, int arguments); /* exit code of command-line.md */
};
extern const struct command command_sample, command_merge, command_convert, command_export, command_info,
    command_forward, command_schedule, command_verify, command_eval, command_distance, command_train,
    command_tune, command_bench;
extern const char exit_codes[]; /* the paragraph about them in --help */

/* Fills settings from argv [argc], the words behind the command's name.  *argument [*arguments] are the
   positional ones; argv is reordered for them. */
int options_parse(const struct command *c, void *settings, int argc, char **argv, char ***argument,
                  int *arguments, ddpm_error *err);
/* Puts the value of an option, as it was written, into its field of settings.  DDPM_EUSAGE says what is
   expected. */
int option_set(const struct option *o, void *settings, const char *text, ddpm_error *err);

/* A walk through the options of a command: its own, then the common ones. */
struct option_walk {
    const struct command *command; /* the others begin as 0 */
    const char *group;             /* the title of the group in which the last option stands */
    bool begins_group;             /* the last option is the first of its group */
    int list, row;
};

/* Returns the next option, or NULL behind the last. */
const struct option *option_next(struct option_walk *w);
/* Returns why a command lacks a common option, such as "makes no network"; NULL when it has it, or when no
   command has it.  word: "--name", or letters "-xyz". */
const char *option_lacking(const struct command *c, const char *word);

/* Prints a command's --help. */
void options_help(const struct command *c);
/* Prints a paragraph and a newline; on a terminal its lines end between words. */
void help_words(const char *text);
/* Returns the one of names (NULL-terminated) that somebody who wrote text may have meant, or NULL. */
const char *nearest_name(const char *text, const char *const *names);

/* A code beside DDPM_E...: a folder is locked, or a run has stopped where the next start goes on. */
enum { TRY_LATER = 100 };

/* Returns the exit code of command-line.md for a DDPM_E... code. */
int exit_code(int code);
/* Prints "ddpm COMMAND: text" to stderr and returns exit_code(err->code). */
int complain(const struct command *c, const ddpm_error *err);
/* Prints "ddpm COMMAND: text" to stderr, as one line, even when the user wants it quiet. */
void notice(const struct command *c, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Prints text to stdout with '?' for control characters but a newline at its end.  Text that comes out of a
   file, and names of files, are printed this way, because they could drive a terminal. */
void print_plain(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;
/* Prints "ddpm COMMAND: text" to stderr unless the user wants it quiet. */
void remark(const struct command *c, const struct common *common, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
#endif
