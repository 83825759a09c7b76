/* Results of --json. */
#ifndef DDPM_JSON_LINE_H
#define DDPM_JSON_LINE_H
#include <cjson/cJSON.h>

/* Prints o, which it frees, as one line on standard output.  Names of files may hold any byte; what is no
   UTF-8 is printed as '?'. */
void json_line(cJSON *o);
#endif
