/* Compares states of the machine, and writes the command line for a shell. */
#include "cli/machine_state.h"
#include <stdio.h>
#include <string.h>

void machine_command_line(char *line, size_t size)
{
    char words[4096], *word = words;
    size_t length = dd_system_command_line(words, sizeof words - 1),
           used = (size_t)snprintf(line, size, "ddpm");
    words[length] = 0;

    /* The first word is the program.  A word with a character that a shell interprets gets quotes. */
    for (word += strlen(word) + 1; word < words + length && used < size; word += strlen(word) + 1) {
        const char *quote = word[strcspn(word, " \t\n'\"\\$&|;<>()*?[#~`")] ? "'" : "";
        used += (size_t)snprintf(line + used, size - used, " %s%s%s", quote, word, quote);
    }
}

bool machine_state_throttled(const struct dd_system_state *before, const struct dd_system_state *after)
{
    return after->throttled > before->throttled ||
           (before->power != DD_SYSTEM_BATTERY && after->power == DD_SYSTEM_BATTERY);
}

const char *machine_power_name(enum dd_system_power power)
{
    switch (power) {
    case DD_SYSTEM_MAINS: return "AC";
    case DD_SYSTEM_BATTERY: return "battery";
    default: return "unknown";
    }
}
