/* The loss of a batch and its gradient by the network's output, see loss.c. */
#ifndef DD_LOSS_H
#define DD_LOSS_H
#include <stdbool.h>
#include "diffusion/chain.h"
#include "diffusion/posterior.h"

struct dd_loss {
    int kind, prediction, T; /* DDPM_SIMPLE..., DDPM_EPS... */
    double min_snr, t_scale;
    size_t pixels, channels, outputs, d; /* of an image; d = pixels * channels */
    ddpm_chain *chain;                   /* the model's own, all T steps */
    struct dd_posterior posterior;       /* where the loss is a bound */
    int *t;                              /* [batch] drawn steps */
    double *eps, *work, *each;           /* [batch, d] drawn noise; [batch, 5, d]; [batch] losses */
};

/* What is drawn belongs to (seed, first + k) for the k-th image: for training, or for a loss on images held out. */
struct dd_loss_draw {
    uint64_t seed, first;
    bool held_out;
};

struct dd_team;

int dd_loss_create(struct dd_loss *l, const ddpm_about *a, int kind, double min_snr, int batch,
                   ddpm_error *err);
void dd_loss_free(struct dd_loss *l);
/* Draws steps and noise of n images x0 [n, d]: x [n, d] = x_t, t [n] as the network is fed it. */
void dd_loss_begin(struct dd_loss *l, const struct dd_loss_draw *draw, float *x, float *t, const float *x0,
                   int n, struct dd_team *team);
/* The sum over images of their losses, given out [n, pixels, outputs] for what begin drew; dout, of the same shape: its gradient, scaled. */
double dd_loss_end(struct dd_loss *l, float *dout, const float *out, const float *x0, double scale, int n,
                   struct dd_team *team);
/* One image at step t: its loss; dp, dv [d], the gradients by the prediction p [d] and by the variance's v [d], which is not read, nor dv
   written, where the loss is no bound. */
double dd_loss_image(const struct dd_loss *l, double *dp, double *dv, const double *p, const double *v,
                     const double *x0, const double *eps, int t);
#endif
