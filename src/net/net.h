/* A network made ready to run: packed parameters, planned memory, started threads. */
#ifndef DD_NET_H
#define DD_NET_H
#include "layer/dropout.h"
#include "net/model.h"
#include "net/plan.h"

struct ddpm_net {
    struct dd_config config;
    double t_scale;
    struct dd_program program;
    struct dd_plan plan;
    struct dd_kernels kernels;
    unsigned cpu;       /* DD_CPU_... */
    const char *engine; /* the forced engine of convolutions, or NULL */
    int batch, threads;
    struct dd_team *team;

    /* [nodes] */
    struct dd_conv **conv; /* [nodes] the convolutions; NULL for other nodes */
    struct dd_conv_gradient *
        *reverse;   /* [nodes] the gradients; NULL except for backward nodes of convolutions */
    float **packed; /* [nodes] pointers into `weights` */
    ddpm_node *list;

    float **sums; /* [params] where backward nodes add gradients; set by net/gradient.c */
    float *weights, *activations, *scratch;
    float *io; /* room for x, out and t of a batch, as float */
    ddpm_net_about about;
    struct dd_arena arena; /* the lists and texts above */
};

/* A slice: at most net->batch images on their way through the list. */
struct dd_slice {
    float *out;
    const float *x, *t;
    const int32_t *classes;
    int n;

    /* The fields below are set in training only. */
    const struct dd_dropout *masks; /* NULL: no dropout */
    const float *dout;              /* the gradient by out */
    float *dx, *dt;                 /* receive the gradients by x and t, or NULL */
};

int dd_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
/* Makes a network with backward nodes, and with DD_BY_PARAMETERS with dropout.  The caller sets its sums
   and packed weights before it runs. */
int dd_net_create_training(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o,
                           enum dd_derivatives derivatives, double dropout, ddpm_error *err);
void dd_net_free(ddpm_net *net);
/* Runs any number n of images, see ddpm_net_run. */
int dd_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes, int n,
               ddpm_error *err);
/* Runs n images, all at step t of the chain, see ddpm_net_eps. */
int dd_net_eps(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err);
/* Checks classes [n], or NULL, against what the model asks for.  DDPM_EUSAGE: they do not fit. */
int dd_net_check_classes(const ddpm_net *net, const int32_t *classes, int n, ddpm_error *err);
/* Returns a slice of at most net->batch images of x [n, d], from `first` on, as float in net->io, all at
   step t of the chain. */
struct dd_slice dd_net_load(ddpm_net *net, const double *x, double t, const int32_t *classes, int n,
                            int first);

/* Learns that a node is done, with its y.  A value other than 0 ends the walk. */
typedef int dd_net_seen(void *user, int node, const struct dd_map *y);
/* Computes nodes first to end - 1 for one slice.  seen, which may be NULL, learns of every node.  Returns
   the value that ended the walk, or 0. */
int dd_net_walk(ddpm_net *net, const struct dd_slice *s, int first, int end, dd_net_seen *seen, void *user);
/* Says whether every number of a map is finite. */
bool dd_net_finite(const struct dd_map *m);
#endif
