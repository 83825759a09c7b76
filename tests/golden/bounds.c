/* Bounds against improved-diffusion's calc_bpd_loop, with the same images, the same noise and the exact
   eps of a Gaussian mixture.

   Every term but L_0 is compared as it is. L_0 there approximates the normal distribution function by a
   tanh; here it is the true function. So L_0 is compared with the grid's true_normal_cdf_value and, in
   each run, with long double erfcl on the same mean and variance. */
#include "diffusion/decoder.h"
#include "golden/reference.h"
#include "check.h"

enum { IMAGES = 2, ALL = IMAGES * MIXTURE_D };

/* The noise of step K - i of the reference at position i, or that of step `always` everywhere. */
struct given {
    const ddpm_tables *tables;
    int always;
};

static void given_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const struct given *g = user;
    int step = g->always;
    (void)draw;
    for (int i = 0; i < g->tables->K && !g->always; i++)
        if (g->tables->t[i] == t)
            step = g->tables->K - i;
    reference_noise(z, step, (int)index * MIXTURE_D, (int)d, 1);
}

static long double cdf_bin(double x, double mean, long double sigma)
{
    long double plus = ((long double)x - mean + 1 / 255.0L) / sigma / sqrtl(2),
                minus = ((long double)x - mean - 1 / 255.0L) / sigma / sqrtl(2);
    return x < -0.999  ? erfcl(-plus) / 2
           : x > 0.999 ? erfcl(minus) / 2
           : minus > 0 ? (erfcl(minus) - erfcl(plus)) / 2
                       : (erfcl(-plus) - erfcl(-minus)) / 2;
}

static long double tanh_bin(double x, double mean, long double sigma)
{
    long double u[2], phi[2];
    for (int k = 0; k < 2; k++) {
        u[k] = ((long double)x - mean + (k ? -1 : 1) / 255.0L) / sigma;
        phi[k] = 0.5L * (1 + tanhl(sqrtl(2 / acosl(-1)) * (u[k] + 0.044715L * u[k] * u[k] * u[k])));
    }
    return fmaxl(x < -0.999 ? phi[0] : x > 0.999 ? 1 - phi[1] : phi[0] - phi[1], 1e-12L);
}

struct subject {
    struct mixture m;
    struct given given;
    ddpm_chain *chain;
    ddpm_bound *bound;
};

static int subject_open(struct subject *u, const char *steps, const char *variance, double clip, int always)
{
    int learned = !strncmp(variance, "learned_range", 13);

    if (mixture_read(&u->m))
        return 1;
    u->m.learned = learned;
    u->bound = NULL, u->chain = NULL;

    ddpm_about about = { .steps = 1000, .alpha_bar = u->m.alpha_bar };
    if (ddpm_chain_respace(&u->chain, &about, steps, "iddpm", NULL))
        return 1;

    u->given = (struct given){ ddpm_chain_tables(u->chain), always };
    ddpm_sampler_options o = { .variance = learned                           ? "learned"
                                           : strcmp(variance, "fixed_large") ? "beta-tilde"
                                                                             : "beta",
                               .clip = clip,
                               .outputs = 1 + learned,
                               .own_variance = learned ? DDPM_LEARNED_RANGE : DDPM_BETA,
                               .T = 1000,
                               .eps = mixture_eps,
                               .eps_user = &u->m,
                               .noise = given_noise,
                               .noise_user = &u->given };

    return ddpm_bound_create(&u->bound, u->chain, &o, MIXTURE_D, IMAGES, NULL, NULL);
}

static void subject_run(struct subject *u, const double *x0)
{
    uint32_t index[IMAGES] = { 0, 1 };
    CHECK(!ddpm_bound_start(u->bound, x0, index, NULL, IMAGES, NULL));
    while (ddpm_bound_left(u->bound))
        REQUIRE(!ddpm_bound_step(u->bound, NULL));
}

static void subject_close(struct subject *u)
{
    ddpm_bound_free(u->bound);
    ddpm_chain_free(u->chain);
}

/* Computes twice the bits -log2 p of one image, around the mean and variance that the formulas give. The
   first is by the true normal distribution function, which subtracts its smaller tails in long double;
   the second is by improved-diffusion's tanh. */
static void l0_independent(double bits[2], struct subject *u, const double *x0, int row, double clip)
{
    const ddpm_tables *t = ddpm_chain_tables(u->chain);
    double z[MIXTURE_D], x[MIXTURE_D], out[2 * MIXTURE_D], ab = t->alpha_bar[0];
    double small = log((1 - t->alpha_bar[1] / ab) * (1 - ab) / (1 - t->alpha_bar[1])), large = log(1 - ab);
    long double nats[2] = { 0 };

    given_noise(&u->given, z, MIXTURE_D, (uint32_t)row, t->t[0], 0);
    for (int e = 0; e < MIXTURE_D; e++)
        x[e] = sqrt(ab) * x0[e] + sqrt(1 - ab) * z[e];
    mixture_eps(&u->m, out, x, t->t[0], NULL, 1, NULL);

    for (int e = 0; e < MIXTURE_D; e++) {
        double mean = (x[e] - sqrt(1 - ab) * out[e]) / sqrt(ab),
               f = u->m.learned ? (out[MIXTURE_D + e] + 1) / 2 : 0;
        long double s = expl(0.5L * (f * large + (1 - f) * small));
        /* Clipping x0 clips the mean here, since the last step's mean is x0 itself. */
        mean = clip > 0 ? fmin(fmax(mean, -clip), clip) : mean;
        nats[0] -= logl(cdf_bin(x0[e], mean, s));
        nats[1] -= logl(tanh_bin(x0[e], mean, s));
    }

    bits[0] = (double)(nats[0] / MIXTURE_D / logl(2));
    bits[1] = (double)(nats[1] / MIXTURE_D / logl(2));
}

static double *images(const cJSON *root)
{
    int n;
    double *x0 = reference_numbers(root, "x0_uint8", &n);
    CHECK(n == ALL);
    for (int e = 0; e < n; e++)
        x0[e] = x0[e] / 127.5 - 1;
    return x0;
}

static void near(const cJSON *run, const char *what, int row, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        check_fail(__FILE__, __LINE__,
                   "steps %s, %s, image %d, %s: %.17g, expected %.17g, difference %.3g > %.3g",
                   reference_text(run, "spec"), reference_text(run, "variance"), row, what, found, expected,
                   fabs(found - expected), tolerance);
}

static double entry(const cJSON *run, const char *key, int row)
{
    const cJSON *v = cJSON_GetArrayItem(reference_get(run, key), row);
    return v ? v->valuedouble : NAN;
}

/* Compares the terms of a run, each within ten times the error that the reference measured of itself.
   Errors of L_0 and of the tables of terms are in absolute bits. */
static void compare_terms(const cJSON *run, struct subject *u, int row)
{
    const ddpm_bound_image *found = ddpm_bound_read(u->bound, row);
    const cJSON *measured = reference_get(run, "diff_to_longdouble_relative_unless_said"), *at;
    double absolute = 10 * reference_number(measured, "vb (absolute)");
    double *vb = reference_numbers(cJSON_GetArrayItem(reference_get(run, "vb"), row), "", NULL);
    double *x0 = reference_numbers(cJSON_GetArrayItem(reference_get(run, "xstart_mse"), row), "", NULL);
    double *eps = reference_numbers(cJSON_GetArrayItem(reference_get(run, "mse"), row), "", NULL);
    int k = 0;

    cJSON_ArrayForEach(at, reference_get(run, "chain_i")) {
        int i = at->valueint;

        if (i > 0)
            near(run, "term", row, found->term[i], vb[k], fmax(1e-12, absolute));
        near(run, "mse of x0", row, found->mse_x0[i], x0[k],
             fmax(1e-12, 10 * reference_number(measured, "xstart_mse") * x0[k]));
        near(run, "mse of eps", row, found->mse_eps[i], eps[k],
             fmax(1e-12, 10 * reference_number(measured, "mse") * eps[k]));
        k++;
    }

    free(vb), free(x0), free(eps);
}

/* Compares L_0 of an image. Its derivative by the mean is |x - mean| / sigma^2 < 6 / 0.007 here, and the
   mean is off by a few 2^-53, so the error is below 1e-12 bits. */
static void compare_image(const cJSON *run, struct subject *u, const double *x0, int row, double clip)
{
    const ddpm_bound_image *found = ddpm_bound_read(u->bound, row);
    const cJSON *measured = reference_get(run, "diff_to_longdouble_relative_unless_said");
    double l0[2], absolute = 10 * reference_number(measured, "vb (absolute)"),
                  total = entry(run, "total_bpd", row);
    double prior = entry(run, "prior_bpd", row), theirs = entry(run, "decoder_bpd_L0", row);
    l0_independent(l0, u, x0 + row * MIXTURE_D, row, clip);
    near(run, "L_0 with tanh, by this test", row, l0[1], theirs, fmax(1e-12, absolute));
    near(run, "L_0", row, found->term[0], l0[0], 1e-12);
    near(run, "prior", row, found->prior, prior, 10 * reference_number(measured, "prior_bpd") * prior);
    near(run, "total without L_0", row, found->total - found->term[0], total - theirs,
         fmax(1e-12, 10 * reference_number(measured, "total_bpd") * total));
    compare_terms(run, u, row);
}

static void bound_runs(const cJSON *root)
{
    const cJSON *run;
    double *x0 = images(root);

    cJSON_ArrayForEach(run, reference_get(root, "runs")) {
        struct subject u;
        double clip = cJSON_IsTrue(reference_get(run, "clip_denoised"));
        if (subject_open(&u,
                         !strcmp(reference_text(run, "spec"), "1000") ? "all" : reference_text(run, "spec"),
                         reference_text(run, "variance"), clip, 0)) {
            check_fail(__FILE__, __LINE__, "the bound cannot be made");
        } else {
            subject_run(&u, x0);
            for (int row = 0; row < IMAGES; row++)
                compare_image(run, &u, x0, row, clip);
        }
        subject_close(&u);
    }

    free(x0);
}

TEST(golden, bound_runs)
{
    reference_each("vlb", bound_runs);
}

/* Bounds the decoder's own error: (x - mean) / sigma rounds three times and is squared in the tails, and
   a bin's own logarithm is good to a few 2^-53. */
static double own_error(double nats)
{
    return 16 * 0x1p-53 * fmax(1, fabs(nats));
}

/* Expected values of bins between and in the tails are subtractions in 60 digits (mpmath). */
TEST(golden, decoder_digits)
{
    static const struct {
        double x, mean, log_sigma, ln_p;
    } bin[] = {
        { -0.99, -1.3, -7, -56339.12861125540867 },    { -0.99, -0.5, -5, -2607.3189675371223354 },
        { 0.5, 0.5, -7, -0.000017039755887388025418 }, { 0.5, 0.503, -7, -0.1697195210078025995 },
        { 0.5, 0.6, -3, -4.7810677940012096053 },      { 0.25, -1, -5, -17106.511868994948648 },
        { 0, 0.9, -2, -25.873265087444286797 },        { 0.2, 0.2, 1, -6.7670552446832367205 },
        { 0.2, 0.19, -5.4, -2.4286477455628532482 },   { 0.7, 0.1, -4.2, -794.6447105634078877 },
        { 0.7, 0.1, 3, -8.767501079542615339 },        { 0.5, 0.4961, -12, -0.00022374369786226655162 },
        { 0.3, 0.25, -4.75, -16.811524898354759418 },
    };

    for (size_t k = 0; k < sizeof bin / sizeof *bin; k++)
        CHECK_NEAR(-dd_decoder_nats(bin[k].x, bin[k].mean, exp(bin[k].log_sigma)), bin[k].ln_p,
                   own_error(bin[k].ln_p));
}

/* In the grid x runs slowest and log_scale fastest. A value of ln 1e-300 stands for any that is no
   larger. The reference subtracts two tails in double, the larger of which is at most 1.3 / min(1, h)
   times the bin, h = 1/255 / sigma. A few 2^-53 of that are its own error. */
static void decoder_grid(const cJSON *root)
{
    int n[3], k = 0, most;
    static const char *const axis[3] = { "decoder_grid.x", "decoder_grid.mean", "decoder_grid.log_scale" };
    double *at[3], *expected = reference_numbers(root, "decoder_grid.true_normal_cdf_value", &most),
                   floor = log(1e-300);

    for (int a = 0; a < 3; a++)
        at[a] = reference_numbers(root, axis[a], &n[a]);

    for (int i = 0; i < n[0] * n[1] * n[2] && k < most; i++, k++) {
        double x = at[0][i / (n[1] * n[2])], mean = at[1][i / n[2] % n[1]], scale = at[2][i % n[2]];
        double found = -dd_decoder_nats(x, mean, exp(scale));
        if (fabs(expected[k] - floor) < 1e-9)
            CHECK(found <= floor);
        else if (!(fabs(found - expected[k]) <=
                   own_error(expected[k]) + 6 * 0x1p-53 / fmin(1, exp(-scale) / 255)))
            check_fail(__FILE__, __LINE__, "x %g, mean %g, log scale %g: %.17g, expected %.17g", x, mean,
                       scale, found, expected[k]);
    }

    CHECK(k == most);
    for (int a = 0; a < 3; a++)
        free(at[a]);
    free(expected);
}

TEST(golden, decoder_grid)
{
    reference_each("vlb", decoder_grid);
}
