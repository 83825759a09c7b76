/* Runs a tuned solver on a batch and computes its gradient, see tuner_run.c. */
#ifndef DD_TUNER_RUN_H
#define DD_TUNER_RUN_H
#include "train/tuner.h"

enum { DD_TUNER_STEPS_MOST = 64 };

/* The numbers that are learned, K of each kind, in this order. */
enum {
    DD_TUNER_LOGIT,
    DD_TUNER_SHIFT,
    DD_TUNER_OF_X,
    DD_TUNER_OF_M,
    DD_TUNER_BEFORE1,
    DD_TUNER_BEFORE2,
    DD_TUNER_KINDS
};

struct ddpm_tuner {
    struct dd_tuner_network network;
    struct dd_gradient *gradient; /* the network of a model, or NULL for a caller's own network */
    int prediction;
    double clip, t_scale;
    size_t pixels, channels, outputs, d, size; /* size is batch * d */
    int K, T, batch;
    int64_t steps;

    /* The learned numbers and Adam's two moments, [3, DD_TUNER_KINDS, K], then how many steps are done. */
    double *state;
    double *slope; /* [DD_TUNER_KINDS, K] the gradient by the learned numbers */
    double *table; /* [DDPM_TUNED_ROWS, K] the table of the present solver */
    double *alpha_bar, *log_snr, *log_snr_slope, *by_lambda; /* [K]; by_lambda is the gradient */
    const double *schedule;                                  /* [T] alpha_bar of the model */

    double *x, *m, *by_m;     /* [K, size] at each position: state, prediction of x0, gradient by it */
    double *image, *by_x, *p; /* [size] the student's image, the gradient by the state, a prediction */
    float *in, *out, *dout, *dx, *t, *dt; /* the network's arguments, as in struct dd_slice */
    struct dd_arena arena;
};

/* Fills t->table, and alpha_bar and lambda at its times, from the learned numbers. */
void dd_tuner_run_table(ddpm_tuner *t);
/* Goes from x [size] at the last position to t->image. */
void dd_tuner_run_forward(ddpm_tuner *t, const double *x, const int32_t *classes);
/* Fills t->slope after a forward run, from t->by_x, the gradient by t->image before that is clipped. */
void dd_tuner_run_backward(ddpm_tuner *t, const int32_t *classes);
#endif
