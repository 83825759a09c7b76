/* The clocks of the system. */
#ifndef DD_CLOCK_H
#define DD_CLOCK_H
#include <time.h>

/* Returns the time of a clock in seconds.  CLOCK_MONOTONIC measures durations. */
double dd_clock(clockid_t clock);
#endif
