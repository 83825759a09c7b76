/* Prints the results of an evaluation, as text or as JSON; see eval_report.c. */
#ifndef DDPM_EVAL_REPORT_H
#define DDPM_EVAL_REPORT_H
#include "measure/evaluation.h"

struct eval_report {
    const struct evaluation *e;
    const struct evaluation_ode *ode; /* the settings of the ODE, or NULL for the bound */
    size_t skipped;                   /* images that were left out of the data */
};

/* Returns the text of a setting of the ODE: "50 steps" or "tolerance 0.0001". */
const char *eval_report_steps(char text[40], const struct evaluation_ode *ode);
void eval_report_print(const struct eval_report *r, bool json);
#endif
