/* A batch of images on its way down a chain, as the samplers see it.  Each sampler has one file, and one line
   in sampler.c.

   A sampler's step reads and writes rows of the state, calls the network through dd_sampler_predict, and
   draws noise through dd_sampler_noise.  It does the same for every image, so that batch and order never
   show.

   An image whose prediction is not finite leaves the list of live images inside dd_sampler_predict.  A step
   may write as it goes: the state from before it is kept, and is put back for an image that was lost in it,
   and for all images when the network fails. */
#ifndef DD_SAMPLER_H
#define DD_SAMPLER_H
#include <stdbool.h>
#include <stddef.h>
#include "base/memory.h"
#include "diffusion/chain.h"
#include "diffusion/posterior.h"

/* A sampler: its traits, and its functions. */
struct dd_sampler_kind {
    ddpm_sampler_traits traits;

    /* Buffers [batch, d] of the state: x, and what else lasts between steps, NAN at the start. */
    int buffers;

    /* Checks what the traits do not say about the options of a new sampler; NULL: nothing. */
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

/* An image of the batch.  lost: as ddpm_sampler_lost returns it. */
struct dd_image {
    uint32_t index;
    int32_t class;
    int lost;
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
    uint32_t purpose; /* of the noise, DD_RNG_SAMPLE... */

    /* The largest batch, the images begun, those still live, and the chain position they are at; -1: done. */
    int batch, n, live, i;

    /* By row: the images [batch].  By number of the live image: its row [batch], ascending, and its class as
       the network gets it [batch], if there are classes. */
    struct dd_image *image;
    int *row;
    int32_t *classes;
    int has_classes;

    /* The state [kind->buffers, batch, d]; what it was before the step under way; and, if there are
       correctors, what it was behind them. */
    double *state, *before, *begun;

    /* The last prediction: [live, d] in, [live, outputs, d] out.  Then work space of a step, [d] each. */
    double *input, *output, *x0, *z;

    struct dd_arena arena; /* of image, row and classes */
};

/* ---- for the steps ---- */

/* Returns the row [d] of the k-th live image in a buffer of the state. */
double *dd_sampler_row(ddpm_sampler *s, int buffer, int k);

/* Returns the same row as it was when the kind's own step began, which is behind the correctors. */
const double *dd_sampler_begun(const ddpm_sampler *s, int buffer, int k);

/* Fills s->output with what the network says at position i of all live images, read from a buffer of the
   state. */
int dd_sampler_predict(ddpm_sampler *s, int buffer, int i, ddpm_error *err);

/* Each returns [d] of the k-th live image at x [d] and position i, after dd_sampler_predict, in s->x0: x0
   clipped as the options say; the eps that leads from this x0 to x; the score by this eps. */
const double *dd_sampler_x0(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_clipped_eps(ddpm_sampler *s, const double *x, int k, int i);
const double *dd_sampler_score(ddpm_sampler *s, const double *x, int k, int i);

/* Fills eps [d] with the network's own, whatever it predicts and without clipping.  eps may be x. */
void dd_sampler_eps(const ddpm_sampler *s, double *eps, const double *x, int k, int i);

/* Returns v [d], which the network puts behind the prediction. */
const double *dd_sampler_v(const ddpm_sampler *s, int k);

/* Returns z [d], in s->z, of the k-th live image leaving position i. */
const double *dd_sampler_noise(ddpm_sampler *s, int k, int i, int draw);

/* Refuses a chain that reaches alpha_bar = 0; for the check of a kind. */
int dd_sampler_no_zero(const ddpm_sampler *s, ddpm_error *err);

/* ---- for sampler_check.c ---- */

/* Refuses options that do not fit the sampler or each other. */
int dd_sampler_check(const ddpm_sampler *s, ddpm_error *err);

/* Writes "A, B or C", the samplers that have a trait: an int at `offset` of ddpm_sampler_traits that is not 0.
   Returns list. */
const char *dd_sampler_having(char list[128], size_t offset);
#define DD_SAMPLER_HAVING(list, trait) dd_sampler_having(list, offsetof(ddpm_sampler_traits, trait))

/* ---- for the public functions ---- */

/* See ddpm_sampler_create.  kind NULL: the one that the options name.  purpose of the noise:
   DD_RNG_SAMPLE... */
int dd_sampler_create(ddpm_sampler **s, const struct dd_sampler_kind *kind, uint32_t purpose,
                      const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch, char *warning,
                      ddpm_error *err);
int dd_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n, const double *x,
                     int i, ddpm_error *err);
int dd_sampler_step(ddpm_sampler *s, ddpm_error *err);
int dd_sampler_encode(ddpm_sampler *s, ddpm_error *err);
void dd_sampler_free(ddpm_sampler *s);

/* Return the names of the samplers, the default first, NULL last; and the traits of one, NULL: there is no
   such. */
const char *const *dd_sampler_names(void);
const ddpm_sampler_traits *dd_sampler_traits(const char *name);
#endif
