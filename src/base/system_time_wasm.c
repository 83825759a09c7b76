/* Reads the clocks of WASI as a number of seconds, s + 1e-9 ns.  Nobody sleeps. */
#include <time.h>
#include "base/system.h"

double dd_system_time(enum dd_time clock)
{
    struct timespec t;
    clock_gettime(clock == DD_TIME_OF_DAY ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dd_system_pause(double seconds)
{
    (void)seconds;
}
