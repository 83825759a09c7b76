/* Reads the command line by a command's table of options.

   --name VALUE, --name=VALUE, -nVALUE, -n VALUE; flags may be joined (-qv); -- ends the options.  The word after an option is its
   value unless it looks like an option itself (a minus and a letter): --name=-x gives such a value. */
#include "cli/options.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cpu.h"
#include "base/error.h"

static const char *const *memory_names(void)
{
    static const char *const names[] = { "full", "low", NULL };
    return names;
}

#define FIELD(f) offsetof(struct common, f)
static const struct option common_options[] = {
    { "threads", 0, OPTION_INT, "N",
      "threads (default: OMP_NUM_THREADS, or what affinity, cgroup quota and physical cores allow)", NULL,
      FIELD(threads), 1, DD_THREADS_MOST },
    { "cpu", 0, OPTION_CHOICE, "SET", "highest instruction set to use (default: the best)", ddpm_cpu_names,
      FIELD(cpu), 0, 0 },
    { "conv", 0, OPTION_CHOICE, "ENGINE", "engine of the convolutions (default: auto)", ddpm_conv_names,
      FIELD(conv), 0, 0 },
    { "memory", 0, OPTION_CHOICE, "HOW",
      "low: no second copy of the weights, by --conv gemm; steps take up to twice as long (default: full)",
      memory_names, FIELD(memory), 0, 0 },
    { "json", 0, OPTION_FLAG, NULL, "results as one JSON object per line", NULL, FIELD(json), 0, 0 },
    { "quiet", 'q', OPTION_FLAG, NULL, "say nothing but errors", NULL, FIELD(quiet), 0, 0 },
    { "verbose", 'v', OPTION_FLAG, NULL, "say more", NULL, FIELD(verbose), 0, 0 },
    { "help", 'h', OPTION_FLAG, NULL, "this text", NULL, FIELD(help), 0, 0 },
};

enum { COMMON = sizeof common_options / sizeof *common_options, NAMES_MAX = 64 };

const struct option *option_at(const struct command *c, int i)
{
    return i < c->count ? &c->options[i] : i < c->count + COMMON ? &common_options[i - c->count] : NULL;
}

static const struct option *option_named(const struct command *c, const char *name, size_t length)
{
    const struct option *o;
    for (int i = 0; (o = option_at(c, i)); i++)
        if (strlen(o->name) == length && !memcmp(o->name, name, length))
            return o;
    return NULL;
}

static const struct option *option_lettered(const struct command *c, char letter)
{
    const struct option *o;
    for (int i = 0; (o = option_at(c, i)); i++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

/* Levenshtein's distance, of names shorter than 32; longer ones are far from everything. */
static int distance(const char *a, const char *b)
{
    int row[33], n = (int)strlen(b);
    if (strlen(a) > 31 || n > 31)
        return 99;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]),
                skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < skip ? change : skip;
        }
    }
    return row[n];
}

const char *nearest_name(const char *text, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(text) / 3 + 2;
    for (; *names; names++)
        if (distance(text, *names) < least) {
            least = distance(text, *names);
            best = *names;
        }
    return best;
}

/* Writes "did you mean X? choose from A, B, C"; where they are too many, as many whole names as fit. */
static const char *advice(char out[400], const char *text, const char *const *names)
{
    static const char rest[] = ", ... (--help lists all)";
    const char *near = nearest_name(text, names);
    size_t n = near ? (size_t)snprintf(out, 400, "did you mean %s? choose from", near)
                    : (size_t)snprintf(out, 400, "choose from");
    for (int i = 0; names[i]; i++) {
        if (n + strlen(names[i]) + sizeof ", " + sizeof rest > 400) {
            snprintf(out + n, 400 - n, "%s", rest);
            break;
        }
        n += (size_t)snprintf(out + n, 400 - n, "%s %s", i ? "," : "", names[i]);
    }
    return out;
}

/* Returns the present name of an option that earlier versions called `text`, else text. */
static const char *present_name(const char *text)
{
    return strcmp(text, "--schedule") ? text : "--spacing";
}

/* Returns the command that does what an option of another command did in earlier versions, or NULL. */
static const char *moved_option(const struct command *c, const char *text)
{
    static const struct {
        const char *command, *option, *present;
    } moved[] = { { "eval", "--against", "ddpm distance A B" }, { "convert", "--to", "ddpm export" } };

    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        if (!strcmp(c->name, moved[i].command) && !strcmp(text, moved[i].option))
            return moved[i].present;
    return NULL;
}

static int unknown_option(const struct command *c, const char *argument, int length, ddpm_error *err)
{
    char text[64], list[400], name[NAMES_MAX][32];
    const char *names[NAMES_MAX + 1] = { NULL };
    const struct option *o;
    for (int i = 0; i < NAMES_MAX && (o = option_at(c, i)); i++) {
        snprintf(name[i], sizeof name[i], "--%s", o->name);
        names[i] = name[i];
    }
    snprintf(text, sizeof text, "%.*s", length, argument);
    if (moved_option(c, text))
        return dd_error(err, DDPM_EUSAGE, "%s is a command of its own: %s", text, moved_option(c, text));
    return dd_error(err, DDPM_EUSAGE, "unknown option %s; %s", text, advice(list, present_name(text), names));
}

static int set_int(const struct option *o, int64_t *field, const char *text, ddpm_error *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (!(isdigit((unsigned char)*text) || *text == '-') || end == text || *end)
        return dd_error(err, DDPM_EUSAGE, "--%s %.80s: expected a whole number", o->name, text);
    if (errno || (double)v < o->low || (double)v > o->high)
        return dd_error(err, DDPM_EUSAGE, "--%s %.80s: expected a whole number from %.0f to %.0f", o->name,
                        text, o->low, o->high);
    *field = v;
    return DDPM_OK;
}

static int set_seed(const struct option *o, uint64_t *field, const char *text, ddpm_error *err)
{
    char *end;
    errno = 0;
    *field = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno)
        return dd_error(err, DDPM_EUSAGE, "--%s %.80s: expected a whole number from 0 to %llu", o->name, text,
                        (unsigned long long)UINT64_MAX);
    return DDPM_OK;
}

static int set_number(const struct option *o, double *field, const char *text, ddpm_error *err)
{
    char *end;
    *field = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(*field) || *field < o->low ||
        *field > o->high)
        return dd_error(err, DDPM_EUSAGE, "--%s %.80s: expected a number from %g to %g", o->name, text,
                        o->low, o->high);
    return DDPM_OK;
}

/* A number above 0 and a unit, of time or of memory. */
static int set_amount(const struct option *o, double *field, const char *text, ddpm_error *err)
{
    static const struct {
        enum option_kind kind;
        const char *unit;
        double is;
    } units[] = {
        { OPTION_TIME, "ms", 1e-3 },   { OPTION_TIME, "s", 1 },     { OPTION_TIME, "m", 60 },
        { OPTION_TIME, "h", 3600 },    { OPTION_TIME, "d", 86400 }, { OPTION_SIZE, "M", 1 << 20 },
        { OPTION_SIZE, "G", 1 << 30 },
    };

    char *end;
    double v = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units && isdigit((unsigned char)*text); i++)
        if (units[i].kind == o->kind && !strcmp(end, units[i].unit) && v > 0 && isfinite(v)) {
            *field = v * units[i].is;
            return DDPM_OK;
        }
    return dd_error(err, DDPM_EUSAGE, "--%s %.40s: expected %s", o->name, text,
                    o->kind == OPTION_TIME ? "a time such as 500ms, 90s, 45m, 2h or 1.5d"
                                           : "a size such as 500M or 1.5G");
}

static int set_choice(const struct option *o, const char **field, const char *text, ddpm_error *err)
{
    char list[400];
    for (const char *const *p = o->choices(); *p; p++)
        if (!strcmp(*p, text)) {
            *field = *p;
            return DDPM_OK;
        }
    return dd_error(err, DDPM_EUSAGE, "--%s %.60s: %s", o->name, text, advice(list, text, o->choices()));
}

static int set_texts(const struct option *o, struct option_texts *field, const char *text, ddpm_error *err)
{
    if (field->count == OPTION_TEXTS_MAX)
        return dd_error(err, DDPM_EUSAGE, "--%s is given more than %d times", o->name, OPTION_TEXTS_MAX);
    field->text[field->count++] = text;
    return DDPM_OK;
}

static int set_value(const struct option *o, void *settings, const char *text, ddpm_error *err)
{
    void *field = (char *)settings + o->offset;
    if (!*text)
        return dd_error(err, DDPM_EUSAGE, "--%s: its value %s is empty", o->name, o->value);
    switch (o->kind) {
    case OPTION_INT: return set_int(o, field, text, err);
    case OPTION_SEED: return set_seed(o, field, text, err);
    case OPTION_NUMBER: return set_number(o, field, text, err);
    case OPTION_TIME:
    case OPTION_SIZE: return set_amount(o, field, text, err);
    case OPTION_CHOICE: return set_choice(o, field, text, err);
    case OPTION_TEXTS: return set_texts(o, field, text, err);
    default: *(const char **)field = text; return DDPM_OK;
    }
}

static bool looks_like_option(const char *s)
{
    return s[0] == '-' && (isalpha((unsigned char)s[1]) || s[1] == '-');
}

/* How far a command line is read, and which options with a value it has given so far. */
struct reading {
    const struct command *command;
    void *settings;
    int i, argc;
    char **argv;
    const struct option *given[NAMES_MAX];
    int count;
};

/* Refuses a second value of an option that takes one: it would silently win. */
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

/* Takes the value of o out of its own argument (rest) or the next one; r->i moves on in the second case. */
static int take_value(struct reading *r, const struct option *o, const char *rest, ddpm_error *err)
{
    if (!rest && (r->i + 1 == r->argc || looks_like_option(r->argv[r->i + 1])))
        return dd_error(err, DDPM_EUSAGE, "--%s needs a value: --%s=%s", o->name, o->name, o->value);
    const char *text = rest ? rest : r->argv[++r->i];
    int code = note_given(r, o, text, err);
    return code ? code : set_value(o, r->settings, text, err);
}

static int take_long(struct reading *r, ddpm_error *err)
{
    const char *name = r->argv[r->i] + 2;
    size_t length = strcspn(name, "=");
    const struct option *o = option_named(r->command, name, length);
    if (!o)
        return unknown_option(r->command, r->argv[r->i], (int)length + 2, err);
    const char *rest = name[length] ? name + length + 1 : NULL;
    if (o->kind != OPTION_FLAG)
        return take_value(r, o, rest, err);
    if (rest)
        return dd_error(err, DDPM_EUSAGE, "--%s takes no value", o->name);
    *(bool *)((char *)r->settings + o->offset) = true;
    return DDPM_OK;
}

static int take_letters(struct reading *r, ddpm_error *err)
{
    const char *word = r->argv[r->i];
    for (const char *p = word + 1; *p; p++) {
        const struct option *o = option_lettered(r->command, *p);
        if (!o)
            return unknown_option(r->command, word, (int)strlen(word), err);
        if (o->kind != OPTION_FLAG)
            return take_value(r, o, p[1] ? p + 1 : NULL, err);
        *(bool *)((char *)r->settings + o->offset) = true;
    }
    return DDPM_OK;
}

/* gemm packs least: weights as they are, padded to whole vectors. */
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

int options_parse(const struct command *c, void *settings, int argc, char **argv, char ***argument,
                  int *arguments, ddpm_error *err)
{
    struct reading r = { .command = c, .settings = settings, .argc = argc, .argv = argv };
    int n = 0, ended = 0;
    for (; r.i < argc; r.i++) {
        char *word = argv[r.i];
        int code = DDPM_OK;
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
    *argument = argv;
    *arguments = n;
    if (((const struct common *)settings)->help)
        return DDPM_OK;
    int code = choose_memory(settings, err);
    if (code)
        return code;
    if (n < c->least)
        return dd_error(err, DDPM_EUSAGE, "an argument is missing; it takes: %s", c->arguments);
    if (n > c->most)
        return dd_error(err, DDPM_EUSAGE, "argument %.80s is one too many; it takes: %s", argv[c->most],
                        c->most ? c->arguments : "options only");
    return DDPM_OK;
}

int exit_code(int code)
{
    switch (code) {
    case DDPM_OK: return 0;
    case DDPM_EUSAGE: return 64;
    case DDPM_EDATA: return 65;
    case DDPM_EMISSING: return 66;
    case DDPM_EUNSUPPORTED: return 69;
    case DDPM_ENOMEM: return 71;
    case DDPM_ECREATE: return 73;
    case DDPM_EIO: return 74;
    case TRY_LATER: return 75;
    case DDPM_EPERM: return 77;
    default: return 70;
    }
}

int complain(const struct command *c, const ddpm_error *err)
{
    fprintf(stderr, "ddpm %s: %s\n", c->name, err->text);
    return exit_code(err->code);
}

/* Prints a sentence of any length as one line: names in it may hold characters that drive a terminal. */
static void print_line(const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, ap);
    for (char *at = text; at && *at; at++)
        fputc((unsigned char)*at < ' ' || *at == 127 ? '?' : *at, stderr);
    free(text);
    fputc('\n', stderr);
}

void remark(const struct command *c, const struct common *common, const char *format, ...)
{
    va_list ap;
    if (common->quiet)
        return;
    fprintf(stderr, "ddpm %s: ", c->name);
    va_start(ap, format);
    print_line(format, ap);
    va_end(ap);
}

void notice(const struct command *c, const char *format, ...)
{
    va_list ap;
    fprintf(stderr, "ddpm %s: ", c->name);
    va_start(ap, format);
    print_line(format, ap);
    va_end(ap);
}

const char *option_beside(const struct command *c, const void *settings, const char *const *taken)
{
    static const size_t sizes[] = {
        [OPTION_FLAG] = sizeof(bool),     [OPTION_INT] = sizeof(int64_t),   [OPTION_SEED] = sizeof(uint64_t),
        [OPTION_NUMBER] = sizeof(double), [OPTION_TIME] = sizeof(double),   [OPTION_SIZE] = sizeof(double),
        [OPTION_TEXT] = sizeof(char *),   [OPTION_CHOICE] = sizeof(char *),
    };
    const char *given = settings, *otherwise = c->defaults;
    for (int i = 0; i < c->count; i++) {
        const struct option *o = &c->options[i];
        bool fits = !memcmp(given + o->offset, otherwise + o->offset, sizes[o->kind]);
        for (int k = 0; taken[k] && !fits; k++)
            fits = !strcmp(o->name, taken[k]);
        if (!fits)
            return o->name;
    }
    return NULL;
}
