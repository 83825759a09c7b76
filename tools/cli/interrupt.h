/* SIGINT, SIGTERM and SIGHUP: the first asks a long command to stop where it can go on from later, the second ends it at once.  A reader
   who left (SIGPIPE) and a limit on the size of files (SIGXFSZ) become errors of the write that meets them. */
#ifndef DDPM_INTERRUPT_H
#define DDPM_INTERRUPT_H
#include <signal.h>

enum { INTERRUPTED = 75 }; /* the exit code, of both ways */

extern volatile sig_atomic_t interrupted; /* the signal, or 0 */
void interrupt_catch(void);               /* what the caller of the program ignores stays ignored */
/* An unfinished file that the second signal is to remove; NULL: there is none any more. */
void interrupt_removes(const char *path);
void interrupt_remove(void); /* removes it, from a handler too */
#endif
