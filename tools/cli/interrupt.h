/* Signals.  The first SIGINT, SIGTERM or SIGHUP asks a long command to stop where a later start can go on;
   the second ends it at once.  A closed pipe and a limit on the size of files become errors of the write that
   meets them. */
#ifndef DDPM_INTERRUPT_H
#define DDPM_INTERRUPT_H
#include <stdatomic.h>

/* The exit code after the first signal and after the second. */
enum { INTERRUPTED = 75 };

extern atomic_int interrupted; /* 1 after the first signal */

/* Makes the program note these signals from now on.  Signals that its caller ignores stay ignored. */
void interrupt_catch(void);
/* Names an unfinished file that the second signal removes; NULL: there is no such file any more. */
void interrupt_removes(const char *path);
/* Removes that file; a handler may call it. */
void interrupt_remove(void);
#endif
