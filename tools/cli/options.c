/* Reads the command line by a command's table of options.

   Options are --name VALUE, --name=VALUE, -n VALUE and -nVALUE; flags may be joined (-qv); -- ends the
   options.  The word behind an option is its value unless it looks like an option itself (a minus and a
   letter); --name=-x gives such a value. */
#include "cli/options.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"

enum { NAMES_MAX = 64 };

static const struct option *option_named(const struct command *c, const char *name, size_t length)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    while ((o = option_next(&w)))
        if (strlen(o->name) == length && !memcmp(o->name, name, length))
            return o;
    return NULL;
}

static const struct option *option_lettered(const struct command *c, char letter)
{
    const struct option *o;
    struct option_walk w = { .command = c };
    while ((o = option_next(&w)))
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

/* ---- mistakes ---- */

/* Returns the present name of an option that earlier versions called `name`; otherwise `name`. */
static const char *present_name(const char *name)
{
    return strcmp(name, "schedule") ? name : "spacing";
}

/* Returns the command that replaces an option of earlier versions; NULL: the option did not exist. */
static const char *moved_option(const struct command *c, const char *text)
{
    static const struct {
        const char *command, *option, *present;
    } moved[] = {
        { "sample", "--merge", "ddpm merge --outdir DIR" },
        { "eval", "--against", "ddpm distance A B" },
        { "convert", "--to", "ddpm export" },
    };

    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        if (!strcmp(c->name, moved[i].command) && !strcmp(text, moved[i].option))
            return moved[i].present;
    return NULL;
}

/* Refuses an unknown word, "--name" without a value or letters "-xyz", with the most helpful advice: a
   command that replaced it, why this command lacks it, or a similar name. */
static int unknown_option(const struct command *c, const char *word, ddpm_error *err)
{
    const char *present = moved_option(c, word), *lacking = option_lacking(c, word);
    if (present)
        return dd_error(err, DDPM_EUSAGE, "%s is a command of its own: %s", word, present);
    if (lacking)
        return dd_error(err, DDPM_EUSAGE, "unknown option %.60s: ddpm %s %s", word, c->name, lacking);

    const char *names[NAMES_MAX + 1] = { NULL };
    const struct option *o;
    struct option_walk w = { .command = c };
    for (int i = 0; i < NAMES_MAX && (o = option_next(&w)); i++)
        names[i] = o->name;

    const char *near = nearest_name(present_name(word + strspn(word, "-")), names);
    return near ? dd_error(err, DDPM_EUSAGE, "unknown option %.60s; did you mean --%s?", word, near)
                : dd_error(err, DDPM_EUSAGE, "unknown option %.60s; ddpm %s --help lists all", word, c->name);
}

/* Returns whether an argument looks like the model of a command that takes its model with -m: it has the
   ending of a model, or it is one argument too many and a file. */
static bool is_model(const struct command *c, const char *argument, bool surplus)
{
    const struct option *o = option_lettered(c, 'm');
    return o && !strcmp(o->name, "model") && !dd_system_is_folder(argument) &&
           (dd_names_end(argument, ".ddpm") || (surplus && dd_system_exists(argument)));
}

/* Checks the positional arguments [n]. */
static int check_arguments(const struct command *c, char *const *argument, int n, ddpm_error *err)
{
    for (int i = 0; i < n; i++)
        if (is_model(c, argument[i], i >= c->most))
            return dd_error(err, DDPM_EUSAGE, "argument %.200s: did you mean -m %.200s?", argument[i],
                            argument[i]);

    if (n < c->least)
        return dd_error(err, DDPM_EUSAGE, "an argument is missing; it takes: %s", c->arguments);
    if (n > c->most)
        return dd_error(err, DDPM_EUSAGE, "argument %.80s is one too many; it takes: %s", argument[c->most],
                        c->most ? c->arguments : "options only");
    return DDPM_OK;
}

/* ---- reading ---- */

static bool looks_like_option(const char *s)
{
    return s[0] == '-' && (isalpha((unsigned char)s[1]) || s[1] == '-');
}

/* A command line while it is read. */
struct reading {
    const struct command *command;
    void *settings; /* the command's struct */
    int argc;
    char **argv;
    int i;                                 /* index of the word being read */
    const struct option *given[NAMES_MAX]; /* options that have a value so far [count] */
    int count;
    const struct option *drawn; /* the seed that was drawn, or NULL */
};

/* Notes that an option has a value.  A second value is refused, because it would win silently, unless the
   option may be repeated. */
static int note_given(struct reading *r, const struct option *o, const char *text, ddpm_error *err)
{
    for (int k = 0; k < r->count; k++)
        if (r->given[k] == o && o->kind != OPTION_TEXTS)
            return dd_error(err, DDPM_EUSAGE, "--%s is given twice, the second time as %.80s: leave one out",
                            o->name, text);

    if (r->count < NAMES_MAX && o->kind != OPTION_TEXTS)
        r->given[r->count++] = o;
    return DDPM_OK;
}

/* Takes the value of o: the rest of its own word or, with rest NULL, the next word. */
static int take_value(struct reading *r, const struct option *o, const char *rest, ddpm_error *err)
{
    if (!rest && (r->i + 1 == r->argc || looks_like_option(r->argv[r->i + 1])))
        return dd_error(err, DDPM_EUSAGE, "--%s needs a value: --%s=%s", o->name, o->name, o->value);

    const char *text = rest ? rest : r->argv[++r->i];
    int code = note_given(r, o, text, err);
    if (o->kind == OPTION_SEED && !strcmp(text, OPTION_RANDOM))
        r->drawn = o;
    return code ? code : option_set(o, r->settings, text, err);
}

/* Says which seed was drawn, as it is what makes the same results again. */
static void tell_drawn(const struct reading *r)
{
    const uint64_t *seed = (const void *)((const char *)r->settings + r->drawn->offset);
    remark(r->command, r->settings, "--%s " OPTION_RANDOM " is --%s %llu", r->drawn->name, r->drawn->name,
           (unsigned long long)*seed);
}

/* Takes a word --name or --name=value. */
static int take_long(struct reading *r, ddpm_error *err)
{
    const char *name = r->argv[r->i] + 2;
    size_t length = strcspn(name, "=");
    const struct option *o = option_named(r->command, name, length);
    if (!o) {
        char word[64];
        snprintf(word, sizeof word, "--%.*s", (int)length, name);
        return unknown_option(r->command, word, err);
    }

    const char *rest = name[length] ? name + length + 1 : NULL;
    if (o->kind != OPTION_FLAG)
        return take_value(r, o, rest, err);
    if (rest)
        return dd_error(err, DDPM_EUSAGE, "--%s takes no value", o->name);
    *(bool *)((char *)r->settings + o->offset) = true;
    return DDPM_OK;
}

/* Takes a word of letters "-xyz": flags, of which the last may be an option with a value. */
static int take_letters(struct reading *r, ddpm_error *err)
{
    const char *word = r->argv[r->i];
    for (const char *p = word + 1; *p; p++) {
        const struct option *o = option_lettered(r->command, *p);
        if (!o)
            return unknown_option(r->command, word, err);
        if (o->kind != OPTION_FLAG)
            return take_value(r, o, p[1] ? p + 1 : NULL, err);
        *(bool *)((char *)r->settings + o->offset) = true;
    }
    return DDPM_OK;
}

/* Replaces --memory low by the engine that takes the least memory: gemm packs the weights as they are,
   padded to whole vectors. */
static int choose_memory(struct common *c, ddpm_error *err)
{
    static const char least[] = "gemm";
    if (!c->memory || strcmp(c->memory, "low"))
        return DDPM_OK;
    if (c->conv && strcmp(c->conv, "auto") && strcmp(c->conv, least))
        return dd_error(err, DDPM_EUSAGE, "--memory low is --conv %s: leave out --conv %s", least, c->conv);
    c->conv = least;
    return DDPM_OK;
}

int options_parse(const struct command *c, void *settings, int argc, char **argv, int *arguments,
                  ddpm_error *err)
{
    struct reading r = { .command = c, .settings = settings, .argc = argc, .argv = argv };
    int n = 0, ended = 0;

    for (; r.i < argc; r.i++) {
        char *word = argv[r.i];
        int code = DDPM_OK;

        /* A lone "-" is an argument.  n never exceeds r.i, so arguments overwrite only words that were
           read. */
        if (ended || word[0] != '-' || !word[1])
            argv[n++] = word;
        else if (!strcmp(word, "--"))
            ended = 1;
        else if (word[1] == '-')
            code = take_long(&r, err);
        else
            code = take_letters(&r, err);
        if (code)
            return code;
    }

    *arguments = n;
    if (((const struct common *)settings)->help)
        return DDPM_OK;

    int code = choose_memory(settings, err);
    if (!code)
        code = check_arguments(c, argv, n, err);
    if (!code && r.drawn)
        tell_drawn(&r);
    return code;
}
