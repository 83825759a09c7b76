/* Whether a run that is gone on with has the settings that it was begun with. */
#ifndef DDPM_COMPARE_SETTINGS_H
#define DDPM_COMPARE_SETTINGS_H
#include <cjson/cJSON.h>
#include "ddpm.h"

/* DDPM_EUSAGE names the first member of wanted, at any depth, that found lacks or holds otherwise: "FILE was begun with KEY A, not B: ADVICE".
   path: what stands before the key, "" or "train". */
int compare_settings(const cJSON *found, const cJSON *wanted, const char *path, const char *file,
                     const char *advice, ddpm_error *err);
#endif
