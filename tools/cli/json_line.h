/* Prints the results of --json. */
#ifndef DDPM_JSON_LINE_H
#define DDPM_JSON_LINE_H
#include <cjson/cJSON.h>

/* Prints an object as one line on standard output and frees it.  Names of files may hold any byte; what is no
   UTF-8 is printed as '?'. */
void json_line(cJSON *o);
#endif
