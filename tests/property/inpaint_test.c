/* Images of which a part is known.  The times of RePaint are the authors' own; the law of its images of
   Gaussian data is known in closed form.  Both are printed by tests/golden/make_inpaint.py. */
#include <math.h>
#include "diffusion/jump_schedule.h"
#include "tests/check.h"

enum { K = 50, T = 1000, D = 2, IMAGES = 4000, BATCH = 500 };

/* The data: two elements of variance 1 with correlation rho.  The first one is known. */
static const double rho = 0.8, mean[D] = { 0.3, -0.2 }, known_x0 = 1.5;

TEST(inpaint, jumps_as_the_authors_do)
{
    static const struct {
        int K, jump, resample, count;
        long sum, weighted; /* of the times, and of each times its place */
    } schedule[] = {
        { 250, 10, 10, 4571, 549524, 837394030 },
        { 20, 3, 2, 57, 513, 9292 },
        { 7, 3, 3, 32, 92, 976 },
        { 10, 10, 5, 11, 44, 110 },
        { 11, 10, 2, 32, 154, 2134 },
        { 6, 1, 3, 27, 64, 504 },
    };

    for (size_t k = 0; k < sizeof schedule / sizeof *schedule; k++) {
        struct dd_jump_schedule w =
            dd_jump_schedule_begin(schedule[k].K - 1, schedule[k].resample, schedule[k].jump);
        long sum = w.i, weighted = 0;
        int count = 1, steps = dd_jump_schedule_left(&w);
        while (w.i >= 0) {
            dd_jump_schedule_turn(&w);
            dd_jump_schedule_move(&w);
            sum += w.i;
            weighted += (long)count++ * w.i;
            CHECK(dd_jump_schedule_left(&w) == steps - count + 1);
        }
        CHECK(count == schedule[k].count && sum == schedule[k].sum && weighted == schedule[k].weighted);
    }
}

struct data {
    double alpha_bar[T];
};

/* The exact eps: sqrt(1 - a) (a C + (1 - a) I)^-1 (x - sqrt(a) mean), C the covariance of the data. */
static int exact_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    const struct data *data = user;
    double a = data->alpha_bar[(int)t], off = a * rho, determinant = 1 - off * off, sigma = sqrt(1 - a);
    for (int i = 0; i < n; i++) {
        double u = x[D * i] - sqrt(a) * mean[0], v = x[D * i + 1] - sqrt(a) * mean[1];
        out[D * i] = sigma * (u - off * v) / determinant;
        out[D * i + 1] = sigma * (v - off * u) / determinant;
    }
    (void)classes, (void)err;
    return 0;
}

static void no_noise(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    memset(z, 0, d * sizeof *z);
    (void)user, (void)index, (void)t, (void)draw;
}

static ddpm_sampler *create(struct data *data, const char *name, double eta, int batch, ddpm_noise_fn *noise)
{
    double beta[T], t[K], alpha_bar[K];
    ddpm_error err = { 0, "" };
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    int code = ddpm_betas(beta, data->alpha_bar, T, "linear:1e-4,0.02", &err);
    for (int i = 0; i < K; i++) {
        t[i] = rint(i * (T - 1.0) / (K - 1));
        alpha_bar[i] = data->alpha_bar[(int)t[i]];
    }

    ddpm_sampler_options o = { .sampler = name,
                               .variance = name[2] == 'p' ? "beta-tilde" : "auto",
                               .eta = eta };
    o.snr = 0.16, o.outputs = 1, o.T = T, o.seed = 3, o.eps = exact_eps, o.eps_user = data, o.noise = noise;
    if (!code)
        code = ddpm_chain_create(&chain, K, t, alpha_bar, &err);
    if (!code)
        code = ddpm_sampler_create(&s, chain, &o, D, batch, NULL, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_chain_free(chain);
    return s;
}

/* Makes n images from `first` on, and copies them to x [n, D]. */
static void make(double *x, ddpm_sampler *s, int first, int n, int resample, int jump)
{
    static uint32_t index[BATCH];
    static double known[BATCH * D];
    ddpm_error err = { 0, "" };
    const ddpm_keep keep = { known, resample, jump, 0 };
    for (int i = 0; i < n; i++) {
        index[i] = (uint32_t)(first + i);
        known[D * i] = known_x0;
        known[D * i + 1] = NAN;
    }

    int code = ddpm_sampler_start(s, index, NULL, n, NULL, 0, &err);
    if (!code)
        code = ddpm_sampler_keep(s, &keep, &err);
    CHECK(ddpm_sampler_left(s) == ddpm_keep_steps(K - 1, resample, jump));
    while (!code && ddpm_sampler_left(s) > 0)
        code = ddpm_sampler_step(s, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    memcpy(x, ddpm_sampler_state(s, NULL), (size_t)n * D * sizeof *x);
}

/* The mean of n images has a standard deviation of sqrt(variance / n), their variance one of variance
   sqrt(2 / n); five of them are allowed.  Steps are affine in their noise, so without noise a single image is
   the mean, which the script prints with 9 decimals here.  More jumps come nearer to the conditional mean
   0.76. */
TEST(inpaint, has_the_law_of_the_paper)
{
    static const struct {
        int resample, jump;
        double mean, variance;
    } law[] = {
        { 1, 1, 0.376412960, 0.428126385 },
        { 2, 5, 0.528580746, 0.354472246 },
        { 10, 5, 0.687066056, 0.294941480 },
    };

    static double x[IMAGES * D];
    struct data data;
    ddpm_sampler *s = create(&data, "ddpm", 0, BATCH, NULL),
                 *mean_only = create(&data, "ddpm", 0, 1, no_noise);
    REQUIRE(s && mean_only);

    for (size_t k = 0; k < sizeof law / sizeof *law; k++) {
        double sum = 0, squares = 0;
        for (int first = 0; first < IMAGES; first += BATCH)
            make(x + first * D, s, first, BATCH, law[k].resample, law[k].jump);
        for (int i = 0; i < IMAGES; i++) {
            CHECK(x[D * i] == known_x0);
            sum += x[D * i + 1];
            squares += (x[D * i + 1] - law[k].mean) * (x[D * i + 1] - law[k].mean);
        }
        make(x, mean_only, 0, 1, law[k].resample, law[k].jump);
        CHECK_NEAR(x[1], law[k].mean, 1e-8);
        CHECK_NEAR(sum / IMAGES, law[k].mean, 5 * sqrt(law[k].variance / IMAGES));
        CHECK_NEAR(squares / IMAGES, law[k].variance, 5 * law[k].variance * sqrt(2.0 / IMAGES));
    }
    ddpm_sampler_free(s);
    ddpm_sampler_free(mean_only);
}

/* Every sampler keeps what is known to the bit, alone and in a batch; a sampler without noise gives the image
   that belongs to its x_T. */
TEST(inpaint, keeps_the_known_in_every_sampler)
{
    double together[3 * D], alone[D];
    for (const char *const *name = ddpm_sampler_names(); *name; name++) {
        struct data data;
        if (ddpm_sampler_traits_of(*name)->own_steps)
            continue;
        ddpm_sampler *s = create(&data, *name, 0, 3, NULL);
        REQUIRE(s);
        int resample = !strcmp(*name, "ddpm") ? 3 : 1;
        make(together, s, 7, 3, resample, 4);
        for (int i = 0; i < 3; i++) {
            make(alone, s, 7 + i, 1, resample, 4);
            CHECK(!memcmp(alone, together + i * D, sizeof alone));
            CHECK(together[D * i] == known_x0 && isfinite(together[D * i + 1]));
        }
        CHECK(together[1] != together[3]);
        ddpm_sampler_free(s);
    }
}

/* A state that is restored at any step goes on to the same bits. */
TEST(inpaint, goes_on_from_every_step)
{
    double whole[D], state[D];
    const double known[D] = { known_x0, NAN };
    const uint32_t index = 0;
    struct data data;
    ddpm_error err;
    ddpm_sampler *s = create(&data, "ddpm", 0, 1, NULL);
    REQUIRE(s);
    make(whole, s, 0, 1, 3, 7);

    int steps = ddpm_keep_steps(K - 1, 3, 7);
    for (int stop = 1; stop < steps; stop += 5) {
        const ddpm_keep begun = { known, 3, 7, 0 }, rest = { known, 3, 7, stop };
        REQUIRE(!ddpm_sampler_start(s, &index, NULL, 1, NULL, 0, &err) &&
                !ddpm_sampler_keep(s, &begun, &err));
        for (int k = 0; k < stop; k++)
            REQUIRE(!ddpm_sampler_step(s, &err));
        memcpy(state, ddpm_sampler_state(s, NULL), sizeof state);

        REQUIRE(!ddpm_sampler_start(s, &index, NULL, 1, state, K - 1, &err));
        REQUIRE(!ddpm_sampler_keep(s, &rest, &err));
        CHECK(ddpm_sampler_left(s) == steps - stop);
        while (ddpm_sampler_left(s) > 0)
            REQUIRE(!ddpm_sampler_step(s, &err));
        CHECK(!memcmp(ddpm_sampler_state(s, NULL), whole, sizeof whole));
    }
    ddpm_sampler_free(s);
}

TEST(inpaint, refuses)
{
    const double known[D] = { 1, NAN }, infinite[D] = { INFINITY, NAN };
    const uint32_t index = 0;
    struct data data;
    ddpm_error err;
    ddpm_sampler *s = create(&data, "ddpm", 0, 1, NULL), *ode = create(&data, "ddim", 0, 1, NULL),
                 *solver = create(&data, "dpmpp", 1, 1, NULL);
    REQUIRE(s && ode && solver);
    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ known, 1, 1, 0 }, &err) == DDPM_EUSAGE);
    REQUIRE(!ddpm_sampler_start(s, &index, NULL, 1, NULL, 0, &err));
    REQUIRE(!ddpm_sampler_start(ode, &index, NULL, 1, NULL, 0, &err));
    REQUIRE(!ddpm_sampler_start(solver, &index, NULL, 1, NULL, 0, &err));

    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ known, 0, 1, 0 }, &err) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ known, 257, 1, 0 }, &err) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ known, 1, 0, 0 }, &err) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ known, 1, 1, K }, &err) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_keep(s, &(ddpm_keep){ infinite, 1, 1, 0 }, &err) == DDPM_EDATA);
    CHECK(ddpm_sampler_keep(ode, &(ddpm_keep){ known, 2, 1, 0 }, &err) == DDPM_EUSAGE);
    CHECK(ddpm_sampler_keep(solver, &(ddpm_keep){ known, 2, 1, 0 }, &err) == DDPM_EUSAGE);
    ddpm_sampler_free(s);
    ddpm_sampler_free(ode);
    ddpm_sampler_free(solver);
}
