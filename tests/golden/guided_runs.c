/* Guidance without a classifier, against lucidrains' classifier_free_guidance (make_guidance.py): the
   predictions of cases/D4_guided for a class and for none, their mixture at scale 3, and a whole run of 10
   steps at that scale.

   data/guidance.safetensors holds them as computed in double.  `spread` is the largest difference that the
   original's own float32 makes in a prediction, guided.spread its mean difference in the run.  Ten times as
   much is allowed here, for another order of sums. */
#include "base/file.h"
#include "base/rng.h"
#include "base/safetensors.h"
#include "check.h"
#include "converted.h"
#include "tests/torch_init.h"

enum { IMAGES = 2, SIDE = 16, CHANNELS = 3, D = SIDE * SIDE * CHANNELS };

static const double scale = 3;

struct golden {
    struct dd_file file;
    struct dd_safetensors s;
    ddpm_model *m;
    ddpm_net *net;
    const ddpm_about *a;
    int32_t classes[IMAGES];
};

static const void *tensor(const struct golden *g, const char *name)
{
    return dd_safetensors_find(&g->s, name)->data;
}

static double number(const struct golden *g, const char *name)
{
    double x;
    memcpy(&x, tensor(g, name), sizeof x);
    return x;
}

static void open_golden(struct golden *g)
{
    static const char *const flags[CONVERTED_FLAGS] = { "--set", "image_size=16",
                                                        "--set", "objective=pred_v",
                                                        "--set", "timesteps=1000",
                                                        "--set", "beta_schedule=cosine" };
    const char *path = check_path(check_folder(), "guided.ddpm");
    const ddpm_net_options options = { .batch = 2 * IMAGES };

    REQUIRE(dd_file_map(&g->file, check_path(check_source(), "tests/golden/data/guidance.safetensors"),
                        NULL) == 0);
    REQUIRE(dd_safetensors_read(&g->s, g->file.data, g->file.size, "guidance", NULL) == 0);
    REQUIRE(converted(check_path(check_source(), "tests/golden/cases/D4_guided/unet.pt"), flags, path) == 0);
    REQUIRE(ddpm_model_open(&g->m, path, NULL) == 0);
    REQUIRE(ddpm_net_create(&g->net, g->m, &options, NULL) == 0);

    g->a = ddpm_model_about(g->m);
    for (int i = 0; i < IMAGES; i++)
        g->classes[i] = (int32_t)((const int64_t *)tensor(g, "y"))[i];
}

static void close_golden(struct golden *g)
{
    ddpm_net_free(g->net);
    ddpm_model_close(g->m);
    dd_safetensors_free(&g->s);
    dd_file_unmap(&g->file);
}

static ddpm_guidance *guidance_of(const struct golden *g, double w)
{
    const ddpm_guidance_options o = { .eps = ddpm_net_eps, .eps_user = g->net, .scale = w, .batch = IMAGES };
    ddpm_guidance *guidance = NULL;
    ddpm_error err;
    CHECK(ddpm_guidance_create(&guidance, g->a, &o, &err) == 0);
    return guidance;
}

/* Checks the predictions of both images, each at its own t, at scale w. */
static void check_scale(const struct golden *g, double w, const char *name)
{
    ddpm_guidance *guidance = guidance_of(g, w);
    double x[D], out[D];
    float image[D], nchw[D];
    ddpm_error err;

    for (int i = 0; i < IMAGES; i++) {
        const float *wanted = (const float *)tensor(g, name) + i * D;
        torch_to_nhwc(image, (const float *)tensor(g, "x") + i * D, CHANNELS, SIDE, SIDE);
        for (int e = 0; e < D; e++)
            x[e] = image[e];
        CHECK(ddpm_guidance_eps(guidance, out, x, (double)((const int64_t *)tensor(g, "t"))[i],
                                &g->classes[i], 1, &err) == 0);

        for (int e = 0; e < D; e++)
            image[e] = (float)out[e];
        torch_to_nchw(nchw, image, CHANNELS, SIDE, SIDE);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(nchw[e], wanted[e], 10 * number(g, "spread"));
    }
    ddpm_guidance_free(guidance);
}

TEST(golden, guidance_of_predictions)
{
    struct golden g = { .m = NULL };
    open_golden(&g);
    CHECK(g.a->classes == 5 && g.a->null_class);
    check_scale(&g, 1, "own");
    check_scale(&g, 0, "none");
    check_scale(&g, scale, "mixed");
    close_golden(&g);
}

/* Returns z[0, i] of the reference tables with seed 7; i counts the batch in NCHW order. */
static double counter_normal(uint64_t i)
{
    uint64_t x = 7 + (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x = x ^ (x >> 31);
    return dd_rng_quantile(((double)(x >> 12) + 0.5) * 0x1p-52);
}

TEST(golden, guidance_of_a_run)
{
    static const uint32_t index[IMAGES] = { 0, 1 };
    struct golden g = { .m = NULL };
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_sampler_options o;
    ddpm_error err;
    double x[IMAGES * D], sum = 0;

    open_golden(&g);
    ddpm_guidance *guidance = guidance_of(&g, scale);
    ddpm_sampler_defaults(&o, g.a);
    o.sampler = "ddim";
    o.eps = ddpm_guidance_eps;
    o.eps_user = guidance;
    REQUIRE(ddpm_chain_respace(&chain, g.a, "99,199,299,399,499,599,699,799,899,999", NULL, &err) == 0);
    REQUIRE(ddpm_sampler_create(&s, chain, &o, D, IMAGES, NULL, &err) == 0);

    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int k = 0; k < CHANNELS; k++)
                x[i * D + p * CHANNELS + k] = counter_normal((uint64_t)(i * D + k * SIDE * SIDE + p));
    REQUIRE(ddpm_sampler_start(s, index, g.classes, IMAGES, x, 9, &err) == 0);
    while (ddpm_sampler_left(s) > 0)
        REQUIRE(ddpm_sampler_step(s, &err) == 0);

    const double *made = ddpm_sampler_state(s, NULL);
    const float *wanted = tensor(&g, "guided.x");
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int k = 0; k < CHANNELS; k++)
                sum += fabs(made[i * D + p * CHANNELS + k] - wanted[i * D + k * SIDE * SIDE + p]);
    CHECK_NEAR(sum / (IMAGES * D), 0, 10 * number(&g, "guided.spread"));

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    ddpm_guidance_free(guidance);
    close_golden(&g);
}
