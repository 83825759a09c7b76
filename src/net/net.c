/* Makes and runs networks.  Everything that can fail fails in create; a run is a walk over the list of nodes,
   slice by slice.

   No bit of an image depends on batch, slices or threads, because the layers are made that way.  So an
   image in which a NaN was found can be computed again, alone, to name the node that made the NaN. */
#include "net/net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "layer/conv_gradient.h"
#include "layer/parallel.h"
#include "net/backward.h"
#include "net/engine_class.h"
#include "net/forward.h"
#include "net/operation.h"
#include "net/params.h"

enum { BATCH_MOST = 4096 };

/* ---- create ---- */

static int no_memory(ddpm_error *err, const char *what, size_t bytes)
{
    return dd_error(err, DDPM_ENOMEM, "out of memory: %zu bytes for the network's %s", bytes, what);
}

static int take_options(ddpm_net *net, const ddpm_net_options *o, ddpm_error *err)
{
    static const ddpm_net_options none = { 0, 0, NULL, NULL };
    o = o ? o : &none;

    if (o->batch < 0 || o->batch > BATCH_MOST)
        return dd_error(err, DDPM_EUSAGE, "batch is %d, expected 1 to %d, or 0 for 1", o->batch, BATCH_MOST);
    if (o->threads < 0 || o->threads > DD_THREADS_MOST)
        return dd_error(err, DDPM_EUSAGE, "threads is %d, expected 1 to %d, or 0 for what the machine has",
                        o->threads, DD_THREADS_MOST);

    net->batch = o->batch ? o->batch : 1;
    net->threads = o->threads ? o->threads : dd_cpu_threads("");
    int code = dd_cpu_ceiling(&net->cpu, o->cpu, err);
    return code ? code : dd_engine_class_choose(&net->engine, o->conv, err);
}

static int make_lists(ddpm_net *net, ddpm_error *err)
{
    size_t n = (size_t)net->program.nodes;
    net->conv = dd_arena(&net->arena, n, sizeof *net->conv);
    net->packed = dd_arena(&net->arena, n, sizeof *net->packed);
    net->list = dd_arena(&net->arena, n, sizeof *net->list);
    net->reverse = dd_arena(&net->arena, n, sizeof *net->reverse);
    net->sums = dd_arena(&net->arena, (size_t)net->program.params, sizeof *net->sums);

    if (!net->conv || !net->packed || !net->list || !net->reverse || !net->sums)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the network's lists");
    return DDPM_OK;
}

static int open_convs(ddpm_net *net, ddpm_error *err)
{
    struct dd_conv_setup setup = {
        &net->kernels, net->cpu, net->engine, net->batch, net->threads, net->team
    };
    int code = DDPM_OK;
    for (int i = 0; i < net->program.nodes && !code; i++) {
        const struct dd_node *n = &net->program.node[i];
        if (n->op != DD_OP_CONV)
            continue;

        struct dd_conv_shape shape =
            dd_program_shape(&net->program, n->of ? &net->program.node[n->of - 1] : n);
        setup.engine = net->program.training ? dd_conv_gradient_engine(&shape, net->engine) : net->engine;
        code = n->of ? dd_conv_gradient_open(&net->reverse[i], &shape, &setup, err)
                     : dd_conv_open(&net->conv[i], &shape, &setup, err);
        if (code)
            dd_error_context(err, "%s", n->name);
    }
    return code;
}

/* Returns the floats of a node in the packed block. */
static size_t packed_floats(const ddpm_net *net, int node)
{
    if (net->reverse[node])
        return dd_aligned(dd_conv_gradient_packed(net->reverse[node]) / sizeof(float) + 1);
    return net->program.node[node].of ? 0 : dd_params_floats(&net->program, node, net->conv[node]);
}

static int allocate(ddpm_net *net, ddpm_error *err)
{
    ddpm_net_about *a = &net->about;
    const struct dd_config *c = &net->config;
    size_t pixels = (size_t)c->height * (size_t)c->width, floats = 0;
    size_t io = (size_t)net->batch * (pixels * (size_t)c->channels + dd_config_outputs(c) + 1);

    for (int i = 0; i < net->program.nodes; i++) {
        size_t scratch = net->program.node[i].of ? dd_backward_scratch(net, i) : dd_forward_scratch(net, i);
        a->scratch = scratch > a->scratch ? scratch : a->scratch;
        floats += packed_floats(net, i);
    }
    a->packed = floats * sizeof(float);
    a->activations = net->plan.floats * sizeof(float);

    if (!(net->weights = dd_memory(floats, sizeof(float))))
        return no_memory(err, "weights", a->packed);
    if (!(net->activations = dd_memory(net->plan.floats, sizeof(float))))
        return no_memory(err, "activations", a->activations);
    if (!(net->scratch = dd_memory(a->scratch, 1)))
        return no_memory(err, "scratch", a->scratch);
    if (!(net->io = dd_memory(io, sizeof *net->io)))
        return no_memory(err, "input and output", io * sizeof *net->io);
    return DDPM_OK;
}

/* Packs the parameters node by node; all threads share each node.  gradient.c packs those of backward
   nodes. */
static int pack(ddpm_net *net, const ddpm_model *m, ddpm_error *err)
{
    float *at = net->weights;
    for (int i = 0; i < net->program.nodes; i++) {
        size_t floats = packed_floats(net, i);
        net->packed[i] = floats ? at : NULL;
        at += floats;
    }

    int code = DDPM_OK;
    for (int i = 0; i < dd_program_forward(&net->program) && !code; i++)
        code = dd_params_pack(net->packed[i], &net->program, i, net->conv[i], m, err);
    return code;
}

/* Fills net->about and net->list. */
static int describe(ddpm_net *net, ddpm_error *err)
{
    ddpm_net_about *a = &net->about;
    a->batch = net->batch;
    a->threads = net->threads;
    a->parameters = (size_t)net->program.parameters;
    a->weights = a->parameters * sizeof(float);
    a->features = net->program.value[net->program.middle].c;
    a->cpu = net->kernels.name;

    for (int i = 0; i < net->program.nodes; i++) {
        const struct dd_node *n = &net->program.node[i];
        const struct dd_value *y = &net->program.value[n->y];
        net->list[i] = (ddpm_node){
            .name = n->name,
            .op = dd_operation_name(n),
            .height = y->h,
            .width = y->w,
            .channels = y->c,
            .engine = net->conv[i] ? dd_conv_engine(net->conv[i]) : "",
            .flops = dd_operation_flops(&net->program, n),
        };
        a->flops += net->list[i].flops;
    }

    a->engine_class = dd_engine_class_text(&net->arena, net->kernels.name, net->engine);
    return a->engine_class ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for the engine class");
}

static int start_team(ddpm_net *net, ddpm_error *err)
{
    net->team = dd_parallel_create(net->threads);
    if (!net->team)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d threads", net->threads);

    int started = dd_parallel_threads(net->team);
    return started == net->threads ? DDPM_OK
                                   : dd_error(err, DDPM_ENOMEM,
                                              "out of memory or of processes: only %d of %d threads could be "
                                              "started (see ulimit -u and -v): ask for fewer",
                                              started, net->threads);
}

static int build(ddpm_net *net, const ddpm_model *m, const ddpm_net_options *o,
                 enum dd_derivatives derivatives, ddpm_error *err)
{
    int code = take_options(net, o, err);
    if (!code)
        code = dd_program_create(&net->program, &net->config, derivatives, err);
    if (!code && derivatives == DD_NO_DERIVATIVES)
        code = dd_program_fold(&net->program, err);
    if (!code)
        code = make_lists(net, err);
    if (!code)
        code = start_team(net, err);
    if (code)
        return code;

    /* The engines say how much memory they need, so that all of it is there before the weights are packed. */
    dd_kernels_init(&net->kernels, net->cpu);
    code = open_convs(net, err);
    if (!code)
        code = dd_plan_create(&net->plan, &net->program, net->batch, err);
    if (!code)
        code = allocate(net, err);
    if (!code)
        code = pack(net, m, err);
    if (!code)
        code = dd_model_unchanged(m, err);
    if (!code)
        code = describe(net, err);
    return code;
}

static int create(ddpm_net **out, const ddpm_model *m, const ddpm_net_options *o,
                  enum dd_derivatives derivatives, double dropout, ddpm_error *err)
{
    *out = NULL;
    ddpm_net *net = calloc(1, sizeof *net);
    if (!net)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a network");

    net->config = m->config;
    net->t_scale = m->diffusion.t_scale;
    net->config.dropout = dropout;
    int code = build(net, m, o, derivatives, err);
    if (code)
        dd_net_free(net);
    else
        *out = net;
    return code;
}

int dd_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err)
{
    return create(net, m, o, DD_NO_DERIVATIVES, m->config.dropout, err);
}

int dd_net_create_training(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o,
                           enum dd_derivatives derivatives, double dropout, ddpm_error *err)
{
    return create(net, m, o, derivatives, dropout, err);
}

void dd_net_free(ddpm_net *net)
{
    if (!net)
        return;

    for (int i = 0; net->conv && i < net->program.nodes; i++)
        dd_conv_close(net->conv[i]);
    for (int i = 0; net->reverse && i < net->program.nodes; i++)
        dd_conv_gradient_close(net->reverse[i]);
    dd_plan_free(&net->plan);
    dd_program_free(&net->program);
    dd_memory_free(net->weights);
    dd_memory_free(net->activations);
    dd_memory_free(net->scratch);
    dd_memory_free(net->io);
    dd_arena_free(&net->arena);
    dd_parallel_free(net->team);
    free(net);
}

/* ---- run ---- */

/* Nodes first .. end - 1 of a network, to be computed from a slice. */
struct walk {
    ddpm_net *net;
    const struct dd_slice *s;
    int first, end;
};

/* Computes the nodes of a walk.  Each thread of the team calls it.  The first thread measures the time. */
static void walk(struct dd_worker *worker, void *user)
{
    const struct walk *p = user;
    ddpm_net *net = p->net;
    bool clock = dd_thread(worker) == 0;
    double before = clock ? dd_system_time(DD_TIME_RUNNING) : 0;

    for (int i = p->first; i < p->end; i++) {
        if (net->program.node[i].of)
            dd_backward_node(net, p->s, i, worker);
        else
            dd_forward_node(net, p->s, i, worker);
        if (clock) {
            double after = dd_system_time(DD_TIME_RUNNING);
            net->list[i].seconds += after - before;
            before = after;
        }
    }
}

/* Says whether a node is computed outside of the team, because its engine has threads of its own. */
static bool alone(const ddpm_net *net, int node)
{
    return net->conv[node] && dd_conv_alone(net->conv[node]);
}

int dd_net_walk(ddpm_net *net, const struct dd_slice *s, int first, int end, dd_net_seen *seen, void *user)
{
    int stop = 0;
    for (int last; first < end && !stop; first = last) {
        /* Nodes first .. last - 1 are one run of the team.  If every node is shown to `seen`, each is a run
           of its own. */
        last = first + 1;
        while (!seen && last < end && !alone(net, first) && !alone(net, last))
            last++;
        dd_parallel_run(alone(net, first) ? NULL : net->team, walk, &(struct walk){ net, s, first, last });

        if (seen) {
            struct dd_map y = dd_forward_map(net, s, net->program.node[first].y);
            stop = seen(user, first, &y);
        }
    }
    return stop;
}

static bool all_finite(const float *x, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good &= isfinite(x[i]) != 0;
    return good;
}

bool dd_net_finite(const struct dd_map *m)
{
    for (size_t i = 0; i < (size_t)m->n * (size_t)m->h * (size_t)m->w; i++)
        if (!all_finite(m->data + i * m->stride, (size_t)m->c))
            return false;
    return true;
}

/* Ends the walk at the first node whose output for one image is not finite. */
static int find_bad(void *user, int node, const struct dd_map *y)
{
    *(int *)user = node;
    return !dd_net_finite(y);
}

/* The images that a run over several slices has lost. */
struct lost {
    int images; /* how many images are lost */
    int first;  /* the number of the first lost image */
    int node;   /* the first node whose output for it is not finite */
    bool input; /* its input was already not finite */
};

/* Returns image i of a slice alone. */
static struct dd_slice one_of(const ddpm_net *net, const struct dd_slice *s, int i)
{
    const struct dd_config *c = &net->config;
    size_t pixels = (size_t)c->height * (size_t)c->width * (size_t)i;
    return (struct dd_slice){
        .out = s->out + (size_t)i * dd_config_outputs(c),
        .x = s->x + pixels * (size_t)c->channels,
        .t = s->t + i,
        .classes = s->classes ? s->classes + i : NULL,
        .n = 1,
    };
}

/* Runs a slice whose images have the numbers from `first` on in the run. */
static void run_slice(ddpm_net *net, const struct dd_slice *s, int first, struct lost *lost)
{
    const struct dd_config *c = &net->config;
    size_t pixels = (size_t)c->height * (size_t)c->width;
    dd_net_walk(net, s, 0, net->program.nodes, NULL, NULL);
    for (int i = 0; i < s->n; i++) {
        struct dd_slice one = one_of(net, s, i);
        if (all_finite(one.out, dd_config_outputs(c)) || lost->images++)
            continue;

        lost->first = first + i;
        lost->input = !all_finite(one.x, pixels * (size_t)c->channels) || !isfinite(*one.t);
        /* Computes the image again, alone, up to the first node whose output is not finite. */
        dd_net_walk(net, &one, 0, net->program.nodes, find_bad, &lost->node);
    }
}

static int report(const ddpm_net *net, const struct lost *lost, int n, ddpm_error *err)
{
    if (!lost->images)
        return DDPM_OK;

    const ddpm_node *node = &net->list[lost->node];
    return dd_error(err, DDPM_ENAN,
                    "NaN or infinity, first %s %s (%s), in image %d of the batch; %d of %d images are lost",
                    lost->input ? "in the input, then after" : "after", node->name, node->op, lost->first,
                    lost->images, n);
}

int dd_net_check_classes(const ddpm_net *net, const int32_t *classes, int n, ddpm_error *err)
{
    const struct dd_config *c = &net->config;
    int known = dd_config_told_classes(c), rows = dd_config_class_rows(c);

    if (!known && classes)
        return dd_error(err, DDPM_EUSAGE, "classes are given to a model that has none");
    if (known && !classes)
        return dd_error(err, DDPM_EUSAGE, "the model has %d classes: a class is needed for every image",
                        known);
    for (int i = 0; known && i < n; i++)
        if (classes[i] < 0 || classes[i] >= rows)
            return dd_error(err, DDPM_EUSAGE, "the class of image %d is %d, expected 0 to %d", i,
                            (int)classes[i], rows - 1);
    return DDPM_OK;
}

int dd_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes, int n,
               ddpm_error *err)
{
    struct dd_slice all = { .out = out, .x = x, .t = t, .classes = classes, .n = n };
    struct lost lost = { 0 };
    int code = dd_net_check_classes(net, classes, n, err);
    if (code)
        return code;

    for (int i = 0; i < n; i += net->batch) {
        struct dd_slice s = one_of(net, &all, i);
        s.n = n - i < net->batch ? n - i : net->batch;
        run_slice(net, &s, i, &lost);
    }
    return report(net, &lost, n, err);
}

struct dd_slice dd_net_load(ddpm_net *net, const double *x, double t, const int32_t *classes, int n,
                            int first)
{
    const struct dd_config *c = &net->config;
    size_t batch = (size_t)net->batch, pixels = (size_t)c->height * (size_t)c->width;
    size_t d = pixels * (size_t)c->channels;
    float *in = net->io, *out = in + batch * d, *step = out + batch * dd_config_outputs(c);
    struct dd_slice s = {
        .out = out,
        .x = in,
        .t = step,
        .classes = classes ? classes + first : NULL,
        .n = n - first < net->batch ? n - first : net->batch,
    };

    const double *from = x + (size_t)first * d;
    for (size_t k = 0; k < (size_t)s.n * d; k++)
        in[k] = (float)from[k];
    for (int k = 0; k < s.n; k++)
        step[k] = (float)t * (float)net->t_scale;
    return s;
}

/* Fills out [2, d], the prediction and then v, from o [d / c, 2c]; or fills out [d] from o [d]. */
static void split(double *out, const float *o, size_t pixels, size_t channels, size_t outputs)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t k = 0; k < outputs; k++)
            out[(k / channels * pixels + i) * channels + k % channels] = o[i * outputs + k];
}

int dd_net_eps(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err)
{
    size_t channels = (size_t)net->config.channels, outputs = (size_t)net->config.outputs;
    size_t pixels = (size_t)net->config.height * (size_t)net->config.width, floats = pixels * outputs;
    struct lost lost = { 0 };
    if (net->config.arch == DD_ARCH_ENCODER)
        return dd_error(err, DDPM_EUSAGE, "the network is a classifier, which predicts no noise");
    int code = dd_net_check_classes(net, classes, n, err);
    if (code)
        return code;

    for (int i = 0; i < n; i += net->batch) {
        struct dd_slice s = dd_net_load(net, x, t, classes, n, i);
        run_slice(net, &s, i, &lost);
        for (int k = 0; k < s.n; k++)
            split(out + (size_t)(i + k) * floats, s.out + (size_t)k * floats, pixels, channels, outputs);
    }
    return report(net, &lost, n, err);
}
