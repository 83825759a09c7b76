/* Measures what guidance, known pixels and other sizes add to the runs of the network: the processor time of
   a chain that has them, against that of the same runs without.

     guidance       a step against two steps without guidance (at most 1.05)
     known pixels   a call of the network in an inpainting against a call without it (at most 1.05)
     sizes          an image of 64 x 16 and of 16 x 64 against one of 32 x 32 (within 10 %)
     classifier     a step that a classifier guides against a step without it

   Both of a pair take turns, and the least times of all rounds are compared.  Networks have random weights:
   the CIFAR-10 network of Ho et al. with 10 classes, and for the classifier openai64 beside the classifier of
   64 x 64 of guided-diffusion.

     ddpm-bench guidance [--batch N] [--threads N] [--steps N] [--rounds N] */
#include "bench/bench.h"
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/known_nets.h"

static const char classifier_net[] =
    "\"arch\": \"encoder\", \"height\": 64, \"width\": 64, \"channels\": 3, \"classes\": 1000, \"init\": "
    "128, "
    "\"widths\": [128,256,384,512], \"blocks\": 4, \"heads\": {\"down\": [0,4,6,8], \"mid\": 8, \"pool\": "
    "8}, "
    "\"norm\": {\"groups\": 32, \"eps\": 1e-5, \"mid_attention\": 32}, "
    "\"time\": {\"dim\": 128, \"hidden\": 512, \"order\": \"cos,sin\"}, "
    "\"scale_shift\": true, \"down\": [\"res\",\"res\",\"res\"], \"dropout\": 0";
static const char classifier_diffusion[] = "\"steps\": 4000, \"name\": \"cosine\", \"t_scale\": 0.25";

struct settings {
    ddpm_net_options net;
    int steps, rounds;
};

/* A chain with its sampler, and how it is started.  calls counts those of the network. */
struct run {
    ddpm_net *net;
    ddpm_guidance *guidance;
    ddpm_classifier *classifier;
    ddpm_chain *chain;
    ddpm_sampler *sampler;
    double *known; /* what an inpainting keeps, or NULL */
    int batch, classes;
    long calls;
};

/* What a run has beside the network. */
struct extra {
    bool guided, inpaints;
    const ddpm_model *classifier;
};

static int eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
               ddpm_error *err)
{
    struct run *r = user;
    r->calls++;
    return r->guidance ? ddpm_guidance_eps(r->guidance, out, x, t, classes, n, err)
                       : ddpm_net_eps(r->net, out, x, t, classes, n, err);
}

static int make(ddpm_model **m, const char *net, const char *diffusion, ddpm_error *err)
{
    char json[4096];
    known_net_json(json, sizeof json, net, diffusion);
    int code = ddpm_model_create(m, json, err);
    if (!code)
        ddpm_model_init(*m, 1);
    return code;
}

/* Makes a known network, with 10 classes and a null class if it is to be guided. */
static int make_known(ddpm_model **m, const char *name, bool guided, ddpm_error *err)
{
    static const char without[] = "\"classes\": 0", with[] = "\"classes\": 10, \"null_class\": true";
    const struct known_net *known = known_net_find(name);
    const char *at = strstr(known->net, without);
    char net[4096];
    if (!guided)
        return make(m, known->net, known->diffusion, err);
    snprintf(net, sizeof net, "%.*s%s%s", (int)(at - known->net), known->net, with, at + strlen(without));
    return make(m, net, known->diffusion, err);
}

static void run_close(struct run *r)
{
    ddpm_sampler_free(r->sampler);
    ddpm_chain_free(r->chain);
    ddpm_guidance_free(r->guidance);
    ddpm_classifier_free(r->classifier);
    ddpm_net_free(r->net);
    free(r->known);
}

/* Fills what an inpainting keeps: every second element. */
static int keep_half(struct run *r, size_t d)
{
    r->known = malloc((size_t)r->batch * d * sizeof *r->known);
    for (size_t e = 0; r->known && e < (size_t)r->batch * d; e++)
        r->known[e] = e % 2 ? NAN : 0.5;
    return r->known ? DDPM_OK : DDPM_ENOMEM;
}

static int run_open(struct run *r, const ddpm_model *m, const struct extra *with, const struct settings *s,
                    ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    char steps[16];
    ddpm_sampler_options o;
    *r = (struct run){ .classes = a->classes, .batch = s->net.batch };

    ddpm_guidance_options mixed = { .eps = ddpm_net_eps, .scale = 2, .batch = r->batch };
    snprintf(steps, sizeof steps, "%d", s->steps);
    ddpm_sampler_defaults(&o, a);
    o.eps = eps;
    o.eps_user = r;

    int code = ddpm_net_create(&r->net, m, &s->net, err);
    mixed.eps_user = r->net;
    if (!code && with->guided)
        code = ddpm_guidance_create(&r->guidance, a, &mixed, err);
    if (!code && with->classifier)
        code = ddpm_classifier_create(&r->classifier, with->classifier, a, &s->net, err);
    if (r->classifier) {
        o.classifier = ddpm_classifier_gradient;
        o.classifier_user = r->classifier;
    }
    if (!code)
        code = ddpm_chain_respace(&r->chain, a, steps, NULL, err);
    if (!code)
        code = ddpm_sampler_create(&r->sampler, r->chain, &o, d, r->batch, NULL, err);
    return !code && with->inpaints ? keep_half(r, d) : code;
}

/* Runs the chain from its start.  Sets *seconds to the processor time of a call of the network. */
static int time_run(struct run *r, double *seconds, ddpm_error *err)
{
    enum { BATCH_MOST = 64 };

    static const uint32_t index[BATCH_MOST];
    static const int32_t classes[BATCH_MOST];
    const ddpm_keep keep = { r->known, 3, 2, 0 };

    int code = ddpm_sampler_start(r->sampler, index, r->classes || r->classifier ? classes : NULL, r->batch,
                                  NULL, 0, err);
    if (!code && r->known)
        code = ddpm_sampler_keep(r->sampler, &keep, err);

    r->calls = 0;
    clock_t begun = clock();
    while (!code && ddpm_sampler_left(r->sampler) > 0)
        code = ddpm_sampler_step(r->sampler, err);
    *seconds = (double)(clock() - begun) / CLOCKS_PER_SEC / (double)(r->calls ? r->calls : 1);
    return code;
}

/* Prints how much longer a call of `with` takes than `times` calls of `without`. */
static int compare(const char *name, struct run *with, struct run *without, double times,
                   const struct settings *s, ddpm_error *err)
{
    double a = INFINITY, b = INFINITY, seconds;
    int code = DDPM_OK;

    /* The first round touches fresh memory and is not counted. */
    for (int i = 0; i <= s->rounds && !code; i++) {
        code = time_run(without, &seconds, err);
        b = i ? fmin(b, seconds) : b;
        if (!code)
            code = time_run(with, &seconds, err);
        a = i ? fmin(a, seconds) : a;
    }
    if (!code)
        printf("  %-44s %9.2f ms, without %9.2f ms: %.3f\n", name, 1e3 * a / with->batch,
               1e3 * times * b / without->batch, a / (times * b));
    return code;
}

/* Compares a run of m that has `with` with one of `plain`, which has nothing. */
static int measure(const char *name, const ddpm_model *m, const struct extra *with, const ddpm_model *plain,
                   double times, const struct settings *s, ddpm_error *err)
{
    struct run a = { .net = NULL }, b = { .net = NULL };
    int code = run_open(&a, m, with, s, err);
    if (!code)
        code = run_open(&b, plain, &(struct extra){ .guided = false }, s, err);
    if (!code)
        code = compare(name, &a, &b, times, s, err);
    run_close(&a);
    run_close(&b);
    return code;
}

static int measure_cifar(const struct settings *s, ddpm_error *err)
{
    const struct extra nothing = { .guided = false };
    ddpm_model *m = NULL, *other = NULL;
    int code = make_known(&m, "cifar10", true, err);
    if (!code)
        code = make_known(&other, "cifar10", true, err);
    if (!code)
        code = measure("a guided step, against two", m, &(struct extra){ .guided = true }, m, 2, s, err);
    if (!code)
        code = measure("a call with known pixels", m, &(struct extra){ .inpaints = true }, m, 1, s, err);
    if (!code)
        code = ddpm_model_resize(other, 16, 64, err);
    if (!code)
        code = measure("64 x 16 pixels, against 32 x 32", other, &nothing, m, 1, s, err);
    if (!code)
        code = ddpm_model_resize(other, 64, 16, err);
    if (!code)
        code = measure("16 x 64 pixels, against 32 x 32", other, &nothing, m, 1, s, err);
    ddpm_model_close(m);
    ddpm_model_close(other);
    return code;
}

static int measure_classifier(const struct settings *s, ddpm_error *err)
{
    struct extra with = { .guided = false };
    ddpm_model *m = NULL, *classifier = NULL;
    int code = make_known(&m, "openai64", false, err);
    if (!code)
        code = make(&classifier, classifier_net, classifier_diffusion, err);
    with.classifier = classifier;
    if (!code)
        code = measure("openai64 with its classifier", m, &with, m, 1, s, err);
    ddpm_model_close(m);
    ddpm_model_close(classifier);
    return code;
}

static int parse(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){ .net = { .batch = 2, .threads = 1 }, .steps = 4, .rounds = 12 };
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--batch"))
            s->net.batch = (int)bench_number(argv[i], value, 1, 64);
        else if (!strcmp(argv[i], "--threads"))
            s->net.threads = (int)bench_number(argv[i], value, 1, INT_MAX);
        else if (!strcmp(argv[i], "--steps"))
            s->steps = (int)bench_number(argv[i], value, 1, 1000);
        else if (!strcmp(argv[i], "--rounds"))
            s->rounds = (int)bench_number(argv[i], value, 1, INT_MAX);
        else {
            fprintf(stderr, "ddpm-bench guidance: unknown argument %s\n", argv[i]);
            return 64;
        }
    }
    return 0;
}

int bench_guidance(int argc, char **argv)
{
    struct settings s;
    ddpm_error err;
    int code = parse(&s, argc, argv);
    if (code)
        return code;

    printf("cifar10 and openai64, batch %d, %d thread%s, processor time an image\n", s.net.batch,
           s.net.threads, s.net.threads > 1 ? "s" : "");
    code = measure_cifar(&s, &err);
    if (!code)
        code = measure_classifier(&s, &err);
    if (!code)
        return 0;
    fprintf(stderr, "ddpm-bench guidance: %s\n", err.text);
    return 1;
}
