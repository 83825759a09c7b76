/* Notes when somebody asks a command to stop.  The noting function may run in the middle of everything. */
#include "cli/interrupt.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/system.h"

enum { PATH_MOST = 4096 };

atomic_int interrupted;
static char unfinished[PATH_MOST];

void interrupt_remove(void)
{
    if (*unfinished)
        dd_system_remove(unfinished);
}

/* A hangup never counts as the second signal, because it may come along with another. */
static void note(bool hangup)
{
    if (!interrupted) {
        interrupted = 1;
    } else if (!hangup) {
        interrupt_remove();
        _Exit(INTERRUPTED);
    }
}

void interrupt_catch(void)
{
    dd_system_catch_stop(note);
}

void interrupt_removes(const char *path)
{
    snprintf(unfinished, sizeof unfinished, "%s", path ? path : "");
}
