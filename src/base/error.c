/* Writes error sentences.  A text may quote names from a hostile file, so every character that is not
   printable becomes '?': a message is one line and cannot drive a terminal.  A text that does not fit ends
   in "...". */
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/scan.h"

/* Makes text [room] printable.  length is the length before vsnprintf cut the text. */
static void settle(char *text, size_t room, int length)
{
    dd_scan_plain(text);
    if (length >= (int)room)
        memcpy(text + room - 4, "...", 4);
}

int dd_error(ddpm_error *err, int code, const char *format, ...)
{
    if (!err)
        return code;

    va_list ap;
    va_start(ap, format);
    int length = vsnprintf(err->text, sizeof err->text, format, ap);
    va_end(ap);

    settle(err->text, sizeof err->text, length);
    err->code = code;
    return code;
}

int dd_error_memory(ddpm_error *err, const char *what)
{
    return dd_error(err, DDPM_ENOMEM, "out of memory for %s", what);
}

int dd_error_context(ddpm_error *err, const char *format, ...)
{
    if (!err)
        return DDPM_OK;

    char context[sizeof err->text], text[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(context, sizeof context, format, ap);
    va_end(ap);

    /* A caller's own function may have filled the text without a terminating 0. */
    memcpy(text, err->text, sizeof text);
    text[sizeof text - 1] = 0;
    return dd_error(err, err->code, "%s: %s", context, text);
}
