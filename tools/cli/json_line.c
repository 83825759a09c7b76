/* Prints an object as one line of valid JSON. */
#include "cli/json_line.h"
#include <stdio.h>
#include "base/scan.h"

void json_line(cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    if (text)
        dd_scan_repair(text);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(o);
}
