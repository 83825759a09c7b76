/* The locale of a thread.  Windows gives a thread a locale of its own when it is asked to. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"

/* What the thread had before. */
struct before {
    int mode; /* whether it had a locale of its own */
    char name[];
};

void *dd_system_locale_enter(void)
{
    const char *name = setlocale(LC_ALL, NULL);
    if (!name || !strcmp(name, "C"))
        return NULL;
    struct before *b = malloc(sizeof *b + strlen(name) + 1);
    if (!b)
        return NULL;

    strcpy(b->name, name);
    b->mode = _configthreadlocale(_ENABLE_PER_THREAD_LOCALE);
    setlocale(LC_ALL, "C");
    return b;
}

void dd_system_locale_leave(void *before)
{
    struct before *b = before;
    if (!b)
        return;
    setlocale(LC_ALL, b->name);
    _configthreadlocale(b->mode);
    free(b);
}
