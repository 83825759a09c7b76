/* Sets a thread's floating-point environment and locale to the defaults, and back.

   C99's floating-point environment holds the modes of every machine we know, flush-to-zero among them.  The
   locale "C" needs no memory with the C libraries we know.  If a library cannot allocate it, the caller's
   locale stays. */
#include "base/outside.h"

void dd_outside_enter(struct dd_outside *o)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    o->locale = plain ? uselocale(plain) : (locale_t)0;

    fegetenv(&o->mode);
    fesetenv(FE_DFL_ENV);
}

void dd_outside_leave(struct dd_outside *o)
{
    fesetenv(&o->mode);
    if (o->locale)
        freelocale(uselocale(o->locale));
}
