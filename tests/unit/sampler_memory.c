/* Chains, samplers and bounds: any allocation may fail, which gives DDPM_ENOMEM and nothing half made.
   After create no step allocates. */
#include "check.h"
#include "tests/untuned_solver.h"
#include "unit/alloc.h"

enum { T = 20, D = 4 };

static int constant_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                        ddpm_error *err)
{
    (void)user, (void)x, (void)t, (void)classes, (void)err;
    for (int e = 0; e < n * D; e++)
        out[e] = 0.1;
    return DDPM_OK;
}

static int build(ddpm_chain **chain, ddpm_sampler **s, const char *sampler, const double *alpha_bar,
                 ddpm_error *err)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_sampler_options o = {
        .sampler = sampler, .variance = "auto", .outputs = 1, .T = T, .snr = 0.2, .eps = constant_eps
    };
    double table[DDPM_TUNED_ROWS * UNTUNED_MOST];
    int code = ddpm_chain_respace(chain, &about, "5", NULL, err);
    if (code)
        return code;

    ddpm_tuned solver = untuned_solver(table, *chain);
    o.tuned = &solver;
    o.tuned_count = 1;
    return ddpm_sampler_create(s, *chain, &o, D, 2, NULL, err);
}

static void survive(const char *sampler)
{
    double beta[T], alpha_bar[T];

    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear:0.01,0.5", NULL));
    for (int code = DDPM_ENOMEM, n = 1; code; n++) {
        ddpm_chain *chain = NULL;
        ddpm_sampler *s = NULL;
        ddpm_error err = { 0 };

        alloc_fail_at(n);
        code = build(&chain, &s, sampler, alpha_bar, &err);
        if (!code) {
            alloc_fail_at(1);
            CHECK(!ddpm_sampler_start(s, (uint32_t[]){ 0, 1 }, NULL, 2, NULL, 0, NULL));
            while (ddpm_sampler_left(s))
                CHECK(!ddpm_sampler_step(s, NULL));
        }

        alloc_fail_never();
        CHECK(code ? code == DDPM_ENOMEM && strstr(err.text, "out of memory") && !s : n > 5);
        REQUIRE(n < 100);

        ddpm_sampler_free(s);
        ddpm_chain_free(chain);
    }
}

TEST(unit, samplers_survive_failing_allocations)
{
    for (const char *const *name = ddpm_sampler_names(); *name; name++)
        survive(*name);
}

static int build_bound(ddpm_chain **chain, ddpm_bound **b, const char *variance, const double *alpha_bar,
                       const double *gamma, ddpm_error *err)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    ddpm_sampler_options o = {
        .variance = variance, .outputs = 1, .T = T, .gamma = gamma, .eps = constant_eps
    };
    int code = ddpm_chain_respace(chain, &about, "5", NULL, err);
    return code ? code : ddpm_bound_create(b, *chain, &o, D, 2, NULL, err);
}

TEST(no_memory, bounds)
{
    double beta[T], alpha_bar[T], gamma[T], x0[2 * D] = { 0.5, -0.5 };

    REQUIRE(!ddpm_betas(beta, alpha_bar, T, "linear:0.01,0.5", NULL));
    for (int t = 0; t < T; t++)
        gamma[t] = 0.9;

    for (int code = DDPM_ENOMEM, n = 1; code; n++) {
        ddpm_chain *chain = NULL;
        ddpm_bound *b = NULL;
        ddpm_error err = { 0 };

        alloc_fail_at(n);
        code = build_bound(&chain, &b, "analytic", alpha_bar, gamma, &err);
        if (!code) {
            /* After create, no allocation may be needed any more. */
            alloc_fail_at(1);
            CHECK(!ddpm_bound_start(b, x0, (uint32_t[]){ 0, 1 }, NULL, 2, NULL));
            while (ddpm_bound_left(b))
                CHECK(!ddpm_bound_step(b, NULL));
        }

        alloc_fail_never();
        CHECK(code ? code == DDPM_ENOMEM && strstr(err.text, "out of memory") && !b
                   : n > 8 && isfinite(ddpm_bound_read(b, 1)->total));

        ddpm_bound_free(b);
        ddpm_chain_free(chain);
        REQUIRE(n < 100);
    }
}
