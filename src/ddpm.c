/* The public functions for models and networks.  They check their arguments and call inward; ddpm.h says
   what they promise. */
#include <string.h>
#include "base/cpu.h"
#include "base/outside.h"
#include "net/classifier.h"
#include "net/engine_class.h"
#include "net/features.h"
#include "net/model_file.h"
#include "net/model_resize.h"
#include "net/model_statistics.h"
#include "net/model_tuned.h"
#include "net/net.h"
#include "net/vjp.h"

/* Opens a model in a mapped file, which then belongs to the model.  A failure unmaps the file. */
static int open_mapped(ddpm_model **m, struct dd_file *f, const char *path, ddpm_error *err)
{
    int code = dd_model_file_open(m, f->data, f->size, path, err);
    if (code) {
        dd_file_unmap(f);
        return code;
    }

    (*m)->file = *f;
    (*m)->path = dd_arena_text(&(*m)->arena, "%s", path);
    return (*m)->path ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory", path);
}

/* Fills the schedule if its name is known.  The tables of other schedules stay zero for the caller to
   fill. */
static int fill_schedule(ddpm_model *m, ddpm_error *err)
{
    double *beta = dd_model_find(m, "schedule.beta")->data,
           *alpha_bar = dd_model_find(m, "schedule.alpha_bar")->data;
    size_t size = (size_t)m->diffusion.steps * sizeof *beta;

    int code = ddpm_betas(beta, alpha_bar, m->diffusion.steps, m->diffusion.name, NULL);
    if (code == DDPM_ENOMEM)
        return dd_error(err, code, "out of memory for the schedule");
    if (code) {
        memset(beta, 0, size);
        memset(alpha_bar, 0, size);
    }
    return DDPM_OK;
}

/* Refuses a named schedule that ends in pure noise for a network that predicts eps.  A table that the
   caller fills is checked when it is used. */
static int check_end(const ddpm_model *m, ddpm_error *err)
{
    const double *beta = dd_model_find(m, "schedule.beta")->data;
    const double *alpha_bar = dd_model_find(m, "schedule.alpha_bar")->data;
    int last = m->diffusion.steps - 1;

    if (m->diffusion.prediction != DDPM_EPS || alpha_bar[last] != 0 || beta[last] == 0)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA,
                    "configuration: the schedule \"%.80s\" ends with alpha_bar = 0, where a "
                    "network of eps says nothing about x0; take one without +zero-snr, or prediction x0 or v",
                    m->diffusion.name);
}

static int create(ddpm_model **m, const char *json, ddpm_error *err)
{
    int code = dd_model_describe(m, json, strlen(json), "configuration", false, err);
    if (code)
        return code;
    code = dd_model_allocate(*m, err);
    if (!code)
        code = fill_schedule(*m, err);
    if (!code)
        code = check_end(*m, err);

    if (code) {
        dd_model_free(*m);
        *m = NULL;
        return code;
    }
    dd_model_about(*m);
    return DDPM_OK;
}

int ddpm_model_create(ddpm_model **m, const char *json, ddpm_error *err)
{
    DD_ENTRY(int, create(m, json, err));
}

void ddpm_model_init(ddpm_model *m, uint64_t seed)
{
    if (m->block)
        DD_ENTRY_VOID(dd_model_init(m, seed));
}

/* Checks a model after opening it; a failure frees the model. */
static int finish_open(ddpm_model **m, const char *name, ddpm_error *err)
{
    dd_model_about(*m);
    int code = dd_model_validate(*m, name, err);

    /* A write to the file meanwhile explains every other error, so only the write is reported. */
    if (dd_model_unchanged(*m, code ? NULL : err))
        code = dd_model_unchanged(*m, err);
    dd_file_forget(&(*m)->file, (*m)->file.data, (*m)->file.size);

    if (code) {
        dd_model_free(*m);
        *m = NULL;
    }
    return code;
}

static int open_file(ddpm_model **m, const char *path, ddpm_error *err)
{
    struct dd_file f;
    *m = NULL;
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = open_mapped(m, &f, path, err);
    if (code && *m) {
        dd_model_free(*m);
        *m = NULL;
    }
    return code ? code : finish_open(m, path, err);
}

int ddpm_model_open(ddpm_model **m, const char *path, ddpm_error *err)
{
    DD_ENTRY(int, open_file(m, path, err));
}

static int open_memory(ddpm_model **m, const void *data, size_t size, ddpm_error *err)
{
    int code = dd_model_file_open(m, data, size, "model in memory", err);
    return code ? code : finish_open(m, "model in memory", err);
}

int ddpm_model_open_memory(ddpm_model **m, const void *data, size_t size, ddpm_error *err)
{
    DD_ENTRY(int, open_memory(m, data, size, err));
}

static int save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    if (m->training && (flags & DDPM_SAVE_F16))
        return dd_error(
            err, DDPM_EUSAGE,
            "%s: a training checkpoint is written as float32, since training goes on from its bits", path);
    int code = dd_model_validate(m, path, err);
    return code ? code : dd_model_file_save(m, path, flags, err);
}

int ddpm_model_save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    DD_ENTRY(int, save(m, path, flags, err));
}

int ddpm_model_check(const ddpm_model *m, ddpm_error *err)
{
    DD_ENTRY(int, dd_model_file_check(m, err));
}

int ddpm_model_add_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma, const double *mse,
                              int images, double bits, ddpm_error *err)
{
    if (!gamma || !mse)
        return dd_error(err, DDPM_EUSAGE, "statistics without gamma or mse; a model keeps both or none");
    if (images < 1)
        return dd_error(err, DDPM_EUSAGE, "statistics of %d images are given, expected 1 or more", images);
    DD_ENTRY(int, dd_model_statistics(with, m, gamma, mse, images, bits, err));
}

int ddpm_model_add_tuned(ddpm_model **with, const ddpm_model *m, const ddpm_tuned *solver, ddpm_error *err)
{
    DD_ENTRY(int, dd_model_tuned_add(with, m, solver, err));
}

int ddpm_model_resize(ddpm_model *m, int height, int width, ddpm_error *err)
{
    DD_ENTRY(int, dd_model_resize(m, height, width, err));
}

void ddpm_model_close(ddpm_model *m)
{
    dd_model_free(m);
}

size_t ddpm_model_tensors(const ddpm_model *m, const ddpm_tensor **list)
{
    *list = m->tensor;
    return m->tensors;
}

const ddpm_about *ddpm_model_about(const ddpm_model *m)
{
    return &m->about;
}

const char *const *ddpm_cpu_names(void)
{
    return dd_cpu_names();
}

const char *const *ddpm_conv_names(void)
{
    return dd_engine_class_names();
}

int ddpm_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err)
{
    DD_ENTRY(int, dd_net_create(net, m, o, err));
}

int ddpm_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes, int n,
                 ddpm_error *err)
{
    if (n < 0)
        return dd_error(err, DDPM_EUSAGE, "%d images, expected 0 or more", n);
    DD_ENTRY(int, dd_net_run(net, out, x, t, classes, n, err));
}

int ddpm_net_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
                      ddpm_error *err)
{
    if (n < 0)
        return dd_error(err, DDPM_EUSAGE, "%d images, expected 0 or more", n);
    DD_ENTRY(int, dd_features(net, out, x, t, classes, n, err));
}

size_t ddpm_net_nodes(const ddpm_net *net, const ddpm_node **list)
{
    *list = net->list;
    return (size_t)net->program.nodes;
}

const ddpm_net_about *ddpm_net_describe(const ddpm_net *net)
{
    return &net->about;
}

int ddpm_net_eps(void *net, double *out, const double *x, double t, const int32_t *classes, int n,
                 ddpm_error *err)
{
    if (n < 0)
        return dd_error(err, DDPM_EUSAGE, "%d images, expected 0 or more", n);
    DD_ENTRY(int, dd_net_eps(net, out, x, t, classes, n, err));
}

void ddpm_net_free(ddpm_net *net)
{
    dd_net_free(net);
}

int ddpm_vjp_create(ddpm_vjp **v, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err)
{
    DD_ENTRY(int, dd_vjp_create(v, m, o, err));
}

int ddpm_vjp_run(void *vjp, double *p, double *product, const double *x, const double *t, const double *w,
                 const int32_t *classes, int n, ddpm_error *err)
{
    if (n < 0)
        return dd_error(err, DDPM_EUSAGE, "%d images, expected 0 or more", n);
    DD_ENTRY(int, dd_vjp_run(vjp, p, product, x, t, w, classes, n, err));
}

const ddpm_net_about *ddpm_vjp_describe(const ddpm_vjp *v)
{
    return dd_vjp_describe(v);
}

void ddpm_vjp_free(ddpm_vjp *v)
{
    dd_vjp_free(v);
}

int ddpm_classifier_create(ddpm_classifier **c, const ddpm_model *m, const ddpm_about *of,
                           const ddpm_net_options *o, ddpm_error *err)
{
    DD_ENTRY(int, dd_classifier_create(c, m, of, o, err));
}

int ddpm_classifier_gradient(void *classifier, double *g, const double *x, double t, const int32_t *classes,
                             int n, ddpm_error *err)
{
    DD_ENTRY(int, dd_classifier_gradient(classifier, g, x, t, classes, n, err));
}

const ddpm_net_about *ddpm_classifier_describe(const ddpm_classifier *c)
{
    return dd_classifier_describe(c);
}

void ddpm_classifier_free(ddpm_classifier *c)
{
    dd_classifier_free(c);
}
