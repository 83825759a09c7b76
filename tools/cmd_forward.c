/* ddpm forward: computes out = network(x, t, y) once, for the tensors of a safetensors file:

     x   [n, c, h, w]     images, of any size that the network's levels divide
     t   [n]              time steps, as the network takes them
     y   [n]              classes, if the model has classes
     out [n, c', h, w]    the expected result, if the file has it

   With --as, out is what follows from the network's output, such as the score (measure/quantity.c). */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/safetensors.h"
#include "cli/engines.h"
#include "cli/layout.h"
#include "cli/command_model.h"
#include "cli/ending.h"
#include "cli/json_line.h"
#include "cli/options.h"
#include "measure/quantity.h"

struct settings {
    struct common common;
    const char *output, *as, *clip;
    double tolerance;
    bool force;
};
static const struct settings defaults = { .tolerance = 1e-4 };

/* Everything that one run needs. */
struct forward {
    const char *path;
    struct dd_file file;
    struct dd_safetensors io;
    ddpm_model *model;
    ddpm_net *net;
    struct quantity quantity;   /* with --as */
    size_t n, c, h, w, outputs; /* outputs are the channels of `out` */

    float *x;                /* [n, h, w, c] */
    float *t;                /* [n] */
    int32_t *classes;        /* [n], or NULL */
    float *raw;              /* [n, h, w, outputs of the network], or NULL where it is `out` */
    float *out;              /* [n, h, w, outputs] */
    float *plain, *expected; /* [n, outputs, h, w]: out as in the file, and its tensor `out` or NULL */
    struct dd_output output;
};

static int find(const struct dd_entry **e, const struct forward *f, const char *name, ddpm_error *err)
{
    *e = dd_safetensors_find(&f->io, name);
    return *e ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: there is no tensor %s", f->path, name);
}

/* Checks that a tensor is [n]. */
static int check_length(const struct forward *f, const struct dd_entry *e, ddpm_error *err)
{
    if (e->rank == 1 && e->dim[0] == f->n)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: %s must be [%zu], as long as x", f->path, e->name, f->n);
}

/* Checks that a tensor is [n, channels, h, w]. */
static int check_shape(const struct forward *f, const struct dd_entry *e, size_t channels, ddpm_error *err)
{
    if (e->rank == 4 && e->dim[0] == f->n && e->dim[1] == channels && e->dim[2] == f->h && e->dim[3] == f->w)
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: %s must be [%zu, %zu, %zu, %zu] for this model", f->path, e->name,
                    f->n, channels, f->h, f->w);
}

/* Reads a tensor of any floating-point type into *out, which forward_free frees. */
static int read_floats(float **out, const struct forward *f, const struct dd_entry *e, ddpm_error *err)
{
    *out = malloc((size_t)e->count * sizeof **out);
    if (!*out)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %s of %s", e->name, f->path);
    if (dd_dtype_to_float(*out, e->data, e->dtype, (size_t)e->count))
        return dd_error(err, DDPM_EDATA, "%s: %s has type %s, expected floating point", f->path, e->name,
                        dd_dtype_name(e->dtype));
    return DDPM_OK;
}

/* Returns element i of a tensor of integers, which need not be aligned in the file. */
static int64_t whole_number(const struct dd_entry *e, size_t i)
{
    int32_t narrow;
    int64_t wide;
    if (e->dtype == DD_I32) {
        memcpy(&narrow, e->data + 4 * i, 4);
        return narrow;
    }
    memcpy(&wide, e->data + 8 * i, 8);
    return wide;
}

static bool is_whole(const struct dd_entry *e)
{
    return e->dtype == DD_I32 || e->dtype == DD_I64;
}

/* Gives the model the size of the images x [n, c, h, w]; other shapes are refused later. */
static int take_size(struct forward *f, const struct dd_entry *e, ddpm_error *err)
{
    bool sized = e->rank == 4 && e->dim[2] <= INT32_MAX && e->dim[3] <= INT32_MAX;
    int code = sized ? ddpm_model_resize(f->model, (int)e->dim[2], (int)e->dim[3], err) : DDPM_OK;
    if (code != DDPM_EUSAGE)
        return code;
    dd_error_context(err, "%s: x", f->path);
    return err->code = DDPM_EDATA;
}

static int read_x(struct forward *f, ddpm_error *err)
{
    const struct dd_entry *e;
    float *plain = NULL;
    int code = find(&e, f, "x", err);
    if (code)
        return code;

    code = take_size(f, e, err);
    if (code)
        return code;
    const ddpm_about *a = ddpm_model_about(f->model);
    f->c = (size_t)a->channels;
    f->h = (size_t)a->height;
    f->w = (size_t)a->width;
    f->outputs = (size_t)a->outputs;
    f->n = e->rank ? (size_t)e->dim[0] : 0;
    if (!f->n || f->n > 65536)
        return dd_error(err, DDPM_EDATA, "%s: x holds %zu images, expected 1 to 65536", f->path, f->n);

    code = check_shape(f, e, f->c, err);
    if (!code)
        code = read_floats(&plain, f, e, err);
    if (!code && !(f->x = malloc((size_t)e->count * sizeof *f->x)))
        code = dd_error_memory(err, "x");
    if (!code)
        layout_from_nchw(f->x, plain, f->n, f->c, f->h, f->w);
    free(plain);
    return code;
}

static int read_t(struct forward *f, ddpm_error *err)
{
    const struct dd_entry *e;
    int code = find(&e, f, "t", err);
    if (!code)
        code = check_length(f, e, err);
    if (code)
        return code;
    /* Steps may be integers or fractions. */
    if (!is_whole(e))
        return read_floats(&f->t, f, e, err);

    f->t = malloc(f->n * sizeof *f->t);
    if (!f->t)
        return dd_error_memory(err, "t");
    for (size_t i = 0; i < f->n; i++)
        f->t[i] = (float)whole_number(e, i);
    return DDPM_OK;
}

/* Reads the classes.  The file must have them if the model has classes, and only then. */
static int read_y(struct forward *f, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(&f->io, "y");
    const ddpm_about *a = ddpm_model_about(f->model);
    int classes = a->classes, last = classes - 1 + a->null_class;
    if (!e && !classes)
        return DDPM_OK;
    if (!e)
        return dd_error(err, DDPM_EDATA, "%s: there is no tensor y, and the model has %d classes", f->path,
                        classes);
    if (!classes)
        return dd_error(err, DDPM_EDATA, "%s: there is a tensor y, and the model has no classes", f->path);

    int code = check_length(f, e, err);
    if (code)
        return code;
    if (!is_whole(e))
        return dd_error(err, DDPM_EDATA, "%s: y has type %s, expected I64 or I32", f->path,
                        dd_dtype_name(e->dtype));

    f->classes = malloc(f->n * sizeof *f->classes);
    if (!f->classes)
        return dd_error_memory(err, "y");
    for (size_t i = 0; i < f->n; i++) {
        int64_t k = whole_number(e, i);
        if (k < 0 || k > last)
            return dd_error(err, DDPM_EDATA, "%s: y[%zu] is %" PRId64 ", expected 0 to %d", f->path, i, k,
                            last);
        f->classes[i] = (int32_t)k;
    }
    return DDPM_OK;
}

/* Prepares --as, whose quantities have as many channels as the images. */
static int read_as(struct forward *f, const struct settings *s, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(f->model);
    int kind = QUANTITY_PREDICTION, code = DDPM_OK;

    while (s->as && strcmp(quantity_names()[kind], s->as))
        kind++;
    if (kind == QUANTITY_PREDICTION)
        return s->clip ? dd_error(err, DDPM_EUSAGE, "--clip is for --as x0 and --as mean") : DDPM_OK;

    f->raw = calloc(f->n * f->h * f->w * f->outputs, sizeof *f->raw);
    f->outputs = f->c;
    code = f->raw ? quantity_open(&f->quantity, a, kind, clip_bound(s->clip, a), err)
                  : dd_error_memory(err, "the output");
    for (size_t i = 0; i < f->n && !code; i++)
        code = quantity_check_t(&f->quantity, (double)f->t[i], err);
    if (code == DDPM_EDATA)
        dd_error_context(err, "%s", f->path);
    return code;
}

static int read_expected(struct forward *f, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(&f->io, "out");
    if (!e)
        return DDPM_OK;
    int code = check_shape(f, e, f->outputs, err);
    return code ? code : read_floats(&f->expected, f, e, err);
}

static int read_input(struct forward *f, const struct settings *s, ddpm_error *err)
{
    int code = dd_file_map(&f->file, f->path, err);
    if (!code)
        code = dd_safetensors_read(&f->io, f->file.data, f->file.size, f->path, err);
    if (!code)
        code = read_x(f, err);
    if (!code)
        code = read_t(f, err);
    if (!code)
        code = read_y(f, err);
    if (!code)
        code = read_as(f, s, err);
    return code ? code : read_expected(f, err);
}

/* Does everything that can fail before the network runs. */
static int forward_create(struct forward *f, const char *model, const struct settings *s, ddpm_error *err)
{
    int code = s->output ? ending_check(s->output, err) : DDPM_OK;
    if (!code)
        code = model_open(&f->model, model, err);
    if (!code)
        code = read_input(f, s, err);
    if (code)
        return code;

    size_t size = f->n * f->h * f->w * f->outputs;
    f->out = calloc(size, sizeof *f->out);
    f->plain = calloc(size, sizeof *f->plain);
    if (!f->out || !f->plain)
        return dd_error_memory(err, "the output");

    code = model_net(&f->net, f->model, &s->common, f->n < 16 ? (int)f->n : 16, err);
    if (code)
        return code;
    return s->output ? dd_output_create(&f->output, s->output, s->force, err) : DDPM_OK;
}

static void forward_free(struct forward *f)
{
    dd_output_abandon(&f->output);
    ddpm_net_free(f->net);
    ddpm_model_close(f->model);
    dd_safetensors_free(&f->io);
    dd_file_unmap(&f->file);

    quantity_close(&f->quantity);
    free(f->raw);
    free(f->x);
    free(f->t);
    free(f->classes);
    free(f->out);
    free(f->plain);
    free(f->expected);
}

static int write_out(struct forward *f, ddpm_error *err)
{
    size_t count = f->n * f->outputs * f->h * f->w;
    struct dd_entry e = { .name = "out",
                          .dtype = DD_F32,
                          .rank = 4,
                          .dim = { f->n, f->outputs, f->h, f->w },
                          .count = count,
                          .size = count * sizeof(float),
                          .data = (const unsigned char *)f->plain };

    const char *const meta[] = { NULL };
    int code = dd_safetensors_write(f->output.stream, &e, 1, meta, err);
    return code ? code : dd_output_commit(&f->output, err);
}

/* Computes the largest absolute difference |a - b|, and the relative one, divided by the largest |b|.  A
   NaN makes both infinite. */
static void compare(const struct forward *f, double *absolute, double *relative)
{
    double largest = 0;
    *absolute = 0;

    for (size_t i = 0; i < f->n * f->outputs * f->h * f->w; i++) {
        double d = fabs((double)f->plain[i] - f->expected[i]);
        if (!(d <= *absolute)) /* also true for NaN */
            *absolute = isnan(d) ? INFINITY : d;
        largest = fmax(largest, fabs((double)f->expected[i]));
    }

    *relative = largest > 0 ? *absolute / largest : *absolute;
}

static void print_json(const struct forward *f, double absolute, double relative, bool within)
{
    struct engines e = engines_of(f->net);
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddObjectToObject(o, "engines");
    cJSON_AddNumberToObject(o, "images", (double)f->n);
    cJSON_AddStringToObject(o, "engine_class", ddpm_net_describe(f->net)->engine_class);
    for (int k = 0; k < e.kinds; k++)
        cJSON_AddNumberToObject(list, e.name[k], e.count[k]);

    if (f->expected) {
        cJSON_AddNumberToObject(o, "max_abs", absolute);
        cJSON_AddNumberToObject(o, "relative", relative);
        cJSON_AddBoolToObject(o, "within", within);
    }
    json_line(o);
}

/* Reports the result and returns the exit code: 1 when it is not the expected one. */
static int report(const struct forward *f, const struct settings *s)
{
    double absolute = 0, relative = 0;
    char engines[400];
    struct engines e = engines_of(f->net);
    if (f->expected)
        compare(f, &absolute, &relative);
    bool within = absolute <= s->tolerance;

    engines_text(engines, sizeof engines, &e);
    if (s->common.verbose)
        remark(&command_forward, &s->common, "convolution engines: %s", engines);
    if (s->common.json)
        print_json(f, absolute, relative, within);
    else if (f->expected)
        printf("largest difference %.3g, relative %.3g: %s %g\n", absolute, relative,
               within ? "within" : "above", s->tolerance);
    return within ? 0 : 1;
}

/* Fills out from the network's output. */
static void convert(struct forward *f)
{
    size_t d = f->h * f->w * f->c, raw = f->h * f->w * f->quantity.outputs;
    for (size_t i = 0; i < f->n; i++)
        quantity_fill(&f->quantity, f->out + i * d, f->raw + i * raw, f->x + i * d, (double)f->t[i]);
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    struct forward f = { .path = argument[1] };
    ddpm_error err;
    (void)arguments;

    int code = forward_create(&f, argument[0], s, &err);
    if (!code)
        code = ddpm_net_run(f.net, f.raw ? f.raw : f.out, f.x, f.t, f.classes, (int)f.n, &err);
    if (!code) {
        if (f.raw)
            convert(&f);
        layout_to_nchw(f.plain, f.out, f.n, f.outputs, f.h, f.w);
        if (s->output)
            code = write_out(&f, &err);
    }
    int status = code ? complain(&command_forward, &err) : report(&f, s);
    forward_free(&f);
    return status;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "output", 'o', OPTION_TEXT, "FILE", "write the result as a safetensors file: out [n,c,h,w] float32",
      NULL, FIELD(output), 0, 0 },
    { "as", 0, OPTION_CHOICE, "WHAT",
      "what out is: the network's prediction (default), or what follows from it at a step t of the chain: "
      "eps, "
      "x0, v, the score grad ln q(x_t), the mean of the step from x_t",
      quantity_names, FIELD(as), 0, 0 },
    { "clip", 0, OPTION_CHOICE, "CHOICE", "of --as x0 and --as mean: clip x0 (default: as trained)",
      clip_choices, FIELD(clip), 0, 0 },
    { "tolerance", 0, OPTION_NUMBER, "X", "largest absolute difference allowed (default: 1e-4)", NULL,
      FIELD(tolerance), 0, 1e30 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing FILE", NULL, FIELD(force), 0, 0 },
};
const struct command command_forward = {
    .name = "forward",
    .arguments = "MODEL IO",
    .least = 2,
    .most = 2,
    .run = run,
    .does = "Runs the network once on x [n,c,h,w], t [n] and y [n] (where the model has classes) of the "
            "safetensors file IO.\n"
            "The images may have any size that the levels of the network divide.\n"
            "Where IO holds `out`, prints the largest absolute and the relative difference, and exits 1 "
            "above the tolerance.",
    .examples = "  ddpm forward model.ddpm io.safetensors --conv gemm --json\n  ddpm forward model.ddpm "
                "io.safetensors -o out.safetensors\n  ddpm forward model.ddpm io.safetensors --as score -o "
                "score.safetensors\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
