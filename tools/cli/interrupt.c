/* Notes signals that ask a command to stop.  The handler calls only what POSIX allows there. */
#include "cli/interrupt.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

volatile sig_atomic_t interrupted;
static char unfinished[PATH_MAX];

void interrupt_remove(void)
{
    if (*unfinished)
        unlink(unfinished);
}

/* Handles the signals.  A hangup never counts as the second signal, because systemd and terminals send it
   along with another. */
static void note(int number)
{
    if (!interrupted) {
        interrupted = number;
    } else if (number != SIGHUP) {
        interrupt_remove();
        _exit(INTERRUPTED);
    }
}

void interrupt_catch(void)
{
    static const int stop[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction a = { .sa_handler = note, .sa_flags = SA_RESTART }, before;
    sigemptyset(&a.sa_mask);

    /* nohup, and shells that start a job in the background, have made the program ignore signals.  They
       stay ignored. */
    for (size_t i = 0; i < sizeof stop / sizeof *stop; i++)
        if (!sigaction(stop[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(stop[i], &a, NULL);

    /* A write that meets one of these fails with EPIPE or EFBIG instead. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void interrupt_removes(const char *path)
{
    snprintf(unfinished, sizeof unfinished, "%s", path ? path : "");
}
