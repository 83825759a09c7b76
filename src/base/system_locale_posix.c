/* The locale of a thread.  The locale "C" needs no memory with the C libraries we know. */
#include <locale.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#include "base/system.h"

void *dd_system_locale_enter(void)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain ? (void *)uselocale(plain) : NULL;
}

void dd_system_locale_leave(void *before)
{
    if (before)
        freelocale(uselocale((locale_t)before));
}
