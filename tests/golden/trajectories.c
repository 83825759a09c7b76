/* Runs of ancestral sampling, DDIM either way, DPM-Solver++ (ODE and SDE) and UniPC against the original
   implementations. The noise is the same, eps is the exact one of a Gaussian mixture, and x is compared
   after many steps. Tolerances are measured per run (reference_tolerance). */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* Makes a chain of the steps at which a run called the network, which it executed downwards or, if down
   is 0, upwards. */
static int chain_of_run(ddpm_chain **chain, const struct mixture *m, const cJSON *run, int down)
{
    int K;
    double *net_t = reference_numbers(run, "net_t", &K), t[1000], alpha_bar[1000];
    for (int i = 0; i < K; i++) {
        t[i] = net_t[down ? K - 1 - i : i];
        alpha_bar[i] = m->alpha_bar[(int)t[i]];
    }
    free(net_t);
    return ddpm_chain_create(chain, K, t, alpha_bar, NULL);
}

/* Makes the chain of a spec. improved-diffusion's "ddimK" with K dividing T is our "leading". */
static int chain_of_spec(ddpm_chain **chain, const struct mixture *m, const char *spec)
{
    ddpm_about about = { .steps = 1000, .alpha_bar = m->alpha_bar };
    int leading = !strncmp(spec, "ddim", 4);
    return ddpm_chain_respace(chain, &about, spec + 4 * leading, leading ? "leading" : "iddpm", NULL);
}

/* Compares states while `move`, ddpm_sampler_step or ddpm_sampler_encode, goes from one to the next. */
static void compare(ddpm_sampler *s, int (*move)(ddpm_sampler *, ddpm_error *), const ddpm_tables *c,
                    const cJSON *run)
{
    const cJSON *saved = reference_get(run, "saved")->child;
    double worst = 0, tolerance = reference_tolerance(run);
    int last = (int)reference_number(run, "executed_steps"), seen = 0;

    for (int j = 1; j <= last; j++) {
        /* The coming step gives this t to the network. */
        double net_t = c->t[ddpm_sampler_left(s) - 1];
        REQUIRE(!move(s, NULL));

        if (!saved || (int)reference_number(saved, "j") != j)
            continue;

        double *x = reference_numbers(saved, "x", NULL);
        worst = fmax(worst, reference_distance(ddpm_sampler_state(s, NULL), x, ALL));
        CHECK(net_t == reference_number(saved, "net_t"));
        free(x);
        saved = saved->next;
        seen++;
    }

    CHECK(seen == cJSON_GetArraySize(reference_get(run, "saved")));
    if (!(worst <= tolerance))
        check_fail(__FILE__, __LINE__, "%s: distance %.3g > %.3g", reference_text(run, "name"), worst,
                   tolerance);
}

/* Replays a run; `given` holds what is special about its options. */
static void replay(const cJSON *run, const ddpm_sampler_options *given, struct mixture *m, ddpm_chain *chain)
{
    ddpm_sampler_options o = *given;
    ddpm_sampler *s = NULL;
    uint32_t index[IMAGES] = { 0, 1 };
    REQUIRE(chain);
    o.outputs = 1 + m->learned, o.T = 1000, o.eps = mixture_eps, o.eps_user = m;
    o.own_variance = m->learned ? DDPM_LEARNED_RANGE : DDPM_BETA;
    o.noise = reference_run_noise, o.noise_user = (void *)ddpm_chain_tables(chain);
    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    if (s && !ddpm_sampler_start(s, index, NULL, IMAGES, NULL, 0, NULL))
        compare(s, ddpm_sampler_step, ddpm_chain_tables(chain), run);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static void replay_spec(const cJSON *run, const char *sampler, const char *variance, double eta, int learned)
{
    struct mixture m;
    ddpm_chain *chain = NULL;
    REQUIRE(!mixture_read(&m));
    m.learned = learned;
    REQUIRE(!chain_of_spec(&chain, &m, reference_text(run, "spec")));
    replay(run,
           &(ddpm_sampler_options){ .sampler = sampler,
                                    .variance = variance,
                                    .eta = eta,
                                    .clip = cJSON_IsTrue(reference_get(run, "clip_denoised")) },
           &m, chain);
}

static void ddpm_runs(const cJSON *root)
{
    const cJSON *run;
    cJSON_ArrayForEach(run, reference_get(root, "runs")) {
        const char *variance = reference_text(run, "variance");
        int learned = !strncmp(variance, "learned_range", 13);
        replay_spec(run, "ddpm",
                    learned                           ? "learned"
                    : strcmp(variance, "fixed_large") ? "beta-tilde"
                                                      : "beta",
                    0, learned);
    }
}

TEST(golden, ddpm_runs)
{
    reference_each("ddpm", ddpm_runs);
}

static void ddim_runs(const cJSON *root)
{
    const cJSON *run;
    cJSON_ArrayForEach(run, reference_get(root, "openai.runs"))
        replay_spec(run, "ddim", "auto", reference_number(run, "eta"), 0);
}

TEST(golden, ddim_runs)
{
    reference_each("ddim", ddim_runs);
}

/* Compares ermongroup's runs. Its "quad" at 50 names t = 0 twice, which is no chain. It never clips and
   takes the network's own eps, which is then ours too. */
static void ermongroup_runs(const cJSON *root)
{
    struct mixture m;
    const cJSON *run, *noisy = reference_get(root, "ermongroup_ddpm_noisy.runs");

    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(run, reference_get(root, "ermongroup.runs")) {
        ddpm_chain *chain = NULL;
        if (!chain_of_run(&chain, &m, run, 1))
            replay(run,
                   &(ddpm_sampler_options){
                       .sampler = "ddim", .variance = "auto", .eta = reference_number(run, "eta") },
                   &m, chain);
        else
            CHECK(!strcmp(reference_text(run, "kind"), "quad") && reference_number(run, "K") == 50);
    }

    cJSON_ArrayForEach(run, noisy) {
        ddpm_chain *chain = NULL;
        CHECK(!chain_of_run(&chain, &m, run, 1));
        replay(run, &(ddpm_sampler_options){ .sampler = "ddpm", .variance = "beta", .clip = 1 }, &m, chain);
    }
}

TEST(golden, ermongroup_runs)
{
    reference_each("ddim", ermongroup_runs);
}

/* Gives the mixture's x0 instead of its eps, so that a chain that ends at alpha_bar = 0 can be taken. */
static int mixture_x0(void *mixture, double *out, const double *x, double t, const int32_t *classes, int n,
                      ddpm_error *err)
{
    const struct mixture *m = mixture;
    double a = sqrt(m->alpha_bar[(int)t]), sigma = sqrt(1 - m->alpha_bar[(int)t]);
    mixture_eps(mixture, out, x, t, classes, n, err);
    for (int e = 0; e < n * MIXTURE_D; e++)
        out[e] = (x[e] - sigma * out[e]) / a;
    return DDPM_OK;
}

/* ddim_reverse_sample goes on to alpha_bar = 0 behind the last step of its list; here the list has such
   a step. */
static void encode(const cJSON *run, struct mixture *m, const double *x)
{
    int K;
    double *net_t = reference_numbers(run, "net_t", &K), t[51], alpha_bar[51];
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;

    for (int i = 0; i < K; i++)
        alpha_bar[i] = m->alpha_bar[(int)(t[i] = net_t[i])];
    free(net_t);
    t[K] = 1000, alpha_bar[K] = 0;
    REQUIRE(!ddpm_chain_create(&chain, K + 1, t, alpha_bar, NULL));

    ddpm_sampler_options o = { .sampler = "ddim",
                               .variance = "auto",
                               .prediction = DDPM_X0,
                               .outputs = 1,
                               .T = 1000,
                               .eps = mixture_x0,
                               .eps_user = m,
                               .clip = cJSON_IsTrue(reference_get(run, "clip_denoised")) };

    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    if (s && !ddpm_sampler_start(s, (uint32_t[]){ 0, 1 }, NULL, IMAGES, x, 0, NULL))
        compare(s, ddpm_sampler_encode, ddpm_chain_tables(chain), run);
    CHECK(ddpm_sampler_encode(s, NULL) == DDPM_EUSAGE);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static double *forward_x0;

static void read_x0(const cJSON *root)
{
    free(forward_x0);
    forward_x0 = reference_numbers(root, "x0_values", NULL);
}

static void encode_runs(const cJSON *root)
{
    struct mixture m;
    const cJSON *run;
    REQUIRE(!mixture_read(&m) && forward_x0);
    cJSON_ArrayForEach(run, reference_get(root, "encode.runs"))
        encode(run, &m, forward_x0);
}

TEST(golden, encode_runs)
{
    reference_each("forward", read_x0);
    reference_each("ddim", encode_runs);
    free(forward_x0);
    forward_x0 = NULL;
}

/* Compares diffusers' solvers; dpmpp.c tells how its DPM-Solver++ of order 3 differs. PNDM is not among
   our samplers, and its iPNDM begins at alpha_bar = 0 here (ipndm_runs has others). */
static void fast_runs(const cJSON *root)
{
    struct mixture m;
    const cJSON *run;
    int seen = 0;

    REQUIRE(!mixture_read(&m));
    cJSON_ArrayForEach(run, reference_get(root, "ode")) {
        const char *name = reference_text(run, "name");
        int dpmpp = !strncmp(name, "dpmpp_", 6);
        ddpm_chain *chain = NULL;
        if (!dpmpp && strncmp(name, "unipc2_", 7))
            continue;

        CHECK(!chain_of_run(&chain, &m, run, 1));
        int order = dpmpp ? name[6] - '0' : 2;
        replay(run,
               &(ddpm_sampler_options){ .sampler = !dpmpp      ? "unipc"
                                                   : order < 3 ? "dpmpp"
                                                               : "dpmpp-diffusers",
                                        .variance = "auto",
                                        .order = order },
               &m, chain);

        seen++;
    }

    CHECK(seen >= 2);
}

TEST(golden, fast_runs)
{
    reference_each("fast", fast_runs);
}

/* Replays the runs of a file, each with the sampler and its own order. */
static void replay_orders(const char *file, const char *sampler, double eta)
{
    struct mixture m;
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/diffusion/%s", file));
    const cJSON *run;
    REQUIRE(root && !mixture_read(&m));
    cJSON_ArrayForEach(run, reference_get(root, "runs")) {
        ddpm_chain *chain = NULL;
        CHECK(!chain_of_run(&chain, &m, run, 1));
        replay(run,
               &(ddpm_sampler_options){ .sampler = sampler,
                                        .variance = "auto",
                                        .eta = eta,
                                        .order = (int)reference_number(run, "order") },
               &m, chain);
    }
    cJSON_Delete(root);
}

/* diffusers' SDE-DPM-Solver++ (make_dpmpp_sde.py), which multiplies the noise of the last step by 0. */
TEST(golden, dpmpp_sde_runs)
{
    replay_orders("dpmpp_sde.json", "dpmpp", 1);
}

/* diffusers' IPNDMScheduler (make_ipndm.py), without its last step. */
TEST(golden, ipndm_runs)
{
    replay_orders("ipndm.json", "ipndm", 0);
}
