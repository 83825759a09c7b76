/* The loss of a batch and its gradient by the network's output, see loss.c. */
#ifndef DD_LOSS_H
#define DD_LOSS_H
#include <stdbool.h>
#include "diffusion/chain.h"
#include "diffusion/posterior.h"

struct dd_objective;

struct dd_loss {
    const struct dd_objective *objective;
    int prediction; /* DDPM_EPS... */
    int T;
    double min_snr, t_scale;
    size_t pixels, channels, outputs; /* the shape of an image and of the network's output */
    size_t d;                         /* pixels * channels */
    ddpm_chain *chain;                /* the model's own chain of all T steps */
    struct dd_posterior posterior;    /* the variance, if the objective needs it */

    /* For a batch: the drawn steps t [batch] and noise eps [batch, d], work space [batch, 5, d], and the
       loss of each image [batch]. */
    int *t;
    double *eps, *work, *each;
};

/* The random numbers of a batch: its k-th image uses the streams of (seed, first + k).  held_out says
   whether the loss is on images held out. */
struct dd_loss_draw {
    uint64_t seed, first;
    bool held_out;
};

struct dd_team;

/* Says whether sample number `sample` of a training with this seed loses its class, as happens with
   this probability. */
bool dd_loss_drops_class(uint64_t seed, uint64_t sample, double probability);
/* Prepares the loss of this kind (DDPM_SIMPLE...) for a model and batches of at most `batch` images.
   DDPM_EUSAGE or DDPM_EDATA: the model cannot be trained by it.  The caller frees it with dd_loss_free. */
int dd_loss_create(struct dd_loss *l, const ddpm_about *a, int kind, double min_snr, int batch,
                   ddpm_error *err);
void dd_loss_free(struct dd_loss *l);
/* Draws steps and noise for n images x0 [n, d].  Fills x [n, d] with x_t, and t [n] with the timesteps as
   the network gets them. */
void dd_loss_begin(struct dd_loss *l, const struct dd_loss_draw *draw, float *x, float *t, const float *x0,
                   int n, struct dd_team *team);
/* Returns the sum of the images' losses, given the network's output out [n, pixels, outputs] for the inputs
   of dd_loss_begin.  Fills dout, of the same shape, with its gradient times `scale`. */
double dd_loss_end(struct dd_loss *l, float *dout, const float *out, const float *x0, double scale, int n,
                   struct dd_team *team);

/* An image x0 [d] at step t with its noise eps [d], and the network's output for them. */
struct dd_loss_image {
    const double *x0, *eps;
    int t;
    const double *p, *v; /* [d] the prediction, and the v of the variance */
};

/* Returns the loss of one image.  Fills dp and dv [d] with the gradients by p and by v.  If the model learns
   no variance, v is not read and dv means nothing. */
double dd_loss_image(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image);
#endif
