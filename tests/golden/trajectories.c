/* Ancestral and DDIM runs against the original implementations: the same noise, the exact eps of a Gaussian mixture, x after many steps.
   Tolerances are measured per run (reference_tolerance). */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* improved-diffusion's "ddimK" with K dividing T is our leading. */
static int chain_of(ddpm_chain **chain, const struct mixture *m, const char *spec)
{
    ddpm_about about = { .steps = 1000, .alpha_bar = m->alpha_bar };
    int leading = !strncmp(spec, "ddim", 4);
    return ddpm_chain_respace(chain, &about, spec + 4 * leading, leading ? "leading" : "iddpm", NULL);
}

static void compare(ddpm_sampler *s, const ddpm_tables *c, const cJSON *run)
{
    const cJSON *saved = reference_get(run, "saved")->child;
    double worst = 0, tolerance = reference_tolerance(run);
    int seen = 0;
    for (int j = 1; ddpm_sampler_left(s); j++) {
        double net_t = c->t[ddpm_sampler_left(s) - 1];
        REQUIRE(!ddpm_sampler_step(s, NULL));
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
        check_fail(__FILE__, __LINE__, "%s: distance %.3g > %.3g", reference_text(run, "name"), worst, tolerance);
}

static void replay(const cJSON *run, const char *sampler, const char *variance, double eta, int learned)
{
    struct mixture m;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    uint32_t index[IMAGES] = { 0, 1 };
    REQUIRE(!mixture_read(&m));
    m.learned = learned;
    REQUIRE(!chain_of(&chain, &m, reference_text(run, "spec")));
    ddpm_sampler_options o = { .sampler = sampler, .variance = variance, .eta = eta, .outputs = 1 + learned, .T = 1000, .eps = mixture_eps,
                               .eps_user = &m, .own_variance = learned ? DDPM_LEARNED_RANGE : DDPM_BETA, .noise = reference_run_noise,
                               .noise_user = (void *)ddpm_chain_tables(chain), .clip = cJSON_IsTrue(reference_get(run, "clip_denoised")) };
    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    if (s && !ddpm_sampler_start(s, index, NULL, IMAGES, NULL, 0, NULL))
        compare(s, ddpm_chain_tables(chain), run);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

static void ddpm_runs(const cJSON *root)
{
    const cJSON *run;
    cJSON_ArrayForEach(run, reference_get(root, "runs")) {
        const char *variance = reference_text(run, "variance");
        int learned = !strncmp(variance, "learned_range", 13);
        replay(run, "ddpm", learned ? "learned" : strcmp(variance, "fixed_large") ? "beta-tilde" : "beta", 0, learned);
    }
}
TEST(golden, ddpm_runs) { reference_each("ddpm", ddpm_runs); }

static void ddim_runs(const cJSON *root)
{
    const cJSON *run;
    cJSON_ArrayForEach(run, reference_get(root, "openai.runs"))
        replay(run, "ddim", "auto", reference_number(run, "eta"), 0);
}
TEST(golden, ddim_runs) { reference_each("ddim", ddim_runs); }
