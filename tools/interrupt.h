/* SIGINT and SIGTERM: the first asks a long command to stop where it can go on from later, the second ends it at once. */
#ifndef DDPM_INTERRUPT_H
#define DDPM_INTERRUPT_H
#include <signal.h>

enum { INTERRUPTED = 75 };                       /* the exit code, of both ways */
extern volatile sig_atomic_t interrupted;        /* the signal, or 0 */
void interrupt_catch(void);
#endif
