/* The way between two noises, and from an image to its noise, against diffusers (make_between.py). */
#include "check.h"

enum { D = 5, T = 1000, K = 10, IMAGE = 3 };

static const double a[D] = { 1.25, -0.5, 0.75, 2.0, -1.5 }, b[D] = { -0.25, 1.5, 0.5, 1.0, 0.875 };

/* Both sides take fewer than 30 operations to a number below 2.5, none of which magnifies an error. */
TEST(golden, slerp)
{
    static const struct {
        double u, x[D];
    } of[] = {
        { 0.125,
          { 1.177209020000006, -0.19775715717742282, 0.8331341213104869, 2.1566608828225893,
            -1.3004738888407334 } },
        { 0.5,
          { 0.7071067811865475, 0.7071067811865475, 0.8838834764831843, 2.1213203435596424,
            -0.4419417382415922 } },
        { 0.9,
          { -0.05137900384849589, 1.4033152783725913, 0.611170019077742, 1.3005572706755995,
            0.6295756004603992 } },
    };

    double x[D];

    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        ddpm_slerp(x, a, b, of[k].u, D);
        for (int e = 0; e < D; e++)
            CHECK_NEAR(x[e], of[k].x[e], 2 * 30 * 2.5 * 0x1p-53);
    }
}

/* The ends are the two noises to the bit, whatever their lengths. */
TEST(golden, slerp_ends)
{
    double x[D];

    ddpm_slerp(x, a, b, 0, D);
    CHECK(!memcmp(x, a, sizeof x));
    ddpm_slerp(x, a, b, 1, D);
    CHECK(!memcmp(x, b, sizeof x));

    /* One direction, opposite ones and no direction: the straight line. */
    static const double line[3][2] = { { 1, 3 }, { 1, -3 }, { 1, 0 } };
    for (int k = 0; k < 3; k++) {
        ddpm_slerp(x, &line[k][0], &line[k][1], 0.25, 1);
        CHECK(x[0] == 0.75 * line[k][0] + 0.25 * line[k][1]);
    }
}

static double alpha_bar[T];

/* The exact eps of data N(0.3, 0.04). */
static int exact_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    double ab = alpha_bar[(int)t];
    (void)user, (void)classes, (void)err;
    for (int e = 0; e < n * IMAGE; e++)
        out[e] = sqrt(1 - ab) * (x[e] - sqrt(ab) * 0.3) / (ab * 0.04 + 1 - ab);
    return DDPM_OK;
}

/* diffusers' DDIMInverseScheduler leads from t = 0 to t = 900 in steps of 100.  On each side alpha_bar is a
   product of at most 1000 factors, and a step has at most 20 operations on numbers below 2. */
TEST(golden, ddim_inverse)
{
    static const double image[IMAGE] = { -0.4, 0.3, 0.95 };
    static const double noise[IMAGE] = { -1.8261478564729132, 0.004970973902021347, 1.7052956021073178 };
    double beta[T];
    ddpm_chain *chain;
    ddpm_sampler *s;
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear:1e-4,0.02", NULL));
    const ddpm_about about = { .steps = T, .beta = beta, .alpha_bar = alpha_bar };
    const ddpm_sampler_options o = {
        .sampler = "ddim",
        .variance = "auto",
        .outputs = 1,
        .T = T,
        .eps = exact_eps,
    };
    REQUIRE(!ddpm_chain_respace(&chain, &about, "0,100,200,300,400,500,600,700,800,900", NULL, NULL));
    REQUIRE(!ddpm_sampler_create(&s, chain, &o, IMAGE, 1, NULL, NULL));
    REQUIRE(!ddpm_sampler_start(s, (uint32_t[]){ 0 }, NULL, 1, image, 0, NULL));

    for (int i = 1; i < K; i++)
        CHECK(!ddpm_sampler_encode(s, NULL));
    const double *x = ddpm_sampler_state(s, NULL);
    for (int e = 0; e < IMAGE; e++)
        CHECK_NEAR(x[e], noise[e], 2 * K * (1000 + 20) * 2 * 0x1p-53);

    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
}
