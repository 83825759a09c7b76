/* Gradients: a network together with its backward pass (reverse-mode differentiation, Linnainmaa 1970), whose nodes stand behind the
   forward ones in the same list and under the same memory plan.  The weights and what backward adds to are plain arrays of one order, so
   that an optimiser sees two vectors.  Training keeps every activation that a gradient needs; it recomputes cheap ones. */
#ifndef DD_GRADIENT_H
#define DD_GRADIENT_H
#include "net/net.h"

struct dd_gradient;

/* With m's weights; m may be closed then.  o as for ddpm_net_create; at most o->batch images go through at once.  dropout: the
   probability 0 <= p < 1 of a zero; negative: the model's own.  Nothing can fail for memory afterwards. */
int dd_gradient_create(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o, double dropout,
                       ddpm_error *err);
/* The same without gradients by parameters: dd_gradient_backward gives those by x and t alone, which takes less
   memory and time.  The weights stay m's, there is no dropout, and the vectors below are NULL. */
int dd_gradient_create_by_inputs(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o,
                                 ddpm_error *err);
/* How many numbers the vectors hold: every parameter of m->program but time.freq. */
size_t dd_gradient_count(const struct dd_gradient *g);
/* Where parameter `param` of m->program begins in them, in the layout of its tensor; SIZE_MAX for time.freq.  (Nodes are in order, but a
   node's stacked parts are neighbours: weights, then biases.) */
size_t dd_gradient_offset(const struct dd_gradient *g, int param);
float *dd_gradient_weights(struct dd_gradient *g); /* [count], for the caller to change */
float *dd_gradient_sums(struct dd_gradient *g);    /* [count], what backward adds to; the caller zeroes it */
/* After the weights were changed, and before the next forward. */
void dd_gradient_pack(struct dd_gradient *g);
/* s->out [n, h, w, outputs] = network(s->x, s->t, s->classes) under s->masks; s->n <= batch, classes in range. */
void dd_gradient_forward(struct dd_gradient *g, const struct dd_slice *s);
/* Behind the forward pass of the same slice and masks: sums += the gradients of the parameters, from s->dout [n, h, w, outputs]; s->dx
   [n, h, w, channels], and by inputs also s->dt [n], are overwritten unless NULL. */
void dd_gradient_backward(struct dd_gradient *g, const struct dd_slice *s);
/* Goes through both passes again and stops at the first node whose output, or gradient of inputs or of parameters, is not finite: its name
   and operation; NULL when there is none.  s->out and sums hold nothing of use then. */
const ddpm_node *dd_gradient_bad(struct dd_gradient *g, const struct dd_slice *s);
/* How many nodes the list has, `forward` of them the forward pass; with the seconds spent in each so far. */
size_t dd_gradient_nodes(const struct dd_gradient *g, const ddpm_node **list, size_t *forward);
struct dd_team *dd_gradient_team(struct dd_gradient *g);
/* Sizes of the memory, threads, engine class. */
const ddpm_net_about *dd_gradient_describe(const struct dd_gradient *g);
void dd_gradient_free(struct dd_gradient *g);
#endif
