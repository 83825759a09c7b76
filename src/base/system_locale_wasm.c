/* The locale of WASI is always "C". */
#include "base/system.h"

void *dd_system_locale_enter(void)
{
    return NULL;
}

void dd_system_locale_leave(void *before)
{
    (void)before;
}
