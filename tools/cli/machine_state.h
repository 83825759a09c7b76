/* What a measurement of time depends on beside the program: power, clock, heat; and the memory of this process.  From sysfs and proc. */
#ifndef DDPM_MACHINE_STATE_H
#define DDPM_MACHINE_STATE_H
#include <stdbool.h>
#include <stddef.h>

enum machine_power { MACHINE_POWER_UNKNOWN, MACHINE_AC, MACHINE_BATTERY };

struct machine_state {
    enum machine_power power;
    double mhz, celsius; /* mean over processors, hottest zone; NAN: not told */
    double
        throttled; /* how often the processors have been slowed down for heat since the start; 0 where not told */
};

/* root: "", or in tests a folder that holds /proc and /sys. */
void machine_state_read(struct machine_state *s, const char *root);
/* Whether what ran between the two was slowed down: the count rose, or the power cord was pulled. */
bool machine_state_throttled(const struct machine_state *before, const struct machine_state *after);
/* The name of the processor, "unknown" where nothing tells it, and the command line of this process. */
void machine_processor(char *name, size_t size, const char *root);
void machine_command_line(char *line, size_t size);
const char *machine_power_name(enum machine_power power); /* "AC", "battery", "unknown" */

/* Bytes that the process held at most since machine_memory_begin, or since its start where that cannot be told. */
void machine_memory_begin(void);
double machine_memory_peak(void);
#endif
