/* A tuned solver learns on data whose best network is known: a mixture of two normal distributions, for
   which E(x0 | x_t) and its derivative by x are closed forms. The outside value is the solution of the ODE,
   from 200 steps. With four steps the learned solver must come within a fifth of the distance that
   DPM-Solver++(2M) leaves to it; a tenth was measured. */
#include <math.h>
#include <stdlib.h>
#include "diffusion/fractional.h"
#include "tests/check.h"
#include "train/tuner.h"

enum { T = 1000, K = 4, BATCH = 16, D = 16, STEPS = 150, TEACHER = 200 };

/* The mixture: means +-MEAN with equal weights, and the variance of each part. */
static const double MEAN = 0.5, VARIANCE = 0.01;
static double beta[T], alpha_bar[T];

/* Returns E(x0 | x) at step t, and its derivative by x.  Given x, each part is normal with variance
   1 / (1 / VARIANCE + alpha_bar / (1 - alpha_bar)), and its weight follows from how likely it makes x. */
static double posterior_mean(double x, double t, double *by_x)
{
    double a = dd_fractional_alpha_bar(alpha_bar, T, t, NULL), spread = a * VARIANCE + 1 - a;
    double of_x = sqrt(a) * VARIANCE / spread, of_mean = (1 - a) / spread * MEAN;
    double log_odds = 2 * sqrt(a) * MEAN * x / spread, odds = tanh(log_odds / 2);
    *by_x = of_x + of_mean * (1 - odds * odds) * sqrt(a) * MEAN / spread;
    return of_x * x + of_mean * odds;
}

static void forward(void *user, const struct dd_slice *s)
{
    double by_x;
    (void)user;
    for (int i = 0; i < s->n * D; i++)
        s->out[i] = (float)posterior_mean(s->x[i], s->t[i / D], &by_x);
}

static void backward(void *user, const struct dd_slice *s)
{
    static const double h = 1e-3;
    (void)user;
    for (int i = 0; i < s->n; i++) {
        double sum = 0, t = s->t[i], low = fmax(t - h, 0), high = fmin(t + h, T - 1), by_x, ignored;
        for (int e = i * D; e < (i + 1) * D; e++) {
            posterior_mean(s->x[e], t, &by_x);
            s->dx[e] = (float)(s->dout[e] * by_x);
            sum += s->dout[e] *
                   (posterior_mean(s->x[e], high, &ignored) - posterior_mean(s->x[e], low, &ignored));
        }
        s->dt[i] = (float)(sum / (high - low));
    }
}

/* The same network for samplers. */
static int mean_of(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                   ddpm_error *err)
{
    double by_x;
    (void)user;
    (void)classes;
    (void)err;
    for (int i = 0; i < n * D; i++)
        out[i] = posterior_mean(x[i], t, &by_x);
    return DDPM_OK;
}

/* Makes images first .. first + BATCH - 1 on a chain, which it frees, and returns the sampler that holds
   them. */
static ddpm_sampler *make(ddpm_chain *chain, const ddpm_sampler_options *o, uint32_t first)
{
    ddpm_sampler *s = NULL;
    uint32_t index[BATCH];
    for (uint32_t k = 0; k < BATCH; k++)
        index[k] = first + k;
    if (!ddpm_sampler_create(&s, chain, o, D, BATCH, NULL, NULL) &&
        !ddpm_sampler_start(s, index, NULL, BATCH, NULL, 0, NULL))
        while (ddpm_sampler_left(s) > 0 && !ddpm_sampler_step(s, NULL))
            ;
    ddpm_chain_free(chain);
    return s;
}

/* Fills x0 with the images of TEACHER steps. */
static void teach(double *x0, const ddpm_about *a, const ddpm_sampler_options *o, uint32_t first)
{
    char steps[16];
    size_t buffers;
    ddpm_chain *chain = NULL;
    snprintf(steps, sizeof steps, "%d", TEACHER);
    CHECK(!ddpm_chain_respace(&chain, a, steps, NULL, NULL));
    ddpm_sampler *s = make(chain, o, first);
    memcpy(x0, ddpm_sampler_state(s, &buffers), BATCH * D * sizeof *x0);
    ddpm_sampler_free(s);
}

/* Returns the mean distance of a sampler's images, which it frees, to x0. */
static double distance(ddpm_sampler *s, const double *x0)
{
    size_t buffers;
    const double *x = ddpm_sampler_state(s, &buffers);
    double sum = 0;
    for (int e = 0; e < BATCH * D; e++)
        sum += fabs(x[e] - x0[e]);
    ddpm_sampler_free(s);
    return sum / (BATCH * D);
}

TEST(property, a_tuned_solver_beats_the_untuned_one)
{
    static const double times[K] = { 1, 333, 666, 999 };
    static const struct dd_tuner_network network = { NULL, forward, backward };
    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear", NULL));
    ddpm_about a = { .height = 1,
                     .width = D,
                     .channels = 1,
                     .outputs = 1,
                     .steps = T,
                     .prediction = DDPM_X0,
                     .clip = 1,
                     .t_scale = 1,
                     .beta = beta,
                     .alpha_bar = alpha_bar };
    ddpm_tuner_options options = { .K = K, .t = times, .batch = BATCH, .steps = STEPS };
    ddpm_tuner *tuner = NULL;
    REQUIRE(!dd_tuner_create_for(&tuner, &a, &network, &options, NULL));

    ddpm_sampler_options o;
    ddpm_sampler_defaults(&o, &a);
    o.sampler = "dpmpp";
    o.eps = mean_of;
    double x[BATCH * D], x0[BATCH * D], loss = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        teach(x0, &a, &o, i * BATCH);
        for (uint32_t k = 0; k < BATCH; k++)
            ddpm_noise(&o.seed, x + k * D, D, i * BATCH + k, INFINITY, 0);
        REQUIRE(!ddpm_tuner_step(tuner, x, x0, NULL, &loss, NULL));
    }

    /* The comparison is on noise that it has not seen, by the sampler that users run. */
    ddpm_tuned solver = { .K = K, .table = ddpm_tuner_table(tuner), .teacher = "" };
    ddpm_chain *chain = NULL;
    teach(x0, &a, &o, STEPS * BATCH);
    REQUIRE(!ddpm_chain_respace(&chain, &a, "4", NULL, NULL));
    double untuned = distance(make(chain, &o, STEPS * BATCH), x0);
    a.tuned = &solver;
    a.tuned_count = 1;
    o.sampler = "tuned";
    o.tuned = &solver;
    o.tuned_count = 1;
    REQUIRE(!ddpm_chain_tuned(&chain, &a, K, NULL));
    double tuned = distance(make(chain, &o, STEPS * BATCH), x0);

    if (!(tuned <= untuned / 5))
        check_fail(__FILE__, __LINE__, "distance %g tuned, %g untuned", tuned, untuned);
    ddpm_tuner_free(tuner);
}
