/* Sets a thread's floating-point environment and locale to the defaults, and back.

   C99's floating-point environment holds the modes of every machine we know, flush-to-zero among them. */
#include "base/outside.h"
#include "base/system.h"

void dd_outside_enter(struct dd_outside *o)
{
    o->locale = dd_system_locale_enter();
    fegetenv(&o->mode);
    fesetenv(FE_DFL_ENV);
}

void dd_outside_leave(struct dd_outside *o)
{
    fesetenv(&o->mode);
    dd_system_locale_leave(o->locale);
}
