/* A batch of images on its way down a chain, as the samplers see it.  Each sampler has one file, and one line
   in the list of sampler.c.

   A sampler's step reads and writes rows of the state, calls the network through dd_sampler_predict, and
   draws noise through dd_sampler_noise.  It does the same for every image, so that batch and order never
   show.

   An image whose prediction is not finite leaves the list of live images inside of dd_sampler_predict.  A
   step may change the state at any time.  The state from before the step is kept.  It is restored for the
   images that the step loses, and for all images when the network fails. */
#ifndef DD_SAMPLER_H
#define DD_SAMPLER_H
#include <stdbool.h>
#include <stddef.h>
#include "base/memory.h"
#include "diffusion/chain.h"
#include "diffusion/jump_schedule.h"
#include "diffusion/posterior.h"

/* A sampler: its traits, and its functions. */
struct dd_sampler_kind {
    ddpm_sampler_traits traits;

    /* How many buffers [batch, d] the state has: x, and whatever else lasts between steps, which is NAN at
       the start. */
    int buffers;

    /* Checks options of a new sampler that the traits do not cover; NULL: there are no such options. */
    int (*check)(const ddpm_sampler *s, ddpm_error *err);

    /* Prepares a new sampler; NULL: there is nothing to prepare. */
    int (*begin)(ddpm_sampler *s, ddpm_error *err);

    /* Writes a warning [256] about a run to come; NULL: the kind has no warnings. */
    void (*warn)(const ddpm_sampler *s, char *warning);

    /* Takes every live image from chain position i to i - 1; -1 is the image. */
    int (*step)(ddpm_sampler *s, int i, ddpm_error *err);

    /* Takes every live image from i to i + 1, if traits.encodes. */
    int (*encode)(ddpm_sampler *s, int i, ddpm_error *err);
};

/* An image of the batch.  lost is the value that ddpm_sampler_lost returns. */
struct dd_image {
    uint32_t index;
    int32_t class;
    int lost;
};

struct ddpm_sampler {
    const struct dd_sampler_kind *kind;
    ddpm_sampler_options options;
    ddpm_chain *chain;
    const ddpm_tables *tables; /* the tables of the chain */
    const double *told;        /* [K] the steps that the network is told: t, or the kind's own */
    const double *table;       /* the table of a tuned solver; NULL in other samplers */
    struct dd_posterior posterior;
    size_t d;
    uint32_t purpose; /* the purpose of the noise, DD_RNG_SAMPLE... */

    /* The largest batch, how many images were begun, how many are live, and their chain position; -1: they
       are done. */
    int batch, n, live, i;

    /* image [batch] is indexed by row.  row [batch] and classes [batch] are indexed by the number of the
       live image: its row, ascending, and its class as the network gets it. */
    struct dd_image *image;
    int *row;
    int32_t *classes;
    int has_classes;

    /* The state [kind->buffers, batch, d]; its copy from before the present step; and its copy from after
       the correctors, which is `before` if there are none. */
    double *state, *before, *begun;

    /* The last prediction: what went into the network [live, d], and what came out [live, outputs, d].
       Then work space of a step, [d] each. */
    double *input, *output, *x0, *z;

    /* The classifier's gradients at `input` [live, d]; NULL: there is no classifier. */
    double *gradient;

    /* Inpainting.  known [n, d] is the caller's: x0, or NAN where it is not known; NULL: nothing is known.
       jumps.i equals i. */
    const double *known;
    struct dd_jump_schedule jumps;

    struct dd_arena arena; /* holds image, row and classes */
};

/* ---- for the steps ---- */

/* Returns the row [d] of the k-th live image in a buffer of the state. */
double *dd_sampler_row(ddpm_sampler *s, int buffer, int k);

/* Returns the same row as it was when the kind's own step began, after the correctors. */
const double *dd_sampler_begun(const ddpm_sampler *s, int buffer, int k);

/* Fills s->output with the network's outputs for all live images at position i, as the classifier moves them,
   if there is one.  Its inputs are a buffer of the state. */
int dd_sampler_predict(ddpm_sampler *s, int buffer, int i, ddpm_error *err);

/* Does the same, but leaves the outputs as the network gives them.  s->gradient is filled, for a step that
   moves its mean instead (condition.h). */
int dd_sampler_predict_alone(ddpm_sampler *s, int buffer, int i, ddpm_error *err);

/* Each returns s->x0 [d] for the k-th live image at x [d] and position i, after dd_sampler_predict.  It
   holds x0, clipped as the options say; the eps that leads from this x0 to x; or the score of this eps. */
const double *dd_sampler_x0(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_clipped_eps(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_score(ddpm_sampler *s, const double *x, int k, int i);

/* Fills eps [d] with the network's own eps, from every kind of prediction, without clipping.  eps may be
   x. */
void dd_sampler_eps(const ddpm_sampler *s, double *eps, const double *x, int k, int i);

/* Returns v [d], which follows the prediction in the network's output. */
const double *dd_sampler_v(const ddpm_sampler *s, int k);

/* Returns how many earlier x0 a solver has kept in m1, and before it in m2, 2 at most.  A buffer is
   NaN until it is written. */
int dd_sampler_history(const double *m1, const double *m2);

/* Returns z [d], which lies in s->z, for the k-th live image leaving position i. */
const double *dd_sampler_noise(ddpm_sampler *s, int k, int i, int draw);

/* Returns whether steps draw noise. */
bool dd_sampler_noisy(const ddpm_sampler *s);

/* Refuses a chain that reaches alpha_bar = 0.  Kinds use it as their check. */
int dd_sampler_no_zero(const ddpm_sampler *s, ddpm_error *err);

/* ---- for sampler_check.c ---- */

/* Refuses options that do not fit the sampler or each other. */
int dd_sampler_check(const ddpm_sampler *s, ddpm_error *err);

/* Writes the names of the samplers that have a trait, "A, B or C".  The trait is an int at `offset` of
   ddpm_sampler_traits that is not 0.  Returns list. */
const char *dd_sampler_having(char list[128], size_t offset);
#define DD_SAMPLER_HAVING(list, trait) dd_sampler_having(list, offsetof(ddpm_sampler_traits, trait))

/* ---- for the public functions ---- */

/* A sampler that is to be made.  With kind NULL the options name the kind. */
struct dd_sampler_plan {
    const struct dd_sampler_kind *kind;
    uint32_t purpose; /* the purpose of the noise, DD_RNG_SAMPLE... */
    const ddpm_chain *chain;
    const ddpm_sampler_options *options;
    size_t d;  /* the elements of an image */
    int batch; /* the largest batch */
};

/* Makes a sampler, see ddpm_sampler_create.  It keeps copies of the chain and of the options. */
int dd_sampler_create(ddpm_sampler **s, const struct dd_sampler_plan *plan, char *warning, ddpm_error *err);
int dd_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n, const double *x,
                     int i, ddpm_error *err);
int dd_sampler_step(ddpm_sampler *s, ddpm_error *err);
int dd_sampler_encode(ddpm_sampler *s, ddpm_error *err);
void dd_sampler_free(ddpm_sampler *s);

/* Return the names of the samplers, the default first, NULL last, and the traits of a sampler, or NULL if
   there is no such sampler. */
const char *const *dd_sampler_names(void);
const ddpm_sampler_traits *dd_sampler_traits(const char *name);
#endif
