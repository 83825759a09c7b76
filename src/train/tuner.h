/* Learns a tuned solver for a model, see tuner.c. */
#ifndef DD_TUNER_H
#define DD_TUNER_H
#include "net/gradient.h"

struct ddpm_tuner;

/* The network for which a solver is learned.  forward runs a slice; backward then fills s->dx and s->dt
   from s->dout. */
struct dd_tuner_network {
    void *user;
    void (*forward)(void *user, const struct dd_slice *s);
    void (*backward)(void *user, const struct dd_slice *s);
};

void dd_tuner_defaults(ddpm_tuner_options *o);
int dd_tuner_create(ddpm_tuner **t, const ddpm_model *m, const ddpm_tuner_options *o, ddpm_error *err);
/* Makes a tuner for any network.  a says what it predicts, in which shape and under which schedule. */
int dd_tuner_create_for(ddpm_tuner **t, const ddpm_about *a, const struct dd_tuner_network *network,
                        const ddpm_tuner_options *o, ddpm_error *err);
int dd_tuner_step(ddpm_tuner *t, const double *x, const double *x0, const int32_t *classes, double *loss,
                  ddpm_error *err);
const double *dd_tuner_table(ddpm_tuner *t);
double *dd_tuner_state(ddpm_tuner *t, size_t *count);
/* Returns the gradient that the last step went against: [6, K] by logits of the times, shifts, a, b, c1,
   c2. */
const double *dd_tuner_slope(const ddpm_tuner *t);
void dd_tuner_free(ddpm_tuner *t);
#endif
