/* What a report tells about the machine and the command beside the state that the system gives. */
#ifndef DDPM_MACHINE_STATE_H
#define DDPM_MACHINE_STATE_H
#include "base/system.h"

/* Returns whether work between the two readings was slowed down: the count rose, or power changed to the
   battery. */
bool machine_state_throttled(const struct dd_system_state *before, const struct dd_system_state *after);
/* Writes the command line of this process, quoted for a shell. */
void machine_command_line(char *line, size_t size);
/* Returns "AC", "battery" or "unknown". */
const char *machine_power_name(enum dd_system_power power);
#endif
