/* A solver whose times and coefficients were learned for one model, see tuned.c. */
#ifndef DD_TUNED_H
#define DD_TUNED_H
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* The step that leaves one position of a chain: the factors of tuned.c. */
struct dd_tuned_step {
    double of_x, of_m; /* A and M, corrected */
    double p1, h, r0;  /* e^-h - 1; h infinite at position 0; r0 is read where `second` is set */
    double before1, before2;
    bool second, last; /* the prediction before this one is known; the step ends at the image */
};

/* Fills the step from position i of a chain with log_snr [K] = 2 lambda and alpha_bar [K].  table
   [DDPM_TUNED_ROWS, K]. */
void dd_tuned_step_fill(struct dd_tuned_step *s, const double *table, const double *alpha_bar,
                        const double *log_snr, int K, int i);
/* Moves x [d] along the step.  m0, m1, m2 [d] are the predictions of x0 at this position and the two before
   it; m1 and m2 are read where there are so many.  clip > 0 bounds the image that position 0 ends at. */
void dd_tuned_step_apply(const struct dd_tuned_step *s, double *x, const double *m0, const double *m1,
                         const double *m2, double clip, size_t d);
/* See ddpm_chain_tuned. */
int dd_tuned_chain(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err);
#endif
