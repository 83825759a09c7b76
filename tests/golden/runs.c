/* One whole run of K = 10 steps per family, from checkpoint to final x, against the original
   implementations: diffusers' DDPMScheduler (and 3 steps of its DDIMScheduler), guided-diffusion's
   SpacedDiffusion, ermongroup's ddpm_steps, lucidrains' ddim_sample.

   data/runs.safetensors (make_runs.py) holds NAME.x [2, c, h, w], computed in double, and NAME.spread,
   the mean absolute difference of the original's own float32 run. This program's network is float32 with
   another order of sums, so an error of the same size is expected; ten times as much is allowed. */
#include "base/rng.h"
#include "base/safetensors.h"
#include "check.h"
#include "converted.h"

enum { IMAGES = 2 };

struct run {
    const char *name, *checkpoint, *flags[CONVERTED_FLAGS], *steps, *spacing, *sampler, *variance;
    double eta;
};

/* Returns z[step, i] of the reference tables with seed 7; i counts the batch in NCHW order. */
static double counter_normal(uint64_t step, uint64_t i)
{
    uint64_t x = 7 + ((step << 32) + i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x = x ^ (x >> 31);
    return dd_rng_quantile(((double)(x >> 12) + 0.5) * 0x1p-52);
}

struct noise {
    const ddpm_tables *chain;
    const ddpm_about *about;
};

static void given_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const struct noise *n = user;
    size_t c = (size_t)n->about->channels, pixels = d / c;
    uint64_t step = 0;
    for (int i = 0; i < n->chain->K; i++)
        if (n->chain->t[i] == t)
            step = (uint64_t)(n->chain->K - i);
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++)
            z[p * c + k] = counter_normal(step, index * d + k * pixels + p);
    (void)draw;
}

/* Runs the sampler over the chain; x [IMAGES, d] is its last state. */
static void sample(double *x, const struct run *r, ddpm_model *m, ddpm_net *net)
{
    const ddpm_about *a = ddpm_model_about(m);
    const uint32_t index[IMAGES] = { 0, 1 };
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    ddpm_sampler_options o;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_error err;

    ddpm_sampler_defaults(&o, a);
    CHECK(ddpm_chain_respace(&chain, a, r->steps, r->spacing, &err) == 0);
    struct noise noise = { ddpm_chain_tables(chain), a };

    o.sampler = r->sampler;
    o.variance = r->variance;
    o.eta = r->eta;
    o.eps = ddpm_net_eps;
    o.eps_user = net;
    o.noise = given_noise;
    o.noise_user = &noise;

    REQUIRE(ddpm_sampler_create(&s, chain, &o, d, IMAGES, NULL, &err) == 0);
    CHECK(ddpm_sampler_start(s, index, NULL, IMAGES, NULL, noise.chain->K - 1, &err) == 0);
    while (ddpm_sampler_left(s) > 0)
        REQUIRE(ddpm_sampler_step(s, &err) == 0);

    memcpy(x, ddpm_sampler_state(s, NULL), IMAGES * d * sizeof *x);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static void compare(const double *x, const struct run *r, const ddpm_about *a)
{
    struct dd_file file;
    struct dd_safetensors s;
    char name[64];

    REQUIRE(dd_file_map(&file, check_path(check_source(), "tests/golden/data/runs.safetensors"), NULL) == 0);
    REQUIRE(dd_safetensors_read(&s, file.data, file.size, "runs", NULL) == 0);

    snprintf(name, sizeof name, "%s.x", r->name);
    const float *wanted = (const float *)(const void *)dd_safetensors_find(&s, name)->data;
    snprintf(name, sizeof name, "%s.spread", r->name);

    double spread, sum = 0;
    memcpy(&spread, dd_safetensors_find(&s, name)->data, sizeof spread);

    size_t c = (size_t)a->channels, pixels = (size_t)a->height * (size_t)a->width, n = IMAGES * pixels * c;
    for (size_t i = 0; i < IMAGES; i++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++)
                sum += fabs(x[(i * pixels + p) * c + k] - (double)wanted[(i * c + k) * pixels + p]);

    /* spread is a mean absolute difference too. */
    CHECK_NEAR(sum / (double)n, 0, 10 * spread);

    dd_safetensors_free(&s);
    dd_file_unmap(&file);
}

static void check_run(const struct run *r)
{
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    ddpm_error err = { 0 };
    const ddpm_net_options options = { .batch = IMAGES };

    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);

    const char *path = check_path(check_folder(), "model.ddpm");
    REQUIRE(converted(check_path(check_shared(), "reference/checkpoints/%s", r->checkpoint), r->flags,
                      path) == 0);
    REQUIRE(ddpm_model_open(&m, path, &err) == 0);
    REQUIRE(ddpm_net_create(&net, m, &options, &err) == 0);

    const ddpm_about *a = ddpm_model_about(m);
    double *x = calloc((size_t)(IMAGES * a->height * a->width * a->channels), sizeof *x);

    sample(x, r, m, net);
    compare(x, r, a);

    free(x);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

TEST(golden, run_diffusers)
{
    check_run(&(struct run){ "diffusers", "A1_google", { NULL }, "10", "leading", "ddpm", "beta", 0 });
}

TEST(golden, run_diffusers_ddim)
{
    check_run(&(struct run){
        "diffusers-ddim", "A1_google", { NULL }, "3", "leading", "ddim-diffusers", "auto", 0 });
}

TEST(golden, run_openai)
{
    check_run(&(struct run){ "openai",
                             "B3_guided_updown/ema_0.9999_000100.pt",
                             { "--set", "image_size=16", "--set", "attention_resolutions=8", "--set",
                               "num_head_channels=8", "--set", "use_new_attention_order=false", "--set",
                               "rescale_timesteps=false", "--set", "diffusion_steps=1000", "--set",
                               "noise_schedule=linear", "--set", "class_cond=false", NULL },
                             "10",
                             "iddpm",
                             "ddpm",
                             "learned",
                             0 });
}

TEST(golden, run_ho)
{
    check_run(&(struct run){ "ho",
                             "C1_pesser/model-790000.ckpt",
                             { "--set", "resolution=32", "--set", "attn_resolutions=16", NULL },
                             "10",
                             "leading",
                             "ddpm",
                             "beta",
                             0 });
}

TEST(golden, run_lucidrains)
{
    check_run(&(struct run){ "lucidrains",
                             "D2_trainer_pred_v/model-7.pt",
                             { "--set", "image_size=16", NULL },
                             "99,199,299,399,499,599,699,799,899,999",
                             NULL,
                             "ddim",
                             "auto",
                             1 });
}
