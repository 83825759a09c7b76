/* Prints a command's table of options as help.  On a terminal, lines are wrapped between words at the
   width of the window.  Elsewhere each option is one line of any length, for programs that read it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/system.h"
#include "cli/options.h"
#include "cli/progress.h"

enum { INDENT = 30, NARROW = 60, NARROW_INDENT = 8 };

const char exit_codes[] =
    "Exit codes: 0 done, 1 a comparison failed, 64 usage, 65 bad data in a file, 66 input missing,\n"
    "69 this CPU or build cannot, 70 the network produced NaN or infinity, 71 out of memory,\n"
    "73 output cannot be created, 74 I/O error, 75 try again later (locked, interrupted or\n"
    "out of time, and resumable), 77 no permission.";

/* Returns the width of the terminal; 0: standard output is not a terminal. */
static int width(void)
{
    return dd_system_terminal(stdout) ? progress_columns(stdout) : 0;
}

/* Writes text from column `at` on, and a newline at its end.  With columns > 0, a newline in the text
   counts as a space, and a word that does not fit begins a new line at column `indent`.  Choices a|b|c may
   be broken behind a bar. */
static void write_words(const char *text, int at, int indent, int columns)
{
    bool begun = false;
    if (!columns) {
        puts(text);
        return;
    }

    while (*(text += strspn(text, " \n"))) {
        /* A word ends at a space, or behind a bar, and the next choice follows a bar without a space. */
        int n = (int)strcspn(text, " \n|"), bar = text[n] == '|', joined = begun && text[-1] == '|';
        int space = begun && !joined;
        n += bar;

        if (begun && at + space + n > columns) {
            printf("\n%*s", indent, "");
            at = indent;
            space = 0;
        }

        printf("%s%.*s", space ? " " : "", n, text);
        at += space + n;
        text += n;
        begun = true;
    }
    putchar('\n');
}

void help_words(const char *text)
{
    write_words(text, 0, 0, width());
}

/* Prints the name of an option and its help, in the column beside it or, on a narrow terminal, below it. */
static void print_option(const struct option *o, int columns)
{
    char left[80], letter[8] = "   ", text[1024];
    bool narrow = columns && columns < NARROW;
    size_t n = (size_t)snprintf(text, sizeof text, "%s", o->help);
    if (o->kind == OPTION_CHOICE)
        for (const char *const *p = o->choices(); *p && n < sizeof text; p++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", p == o->choices() ? ": " : "|", *p);

    if (o->letter)
        snprintf(letter, sizeof letter, "-%c,", o->letter);
    snprintf(left, sizeof left, "%s --%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");

    int at = narrow ? printf("  %s\n%*s", left, NARROW_INDENT, "") : printf("  %-27s ", left);
    write_words(text, narrow ? NARROW_INDENT : at, narrow ? NARROW_INDENT : INDENT, columns);
}

void options_help(const struct command *c)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    int columns = width();
    printf("Usage: ddpm %s [options]%s%s\n\n", c->name, *c->arguments ? " " : "", c->arguments);
    write_words(c->does, 0, 0, columns);

    while ((o = option_next(&w))) {
        if (w.begins_group)
            printf("\n%s:\n", w.group);
        print_option(o, columns);
    }

    printf("\nExamples:\n%s\n", c->examples);
    write_words(exit_codes, 0, 0, columns);
}
