/* A network made ready to run: packed parameters, planned memory, started threads. */
#ifndef DD_NET_H
#define DD_NET_H
#include "layer/dropout.h"
#include "net/model.h"
#include "net/plan.h"
#include "net/team.h"

struct ddpm_net {
    struct dd_config config;
    double t_scale;
    struct dd_program program;
    struct dd_plan plan;
    struct dd_kernels kernels;
    unsigned cpu;
    const char *engine; /* forced, or NULL */
    int batch, threads;
    struct dd_team *team;
    struct dd_conv **conv;             /* [nodes], NULL for other nodes */
    float **packed;                    /* [nodes], into weights */
    struct dd_conv_gradient **reverse; /* [nodes], of the backward nodes of convolutions */
    float **sums; /* [params], where backward nodes add gradients to; set by net/gradient.c */
    float *weights, *activations, *scratch;
    float *io;       /* room for ddpm_net_eps: x, out and t of a batch, as float */
    ddpm_node *list; /* [nodes] */
    ddpm_net_about about;
    struct dd_arena arena; /* the lists and texts above */
};

/* A slice of at most net->batch images on its way through the list.  In training only: the masks of dropout, NULL for none; dout, the
   gradient by out; dx and dt, where the gradients by x and t are written, or NULL. */
struct dd_slice {
    float *out;
    const float *x, *t;
    const int32_t *classes;
    int n;
    const struct dd_dropout *masks;
    const float *dout;
    float *dx, *dt;
};

int dd_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
/* With backward nodes, which want sums and packed weights of their own before they run, and by parameters with
   dropout. */
int dd_net_create_training(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o,
                           enum dd_derivatives derivatives, double dropout, ddpm_error *err);
void dd_net_free(ddpm_net *net);
int dd_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes, int n,
               ddpm_error *err);
int dd_net_eps(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err);
/* Returns DDPM_EUSAGE unless classes [n] (NULL: none) are those that the model asks for. */
int dd_net_check_classes(const ddpm_net *net, const int32_t *classes, int n, ddpm_error *err);
/* Nodes first to end - 1 for one slice; seen, which may be NULL, is told of every node that is done and of its y, and ends the walk by a
   non-zero value, which is returned. */
typedef int dd_net_seen(void *user, int node, const struct dd_map *y);
int dd_net_walk(ddpm_net *net, const struct dd_slice *s, int first, int end, dd_net_seen *seen, void *user);
bool dd_net_finite(const struct dd_map *m); /* every number of it */
#endif
