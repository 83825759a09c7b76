/* The report of ddpm info about a model, on standard output. */
#ifndef DDPM_MODEL_REPORT_H
#define DDPM_MODEL_REPORT_H
#include "ddpm.h"

/* Prints provenance, schedule, sizes and engines as lines for people; net is a network of the model. */
void model_report(const ddpm_about *a, const ddpm_net *net);
/* Prints the same as one line of JSON. */
void model_report_json(const ddpm_about *a, const ddpm_net *net);
#endif
