/* What this process holds, as Linux tells it. */
#ifndef PROCESS_MEMORY_H
#define PROCESS_MEMORY_H

/* The bytes of "VmRSS" (now), "VmHWM" (at most so far), ...; 0 where there is no /proc. */
double process_memory(const char *key);
#endif
