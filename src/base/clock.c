/* Reads a clock of the system as a number of seconds, s + 1e-9 ns. */
#include "base/clock.h"

double dd_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
