/* The state of the machine, on which a measurement of time depends: power, clock and heat; and the memory of
   this process.  It is read from sysfs and proc. */
#ifndef DDPM_MACHINE_STATE_H
#define DDPM_MACHINE_STATE_H
#include <stdbool.h>
#include <stddef.h>

enum machine_power { MACHINE_POWER_UNKNOWN, MACHINE_AC, MACHINE_BATTERY };

struct machine_state {
    enum machine_power power;
    double mhz;     /* mean over processors; NAN: not told */
    double celsius; /* of the hottest zone; NAN: not told */
    /* how often the processors have been slowed down for heat since the start; 0 where that is not told */
    double throttled;
};

/* Fills s.  root: "", or in tests a folder that holds /proc and /sys. */
void machine_state_read(struct machine_state *s, const char *root);
/* Returns whether what ran between the two was slowed down: the count rose, or the power cord was pulled. */
bool machine_state_throttled(const struct machine_state *before, const struct machine_state *after);
/* Writes the name of the processor, "unknown" where nothing tells it. */
void machine_processor(char *name, size_t size, const char *root);
/* Writes the command line of this process as it can be given to a shell. */
void machine_command_line(char *line, size_t size);
/* Returns "AC", "battery" or "unknown". */
const char *machine_power_name(enum machine_power power);

/* Begins to watch the memory of this process. */
void machine_memory_begin(void);
/* Returns the most bytes that the process has held since then, or since its start where that is not told. */
double machine_memory_peak(void);
#endif
