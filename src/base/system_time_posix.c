/* Reads the clocks of POSIX as a number of seconds, s + 1e-9 ns. */
#include "base/system.h"
#include <time.h>

/* Linux alone has a clock that counts the time asleep. */
#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME CLOCK_MONOTONIC
#endif

double dd_system_time(enum dd_time clock)
{
    static const clockid_t id[] = {
        [DD_TIME_RUNNING] = CLOCK_MONOTONIC,
        [DD_TIME_ELAPSED] = CLOCK_BOOTTIME,
        [DD_TIME_OF_DAY] = CLOCK_REALTIME,
    };
    struct timespec t;

    clock_gettime(id[clock], &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dd_system_pause(double seconds)
{
    time_t whole = (time_t)seconds;
    nanosleep(&(struct timespec){ whole, (long)(1e9 * (seconds - (double)whole)) }, NULL);
}
