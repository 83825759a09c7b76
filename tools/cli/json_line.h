/* Prints the results of --json. */
#ifndef DDPM_JSON_LINE_H
#define DDPM_JSON_LINE_H
#include <cjson/cJSON.h>

/* Prints an object as one line on standard output and frees it.  File names may hold any byte; bytes that
   are not UTF-8 are printed as '?'. */
void json_line(cJSON *o);
#endif
