/* The operations of a network.  A walk over the list of nodes finds here what to call for each node;
   operation.def has a row for every operation. */
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
    const struct dd_pre *pre; /* the change of x on load, or NULL */
    const float *weights;     /* the packed weights, see params.h */
};

/* A node at work in the backward pass.

   A forward node applies x' = act(x scale + shift) to its input.  Its layer's backward pass leaves dx', the
   gradient by x'; dd_backward_pre then makes dx from it.  dx' lies where dx does, or in scratch; see
   backward.c. */
struct dd_backward {
    ddpm_net *net;
    const struct dd_slice *s;
    const struct dd_node *n;
    int node;
    struct dd_context ctx;
    struct dd_map dy, x;
    struct dd_map dx;       /* data is NULL when nobody asks for dx */
    struct dd_map inner;    /* dx' */
    bool add;               /* dx' is added to what `inner` holds */
    struct dd_pre pre;      /* the change of x on load in the forward node */
    float *dscale, *dshift; /* the gradients by scale and shift of pre, or NULL */
    float *dweight, *dbias; /* sums of the gradients by the node's first part, or NULL */
    const float *weights;   /* the packed weights of the forward node */
};

struct dd_operation {
    const char *name, *backward_name;

    void (*forward)(const struct dd_forward *f);
    void (*backward)(const struct dd_backward *b);
    /* Return the bytes of scratch for the two passes; NULL: the pass needs no scratch. */
    size_t (*scratch)(const ddpm_net *net, const struct dd_node *n, int node);
    size_t (*backward_scratch)(const ddpm_net *net, const struct dd_node *n, int node);
    /* Returns the floating-point operations of the forward pass for one image; NULL: they are not counted. */
    double (*flops)(const struct dd_program *p, const struct dd_node *n);

    /* The values that forward keeps for backward.  A node with a pre keeps its x in any case. */
    bool reads_x;                /* backward reads x */
    bool reads_x_for_parameters; /* backward reads x for the gradients by its parameters alone */
    bool reads_y;                /* backward reads y, as its x */
    bool leaves_moments;         /* y holds mean and 1 / std of each group, behind scale and shift */
    bool before_parameters;      /* no node before it has parameters: DD_BY_PARAMETERS has no backward node */

    /* The way in which backward leaves dx'. */
    bool adds;      /* backward can add dx' to what is there; otherwise it overwrites */
    bool in_place;  /* backward turns dy into dx' where it lies */
    bool in_passes; /* backward takes a few images at a time and calls dd_backward_pre itself */
};

/* Returns the operation of a node. */
const struct dd_operation *dd_operation(const struct dd_node *n);
/* Returns the name of a node's operation: "conv", or "conv backward" for a backward node. */
const char *dd_operation_name(const struct dd_node *n);
/* Returns the floating-point operations of a node for one image; only convolutions and attention count. */
double dd_operation_flops(const struct dd_program *p, const struct dd_node *n);
#endif
