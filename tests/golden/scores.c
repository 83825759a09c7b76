/* Score, denoising score matching and L_simple against the reference. */
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* Ten times identities_max_dist of score.json and of the long double figures of forward.json, whose eps this is (README). */
static const double tolerance = 4.1e-12;

static void check_losses(const cJSON *entry, const double *score, const double *eps, const double *z, double alpha_bar)
{
    double *dsm = reference_numbers(entry, "dsm_loss", NULL), *simple = reference_numbers(entry, "l_simple", NULL);
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
        double ab = m.alpha_bar[(int)reference_number(entry, "t")], *expected = reference_numbers(entry, "score", NULL);
        ddpm_diffuse(x, x0, z, ab, ALL);
        mixture_eps(&m, eps, x, reference_number(entry, "t"), NULL, IMAGES, NULL);
        ddpm_score(score, eps, ab, ALL);
        CHECK_NEAR(reference_distance(score, expected, ALL), 0, tolerance);
        check_losses(entry, score, eps, z, ab);
        free(expected);
    }
    free(x0);
}
TEST(golden, scores) { reference_each("score", scores); }
