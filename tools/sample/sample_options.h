/* The options of ddpm sample. */
#ifndef DDPM_SAMPLE_OPTIONS_H
#define DDPM_SAMPLE_OPTIONS_H
#include "cli/options.h"
#include "sample/sample_settings.h"

enum { SAMPLE_OPTIONS = 55 };

/* The table, whose fields are those of struct sample_settings, and the settings without options. */
extern const struct option sample_options[SAMPLE_OPTIONS];
extern const struct sample_settings sample_defaults;
#endif
