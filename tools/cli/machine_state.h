/* The state of the machine, on which a measurement of time depends (power, clock and heat), and the memory
   of this process.  Both are read from sysfs and proc. */
#ifndef DDPM_MACHINE_STATE_H
#define DDPM_MACHINE_STATE_H
#include <stdbool.h>
#include <stddef.h>

enum machine_power { MACHINE_POWER_UNKNOWN, MACHINE_AC, MACHINE_BATTERY };

struct machine_state {
    enum machine_power power;
    double mhz;     /* mean clock of the processors; NAN: unknown */
    double celsius; /* temperature of the hottest zone; NAN: unknown */
    /* How often the processors were slowed down for heat since the start of the machine; 0 if that is
       unknown. */
    double throttled;
};

/* Fills s.  root: "", or in tests a folder that holds /proc and /sys. */
void machine_state_read(struct machine_state *s, const char *root);
/* Returns whether work between the two readings was slowed down: the count rose, or power changed to the
   battery. */
bool machine_state_throttled(const struct machine_state *before, const struct machine_state *after);
/* Writes the name of the processor, "unknown" if no file tells it. */
void machine_processor(char *name, size_t size, const char *root);
/* Writes the command line of this process, quoted for a shell. */
void machine_command_line(char *line, size_t size);
/* Returns "AC", "battery" or "unknown". */
const char *machine_power_name(enum machine_power power);

/* Begins to watch the memory of this process. */
void machine_memory_begin(void);
/* Returns the largest number of bytes that the process has held since then, or since its start where the
   peak cannot be reset. */
double machine_memory_peak(void);
#endif
