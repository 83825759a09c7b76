/* Guidance with a classifier, against guided-diffusion (make_classifier.py): the logits of its classifier for
   two noisy images, the gradient of log p(y | x), and whole runs of 5 steps that it guides, ancestral
   (Dhariwal and Nichol 2021, algorithm 1) and DDIM (algorithm 2).

   The classifier's weights are numbers of SplitMix64, and its checkpoint is written here by the names and
   shapes that data/classifier.safetensors lists.  The network of the runs is cases/B3_guided_updown, which
   has no classes.  `spread` holds the largest difference that the original's own float32 makes in logits,
   gradient, ancestral and ddim.  Ten times as much is allowed here, for another order of sums. */
#include "base/file.h"
#include "base/rng.h"
#include "base/safetensors.h"
#include "tests/check.h"
#include "tests/converted.h"
#include "tests/torch_init.h"

enum { IMAGES = 2, SIDE = 16, CHANNELS = 3, D = SIDE * SIDE * CHANNELS, CLASSES = 5, TENSORS = 128 };

enum { LOGITS, GRADIENT, ANCESTRAL, DDIM };

static const double scale = 100;

struct golden {
    struct dd_file file;
    struct dd_safetensors s;
    ddpm_model *classifier, *m;
    int32_t classes[IMAGES];
};

static const void *tensor(const struct golden *g, const char *name)
{
    return dd_safetensors_find(&g->s, name)->data;
}

static double tolerance(const struct golden *g, int what)
{
    double spread[4];
    memcpy(spread, tensor(g, "spread"), sizeof spread);
    return 10 * spread[what];
}

/* Returns number i of SplitMix64 with this seed, as the middle of one of 2^52 equal parts of (0, 1). */
static double counter_uniform(uint64_t seed, uint64_t i)
{
    uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x = x ^ (x >> 31);
    return ((double)(x >> 12) + 0.5) * 0x1p-52;
}

/* Returns the weights of a tensor, whose first number has this index; the caller frees them. */
static float *weights(const struct dd_entry *e, uint64_t first)
{
    const char *end = strrchr(e->name, '.');
    double center = e->rank == 1 && !strcmp(end, ".weight") ? 1 : 0;
    double width = e->rank == 1 ? 0.2 : sqrt(3 / ((double)e->count / (double)e->dim[0]));
    float *w = malloc(e->count * sizeof *w);
    for (uint64_t k = 0; w && k < e->count; k++)
        w[k] = (float)(width * (2 * counter_uniform(21, first + k) - 1) + center);
    return w;
}

/* Reads a line "NAME A,B,C" up to the next semicolon; returns what follows. */
static const char *read_entry(struct dd_entry *e, char name[96], const char *text)
{
    int used = 0;
    *e = (struct dd_entry){ .name = name, .dtype = DD_F32, .count = 1 };
    if (sscanf(text, "%95[^ ] %n", name, &used) != 1)
        return NULL;
    for (text += used; *text && *text != ';'; text += *text == ',') {
        char *end;
        e->dim[e->rank] = strtoull(text, &end, 10);
        e->count *= e->dim[e->rank++];
        text = end;
    }
    e->size = e->count * sizeof(float);
    return *text ? text + 1 : text;
}

/* Writes the classifier's checkpoint, as safetensors under the original's names. */
static void write_classifier(const struct golden *g, const char *path)
{
    struct dd_entry entry[TENSORS];
    char name[TENSORS][96];
    const char *text = dd_safetensors_meta(&g->s, "tensors");
    size_t n = 0;
    uint64_t first = 0;
    ddpm_error err;

    for (; text && *text && n < TENSORS; n++) {
        text = read_entry(&entry[n], name[n], text);
        entry[n].data = (const unsigned char *)weights(&entry[n], first);
        first += entry[n].count;
    }
    FILE *f = fopen(path, "wb");
    REQUIRE(f && text && dd_safetensors_write(f, entry, n, NULL, &err) == 0 && fclose(f) == 0);
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)entry[i].data);
}

static void open_golden(struct golden *g)
{
    static const char *const of_classifier[CONVERTED_FLAGS] = { "--set", "image_size=16",
                                                                "--set", "num_head_channels=8",
                                                                "--set", "classifier_attention_resolutions=8",
                                                                "--set", "diffusion_steps=1000",
                                                                "--set", "noise_schedule=linear" };
    static const char *const of_model[CONVERTED_FLAGS] = { "--set", "image_size=16",
                                                           "--set", "num_head_channels=8",
                                                           "--set", "diffusion_steps=1000",
                                                           "--set", "noise_schedule=linear" };
    const char *weights_path = check_path(check_folder(), "classifier.safetensors");
    const char *classifier = check_path(check_folder(), "classifier.ddpm");
    const char *model = check_path(check_folder(), "model.ddpm");
    const char *unet = check_path(check_source(), "tests/golden/cases/B3_guided_updown/ema_0.9999_000100.pt");

    REQUIRE(dd_file_map(&g->file, check_path(check_source(), "tests/golden/data/classifier.safetensors"),
                        NULL) == 0);
    REQUIRE(dd_safetensors_read(&g->s, g->file.data, g->file.size, "classifier", NULL) == 0);
    write_classifier(g, weights_path);
    REQUIRE(converted(weights_path, of_classifier, classifier) == 0);
    REQUIRE(converted(unet, of_model, model) == 0);
    REQUIRE(ddpm_model_open(&g->classifier, classifier, NULL) == 0);
    REQUIRE(ddpm_model_open(&g->m, model, NULL) == 0);
    for (int i = 0; i < IMAGES; i++)
        g->classes[i] = (int32_t)((const int64_t *)tensor(g, "y"))[i];
}

static void close_golden(struct golden *g)
{
    ddpm_model_close(g->classifier);
    ddpm_model_close(g->m);
    dd_safetensors_free(&g->s);
    dd_file_unmap(&g->file);
}

TEST(golden, classifier_logits)
{
    struct golden g = { .m = NULL };
    ddpm_net *net;
    ddpm_error err;
    float x[IMAGES * D], t[IMAGES], logits[IMAGES * CLASSES];

    open_golden(&g);
    const ddpm_about *a = ddpm_model_about(g.classifier);
    CHECK(a->classifier && a->classes == CLASSES && a->outputs == CLASSES && a->width == SIDE);

    const float *wanted = tensor(&g, "logits");
    REQUIRE(ddpm_net_create(&net, g.classifier, NULL, &err) == 0);
    for (int i = 0; i < IMAGES; i++) {
        torch_to_nhwc(x + i * D, (const float *)tensor(&g, "x") + i * D, CHANNELS, SIDE, SIDE);
        t[i] = (float)((const int64_t *)tensor(&g, "t"))[i];
    }
    CHECK(ddpm_net_run(net, logits, x, t, NULL, IMAGES, &err) == 0);
    for (int k = 0; k < IMAGES * CLASSES; k++)
        CHECK_NEAR(logits[k], wanted[k], tolerance(&g, LOGITS));
    ddpm_net_free(net);
    close_golden(&g);
}

TEST(golden, classifier_gradient)
{
    struct golden g = { .m = NULL };
    ddpm_classifier *c;
    ddpm_error err;
    double x[D], gradient[D];
    float image[D], nchw[D];

    open_golden(&g);
    REQUIRE(ddpm_classifier_create(&c, g.classifier, ddpm_model_about(g.m), NULL, &err) == 0);
    for (int i = 0; i < IMAGES; i++) {
        const float *wanted = (const float *)tensor(&g, "gradient") + i * D;
        torch_to_nhwc(image, (const float *)tensor(&g, "x") + i * D, CHANNELS, SIDE, SIDE);
        for (int e = 0; e < D; e++)
            x[e] = image[e];
        CHECK(ddpm_classifier_gradient(c, gradient, x, (double)((const int64_t *)tensor(&g, "t"))[i],
                                       &g.classes[i], 1, &err) == 0);
        for (int e = 0; e < D; e++)
            image[e] = (float)gradient[e];
        torch_to_nchw(nchw, image, CHANNELS, SIDE, SIDE);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(nchw[e], wanted[e], tolerance(&g, GRADIENT));
    }
    ddpm_classifier_free(c);
    close_golden(&g);
}

/* ---- runs ---- */

enum { STEPS = 5 };

/* Fills z [d] with the noise of an image at executed step j of the original, which draws z[0] for x_T. */
static void counter_noise(double *z, uint32_t index, int j)
{
    for (int p = 0; p < SIDE * SIDE; p++)
        for (int k = 0; k < CHANNELS; k++) {
            uint64_t i = ((uint64_t)j << 32) + index * D + (uint64_t)(k * SIDE * SIDE + p);
            z[p * CHANNELS + k] = dd_rng_quantile(counter_uniform(7, i));
        }
}

/* A ddpm_noise_fn; user is the chain's tables. */
static void run_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const ddpm_tables *tables = user;
    int j = 0;
    (void)d;
    (void)draw;
    while (isfinite(t) && tables->t[STEPS - 1 - j] != t)
        j++;
    counter_noise(z, index, isfinite(t) ? j + 1 : 0);
}

static void check_run(const char *sampler, const char *name, int what)
{
    static const uint32_t index[IMAGES] = { 0, 1 };
    const ddpm_net_options batch = { .batch = IMAGES };
    struct golden g = { .m = NULL };
    ddpm_net *net;
    ddpm_classifier *c;
    ddpm_chain *chain;
    ddpm_sampler *s;
    ddpm_sampler_options o;
    ddpm_error err;

    open_golden(&g);
    const ddpm_about *a = ddpm_model_about(g.m);
    REQUIRE(ddpm_net_create(&net, g.m, &batch, &err) == 0);
    REQUIRE(ddpm_classifier_create(&c, g.classifier, a, &batch, &err) == 0);
    REQUIRE(ddpm_chain_respace(&chain, a, "5", NULL, &err) == 0);

    ddpm_sampler_defaults(&o, a);
    o.sampler = sampler;
    o.clip = 0;
    o.eps = ddpm_net_eps;
    o.eps_user = net;
    o.classifier = ddpm_classifier_gradient;
    o.classifier_user = c;
    o.classifier_scale = scale;
    o.noise = run_noise;
    o.noise_user = (void *)(uintptr_t)ddpm_chain_tables(chain);
    REQUIRE(ddpm_sampler_create(&s, chain, &o, D, IMAGES, NULL, &err) == 0);
    REQUIRE(ddpm_sampler_start(s, index, g.classes, IMAGES, NULL, 0, &err) == 0);
    while (ddpm_sampler_left(s) > 0)
        REQUIRE(ddpm_sampler_step(s, &err) == 0);

    const double *made = ddpm_sampler_state(s, NULL);
    const float *wanted = tensor(&g, name);
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int k = 0; k < CHANNELS; k++)
                CHECK_NEAR(made[i * D + p * CHANNELS + k], wanted[i * D + k * SIDE * SIDE + p],
                           tolerance(&g, what));

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    ddpm_classifier_free(c);
    ddpm_net_free(net);
    close_golden(&g);
}

TEST(golden, classifier_ancestral_run)
{
    check_run("ddpm", "ancestral", ANCESTRAL);
}

TEST(golden, classifier_ddim_run)
{
    check_run("ddim", "ddim", DDIM);
}
