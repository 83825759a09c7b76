/* A batch of images on its way down a chain, as the samplers see it: one file per sampler, one line in sampler.c.

   A sampler's step reads and writes rows of the state, calls the network through dd_sampler_predict, and draws noise through
   dd_sampler_noise; it does the same for every image, so that batch and order never show.  An image whose prediction is not finite
   leaves the live list inside dd_sampler_predict.  A step may write as it goes: the state from before it is kept, and put back for an
   image that was lost in it, and for all when the network fails. */
#ifndef DD_SAMPLER_H
#define DD_SAMPLER_H
#include <stdbool.h>
#include "base/memory.h"
#include "diffusion/chain.h"
#include "diffusion/posterior.h"

struct dd_sampler_kind {
    ddpm_sampler_traits traits;
    /* Buffers [batch, d] of the state: x and what else lasts between steps, NAN at the start. */
    int buffers;
    /* Checks what the traits do not say of the options of a new sampler; NULL: nothing. */
    int (*check)(const ddpm_sampler *s, ddpm_error *err);
    /* Takes what a new sampler needs besides; NULL: nothing. */
    int (*begin)(ddpm_sampler *s, ddpm_error *err);
    /* Says in warning [256] what a run will do; NULL: nothing. */
    void (*warn)(const ddpm_sampler *s, char *warning);
    /* Takes every live image from chain position i to i - 1; -1 is the image. */
    int (*step)(ddpm_sampler *s, int i, ddpm_error *err);
    /* Takes every live image from i to i + 1, where traits.encodes. */
    int (*encode)(ddpm_sampler *s, int i, ddpm_error *err);
};

struct ddpm_sampler {
    const struct dd_sampler_kind *kind;
    ddpm_sampler_options options;
    ddpm_chain *chain;
    const ddpm_tables *tables; /* of the chain */
    const double *told;        /* [K] the steps that the network is told; t unless the kind has others */
    const double *table;       /* of a tuned solver; NULL: it is another sampler */
    struct dd_posterior posterior;
    size_t d;
    uint32_t purpose;      /* of the noise */
    int batch, n, live, i; /* images at most, begun, still there; chain position they are at, -1: done */

    struct dd_image {
        uint32_t index;
        int32_t class;
        int lost;
    } * image; /* [batch], by row; lost as ddpm_sampler_lost */

    int *row;               /* [batch] rows of the live images, ascending */
    int32_t *classes;       /* [batch] classes of the live images, as the network gets them */
    int has_classes;        /* whether there are any */
    double *state, *before; /* [kind->buffers, batch, d], and before the step that is under way */
    double *begun;          /* the same behind its correctors, if there are any */
    double *input, *output; /* [live, d], [live, outputs, d] of the last prediction */
    double *x0, *z;         /* [d] work space of a step */
    struct dd_arena arena;
};

/* Row of the k-th live image in a buffer of the state. */
double *dd_sampler_row(ddpm_sampler *s, int buffer, int k);
/* The same row as it was when the kind's own step began, which is behind the correctors. */
const double *dd_sampler_begun(const ddpm_sampler *s, int buffer, int k);
/* output = network at position i for all live images, read from a buffer of the state. */
int dd_sampler_predict(ddpm_sampler *s, int buffer, int i, ddpm_error *err);
/* Of the k-th live image after dd_sampler_predict: x0 [d] into s->x0, clipped as the options say; v [d], what is behind the prediction. */
const double *dd_sampler_x0(ddpm_sampler *s, const double *x, int k, int i);
/* eps [d] as the network has it, whatever it predicts, of no clipped x0; eps may be x. */
void dd_sampler_eps(const ddpm_sampler *s, double *eps, const double *x, int k, int i);
/* eps [d] and score [d] into s->x0: those of that x0, which lead from it to x. */
const double *dd_sampler_clipped_eps(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_score(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_v(const ddpm_sampler *s, int k);
/* z [d] of the k-th live image leaving position i, into s->z. */
const double *dd_sampler_noise(ddpm_sampler *s, int k, int i, int draw);

/* For the check of a kind: refuses a chain that reaches alpha_bar = 0. */
int dd_sampler_no_zero(const ddpm_sampler *s, ddpm_error *err);

/* kind NULL: the one that the options name.  purpose of the noise: DD_RNG_SAMPLE... */
int dd_sampler_create(ddpm_sampler **s, const struct dd_sampler_kind *kind, uint32_t purpose,
                      const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch, char *warning,
                      ddpm_error *err);
int dd_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n, const double *x,
                     int i, ddpm_error *err);
int dd_sampler_step(ddpm_sampler *s, ddpm_error *err);
int dd_sampler_encode(ddpm_sampler *s, ddpm_error *err);
void dd_sampler_free(ddpm_sampler *s);
const char *const *dd_sampler_names(void);
const ddpm_sampler_traits *dd_sampler_traits(const char *name); /* NULL: no such sampler */
#endif
