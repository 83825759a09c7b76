/* Ends the program with a message when a mapped file is cut off while it is read. */
#include "cli/torn_file.h"
#include <stdlib.h>
#include "base/scan.h"
#include "base/system.h"
#include "cli/interrupt.h"
#include "cli/options.h"

/* path is NULL if it is not known. */
static void torn(char *path)
{
    if (path)
        dd_scan_plain(path);

    dd_system_say("ddpm: ");
    dd_system_say(path ? path : "a file");
    dd_system_say(": was cut off while it was being read: start again when it is complete\n");
    interrupt_remove();
    _Exit(exit_code(DDPM_EDATA));
}

void torn_file_catch(void)
{
    dd_system_catch_torn(torn);
}
