/* Reads OpenAI's flags as they stand in READMEs and shell scripts: `MODEL_FLAGS="--image_size 64
   --learn_sigma True"`, comments behind #, continued lines, a command such as `python
   scripts/image_sample.py --model_path x.pt $MODEL_FLAGS`.  No shell command is executed, and no variable
   expanded. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include "family/settings.h"

/* One command while it is read. */
struct flags {
    struct settings *s;
    const char *where;
    const char *name; /* name of the flag that waits for its value, or NULL */
    bool begun;       /* the command has had a flag, so its other words are values */
};

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] == '-' && (isalpha((unsigned char)word[2]) || word[2] == '_');
}

bool settings_has_flags(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (is_flag(c) && (c == text || strchr(" \t\r\n\"'=`", c[-1]) != NULL))
            return true;
    return false;
}

/* Adds the flag that waits, with its value.  A flag whose value is "" counts as not given. */
static int give(struct flags *f, const char *value)
{
    int code = f->name && *value != '\0' ? settings_add_pair(f->s, f->name, value, f->where) : DDPM_OK;
    f->name = NULL;
    return code;
}

/* Adds a flag that still waits.  Without a value it is true. */
static int give_true(struct flags *f)
{
    return f->name ? give(f, "true") : DDPM_OK;
}

static int end_command(struct flags *f)
{
    int code = give_true(f);
    f->begun = false;
    return code;
}

/* Returns the text behind NAME= in an assignment; otherwise the word itself. */
static char *assigned(char *word)
{
    size_t n = 0;
    while (isalnum((unsigned char)word[n]) || word[n] == '_')
        n++;
    return n && word[n] == '=' ? word + n + 1 : word;
}

/* Takes "--NAME" or "--NAME=VALUE".  Dashes in a name become underscores: --image-size is --image_size. */
static int take_flag(struct flags *f, char *word)
{
    char *equals = strchr(word, '=');
    int code = give_true(f);
    if (equals)
        *equals = '\0';
    f->begun = true;
    f->name = word + 2;
    for (char *dash = word + 2; (dash = strchr(dash, '-'));)
        *dash = '_';
    return equals && !code ? give(f, equals + 1) : code;
}

static int take_word(struct flags *f, char *word)
{
    if (!f->name && is_flag(assigned(word)))
        word = assigned(word);

    if (is_flag(word))
        return take_flag(f, word);
    if (*word == '$') /* a variable, whose value is not known */
        return give_true(f);
    if (f->name)
        return give(f, word);
    if (!f->begun || *word == '\0') /* "python" or the name of a script */
        return DDPM_OK;
    return dd_error(f->s->err, DDPM_EDATA, "%s: expected --NAME VALUE, found \"%.60s\"", f->where, word);
}

/* Returns the length of a backslash and the end of a line behind it, with a carriage return or without; 0:
   text begins with something else. */
static size_t end_of_line(const char *text)
{
    if (*text != '\\')
        return 0;
    if (text[1] == '\r')
        return text[2] == '\n' ? 3 : 2;
    return text[1] == '\n' ? 2 : 0;
}

/* Copies a word from *text to out, without its quotes and backslashes, and moves *text behind it.  Returns
   true when a part of it was quoted. */
static bool copy_word(char *out, const char **text)
{
    const char *c = *text;
    char quote = 0;
    bool quoted = false;

    for (; *c != '\0' && (quote || strchr(" \t\r\n;|&<>`", *c) == NULL); c++) {
        /* A backslash takes the next character as it is, except in single quotes; the end of a line behind it
           separates words. */
        bool takes = *c == '\\' && c[1] != '\0' && quote != '\'';
        if (takes && end_of_line(c)) {
            c += end_of_line(c) - 1;
            *out++ = ' ';
        } else if (takes)
            *out++ = *++c;
        else if (quote && *c == quote)
            quote = 0;
        else if (!quote && (*c == '"' || *c == '\''))
            quote = *c;
        else
            *out++ = *c;
        quoted = quoted || quote;
    }

    *out = '\0';
    *text = c;
    return quoted;
}

static int read_commands(struct flags *f, const char *text, int depth);

/* Takes a quoted word.  If it holds flags, alone or behind NAME=, it is read as a command of its own. */
static int take_quoted(struct flags *f, char *word, int depth)
{
    struct flags inner = { f->s, f->where, NULL, false };
    bool command = depth < 2 && !is_flag(word) && strpbrk(word, " \n") && settings_has_flags(word);
    return command ? read_commands(&inner, assigned(word), depth + 1) : take_word(f, word);
}

/* Reads a text of commands; depth is the number of quotes around it. */
static int read_commands(struct flags *f, const char *text, int depth)
{
    char *word = dd_arena(&f->s->arena, strlen(text) + 1, 1);
    int code = word ? DDPM_OK : dd_error_memory(f->s->err, "the flags");

    while (!code && *text != '\0') {
        if (*text == '#') {
            text += strcspn(text, "\n"); /* a comment */
        } else if (end_of_line(text)) {
            text += end_of_line(text); /* the line goes on */
        } else if (strchr("\n;|&<>`", *text) != NULL) {
            bool redirects = *text == '<' || *text == '>';
            code = end_command(f);
            text += redirects ? strcspn(text, "\n") : 1;
        } else if (strchr(" \t\r", *text) != NULL) {
            text++;
        } else {
            bool quoted = copy_word(word, &text);
            char *kept = dd_arena_text(&f->s->arena, "%s", word);
            if (!kept)
                return dd_error_memory(f->s->err, "the flags");
            code = quoted ? take_quoted(f, kept, depth) : take_word(f, kept);
        }
    }

    return code ? code : end_command(f);
}

int settings_add_flags(struct settings *s, const char *text, const char *where)
{
    struct flags f = { s, where, NULL, false };
    int code = read_commands(&f, text, 0);
    return s->code ? s->code : (s->code = code);
}
