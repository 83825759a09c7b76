/* Gradients: a network together with its backward pass, whose nodes stand behind the forward ones in the
   same list and under the same memory plan (differentiate.c).

   The weights, and the sums that backward adds to, are two plain vectors of the same order, so that an
   optimiser needs to know nothing of the network.  Nodes are in order of the list.  Within a node the
   weights of all parts come first, then their biases. */
#ifndef DD_GRADIENT_H
#define DD_GRADIENT_H
#include "net/net.h"

struct dd_gradient;

/* Makes a network in training with m's weights; m may be closed then. o is as for ddpm_net_create; at most
   o->batch images go through at once. dropout: the probability of a zero, below 1; negative: the model's
   own.  Nothing can run out of memory afterwards.  DDPM_EUSAGE, DDPM_ENOMEM, and errors as of
   ddpm_net_create. */
int dd_gradient_create(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o, double dropout,
                       ddpm_error *err);
/* Makes one without gradients by parameters: dd_gradient_backward gives those by x and t alone, which takes
   less memory and time.  The weights stay m's, there is no dropout, and the vectors below are NULL. */
int dd_gradient_create_by_inputs(struct dd_gradient **g, const ddpm_model *m, const ddpm_net_options *o,
                                 ddpm_error *err);
/* Returns how many numbers the vectors hold: every parameter of m->program but time.freq. */
size_t dd_gradient_count(const struct dd_gradient *g);
/* Returns where parameter `param` of m->program begins in them, in the layout of its tensor; SIZE_MAX for
   time.freq. */
size_t dd_gradient_offset(const struct dd_gradient *g, int param);
/* Returns the weights [count], which the caller may change. */
float *dd_gradient_weights(struct dd_gradient *g);
/* Returns the sums [count], which the caller zeroes. */
float *dd_gradient_sums(struct dd_gradient *g);
/* Gives the layers the weights; to be called after they were changed and before the next forward pass. */
void dd_gradient_pack(struct dd_gradient *g);
/* Runs s->out [n, h, w, outputs] = network(s->x, s->t, s->classes) under s->masks; s->n <= batch, classes
   in range. */
void dd_gradient_forward(struct dd_gradient *g, const struct dd_slice *s);
/* Runs backward behind the forward pass of the same slice and masks: sums += the gradients by the
   parameters, given s->dout [n, h, w, outputs]. s->dx [n, h, w, channels], and by inputs also s->dt [n],
   are overwritten unless NULL. */
void dd_gradient_backward(struct dd_gradient *g, const struct dd_slice *s);
/* Runs both passes again and returns the first node whose output, or gradient by inputs or parameters, is
   not finite;  NULL when there is none. s->out and the sums hold nothing of use afterwards. */
const ddpm_node *dd_gradient_bad(struct dd_gradient *g, const struct dd_slice *s);
/* Returns how many nodes the list has, with the seconds spent in each so far; the first *forward of them
   are the forward pass. */
size_t dd_gradient_nodes(const struct dd_gradient *g, const ddpm_node **list, size_t *forward);
struct dd_team *dd_gradient_team(struct dd_gradient *g);
/* Returns the sizes of the memory, the threads and the engine class. */
const ddpm_net_about *dd_gradient_describe(const struct dd_gradient *g);
void dd_gradient_free(struct dd_gradient *g);
#endif
