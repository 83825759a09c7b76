/* The network as a flat list of nodes, built once from a configuration.  Memory plan, forward pass, profile, FLOP count and golden
   activations are walks over this list.

   A value is a map of c channels; it lies in a home, a buffer of h x w pixels, from channel `offset` on.  So a concatenation costs
   nothing: its two producers write side by side into one home.  Value 0 is no value. */
#ifndef DD_PROGRAM_H
#define DD_PROGRAM_H
#include "base/memory.h"
#include "layer/attention.h"
#include "layer/conv.h"
#include "net/config.h"

enum dd_op {
    DD_OP_EMBED,
    DD_OP_CLASS,
    DD_OP_CONV,
    DD_OP_NORM,
    DD_OP_RMS,
    DD_OP_ATTENTION,
    DD_OP_LINEAR_ATTENTION,
    DD_OP_UPSAMPLE,
    DD_OP_AVGPOOL,
    DD_OP_UNSHUFFLE,
    DD_OP_COPY,
    DD_OP_DROPOUT,
    DD_OPS
};

/* In the planned block, or the caller's arrays: x and out, and the gradients by them. */
enum dd_place {
    DD_PLACE_BLOCK,
    DD_PLACE_INPUT,
    DD_PLACE_OUTPUT,
    DD_PLACE_INPUT_GRADIENT,
    DD_PLACE_OUTPUT_GRADIENT
};

/* The gradients that a backward pass behind the forward one is for. */
enum dd_derivatives {
    DD_NO_DERIVATIVES,
    DD_BY_PARAMETERS, /* and by x where the caller wants it: training */
    DD_BY_INPUTS      /* by x and t alone */
};

enum dd_init { DD_INIT_UNIFORM, DD_INIT_NORMAL, DD_INIT_ONE, DD_INIT_ZERO, DD_INIT_FREQUENCY };

struct dd_param {
    const char *name;
    int rank;
    int64_t dim[4], count, fan_in;
    enum dd_init init;
};

struct dd_home {
    int h, w, c;
    enum dd_place place;
};

struct dd_value {
    int h, w, c, home, offset;
};

struct dd_flow {
    int value;
    bool add;
}; /* a gradient that a backward node writes or, add, adds to; value 0: none */

struct dd_part {
    int node, weight, bias;
}; /* parameters of a node; bias -1: none.  The parts of a convolution are stacked rows, */

enum dd_product {
    DD_PRODUCT_NONE,
    DD_PRODUCT_PLAIN,
    DD_PRODUCT_TURNED
}; /* or two matrices: the second, as it is or transposed, times the first */

struct dd_node {
    enum dd_op op;
    const char *name; /* prefix of its parameters */
    int part, parts;  /* the first of its parts, and how many there are */
    int y, x;         /* values; a norm yields [1, 1, 2c]: scale, then shift */
    int norm;         /* value of a norm node, applied to x on load, then pre */
    enum dd_act pre;
    int add, residual; /* values added on store, then scale, then act */
    float scale;
    enum dd_act act;
    int kernel, stride;
    bool doubled;            /* x is read as if every pixel were 2x2 */
    bool right;              /* padding right and below only */
    bool linear;             /* the weight is stored as [out, in] */
    enum dd_product product; /* of its two parts; transposed, the second one's bias is left out */
    int groups;              /* norm */
    double eps;
    int emb; /* norm, rms: value holding s, then b */
    struct dd_attention attention;
    bool cos_first; /* embed */
    float a, b;     /* copy: y = a x + b; with a norm, of what that makes of x */
    double p;       /* dropout: probability of a zero */
    /* A backward node is a copy of its forward node; y is the gradient that it starts from, other values are left where it needs them. */
    int of; /* 1 + that forward node; 0: this is one */
    struct dd_flow dx, dnorm, dadd, dresidual, demb;
};

struct dd_program {
    struct dd_arena arena; /* names */
    struct dd_param *param;
    int params; /* in order of construction */
    struct dd_home *home;
    int homes;
    struct dd_value *value;
    int values;
    struct dd_part *part;
    int parts;
    struct dd_node *node;
    int nodes;
    int middle;         /* value: what the middle block, or the way down, gives */
    int64_t parameters; /* numbers that training changes */
    enum dd_derivatives derivatives;
    bool training; /* the backward nodes are there, and by parameters dropout */
    bool failed;   /* out of memory; sticks */
};

/* Builds the program of a configuration, see program_create.c, with the backward pass for `derivatives`
   behind the forward one.  The caller frees it with dd_program_free. */
int dd_program_create(struct dd_program *p, const struct dd_config *c, enum dd_derivatives derivatives,
                      ddpm_error *err);
/* Makes an empty program, which a builder fills.  DDPM_ENOMEM: dd_program_free still has to follow. */
int dd_program_init(struct dd_program *p, enum dd_derivatives derivatives);
void dd_program_free(struct dd_program *p);
/* Makes a program for inference shorter and faster, with the same results up to rounding. */
int dd_program_fold(struct dd_program *p, ddpm_error *err);
const char *dd_program_op(const struct dd_node *n);
/* How many of the nodes are the forward pass. */
int dd_program_forward(const struct dd_program *p);
struct dd_conv_shape dd_program_shape(const struct dd_program *p, const struct dd_node *n);
double dd_program_flops(const struct dd_program *p,
                        const struct dd_node *n); /* per image: convolutions and attention */
/* The first part of a node, or NULL. */
const struct dd_part *dd_program_part(const struct dd_program *p, const struct dd_node *n);

/* What the two builders below are written in.  Out of memory sets failed, and ids stay harmless. */
const char *dd_program_name(struct dd_program *p, const char *format, ...) DD_PRINTF(2, 3);
int dd_program_value(struct dd_program *p, int h, int w, int c);
/* c channels of a value, from `offset` on, as a value. */
int dd_program_slice(struct dd_program *p, int value, int offset, int c);
int dd_program_param(struct dd_program *p, const char *name, enum dd_init init, int64_t fan_in, int rank,
                     const int64_t *dim);
/* Appends a node with an output of h x w x c; returns its index. */
int dd_program_node(struct dd_program *p, struct dd_node n, int h, int w, int c);
void dd_program_give(struct dd_program *p, int node, int weight, int bias);
/* A convolution that has no rows yet, and rows for it: parameters NAME.weight, NAME.bias.  Returns node; value of these rows. */
int dd_program_stack(struct dd_program *p, struct dd_node n);
int dd_program_rows(struct dd_program *p, int node, int rows, bool bias, const char *name);
/* These return the output's value. */
int dd_program_conv(struct dd_program *p, int rows, struct dd_node n);
int dd_program_norm(struct dd_program *p, const char *name, int x, int groups, double eps, int emb);
/* In training, dropout between act(norm(x)) and node n, which is then given what is left. */
void dd_program_dropout(struct dd_program *p, const char *name, struct dd_node *n, double probability);
int dd_program_resample(struct dd_program *p, enum dd_op op, const char *name, int x, int norm,
                        enum dd_act pre);
int dd_program_join(struct dd_program *p, int a,
                    int b); /* [a | b]; a value that already has a place is copied */

void dd_unet_build(struct dd_program *p, const struct dd_config *c);
void dd_lucid_build(struct dd_program *p, const struct dd_config *c);
/* Appends the backward nodes, see differentiate.c.  DDPM_EUNSUPPORTED: a home with gradients for some of its channels only. */
int dd_differentiate(struct dd_program *p, ddpm_error *err);
#endif
