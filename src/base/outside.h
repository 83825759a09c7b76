/* Keeps out what a caller has set in his thread and what would change results here:
   - how floating point rounds, flushes denormal numbers and traps (MXCSR, FPCR);
   - the locale that numbers are read and written by.
   The public functions compute under the defaults and leave everything as they found it. */
#ifndef DD_OUTSIDE_H
#define DD_OUTSIDE_H
#include <fenv.h>

/* The settings of the caller. */
struct dd_outside {
    fenv_t mode;
    void *locale;
};

void dd_outside_enter(struct dd_outside *o);
void dd_outside_leave(struct dd_outside *o);

/* The body of a public function: calls the inner function under the defaults and returns its result. */
#define DD_ENTRY(type, call)         \
    do {                             \
        struct dd_outside outside_;  \
        dd_outside_enter(&outside_); \
        type result_ = (call);       \
        dd_outside_leave(&outside_); \
        return result_;              \
    } while (0)

/* The same for a function that returns nothing. */
#define DD_ENTRY_VOID(call)          \
    do {                             \
        struct dd_outside outside_;  \
        dd_outside_enter(&outside_); \
        call;                        \
        dd_outside_leave(&outside_); \
    } while (0)
#endif
