/* Whole networks without a file: weights are rebuilt from torch's seed 0, outputs are compared with
   those of the original programs. */
#include "base/file.h"
#include "base/safetensors.h"
#include "tests/check.h"
#include "tests/known_nets.h"
#include "tests/process_memory.h"
#include "tests/torch_init.h"

/* The network of checkpoint-families.md 9.2, UNet2DModel((4, 8), layers_per_block 1, groups 4, 8 x 8),
   with 11767 parameters. */
static const char small_net[] =
    "\"arch\": \"ddpm\", \"height\": 8, \"width\": 8, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
    "\"init\": 4, \"widths\": [4,8], \"blocks\": 1, "
    "\"mid\": true, \"act\": \"silu\", \"heads\": {\"down\": [0,1], \"mid\": 1, \"up\": [0,1], \"dim\": 0}, "
    "\"norm\": {\"groups\": 4, \"eps\": 1e-5, \"mid_attention\": 4}, \"time\": {\"dim\": 4, \"hidden\": 16, "
    "\"order\": \"cos,sin\"}, "
    "\"scale_shift\": false, \"pad\": \"both\", \"down\": [\"conv\"], \"up\": [\"conv\"], \"mid_scale\": 1, "
    "\"center\": false, \"dropout\": 0";

static ddpm_model *model(const char *net, const char *diffusion, int freq_shift)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    known_net_json(json, sizeof json, net, diffusion);
    if (ddpm_model_create(&m, json, &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return NULL;
    }
    torch_init(m, 0, freq_shift);
    return m;
}

/* Computes out [steps, c, h, w] for x = randn(1, c, h, w) from a fresh generator with seed 0. */
static int outputs(float *out, const ddpm_model *m, const float *t, int steps, const ddpm_net_options *o)
{
    const ddpm_about *a = ddpm_model_about(m);
    size_t d = (size_t)(a->height * a->width * a->channels);
    float *z = malloc(d * sizeof *z), *x = malloc((size_t)steps * d * sizeof *x),
          *y = malloc((size_t)steps * d * sizeof *y);
    struct torch_random random;
    ddpm_net *net = NULL;
    ddpm_error err = { 0, "" };

    torch_seed(&random, 0);
    torch_randn(&random, z, d);
    for (int i = 0; i < steps; i++)
        torch_to_nhwc(x + (size_t)i * d, z, a->channels, a->height, a->width);

    int code = ddpm_net_create(&net, m, o, &err);
    if (!code)
        code = ddpm_net_run(net, y, x, t, NULL, steps, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);

    for (int i = 0; i < steps; i++)
        torch_to_nchw(out + (size_t)i * d, y + (size_t)i * d, a->channels, a->height, a->width);

    ddpm_net_free(net);
    free(z);
    free(x);
    free(y);
    return code;
}

TEST(golden, torch_random)
{
    static const float first[] = { -1.12583983f, -1.15236020f, -0.25057858f, -0.43387884f,
                                   0.84871036f,  0.69200915f,  -0.31601277f, -2.11521935f };
    struct torch_random r;
    float z[16];
    torch_seed(&r, 5489);
    CHECK(torch_word(&r) == 3499211612u);
    torch_seed(&r, 0);
    torch_randn(&r, z, 16);
    for (int i = 0; i < 8; i++)
        CHECK_NEAR(z[i], first[i], 4e-7); /* an ulp or two, by which torch's own builds differ */
}

/* The published first weights. checkpoint-families.md prints 11 decimals of numbers up to 0.5, which are
   exact to an ulp of float32. */
TEST(golden, torch_weights)
{
    static const struct {
        const char *name;
        float w[4];
        int n;
    } known[] = {
        { "conv_in.weight", { -0.00144083798f, 0.10323862731f, -0.15839511156f, -0.14163152874f }, 4 },
        { "conv_in.bias", { -0.01060391963f, 0.02889542282f, -0.07881414145f, 0.11419557035f }, 4 },
        { "time_embedding.linear_1.weight", { -0.30426955223f, 0.45368504524f, 0.34264993668f }, 3 },
        { "conv_out.bias", { 0.07122831047f, 0.09708647430f, 0.06836891174f }, 3 },
    };

    const ddpm_tensor *list;
    ddpm_model *m = model(small_net, known_net_find("cifar10")->diffusion, 0);
    REQUIRE(m);
    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            for (int j = 0; !strcmp(list[i].name, known[k].name) && j < known[k].n; j++)
                CHECK_NEAR(((float *)list[i].data)[j], known[k].w[j], 3e-8);
    ddpm_model_close(m);
}

/* The tolerance is that of reference/checkpoints/README.md for float32 networks of this kind, but at
   least 2e-5 for an element. */
TEST(golden, small_network)
{
    static const float t[] = { 500, 0 };
    static const double row[2][4] = { { 0.4580363, 0.3711711, 0.2774109, 0.3269466 },
                                      { 0.4081720, 0.3534791, 0.2403390, 0.2942829 } };
    static const double last[4] = { -0.1924801, -0.5212068, -0.5353010, -0.3330092 },
                        sums[2] = { 49.929685, 49.313219 };
    float out[2][192];
    ddpm_model *m = model(small_net, known_net_find("cifar10")->diffusion, 0);

    REQUIRE(m);
    if (outputs(out[0], m, t, 2, NULL) == DDPM_OK)
        for (int i = 0; i < 2; i++) {
            double sum = 0;
            for (int k = 0; k < 192; k++)
                sum += fabs(out[i][k]);
            for (int k = 0; k < 4; k++)
                CHECK_NEAR(out[i][k], row[i][k], 2e-5);
            CHECK_NEAR(sum, sums[i], 192 * 2e-5);
        }

    for (int k = 0; k < 4; k++)
        CHECK_NEAR(out[0][188 + k], last[k], 2e-5);

    ddpm_model_close(m);
}

/* The noise of two steps, t = 500 and 0, from x_T = randn(1, 3, 8, 8) of seed 0. The first step's noise
   continues the same generator. */
static void torch_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    float drawn[192], x[192];
    torch_randn(user, drawn, 192);
    torch_to_nhwc(x, drawn, 3, 8, 8);
    for (size_t i = 0; i < d; i++)
        z[i] = (double)x[i];
    (void)index, (void)t, (void)draw;
}

static void published(const char *sampler, const char *variance, const double *pixel, double tolerance,
                      double published_sum)
{
    const uint32_t index = 0;
    struct torch_random random;
    ddpm_sampler_options o;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_net *net = NULL;
    ddpm_error err = { 0, "" };
    ddpm_model *m = model(small_net, known_net_find("cifar10")->diffusion, 0);

    REQUIRE(m && !ddpm_net_create(&net, m, NULL, &err) &&
            !ddpm_chain_respace(&chain, ddpm_model_about(m), "0,500", NULL, &err));

    torch_seed(&random, 0);
    ddpm_sampler_defaults(&o, ddpm_model_about(m));
    o.sampler = sampler, o.variance = variance, o.eta = 0;
    o.eps = ddpm_net_eps, o.eps_user = net, o.noise = torch_noise, o.noise_user = &random;
    REQUIRE(!ddpm_sampler_create(&s, chain, &o, 192, 1, NULL, &err) &&
            !ddpm_sampler_start(s, &index, NULL, 1, NULL, 1, &err));

    while (ddpm_sampler_left(s) > 0)
        REQUIRE(!ddpm_sampler_step(s, &err));

    const double *x = ddpm_sampler_state(s, NULL);
    double sum = 0;
    for (int i = 0; i < 192; i++)
        sum += fabs(x[i]);
    for (int i = 0; i < 9; i++)
        CHECK_NEAR(fmin(1, fmax(0, x[((5 + i / 3) * 8 + 5 + i % 3) * 3 + 2] / 2 + 0.5)), pixel[i], tolerance);
    CHECK_NEAR(sum, published_sum, 192 * 2e-5 * 7);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

/* The expected pixels and their tolerances are those of diffusers' own tests (checkpoint-families.md
   9.2), and so is the sum over |x|. In the sum an element may be off by the network's 2e-5 times sqrt(1
   / alpha_bar_500 - 1) = 3.4, and as much again in the second step. alpha_bar here is not rounded to
   float32. */
TEST(golden, published_pixels)
{
    static const double ddpm[] = {
        0.0, 0.9996672, 0.00329116, 1.0, 0.9995991, 1.0, 0.0060907, 0.00115037, 0.0
    };
    static const double ddim[] = { 0.0, 0.9979, 0.0, 0.9999, 0.9986, 0.9991, 7.106e-4, 0.0, 0.0 };
    published("ddpm", "beta-tilde", ddpm, 1e-2, 166.954440);
    published("ddim-diffusers", "auto", ddim, 1e-3, 167.329887);
}

/* Lets the peak of the memory begin anew at what is held now; returns 0 when this system cannot. */
static int forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    int done = f && fputs("5", f) >= 0;
    return f ? fclose(f) == 0 && done : 0;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static float *stored_eps(size_t floats)
{
    struct dd_file f;
    struct dd_safetensors s;
    ddpm_error err;
    float *eps = NULL;
    if (dd_file_map(&f, check_path(check_source(), "tests/golden/data/runs.safetensors"), &err))
        return NULL;
    if (dd_safetensors_read(&s, f.data, f.size, "runs", &err) == DDPM_OK) {
        const struct dd_entry *e = dd_safetensors_find(&s, "cifar.eps");
        if (e && e->size == floats * sizeof *eps && (eps = malloc(e->size)))
            memcpy(eps, e->data, e->size);
        dd_safetensors_free(&s);
    }
    dd_file_unmap(&f);
    return eps;
}

/* google/ddpm-cifar10-32's architecture from a file; the expected eps is computed by diffusers
   (make_runs.py). The tolerance is that of case A1_google, which has the same flags, size and family. At
   batch 1, memory is at most twice the weights and 60 MB; with gemm alone, all that is packed is at most
   1.1 times the weights. */
TEST(golden, cifar10_network)
{
    static const float t[] = { 0, 500, 999 };
    static float out[3 * 3072];
    const char *path = check_path(check_folder(), "cifar10");
    const struct known_net *known = known_net_find("cifar10");
    ddpm_error err = { 0, "" };
    float *want = stored_eps(3 * 3072), worst = 0;
    ddpm_model *m = model(known->net, known->diffusion, 1);

    REQUIRE(want && m && ddpm_model_save(m, path, 0, &err) == DDPM_OK);
    ddpm_model_close(m);

    double before = process_memory("VmRSS");
    /* A sanitizer's own memory would be counted. */
    int measured = forget_peak() && !SANITIZED;
    REQUIRE(ddpm_model_open(&m, path, &err) == DDPM_OK);

    if (outputs(out, m, t, 3, NULL) == DDPM_OK)
        for (int i = 0; i < 3 * 3072; i++)
            worst = fmaxf(worst, fabsf(out[i] - want[i]));
    CHECK_NEAR(worst, 0, 1e-4);

    if (measured)
        CHECK(process_memory("VmHWM") - before < 2 * 4 * (double)known->parameters + 60e6);

    ddpm_net *net;
    REQUIRE(ddpm_net_create(&net, m, &(ddpm_net_options){ .conv = "gemm" }, &err) == DDPM_OK);
    CHECK((double)ddpm_net_describe(net)->packed <= 1.1 * 4 * (double)known->parameters);
    ddpm_net_free(net);

    free(want);
    ddpm_model_close(m);
}
