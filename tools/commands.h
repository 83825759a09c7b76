/* The table of commands, in the order of --help.  Help, man pages and completion are made from it. */
#ifndef DDPM_COMMANDS_H
#define DDPM_COMMANDS_H
#include "cli/options.h"

enum { COMMANDS_MAX = 16 };

extern const struct command_entry {
    const struct command *command;
    const char *does;
} commands[];

extern const int commands_count;
#endif
