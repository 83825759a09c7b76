/* Reads /proc/self/status, where Linux keeps a line "KEY:  N kB" for each figure. */
#include "process_memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double process_memory(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kb = atof(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return 1024 * kb;
}
