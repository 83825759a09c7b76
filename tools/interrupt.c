/* Nothing is done in the handler but what POSIX allows there. */
#include "interrupt.h"
#include <unistd.h>

volatile sig_atomic_t interrupted;

static void note(int number)
{
    if (interrupted)
        _exit(INTERRUPTED);
    interrupted = number;
}

void interrupt_catch(void)
{
    struct sigaction a = { .sa_handler = note, .sa_flags = SA_RESTART };
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}
