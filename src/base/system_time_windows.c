/* Reads the clocks of Windows as a number of seconds.  The performance counter has the finest steps; on some
   machines it goes on while the machine sleeps. */
#include "base/system.h"
#include <windows.h>

/* Returns seconds since 1970: FILETIME counts steps of 100 ns since 1601. */
static double time_of_day(void)
{
    static const double since_1601 = 11644473600.0;
    FILETIME t;
    GetSystemTimePreciseAsFileTime(&t);
    return 1e-7 * (double)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) - since_1601;
}

double dd_system_time(enum dd_time clock)
{
    LARGE_INTEGER count, frequency;
    if (clock == DD_TIME_OF_DAY)
        return time_of_day();
    if (clock == DD_TIME_ELAPSED)
        return 1e-3 * (double)GetTickCount64();

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}

void dd_system_pause(double seconds)
{
    Sleep((DWORD)(1e3 * seconds + 0.5));
}
