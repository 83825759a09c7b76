/* The score, denoising score matching and L_simple against the reference; and the score of a respaced
   chain. */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* The tolerance is ten times identities_max_dist of score.json and the long double figures of
   forward.json, whose eps this is (README). */
static const double tolerance = 4.1e-12;

static void check_losses(const cJSON *entry, const double *score, const double *eps, const double *z,
                         double alpha_bar)
{
    double *dsm = reference_numbers(entry, "dsm_loss", NULL),
           *simple = reference_numbers(entry, "l_simple", NULL);
    for (int b = 0; b < IMAGES; b++) {
        double matching = ddpm_score_matching(score + b * MIXTURE_D, z + b * MIXTURE_D, alpha_bar, MIXTURE_D);
        double found = ddpm_l_simple(eps + b * MIXTURE_D, z + b * MIXTURE_D, MIXTURE_D);
        CHECK_NEAR(matching, dsm[b], tolerance * dsm[b]);
        CHECK_NEAR(found, simple[b], tolerance * fmax(1, simple[b]));
        CHECK_NEAR((1 - alpha_bar) * matching, found, tolerance * fmax(1, found));
    }
    free(dsm), free(simple);
}

static void scores(const cJSON *root)
{
    struct mixture m;
    const cJSON *entry;
    cJSON *forward = reference_read(check_path(check_source(), "tests/golden/data/diffusion/forward.json"));
    double *x0 = reference_numbers(forward, "x0_values", NULL), z[ALL], x[ALL], eps[ALL], score[ALL];

    cJSON_Delete(forward);
    REQUIRE(!mixture_read(&m));
    reference_noise(z, 1, 0, ALL, 1);

    cJSON_ArrayForEach(entry, reference_get(root, "entries")) {
        double ab = m.alpha_bar[(int)reference_number(entry, "t")],
               *expected = reference_numbers(entry, "score", NULL);

        ddpm_diffuse(x, x0, z, ab, ALL);
        mixture_eps(&m, eps, x, reference_number(entry, "t"), NULL, IMAGES, NULL);
        ddpm_score(score, eps, ab, ALL);
        CHECK_NEAR(reference_distance(score, expected, ALL), 0, tolerance);
        check_losses(entry, score, eps, z, ab);
        free(expected);
    }

    free(x0);
}

TEST(golden, scores)
{
    reference_each("score", scores);
}

/* A respaced chain asks for the score at t = C(i) and holds alpha_bar_C(i) itself, so the bits are those
   of the full chain. */
TEST(property, respaced_score)
{
    struct mixture m;
    ddpm_about about = { .steps = 1000 };
    double x[MIXTURE_D], eps[MIXTURE_D], full[MIXTURE_D], respaced[MIXTURE_D];

    REQUIRE(!mixture_read(&m));
    about.alpha_bar = m.alpha_bar;
    reference_noise(x, 3, 0, MIXTURE_D, 1);

    for (const char *const *spacing = ddpm_spacing_names(); *spacing; spacing++) {
        ddpm_chain *chain = NULL;
        if (!strcmp(*spacing, "optimal")) /* needs statistics */
            continue;

        REQUIRE(!ddpm_chain_respace(&chain, &about, "37", *spacing, NULL));
        const ddpm_tables *c = ddpm_chain_tables(chain);

        for (int i = 0; i < c->K; i++) {
            mixture_eps(&m, eps, x, c->t[i], NULL, 1, NULL);
            ddpm_score(respaced, eps, c->alpha_bar[i], MIXTURE_D);
            ddpm_score(full, eps, m.alpha_bar[(int)c->t[i]], MIXTURE_D);
            CHECK(!memcmp(respaced, full, sizeof full));
        }
        ddpm_chain_free(chain);
    }
}
