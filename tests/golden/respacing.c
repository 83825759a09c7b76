/* Step lists and the tables of respaced chains against improved-diffusion, diffusers and ermongroup. */
#include "golden/reference.h"
#include "check.h"

static int chain_of(ddpm_chain **chain, int T, const char *betas, const char *steps, const char *spacing,
                    ddpm_error *err)
{
    static double beta[4000], alpha_bar[4000];
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    return ddpm_betas(beta, alpha_bar, T, betas, err) ||
           ddpm_chain_respace(chain, &about, steps, spacing, err);
}

/* Compares C(i) with the numbers at key, which run downwards if `reversed` is set. */
static void compare_steps(const ddpm_chain *chain, const cJSON *entry, const char *key, int reversed,
                          const char *what)
{
    int n, same;
    double *expected = reference_numbers(entry, key, &n);
    const ddpm_tables *c = ddpm_chain_tables(chain);
    same = n == c->K;
    for (int i = 0; i < n && same; i++)
        same = c->t[i] == expected[reversed ? n - 1 - i : i];
    if (!same)
        check_fail(__FILE__, __LINE__, "%s: the list of steps differs", what);
    free(expected);
}

/* Makes the chain of an improved-diffusion spec: "50", "iddpm:10,15,20", and "ddimK", which where K
   divides T is our spacing "leading". */
static int improved(ddpm_chain **chain, int T, const char *betas, const char *spec, ddpm_error *err)
{
    char sections[64];
    if (!strncmp(spec, "ddim", 4))
        return chain_of(chain, T, betas, spec + 4, "leading", err);
    snprintf(sections, sizeof sections, "%s%s", strchr(spec, ',') ? "iddpm:" : "", spec);
    return chain_of(chain, T, betas, sections, NULL, err);
}

/* Betas of respaced chains are off by at most 3.9e-13 relative (README, "Tolerances"). alpha_bar is
   exact here. Theirs is made from rounded betas and is off from it by what each entry says. */
static void compare_tables(const ddpm_chain *chain, const cJSON *entry, int n)
{
    const ddpm_tables *c = ddpm_chain_tables(chain);
    double *betas = reference_numbers(entry, "new_betas", NULL),
           *alpha_bar = reference_numbers(entry, "new_alpha_bar", NULL);
    double off = reference_number(entry, "max_rel_alpha_bar_new_minus_alpha_bar_C");
    for (int i = 0; i < n; i++) {
        CHECK_NEAR(c->beta[i] / betas[i], 1, 3.9e-12);
        CHECK_NEAR(c->alpha_bar[i] / alpha_bar[i], 1, off + 6.9e-15);
    }
    free(betas);
    free(alpha_bar);
}

static void improved_entry(const cJSON *entry, int T, const char *betas)
{
    const char *spec = reference_text(entry, "spec");
    ddpm_chain *chain = NULL;
    if (!strcmp(spec, "1")) /* the original's [0] cannot be built there; ours is [T-1] */
        return;
    REQUIRE(!improved(&chain, T, betas, spec, NULL));
    compare_steps(chain, entry, "steps", 0, spec);
    if (cJSON_HasObjectItem(entry, "new_betas"))
        compare_tables(chain, entry,
                       cJSON_HasObjectItem(entry, "values_given") ? 20 : ddpm_chain_tables(chain)->K);
    ddpm_chain_free(chain);
}

static void diffusers_entry(const cJSON *entry)
{
    char steps[16];
    const char *spacing = reference_text(entry, "spacing");
    ddpm_chain *chain = NULL;
    snprintf(steps, sizeof steps, "%d", (int)reference_number(entry, "K"));
    REQUIRE(!chain_of(&chain, 1000, "linear", steps, spacing, NULL));
    compare_steps(chain, entry, "ddpm_ddim", 1, spacing);
    ddpm_chain_free(chain);
}

/* Compares an entry of ermongroup: its "uniform" is our "leading" where K divides T. Its "quad" keeps
   duplicates, so only lists without any are compared. */
static void ermon_entry(const cJSON *entry)
{
    char steps[16];
    const char *kind = reference_text(entry, "kind");
    int K = (int)reference_number(entry, "K"), n, uniform = !strcmp(kind, "uniform"),
        ours = !uniform || 1000 % K == 0;
    double *seq = reference_numbers(entry, "seq", &n);
    ddpm_chain *chain = NULL;
    for (int i = 1; i < n; i++)
        ours = ours && seq[i] > seq[i - 1];
    free(seq);
    if (!ours)
        return;
    snprintf(steps, sizeof steps, "%d", K);
    REQUIRE(!chain_of(&chain, 1000, "linear", steps, uniform ? "leading" : "quad", NULL));
    compare_steps(chain, entry, "seq", 0, kind);
    ddpm_chain_free(chain);
}

static void respacing(const cJSON *root)
{
    const cJSON *entry;
    ddpm_error err;
    ddpm_chain *chain = NULL;

    cJSON_ArrayForEach(entry, reference_get(root, "improved_diffusion.specs"))
        improved_entry(entry, 1000, "openai-linear");
    cJSON_ArrayForEach(entry, reference_get(root, "improved_diffusion.other_schedule"))
        improved_entry(entry, 1000, reference_text(entry, "schedule"));
    cJSON_ArrayForEach(entry, reference_get(root, "improved_diffusion.other_T"))
        improved_entry(entry, (int)reference_number(entry, "T"), "cosine");

    cJSON_ArrayForEach(entry, reference_get(root, "improved_diffusion.errors"))
        if (strncmp(reference_text(entry, "spec"), "ddim", 4))
            CHECK(improved(&chain, 1000, "openai-linear", reference_text(entry, "spec"), &err) ==
                  DDPM_EUSAGE);

    cJSON_ArrayForEach(entry, reference_get(root, "diffusers.lists"))
        diffusers_entry(entry);
    cJSON_ArrayForEach(entry, reference_get(root, "ermongroup.lists"))
        ermon_entry(entry);
}

TEST(golden, respacing)
{
    reference_each("respacing", respacing);
}
