/* Chooses a batch that fits into the memory.

   A network for one image is made, and the largest memory of the process so far is measured.  A batch takes

     peak(batch) = peak(1) + (batch - 1) (activations + scratch + samples) + images kept,

   where activations and scratch for one image are the network's own numbers.  B images take at most B times
   as much.  A classifier beside the network adds its own activations and scratch. */
#include "cli/memory_limit.h"
#include "base/error.h"
#include "base/system.h"
#include "cli/command_model.h"

/* How many arrays of an image's size lie beside the network: two for each buffer of a sampler (at most 4),
   input, output, x0, noise, start, and what a stop saves. */
enum { STATES = 20 };

void memory_limit_find(struct memory_limit *l, const char *sysroot)
{
    if (l->bytes > 0)
        return;
    l->bytes = dd_system_memory_limit(&l->name, sysroot);
}

/* Sets *bytes to what the networks take for one image, of the model and of the classifier, if there is one.
   Making them has raised the process's largest memory to what both take. */
static int network_bytes(double *bytes, const struct memory_limit *l, ddpm_error *err)
{
    const ddpm_net_options one = {
        .batch = 1, .threads = (int)l->common->threads, .cpu = l->common->cpu, .conv = l->common->conv
    };
    ddpm_net *net = NULL;
    ddpm_vjp *vjp = NULL;
    ddpm_classifier *classifier = NULL;
    int code = l->backward ? model_vjp(&vjp, l->model, l->common, 1, err)
                           : model_net(&net, l->model, l->common, 1, err);
    if (code)
        return code;
    if (l->classifier)
        code = ddpm_classifier_create(&classifier, l->classifier, ddpm_model_about(l->model), &one, err);
    if (code)
        dd_error_context(err, "--classifier");

    const ddpm_net_about *n = vjp ? ddpm_vjp_describe(vjp) : ddpm_net_describe(net);
    *bytes = (double)n->activations + (double)n->scratch;
    if (classifier) {
        n = ddpm_classifier_describe(classifier);
        *bytes += (double)n->activations + (double)n->scratch;
    }
    ddpm_classifier_free(classifier);
    ddpm_vjp_free(vjp);
    ddpm_net_free(net);
    return code;
}

/* Makes *batch smaller until the process fits.  asked: the user chose the batch.  DDPM_ENOMEM: one image
   does not fit, or the batch that was asked for does not. */
static int fit_batch(int *batch, bool asked, const struct memory_limit *l, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(l->model);
    double d = (double)a->height * a->width * a->channels;
    double networks;
    if (!(l->bytes > 0))
        return DDPM_OK;

    int code = network_bytes(&networks, l, err);
    if (code)
        return code;

    /* All are bytes; d is the number of values of an image. */
    double samples = (STATES + 2.0 * l->frames) * d * sizeof(double);
    double kept = l->images * d * l->frames * sizeof(float);
    double image = networks + samples;
    double first = dd_system_memory_peak() + samples + kept;

    double fit = 1 + (l->bytes - first) / image;
    if (fit < 1)
        return dd_error(err, DDPM_ENOMEM, "out of memory: a single image takes %.0f MB, %s is %.0f MB",
                        first / 1e6, l->name, l->bytes / 1e6);

    if (asked && fit < *batch)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory: a batch of %d takes %.0f MB, %s is %.0f MB: --batch %d fits", *batch,
                        (first + (*batch - 1) * image) / 1e6, l->name, l->bytes / 1e6, (int)fit);
    *batch = fit < *batch ? (int)fit : *batch;
    return DDPM_OK;
}

int memory_limit_batch(int *batch, bool asked, const struct memory_limit *l, ddpm_error *err)
{
    int wanted = *batch, code = fit_batch(batch, asked, l, err);
    if (!code && *batch < wanted)
        remark(l->command, l->common, "%d images at a time, not %d: %s is %.0f MB", *batch, wanted, l->name,
               l->bytes / 1e6);
    return code;
}
