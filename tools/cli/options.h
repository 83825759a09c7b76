/* The options of a command.  One static table gives parsing, --help, error texts, man pages and completion
   (manual/manual.c). */
#ifndef DDPM_OPTIONS_H
#define DDPM_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

/* The kind of an option's value, and the type of the field that holds it. */
enum option_kind {
    OPTION_FLAG,   /* bool: given or not */
    OPTION_INT,    /* int64_t from low to high */
    OPTION_SEED,   /* uint64_t, or OPTION_RANDOM for a number that is drawn */
    OPTION_NUMBER, /* double from low to high */
    OPTION_TIME,   /* double, seconds: "90s", "2h" */
    OPTION_SIZE,   /* double, bytes: "500M" */
    OPTION_TEXT,   /* const char * */
    OPTION_CHOICE, /* const char *, one of choices() */
    OPTION_TEXTS,  /* struct option_texts: may be given several times */
    OPTION_HEADING /* not an option: the heading of a group, see OPTION_GROUP */
};

struct option {
    const char *name; /* "threads" for --threads */
    char letter;      /* 'n' for -n; 0: it has no letter */
    enum option_kind kind;
    const char *value;                   /* placeholder of the value in --help: "N" */
    const char *help;                    /* one line, with the default */
    const char *const *(*choices)(void); /* for OPTION_CHOICE: the choices, NULL-terminated */
    size_t offset;                       /* offset of the field in the command's struct */
    double low, high;                    /* bounds for OPTION_INT and OPTION_NUMBER */
};

/* A row of a table that begins a group of options under a title.  Options before the first such row form
   the group "Options". */
#define OPTION_GROUP(title)                   \
    {                                         \
        .kind = OPTION_HEADING, .help = title \
    }

#define OPTION_RANDOM "random"

enum { OPTION_TEXTS_MAX = 64 };

struct option_texts {
    const char *text[OPTION_TEXTS_MAX];
    int count;
};

/* The options that several commands have.  They are the first member of every command's struct. */
struct common {
    int64_t threads;
    const char *cpu, *conv, *memory;
    bool background, quiet, verbose, json, help;
};

/* Every command has --json, --quiet and --help, and the common options that mean something to it. */
enum {
    COMMON_NETWORK = 1, /* --threads, --cpu, --conv, --memory: it makes a network */
    COMMON_VERBOSE = 2, /* --verbose: it has more to say */
    COMMON_LONG = 4     /* --background: it may run for hours beside other work */
};

struct command {
    const char *name, *arguments, *does, *examples;
    const struct option *options; /* its own options [count] */
    int count;
    unsigned common; /* the COMMON_...  bits of its other options */
    int least, most; /* least and most positional arguments */
    size_t size;
    const void *defaults; /* the default settings, a struct of `size` bytes */
    int (*run)(void *settings, char **argument, int arguments); /* returns an exit code of command-line.md */
};
extern const struct command command_sample, command_merge, command_convert, command_export, command_info,
    command_forward, command_schedule, command_verify, command_eval, command_distance, command_train,
    command_tune, command_bench, command_sheet;
extern const char exit_codes[]; /* the paragraph about exit codes in --help */

/* Fills settings from argv [argc], the words behind the command's name.  The positional ones, *arguments of
   them, are moved to the front of argv.  A seed that was drawn is told on stderr. */
int options_parse(const struct command *c, void *settings, int argc, char **argv, int *arguments,
                  ddpm_error *err);
/* Puts the value of an option, given as text, into its field of settings.  DDPM_EUSAGE: the message tells
   what is expected. */
int option_set(const struct option *o, void *settings, const char *text, ddpm_error *err);

/* A walk through the options of a command: its own, then the common ones. */
struct option_walk {
    const struct command *command; /* the command; other fields begin as 0 */
    const char *group;             /* the title of the group in which the last option stands */
    bool begins_group;             /* the last option is the first of its group */
    int list, row;
};

/* Returns the next option; NULL behind the last. */
const struct option *option_next(struct option_walk *w);
/* Returns why a command lacks a common option, such as "makes no network"; NULL: the command has the
   option, or it is not a common one.  word: "--name", or letters "-xyz". */
const char *option_lacking(const struct command *c, const char *word);

/* Prints a command's --help. */
void options_help(const struct command *c);
/* Prints a paragraph and a newline; on a terminal its lines end between words. */
void help_words(const char *text);
/* Returns the name in `names` (NULL-terminated) that was probably meant by text, or NULL. */
const char *nearest_name(const char *text, const char *const *names);

/* A further error code beside DDPM_E...: a folder is locked, or a run has stopped and the next start goes
   on. */
enum { TRY_LATER = 100 };

/* Returns the exit code of command-line.md for a DDPM_E... code. */
int exit_code(int code);
/* Prints "ddpm COMMAND: text" to stderr and returns exit_code(err->code). */
int complain(const struct command *c, const ddpm_error *err);
/* Prints "ddpm COMMAND: text" to stderr, as one line, also with --quiet. */
void notice(const struct command *c, const char *format, ...) DD_PRINTF(2, 3);
/* Prints text to stdout, with '?' for control characters except a newline at its end.  File names and text
   from files are printed this way, because they could control the terminal. */
void print_plain(const char *format, ...) DD_PRINTF(1, 2);
/* Prints "ddpm COMMAND: text" to stderr, but not with --quiet. */
void remark(const struct command *c, const struct common *common, const char *format, ...) DD_PRINTF(3, 4);
#endif
