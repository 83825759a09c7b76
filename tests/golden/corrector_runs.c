/* Every sampler that admits a corrector, run with correctors, against predictor-corrector sampling as it
   is published (make_correctors.py). The noise is the same, eps is the exact one of a Gaussian mixture,
   and x is compared after two and after all steps. */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D, MOST = 16 };

struct draws {
    const ddpm_tables *chain;
    int corrector;
};

/* Gives noise by its count: the draws of an executed step lie side by side, the sampler's own first. x_T
   is number 0. */
static void counted(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const struct draws *o = user;
    int step = 0;
    for (int i = 0; i < o->chain->K && isfinite(t); i++)
        if (o->chain->t[i] == t)
            step = 1 + (o->chain->K - 1 - i) * (o->corrector + 1) + draw;
    reference_noise(z, step, (int)index * MIXTURE_D, (int)d, 1);
}

static void compare(ddpm_sampler *s, const cJSON *run)
{
    const cJSON *saved = reference_get(run, "saved")->child;
    for (int j = 1; ddpm_sampler_left(s); j++) {
        REQUIRE(!ddpm_sampler_step(s, NULL));
        if (!saved || (int)reference_number(saved, "j") != j)
            continue;
        double *x = reference_numbers(saved, "x", NULL);
        double distance = reference_distance(ddpm_sampler_state(s, NULL), x, ALL);
        if (!(distance <= reference_tolerance(run)))
            check_fail(__FILE__, __LINE__, "%s, step %d: distance %.3g > %.3g", reference_text(run, "name"),
                       j, distance, reference_tolerance(run));
        free(x);
        saved = saved->next;
    }
    CHECK(!saved);
}

static void replay(const cJSON *run, struct mixture *m)
{
    int K;
    double *net_t = reference_numbers(run, "net_t", &K), t[MOST], alpha_bar[MOST];
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    REQUIRE(K <= MOST);

    for (int i = 0; i < K; i++) {
        /* Runs are listed downwards, chains upwards. */
        t[i] = net_t[K - 1 - i];
        alpha_bar[i] = m->alpha_bar[(int)t[i]];
    }
    free(net_t);
    REQUIRE(!ddpm_chain_create(&chain, K, t, alpha_bar, NULL));

    struct draws draws = { ddpm_chain_tables(chain), (int)reference_number(run, "corrector") };
    const char *name = reference_text(run, "sampler");
    ddpm_sampler_options o = { .sampler = name,
                               .variance = strcmp(name, "ddpm") ? "auto" : "beta-tilde",
                               .order = (int)reference_number(run, "order"),
                               .T = 1000,
                               .outputs = 1,
                               .eta = reference_number(run, "eta"),
                               .clip = reference_number(run, "clip"),
                               .corrector = draws.corrector,
                               .snr = reference_number(run, "snr"),
                               .eps = mixture_eps,
                               .eps_user = m,
                               .noise = counted,
                               .noise_user = &draws };

    CHECK(!ddpm_sampler_create(&s, chain, &o, MIXTURE_D, IMAGES, NULL, NULL));
    if (s && !ddpm_sampler_start(s, (uint32_t[]){ 0, 1 }, NULL, IMAGES, NULL, 0, NULL))
        compare(s, run);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}

/* A sampler that admits a corrector and has no run here fails as well. "langevin" is its own corrector,
   see sde_runs.c. */
TEST(golden, corrector_runs)
{
    struct mixture m;
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/diffusion/correctors.json"));
    const cJSON *run;

    REQUIRE(root && !mixture_read(&m));
    cJSON_ArrayForEach(run, reference_get(root, "runs"))
        replay(run, &m);

    for (const char *const *name = ddpm_sampler_names(); *name; name++) {
        ddpm_chain *chain = NULL;
        ddpm_sampler *s = NULL;
        ddpm_sampler_options o = { .sampler = *name,
                                   .variance = "auto",
                                   .outputs = 1,
                                   .T = 1000,
                                   .corrector = 1,
                                   .snr = 0.16,
                                   .eps = mixture_eps,
                                   .eps_user = &m };

        int runs = !strcmp(*name, "langevin");
        REQUIRE(!ddpm_chain_create(&chain, 2, (double[]){ 0, 999 }, (double[]){ 0.9, 0.001 }, NULL));
        int admits = !ddpm_sampler_create(&s, chain, &o, MIXTURE_D, 1, NULL, NULL);
        cJSON_ArrayForEach(run, reference_get(root, "runs"))
            runs += !strcmp(*name, reference_text(run, "sampler"));
        if (admits != (runs > 0))
            check_fail(__FILE__, __LINE__, "%s: %d runs, corrector taken: %d", *name, runs, admits);

        ddpm_sampler_free(s);
        ddpm_chain_free(chain);
    }

    cJSON_Delete(root);
}
