/* Messages of a command, and exit codes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/scan.h"
#include "cli/options.h"

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
    fflush(stderr);
    return exit_code(err->code);
}

/* Returns the formatted text, of any length, without control characters except a newline at its end.  The
   caller frees it; NULL: out of memory. */
static char *plain_text(const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);

    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!text)
        return NULL;
    vsnprintf(text, (size_t)length + 1, format, ap);

    /* dd_scan_plain would replace the newline at the end too. */
    bool is_line = length && text[length - 1] == '\n';
    dd_scan_plain(text);
    if (is_line)
        text[length - 1] = '\n';
    return text;
}

static void print_line(const struct command *c, const char *format, va_list ap)
{
    char *text = plain_text(format, ap);
    fprintf(stderr, "ddpm %s: %s\n", c->name, text ? text : "");
    fflush(stderr);
    free(text);
}

void print_plain(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text = plain_text(format, ap);
    va_end(ap);
    fputs(text ? text : "", stdout);
    free(text);
}

void remark(const struct command *c, const struct common *common, const char *format, ...)
{
    va_list ap;
    if (common->quiet)
        return;

    va_start(ap, format);
    print_line(c, format, ap);
    va_end(ap);
}

void notice(const struct command *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    print_line(c, format, ap);
    va_end(ap);
}
