/* Reads the text of an option's value as a number, a time, a size or a choice. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "cli/options.h"

static int set_int(const struct option *o, int64_t *field, const char *text, ddpm_error *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    /* strtoll would accept leading spaces and a plus. */
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
    if (!strcmp(text, OPTION_RANDOM))
        return RAND_bytes((unsigned char *)field, sizeof *field) == 1
                   ? DDPM_OK
                   : dd_error(err, DDPM_EUNSUPPORTED, "--%s %s: the system gives no random numbers", o->name,
                              text);

    errno = 0;
    *field = strtoull(text, &end, 10);
    /* strtoull would accept a minus, and wrap the number around. */
    if (!isdigit((unsigned char)*text) || *end || errno)
        return dd_error(err, DDPM_EUSAGE,
                        "--%s %.80s: expected a whole number from 0 to %llu, or " OPTION_RANDOM, o->name,
                        text, (unsigned long long)UINT64_MAX);
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

/* Reads a number above 0 and a unit, of time or of memory. */
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
    char list[400] = "";
    for (const char *const *p = o->choices(); *p; p++) {
        if (!strcmp(*p, text)) {
            *field = *p;
            return DDPM_OK;
        }
        dd_names_join(list, sizeof list, *p);
    }

    const char *near = nearest_name(text, o->choices());
    return dd_error(err, DDPM_EUSAGE, "--%s %.60s: %s%s%schoose from %s", o->name, text,
                    near ? "did you mean " : "", near ? near : "", near ? "? " : "", list);
}

static int set_texts(const struct option *o, struct option_texts *field, const char *text, ddpm_error *err)
{
    if (field->count == OPTION_TEXTS_MAX)
        return dd_error(err, DDPM_EUSAGE, "--%s is given more than %d times", o->name, OPTION_TEXTS_MAX);
    field->text[field->count++] = text;
    return DDPM_OK;
}

int option_set(const struct option *o, void *settings, const char *text, ddpm_error *err)
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
