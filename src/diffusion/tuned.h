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

/* A solver of K steps: what was learned, [DDPM_TUNED_ROWS, K], and its chain, log_snr [K] being 2 lambda. */
struct dd_tuned_solver {
    int K;
    const double *table, *alpha_bar, *log_snr;
};

/* Fills the step from position i, where `history` predictions of the positions above are known. */
void dd_tuned_step_fill(struct dd_tuned_step *s, const struct dd_tuned_solver *solver, int i, int history);

/* Moves x [d] by the step.  m holds the predictions of x0 [d] at this position and at the two before it.
   m[1] and m[2] are read as far as the step was filled with a history.  clip > 0 bounds the image after
   position 0. */
void dd_tuned_step_apply(const struct dd_tuned_step *s, double *x, const double *const m[3], double clip,
                         size_t d);

/* Makes the chain of a model's tuned solver, see ddpm_chain_tuned. */
int dd_tuned_chain(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err);
#endif
