/* The objectives that a network can be trained by.  objective.def has a row for each.  An objective is a
   function of one image at one step; loss.c draws the steps and the noise, and goes through the batch.

   For one image x0 [d] with noise eps at step t, let a = sqrt(alpha_bar_t), s = sqrt(1 - alpha_bar_t), x_t =
   a x0 + s eps, and p the network's prediction at (x_t, t).  All objectives are written in

     e = p - target,   the target being eps, x0 or v = a eps - s x0
     x0 - x0_theta = c e,   c = s / a, -1 or s

   so that no difference of near numbers is ever taken. */
#ifndef DD_OBJECTIVE_H
#define DD_OBJECTIVE_H
#include <stdbool.h>
#include "train/loss.h"

/* The step of an image, in the letters above. */
struct dd_objective_step {
    double alpha_bar, a, s, c;
};

/* Returns the loss of an image.  On entry dp [d] holds the errors e.  Fills dp with the gradient by p, and,
   if the network learns its variance, dv [d] with the gradient by v. */
typedef double dd_objective_fn(const struct dd_loss *l, double *dp, double *dv,
                               const struct dd_loss_image *image, const struct dd_objective_step *step);

struct dd_objective {
    ddpm_loss_traits traits;
    dd_objective_fn *image;
    bool fixed, learned; /* the models that it trains: with a variance that is fixed, or learned */
    bool needs_variance; /* it reads the posterior of struct dd_loss */
    bool takes_min_snr;  /* it has an L_simple, which min_snr weights */
};

/* Returns the objective, one of DDPM_SIMPLE..., or NULL if there is no such objective. */
const struct dd_objective *dd_objective_of(int loss);
/* Return the names of the objectives in the order of DDPM_SIMPLE..., NULL last, and the traits of one. */
const char *const *dd_objective_names(void);
const ddpm_loss_traits *dd_objective_traits(int loss);
/* Checks whether a model can be trained by an objective.  DDPM_EUSAGE, DDPM_EDATA. */
int dd_objective_check(const ddpm_about *a, int loss, double min_snr, ddpm_error *err);

/* Squared errors, see squared.c. */
dd_objective_fn dd_squared_simple, dd_squared_weighted, dd_squared_score;
/* Fills dp with its errors e times the derivative of the L_simple of image; returns L_simple. */
double dd_squared_plain(const struct dd_loss *l, double *dp, const struct dd_objective_step *step);
/* The variational bound, see vlb.c. */
dd_objective_fn dd_vlb, dd_vlb_hybrid;
#endif
