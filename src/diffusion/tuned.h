/* A solver whose times and coefficients were learned for one model, see tuned.c. */
#ifndef DD_TUNED_H
#define DD_TUNED_H
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* The step that leaves one position of a chain: the factors of tuned.c. */
struct dd_tuned_step {
    double of_x, of_m; /* the factors (1 + a) sigma_{i-1} / sigma_i and (1 + b) alpha_{i-1} */
    double p1, h, r0;  /* p1 is e^-h - 1; h is infinite at position 0; r0 is read if `second` is set */
    double before1, before2;
    bool second, last; /* the step is of order 2; it ends at the image */
};

/* Fills the step from position i of a chain with log_snr [K] = 2 lambda and alpha_bar [K], where `history`
   predictions of the positions above are known.  table is [DDPM_TUNED_ROWS, K]. */
void dd_tuned_step_fill(struct dd_tuned_step *s, const double *table, const double *alpha_bar,
                        const double *log_snr, int K, int i, int history);
/* Moves x [d] by the step.  m0, m1, m2 [d] are the predictions of x0 at this position and at the two before
   it.  m1 and m2 are read as far as the step was filled with a history.  clip > 0 bounds the image after
   position 0. */
void dd_tuned_step_apply(const struct dd_tuned_step *s, double *x, const double *m0, const double *m1,
                         const double *m2, double clip, size_t d);
/* Makes the chain of a model's tuned solver, see ddpm_chain_tuned. */
int dd_tuned_chain(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err);
#endif
