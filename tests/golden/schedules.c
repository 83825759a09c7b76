/* Schedules and their tables against those of the original implementations
   (../shared/reference/diffusion). */
#include "golden/reference.h"
#include "check.h"

/* The relative tolerances of the tables are ten times the largest rounding error measured against long
   double (README, "Tolerances"). */
static const struct table {
    const char *key;
    size_t offset;
    double tolerance;
} tables[] = {
    { "betas", offsetof(ddpm_tables, beta), 4.5e-15 },
    { "alpha_bar", offsetof(ddpm_tables, alpha_bar), 4.5e-14 },
    { "posterior_variance", offsetof(ddpm_tables, beta_tilde), 2.1e-11 },
    { "posterior_mean_coef1", offsetof(ddpm_tables, mean_x0), 2.1e-11 },
    { "posterior_mean_coef2", offsetof(ddpm_tables, mean_xt), 2.1e-11 },
};

static const double *table(const ddpm_tables *t, size_t offset)
{
    return *(const double *const *)((const char *)t + offset);
}

static double relative(double a, double b)
{
    return a == b ? 0 : fabs(a - b) / fabs(b);
}

/* Writes the schedule of an entry as this program spells it. */
static void spec_of(char *spec, size_t size, const cJSON *entry)
{
    static const char *const rename[][2] = {
        { "linear", "openai-linear" },
        { "cosine", "cosine" },
        { "sqrt_linear", "linear" },
        { "sigmoid_alpha_bar (lucidrains)", "lucid-sigmoid" },
    };
    const char *name = reference_text(entry, "name");
    for (size_t i = 0; i < sizeof rename / sizeof rename[0]; i++)
        if (!strcmp(name, rename[i][0])) {
            snprintf(spec, size, "%s", rename[i][1]);
            return;
        }
    snprintf(spec, size, "%s:%.17g,%.17g", name, reference_number(entry, "beta_start"),
             reference_number(entry, "beta_end"));
}

/* Compares the betas of the chain with the table, within 4.5e-15 relative as measured. Where beta = 1 -
   g(u)/g(v), a libm whose cos or exp is an ulp off comes to it: two g's, their quotient and the
   difference, each near 1. */
static void compare_tables(const cJSON *entry, const char *spec, int T, const double *beta,
                           const double *alpha_bar)
{
    ddpm_about about = { .steps = T, .beta = beta, .alpha_bar = alpha_bar };
    ddpm_chain *chain = NULL;

    REQUIRE(!ddpm_chain_respace(&chain, &about, "all", NULL, NULL));
    int n = T, all = cJSON_IsString(reference_get(entry, "indices"));
    double *indices = all ? NULL : reference_numbers(entry, "indices", &n);

    for (size_t k = 0; k < sizeof tables / sizeof tables[0]; k++) {
        char key[64];
        snprintf(key, sizeof key, "values.%s", tables[k].key);
        const double *found = table(ddpm_chain_tables(chain), tables[k].offset);
        double *expected = reference_numbers(entry, key, NULL), worst = 0, own = 0, sum = 0;

        for (int j = 0; j < n; j++) {
            int i = all ? j : (int)indices[j];
            worst = fmax(worst, k ? relative(found[i], expected[j]) : 0);
            own = fmax(own, k ? 0 : fabs(found[i] - expected[j]) - tables[0].tolerance * expected[j]);
        }

        if (!(worst <= tables[k].tolerance && own <= 4 * 0x1p-53))
            check_fail(__FILE__, __LINE__, "%s, T = %d: %s differs by %.3g, betas by %.3g", spec, T,
                       tables[k].key, worst, own);
        free(expected);

        for (int i = 0; i < T; i++)
            sum += found[i];
        snprintf(key, sizeof key, "sums.%s", tables[k].key);
        /* All terms are positive, so the sum has the relative error of its terms. */
        CHECK_NEAR(sum / reference_number(entry, key), 1, tables[k].tolerance + (k ? 1 : 5) * T * 0x1p-53);
    }

    free(indices);
    ddpm_chain_free(chain);
}

/* torch's float32 exp is not correctly rounded, so beta may be 1 ulp off, 2^-23 relative. alpha_bar
   moves with the betas before it, by at most sum_t beta_t / (1 - beta_t) 2^-23, and by its own rounding.
   A schedule without exp is exact. */
static void compare_float32(const cJSON *entry, const char *spec, int T)
{
    double beta[4000], alpha_bar[4000], sum = 0, ulp = strncmp(spec, "sigmoid", 7) ? 0 : 0x1p-23;
    char text[160];
    int n;

    snprintf(text, sizeof text, "f32:%s", spec);
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, text, NULL));
    double *indices = reference_numbers(entry, "native_float32.indices", &n);
    double *betas = reference_numbers(entry, "native_float32.betas", NULL);
    double *alpha_bars = reference_numbers(entry, "native_float32.alpha_bar", NULL);

    for (int t = 0, j = 0; t < T && j < n; t++) {
        sum += beta[t] / (1 - beta[t]);

        if (t != (int)indices[j])
            continue;

        CHECK_NEAR(beta[t] / betas[j], 1, ulp);
        CHECK_NEAR(alpha_bar[t] / alpha_bars[j], 1, (1 + sum) * ulp);
        CHECK(alpha_bar[t] == (float)alpha_bar[t] && beta[t] == (float)beta[t]);
        j++;
    }

    free(indices);
    free(betas);
    free(alpha_bars);
}

static void schedules(const cJSON *root)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, reference_get(root, "schedules")) {
        double beta[4000], alpha_bar[4000];
        char spec[128];
        int T = (int)reference_number(entry, "T");
        ddpm_error err = { 0 };
        spec_of(spec, sizeof spec, entry);
        REQUIRE(T > 0 && T <= 4000);
        if (ddpm_betas(beta, alpha_bar, T, spec, &err))
            check_fail(__FILE__, __LINE__, "%s", err.text);
        else
            compare_tables(entry, spec, T, beta, alpha_bar);
        if (cJSON_HasObjectItem(entry, "native_float32"))
            compare_float32(entry, spec, T);
    }
}

TEST(golden, schedules)
{
    reference_each("schedules", schedules);
}

/* Single values of the originals have nine digits or more, so half of the last digit is below 1.1e-9
   relative. For float32 tables the printed alpha_bar may come from a build that rounds linspace twice:
   each of its t + 1 factors 1 - beta may then be one ulp, 2^-24, off. */
TEST(golden, schedules_known)
{
    static const struct {
        const char *spec;
        int t;
        double beta, alpha_bar;
    } known[] = {
        { "f32:linear:1e-4,0.02", 0, 9.999999747e-05, 0.9998999834 },
        { "f32:linear:1e-4,0.02", 1, 1.199199178e-04, 0.9997800589 },
        { "f32:linear:1e-4,0.02", 499, 0.01004004013, 0.0785872489 },
        { "f32:linear:1e-4,0.02", 999, 0.01999999955, 4.0358307160e-05 },
        { "f32:cosine", 500, 0.003155691442, 0.492285172 },
        { "f32:linear+zero-snr", 499, 0.010271191597, 0.076028726995 },
        { "f32:linear+zero-snr", 998, 0.75226593018, 4.2132732858e-09 },
        { "cast:linear", 999, 0.01999999955, 4.0358307160e-05 },
        { "linear", 999, 0.02, 4.035829765375676e-05 },
        { "cosine", 999, 0.999, 2.428766907e-09 },
        { "lucid-cosine", 500, 0.003155691442, 0.492285172 },
    };

    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        double beta[1000], alpha_bar[1000];
        int t = known[k].t,
            in_float = !strncmp(known[k].spec, "f32:", 4) || !strncmp(known[k].spec, "cast:", 5);
        REQUIRE(!ddpm_betas(beta, alpha_bar, 1000, known[k].spec, NULL));
        CHECK_NEAR(beta[t] / known[k].beta, 1, in_float ? 0x1p-23 : 1.1e-9);
        CHECK_NEAR(alpha_bar[t] / known[k].alpha_bar, 1, in_float ? (t + 1) * 0x1p-24 : 1.1e-9);
        CHECK(!in_float || (beta[t] == (float)beta[t] && alpha_bar[t] == (float)alpha_bar[t]));
    }
}
