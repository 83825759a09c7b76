/* Checks that a run which is continued has the settings that it was begun with. */
#ifndef DDPM_COMPARE_SETTINGS_H
#define DDPM_COMPARE_SETTINGS_H
#include <cjson/cJSON.h>
#include "ddpm.h"

/* Returns DDPM_EUSAGE when found lacks a member of wanted, at any depth, or has another value for it:
   "FILE was begun with KEY A, not B: ADVICE".  path stands before the key: "" or "train". */
int compare_settings(const cJSON *found, const cJSON *wanted, const char *path, const char *file,
                     const char *advice, ddpm_error *err);
#endif
