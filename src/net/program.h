/* The network as a flat list of nodes, built once from a configuration.  The memory plan, the forward pass,
   the profile, the count of operations and the golden activations are walks over this list.

   A value is a map of h x w pixels of c channels.  It lies in a home, a buffer of h x w pixels, from channel
   `offset` on.  A concatenation therefore costs nothing: its two producers write side by side into one home.
   Value 0 is no value. */
#ifndef DD_PROGRAM_H
#define DD_PROGRAM_H
#include "base/memory.h"
#include "layer/attention.h"
#include "layer/conv.h"
#include "net/config.h"

enum dd_op {

#define OPERATION(NAME, ...) DD_OP_##NAME,
#include "net/operation.def"
#undef OPERATION
};

/* The place of a home: in the planned block, or in one of the caller's arrays x and out and their
   gradients. */
enum dd_place {
    DD_PLACE_BLOCK,
    DD_PLACE_INPUT,
    DD_PLACE_OUTPUT,
    DD_PLACE_INPUT_GRADIENT,
    DD_PLACE_OUTPUT_GRADIENT
};

/* The gradients that a backward pass computes. */
enum dd_derivatives {
    DD_NO_DERIVATIVES,
    DD_BY_PARAMETERS, /* for training; also by x if the caller asks for it */
    DD_BY_INPUTS      /* by x and t only */
};

enum dd_init { DD_INIT_UNIFORM, DD_INIT_NORMAL, DD_INIT_ONE, DD_INIT_ZERO, DD_INIT_FREQUENCY };

/* A tensor of the model that training changes, or time.freq. */
struct dd_param {
    const char *name;
    int rank;
    int64_t dim[4];
    int64_t count;  /* the product of dim */
    int64_t fan_in; /* how many inputs an output depends on, for DD_INIT_UNIFORM */
    enum dd_init init;
};

struct dd_home {
    int h, w, c;
    enum dd_place place;
};

struct dd_value {
    int h, w, c, home, offset;
};

/* A gradient that a backward node overwrites or, with `add`, adds to.  value 0: there is no such gradient. */
struct dd_flow {
    int value;
    bool add;
};

/* A part of a node: the indices of its parameters in program.param; bias -1: it has no bias.  The parts of
   a convolution are stacked rows, unless `product` says otherwise. */
struct dd_part {
    int node, weight, bias;
};

/* A convolution of two parts may be the product of two matrices: the second part, as it is or transposed,
   times the first part.  If it is transposed, its bias is left out. */
enum dd_product { DD_PRODUCT_NONE, DD_PRODUCT_PLAIN, DD_PRODUCT_TURNED };

struct dd_node {
    enum dd_op op;
    const char *name; /* the prefix of its parameters' names */
    int part, parts;  /* the index of its first part, and how many parts it has */

    /* The values that the node writes and reads.  A convolution writes (conv(pre(x)) + add + residual) *
       scale, an RMS norm writes act(rms(x) (1 + s) + b) + residual. */
    int y, x;
    int norm; /* the value [1, 1, 2c] of a norm node: scale and shift, applied to x before `pre` */
    enum dd_act pre;
    int add; /* a value [1, 1, c], added to every pixel */
    int residual;
    float scale;
    enum dd_act act; /* RMS norm only */

    /* Convolution. */
    int kernel, stride;
    bool doubled; /* x is read as if every pixel were 2x2 */
    bool right;   /* padding right and below only */
    bool linear;  /* the weight is stored as [out, in] */
    enum dd_product product;

    /* Group norm and RMS norm. */
    int groups;
    double eps;
    int emb; /* the value that holds s, then b */

    struct dd_attention attention; /* for both kinds of attention */
    bool cos_first;                /* for embed: cosines stand before sines */
    float a, b;                    /* for copy: y = a pre(x) + b */
    double p;                      /* for dropout: the probability of a zero */

    /* A backward node is a copy of its forward node.  Its y is the gradient that it starts from.  It keeps
       those of the other values that it reads. */
    int of; /* 1 + the index of the forward node; 0 in a forward node */
    struct dd_flow dx, dnorm, dadd, dresidual, demb;
};

struct dd_program {
    struct dd_arena arena;  /* holds the names */
    struct dd_param *param; /* [params] in order of construction */
    int params;
    struct dd_home *home;
    int homes;
    struct dd_value *value;
    int values;
    struct dd_part *part;
    int parts;
    struct dd_node *node;
    int nodes;
    int middle;         /* the value that the middle block gives, or without it the way down */
    int64_t parameters; /* how many numbers training changes */
    enum dd_derivatives derivatives;
    bool training; /* there are backward nodes, and dropout if DD_BY_PARAMETERS */
    bool failed;   /* out of memory; stays set */
};

/* Builds the program of a configuration, see program_create.c, and for `derivatives` appends the backward
   pass.  The caller frees it with dd_program_free.  DDPM_EDATA: too many parameters. */
int dd_program_create(struct dd_program *p, const struct dd_config *c, enum dd_derivatives derivatives,
                      ddpm_error *err);
/* Makes an empty program, which a builder fills.  DDPM_ENOMEM: dd_program_free still has to follow. */
int dd_program_init(struct dd_program *p, enum dd_derivatives derivatives);
void dd_program_free(struct dd_program *p);
/* Makes a program for inference shorter and faster, with the same results up to rounding; see
   program_fold.c. */
int dd_program_fold(struct dd_program *p, ddpm_error *err);
/* Returns how many nodes the forward pass has. */
int dd_program_forward(const struct dd_program *p);
/* Returns the shape of a convolution. */
struct dd_conv_shape dd_program_shape(const struct dd_program *p, const struct dd_node *n);
/* Returns the first part of a node, or NULL. */
const struct dd_part *dd_program_part(const struct dd_program *p, const struct dd_node *n);

/* The two builders are written with the functions below.  Out of memory sets p->failed; the indices that
   they then return mean nothing but do no harm. */

/* Returns the formatted text, of at most 255 characters, which lives as long as the program. */
const char *dd_program_name(struct dd_program *p, const char *format, ...) DD_PRINTF(2, 3);
/* Adds a value in a home of its own. */
int dd_program_value(struct dd_program *p, int h, int w, int c);
/* Adds a value that consists of c channels of another one, from its channel `offset` on. */
int dd_program_slice(struct dd_program *p, int value, int offset, int c);
int dd_program_param(struct dd_program *p, const char *name, enum dd_init init, int64_t fan_in, int rank,
                     const int64_t *dim);
/* Appends a node, with an output of h x w x c unless n.y is set; returns its index. */
int dd_program_node(struct dd_program *p, struct dd_node n, int h, int w, int c);
/* Gives a node one more part. */
void dd_program_give(struct dd_program *p, int node, int weight, int bias);
/* Appends a convolution that has no rows yet; returns its node. */
int dd_program_stack(struct dd_program *p, struct dd_node n);
/* Adds rows to the convolution `node`, with the parameters NAME.weight and NAME.bias.  Returns the value of
   these rows. */
int dd_program_rows(struct dd_program *p, int node, int rows, bool bias, const char *name);
/* Appends a convolution with these rows and a bias; returns the value of its output. */
int dd_program_conv(struct dd_program *p, int rows, struct dd_node n);
/* Appends a group norm of x; returns the value of its scale and shift.  emb 0: it has no s and b. */
int dd_program_norm(struct dd_program *p, const char *name, int x, int groups, double eps, int emb);
/* In training, appends dropout between act(norm(x)) and node n, which then reads what dropout leaves. */
void dd_program_dropout(struct dd_program *p, const char *name, struct dd_node *n, double probability);
/* Appends DD_OP_UPSAMPLE, DD_OP_AVGPOOL or DD_OP_UNSHUFFLE; returns the value of its output. */
int dd_program_resample(struct dd_program *p, enum dd_op op, const char *name, int x, int norm,
                        enum dd_act pre);
/* Returns the value [a | b].  A value that already shares its home is copied. */
int dd_program_join(struct dd_program *p, int a, int b);

/* The builders, one for each value of "net.arch". */
void dd_unet_build(struct dd_program *p, const struct dd_config *c);
void dd_lucid_build(struct dd_program *p, const struct dd_config *c);
void dd_unet_build_encoder(struct dd_program *p, const struct dd_config *c);
/* Appends the backward nodes, see differentiate.c.  DDPM_EUNSUPPORTED: a value needs a complete gradient
   but gets only a part. */
int dd_differentiate(struct dd_program *p, ddpm_error *err);
#endif
