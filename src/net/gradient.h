/* Gradients: a network together with its backward pass, whose nodes stand behind the forward ones in the
   same list and under the same memory plan (differentiate.c).

   The weights, and the sums that backward adds to, are two plain vectors of the same order, so that an
   optimiser needs to know nothing of the network.  Nodes are in order of the list.  Within a node the
   weights of all parts come first, then their biases. */
#ifndef DD_GRADIENT_H
#define DD_GRADIENT_H
#include "net/net.h"

struct dd_gradient;

/* Makes a network in training with m's weights; m may be closed then.  o is as for ddpm_net_create.  At
   most o->batch images go through at once.  dropout is the probability of a zero, below 1; a negative one
   stands for the model's own.  Nothing can run out of memory afterwards.  DDPM_EUSAGE, DDPM_ENOMEM, and
   errors as of ddpm_net_create. */
int dd_gradient_create(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o, double dropout,
                       ddpm_error *err);
/* Makes a network without gradients by parameters.  dd_gradient_backward then gives the gradients by x and
   t alone, in less memory and time.  The weights stay m's, there is no dropout, and the vectors below are
   NULL. */
int dd_gradient_create_by_inputs(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o,
                                 ddpm_error *err);
/* Returns the length of the vectors: the numbers of all parameters of m->program except time.freq. */
size_t dd_gradient_count(const struct dd_gradient *g);
/* Returns the index in the vectors at which parameter `param` of m->program begins, in the layout of its
   tensor; SIZE_MAX for time.freq. */
size_t dd_gradient_offset(const struct dd_gradient *g, int param);
/* Returns the weights [count], which the caller may change. */
float *dd_gradient_weights(struct dd_gradient *g);
/* Returns the sums [count], which the caller zeroes. */
float *dd_gradient_sums(struct dd_gradient *g);
/* Gives the layers the weights.  It has to be called after a change of the weights and before the next
   forward pass. */
void dd_gradient_pack(struct dd_gradient *g);
/* Runs s->out [n, h, w, outputs] = network(s->x, s->t, s->classes) under s->masks; s->n <= batch, classes
   in range. */
void dd_gradient_forward(struct dd_gradient *g, const struct dd_slice *s);
/* Runs backward after the forward pass of the same slice and masks.  It adds the gradients by the
   parameters to the sums, given s->dout [n, h, w, outputs].  It overwrites s->dx [n, h, w, channels], and
   by inputs also s->dt [n], unless they are NULL. */
void dd_gradient_backward(struct dd_gradient *g, const struct dd_slice *s);
/* Runs both passes again.  Returns the first node whose output, or gradient by inputs or parameters, is not
   finite, or NULL when all are finite.  Afterwards s->out and the sums mean nothing. */
const ddpm_node *dd_gradient_bad(struct dd_gradient *g, const struct dd_slice *s);
/* Returns how many nodes the list has, and the nodes with the seconds spent in each so far.  The first
   *forward nodes are the forward pass. */
size_t dd_gradient_nodes(const struct dd_gradient *g, const ddpm_node **list, size_t *forward);
struct dd_team *dd_gradient_team(struct dd_gradient *g);
/* Returns the network under it, for what is known of its configuration. */
const ddpm_net *dd_gradient_net(const struct dd_gradient *g);
/* Returns the sizes of the memory, the threads and the engine class. */
const ddpm_net_about *dd_gradient_describe(const struct dd_gradient *g);
void dd_gradient_free(struct dd_gradient *g);
#endif
