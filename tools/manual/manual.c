/* ddpm-manual FOLDER DATE: writes the man pages of the program and of each command (mdoc(7)), and the
   completion for bash, into FOLDER.  They are made from the tables by which the program reads its command
   line.  DATE is the date of the pages. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/commands.h"

static const char *folder, *date;

/* Opens the file FOLDER/NAMEMIDDLEENDING for writing, or ends the program. */
static FILE *create(const char *name, const char *middle, const char *ending)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s%s%s", folder, name, middle, ending);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void finish(FILE *f)
{
    if (ferror(f) || fclose(f)) {
        perror(folder);
        exit(1);
    }
}

/* Writes text for roff.  A backslash, and a minus that begins an option, are escaped to stand for
   themselves, and no line begins with a request. */
static void put(FILE *f, const char *text)
{
    char before = '\n';
    for (; *text; before = *text++) {
        if (before == '\n' && (*text == '.' || *text == '\''))
            fputs("\\&", f);
        if (*text == '\\')
            fputs("\\e", f);
        else if (*text == '-' && !(before >= 'a' && before <= 'z'))
            fputs("\\-", f);
        else
            fputc(*text, f);
    }
}

/* Writes sentences as mdoc wants its source: each begins a new line, and long ones are wrapped. */
static void put_prose(FILE *f, const char *text)
{
    char line[2000];
    int column = 0;
    while (*text) {
        size_t n = strcspn(text, " \n");
        memcpy(line, text, n);
        line[n] = 0;
        put(f, line);

        column += (int)n + 1;
        text += n + strspn(text + n, " \n");
        int ends = n && (line[n - 1] == '.' || line[n - 1] == ';') && *text;
        fputc(ends || column > 66 || !*text ? '\n' : ' ', f);
        column = ends || column > 66 ? 0 : column;
    }
}

static void put_head(FILE *f, const char *page, const char *name, const char *does)
{
    fprintf(f,
            ".\\\" Made from the program's tables by tools/manual/manual.c.\n.Dd %s\n.Dt %s 1\n.Os\n.Sh "
            "NAME\n.Nm %s\n.Nd %s\n",
            date, page, name, does);
}

static void put_option(FILE *f, const struct option *o)
{
    char help[1000];
    fputs(".It ", f);
    if (o->letter)
        fprintf(f, "Fl %c , ", o->letter);
    fprintf(f, "Fl \\-%s", o->name);
    if (o->value)
        fprintf(f, " Ar %s", o->value);
    fputc('\n', f);

    snprintf(help, sizeof help, "%s%s", o->help, o->kind == OPTION_CHOICE ? ":" : "");
    put_prose(f, help);
    if (o->kind == OPTION_CHOICE)
        for (const char *const *p = o->choices(); *p; p++)
            fprintf(f, ".Cm %s%s\n", *p, p[1] ? " ," : " .");
    if (o->kind == OPTION_TEXTS)
        fputs("May be repeated.\n", f);
}

/* Writes the examples.  Each is a line that begins with two spaces. */
static void put_examples(FILE *f, const char *text)
{
    fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\n", f);
    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[500];
        snprintf(line, sizeof line, "%.*s", (int)n, text + strspn(text, " "));
        line[n > strspn(text, " ") ? n - strspn(text, " ") : 0] = 0;
        put(f, line);
        fputc('\n', f);
        text += n + (text[n] == '\n');
    }
    fputs(".Ed\n", f);
}

static void put_exit_codes(FILE *f)
{
    fputs(".Sh EXIT STATUS\n", f);
    put_prose(f, strchr(exit_codes, ':') + 2);
}

/* Writes the command's arguments.  In --help each is a word: "IN", "[DATA]", "FILE...". */
static void put_arguments(FILE *f, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        int optional = *text == '[';
        if (n)
            fprintf(f, optional ? ".Op Ar %.*s\n" : ".Ar %.*s\n",
                    (int)(optional ? strcspn(text + 1, "].") : n), text + optional);
        text += n + (text[n] == ' ');
    }
}

/* Writes the options of a command, with a subsection for each group. */
static void put_groups(FILE *f, const struct command *c)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    bool open = false;

    while ((o = option_next(&w))) {
        if (w.begins_group)
            fprintf(f, "%s.Ss %s\n.Bl -tag -width Ds\n", open ? ".El\n" : "", w.group);
        open = true;
        put_option(f, o);
    }
    fputs(".El\n", f);
}

static void write_page(const struct command_entry *e)
{
    const struct command *c = e->command;
    char page[64], name[64];

    snprintf(name, sizeof name, "ddpm-%s", c->name);
    snprintf(page, sizeof page, "DDPM-%s", c->name);

    for (char *p = page; *p; p++)
        *p = (char)toupper((unsigned char)*p);

    FILE *f = create("ddpm-", c->name, ".1");
    put_head(f, page, name, e->does);
    fprintf(f, ".Sh SYNOPSIS\n.Nm ddpm Cm %s\n.Op Ar options\n", c->name);
    put_arguments(f, c->arguments);
    fputs(".Sh DESCRIPTION\n", f);
    put_prose(f, c->does);

    put_groups(f, c);
    put_exit_codes(f);
    put_examples(f, c->examples);
    fputs(".Sh SEE ALSO\n.Xr ddpm 1\n", f);
    finish(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_environment(FILE *f)
{
    static const struct {
        const char *names, *text;
    } variable[] = {
        { "OMP_NUM_THREADS", "The number of threads where\n.Fl \\-threads\nis not given." },
        { "NO_COLOR", "Nothing is printed in colours when it is set and not empty." },
        { "TERM", "There is no progress bar on a terminal called\n.Ql dumb ." },
        { "COLORTERM",
          "Pictures in the terminal have all colours where it is\n.Ql truecolor\nor\n.Ql 24bit ,\nand "
          "otherwise those of a palette of 256." },
        { "COLUMNS", "The width of such a picture, and of a bar, where no terminal says it." },
        { "SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_MAX",
          "The shard of\n.Xr ddpm-sample 1\nwhere\n.Fl \\-shard\nis not given: a task of a Slurm array." },
        { "JOB_COMPLETION_INDEX JOB_COMPLETIONS", "The same for an indexed job of Kubernetes." },
        { "OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE SLURM_PROCID SLURM_STEP_NUM_TASKS",
          "The same for a process of a launcher." },
    };

    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", f);
    for (size_t i = 0; i < sizeof variable / sizeof *variable; i++)
        fprintf(f, ".It Ev %s\n%s\n", variable[i].names, variable[i].text);
    fputs(".El\n", f);
}

static void write_overview(void)
{
    FILE *f = create("ddpm", "", ".1");
    put_head(f, "DDPM", "ddpm", "make images with diffusion models on ordinary CPUs");
    fputs(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Op Ar arguments\n.Nm\n.Fl \\-version\n.Sh "
          "DESCRIPTION\n.Nm\n"
          "runs the U\\-Nets of\n.Dq Denoising Diffusion Probabilistic Models\nby Ho, Jain and Abbeel.\n"
          "It has a small model built in, so\n.Ql ddpm sample\nmakes a picture right away.\nThe commands "
          "are:\n.Bl -tag -width Ds\n",
          f);

    for (int i = 0; i < commands_count; i++)
        fprintf(f, ".It Xr ddpm-%s 1\n%s\n", commands[i].command->name, commands[i].does);
    fputs(".El\n", f);

    put_environment(f);
    put_exit_codes(f);
    fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\nddpm sample\nddpm convert google\\-ddpm\\-cifar10\\-32 "
          "\\-o cifar10.ddpm\n"
          "ddpm sample \\-m cifar10.ddpm \\-\\-steps 100\n.Ed\n.Sh SEE ALSO\n",
          f);

    /* mdoc wants the pages of SEE ALSO sorted by name. */
    const char *name[COMMANDS_MAX];
    for (int i = 0; i < commands_count; i++)
        name[i] = commands[i].command->name;
    qsort(name, (size_t)commands_count, sizeof *name, by_name);
    for (int i = 0; i < commands_count; i++)
        fprintf(f, ".Xr ddpm-%s 1 ,\n", name[i]);
    fputs(".Xr libddpm 3\n", f);
    finish(f);
}

/* Writes the case of an option with choices, "COMMAND OPTION", with the words that may follow. */
static void put_choices(FILE *f, const struct command *c, const struct option *o)
{
    fprintf(f, "    '%s --%s'", c->name, o->name);
    if (o->letter)
        fprintf(f, "|'%s -%c'", c->name, o->letter);

    fputs(") words='", f);
    for (const char *const *p = o->choices(); *p; p++)
        fprintf(f, "%s%s", p == o->choices() ? "" : " ", *p);
    fputs("' ;;\n", f);
}

/* Writes one case for all options with another kind of value.  For these bash offers files. */
static void put_valued(FILE *f, const struct command *c)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    const char *between = "    ";

    while ((o = option_next(&w)))
        if (o->kind != OPTION_FLAG && o->kind != OPTION_CHOICE) {
            fprintf(f, "%s'%s --%s'", between, c->name, o->name);
            between = "|";
            if (o->letter)
                fprintf(f, "|'%s -%c'", c->name, o->letter);
        }
    fputs(") ;;\n", f);
}

/* Writes the case that completes a command's options, in the order of their groups. */
static void put_options(FILE *f, const struct command *c)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    fprintf(f, "    '%s '*) words='", c->name);

    for (const char *between = ""; (o = option_next(&w)); between = " ") {
        fprintf(f, "%s--%s", between, o->name);
        if (o->letter)
            fprintf(f, " -%c", o->letter);
    }
    fputs("' ;;\n", f);
}

static void write_completion(void)
{
    FILE *f = create("ddpm", "", ".bash");
    const struct option *o;
    fputs("# Completion of ddpm for bash, made from the program's tables by tools/manual/manual.c.  Where no "
          "word fits, bash offers files.\n"
          "_ddpm()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n    "
          "COMPREPLY=()\n"
          "    if [ \"$cur\" = '=' ]; then cur=; elif [ \"$prev\" = '=' ]; then "
          "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "    [ \"$COMP_CWORD\" -gt 1 ] || prev=\n    case \"${COMP_WORDS[1]} $prev\" in\n    *' ') words='",
          f);

    for (int i = 0; i < commands_count; i++)
        fprintf(f, "%s ", commands[i].command->name);
    fputs("--help --version' ;;\n", f);

    for (int k = 0; k < commands_count; k++) {
        const struct command *c = commands[k].command;
        struct option_walk w = { .command = c };
        while ((o = option_next(&w)))
            if (o->kind == OPTION_CHOICE)
                put_choices(f, c, o);
        put_valued(f, c);
        put_options(f, c);
    }

    /* From version 4.4 on, bash keeps the order of the groups if nosort is set. */
    fputs("    esac\n    compopt -o nosort 2>/dev/null\n    COMPREPLY=($(compgen -W \"$words\" -- "
          "\"$cur\"))\n}\ncomplete -o bashdefault -o "
          "default -F _ddpm ddpm\n",
          f);
    finish(f);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: ddpm-manual FOLDER DATE\n", stderr);
        return 64;
    }
    folder = argv[1];
    date = argv[2];

    write_overview();
    for (int i = 0; i < commands_count; i++)
        write_page(&commands[i]);
    write_completion();
    return 0;
}
