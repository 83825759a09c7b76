/* Converts a network's prediction into another quantity of the same image: eps, x0, v, the score, or the mean
   of the reverse step; see quantity.c. */
#ifndef DDPM_QUANTITY_H
#define DDPM_QUANTITY_H
#include "ddpm.h"

/* PREDICTION is the network's output as it is, with a learned variance behind it. */
enum { QUANTITY_PREDICTION, QUANTITY_EPS, QUANTITY_X0, QUANTITY_V, QUANTITY_SCORE, QUANTITY_MEAN };

/* Returns the names of the quantities in this order, NULL last. */
const char *const *quantity_names(void);

struct quantity {
    int kind, prediction; /* QUANTITY_...; DDPM_EPS... */
    double clip, t_scale; /* the bound of |x0|, 0: none; what the network's t is multiplied by */
    size_t d, outputs, channels;
    ddpm_chain *chain; /* all steps of the model */
    double *work;      /* [4, d] */
};

/* Prepares the conversion of one image at a time.  The caller frees it with quantity_close, also after an
   error. */
int quantity_open(struct quantity *q, const ddpm_about *a, int kind, double clip, ddpm_error *err);
void quantity_close(struct quantity *q);
/* Returns DDPM_EDATA unless t, as the network gets it, is a step of the model's own chain. */
int quantity_check_t(const struct quantity *q, double t, ddpm_error *err);
/* Fills to [d] from the network's output out [d / channels, outputs] at x [d] and t. */
void quantity_fill(struct quantity *q, float *to, const float *out, const float *x, double t);
#endif
