/* The memory that this process holds, as Linux tells it. */
#ifndef PROCESS_MEMORY_H
#define PROCESS_MEMORY_H

/* Returns the bytes of "VmRSS" (held now), "VmHWM" (the most so far) or another key; 0 where there
   is no /proc. */
double process_memory(const char *key);
#endif
