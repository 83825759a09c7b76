/* The operations of a network, as a walk over the list of nodes sees them: a row of operation.def for each.
   */
#ifndef DD_OPERATION_H
#define DD_OPERATION_H
#include "net/net.h"

/* A node at work in the forward pass. */
struct dd_forward {
    ddpm_net *net;
    const struct dd_slice *s;
    const struct dd_node *n;
    int node; /* the index of n */
    struct dd_context ctx;
    struct dd_map y, x;
    const struct dd_pre *pre; /* what is applied to x on load, or NULL */
    const float *weights;     /* packed, see params.h */
};

/* A node at work in the backward pass.

   A forward node applies x' = act(x scale + shift) to its input.  Its layer's backward pass leaves dx', the
   gradient by x'; dd_backward_pre then makes dx of it. dx' lies where dx does, or in scratch, see
   backward.c. */
struct dd_backward {
    ddpm_net *net;
    const struct dd_slice *s;
    const struct dd_node *n;
    int node;
    struct dd_context ctx;
    struct dd_map dy, x;
    struct dd_map dx;       /* without data: nobody asks for it */
    struct dd_map inner;    /* dx' */
    bool add;               /* dx' is added to what is there */
    struct dd_pre pre;      /* what the forward node applied to x */
    float *dscale, *dshift; /* the gradients by its scale and shift, or NULL */
    float *dweight, *dbias; /* sums of the node's first part, or NULL */
    const float *weights;   /* packed, of the forward node */
};

struct dd_operation {
    const char *name, *backward_name;

    void (*forward)(const struct dd_forward *f);
    void (*backward)(const struct dd_backward *b);
    /* Bytes of scratch that the two ask for; NULL: none. */
    size_t (*scratch)(const ddpm_net *net, const struct dd_node *n, int node);
    size_t (*backward_scratch)(const ddpm_net *net, const struct dd_node *n, int node);
    /* Floating-point operations of the forward pass for one image; NULL: not counted. */
    double (*flops)(const struct dd_program *p, const struct dd_node *n);

    /* The values that forward keeps for backward; a node with a pre keeps its x in any case. */
    bool reads_x;                /* backward reads x */
    bool reads_x_for_parameters; /* backward reads x for the gradients by its parameters alone */
    bool reads_y;                /* backward reads y, as its x */
    bool leaves_moments;         /* y holds means and deviations of its groups, behind scale and shift */
    bool before_parameters;      /* nothing before it has parameters: it has a backward node by inputs only */

    /* The way in which backward leaves dx'. */
    bool adds;      /* it can add to what is there; otherwise it overwrites */
    bool in_place;  /* it changes dy, and dx' is what it leaves there */
    bool in_passes; /* it takes a few images at a time, and calls dd_backward_pre itself */
};

/* Returns the operation of a node. */
const struct dd_operation *dd_operation(const struct dd_node *n);
/* Returns its name: "conv", or "conv backward" for a backward node. */
const char *dd_operation_name(const struct dd_node *n);
/* Returns its floating-point operations for one image; only convolutions and attention count. */
double dd_operation_flops(const struct dd_program *p, const struct dd_node *n);
#endif
