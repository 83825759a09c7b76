/* Schedules, step lists and chains as texts: what is taken, and what is refused with a sentence that
   says why. */
#include "check.h"

static double beta[1000], alpha_bar[1000];

static int respace(ddpm_chain **chain, int T, const char *steps, const char *spacing, ddpm_error *err)
{
    ddpm_about about = { .steps = T, .alpha_bar = alpha_bar };
    return ddpm_betas(beta, alpha_bar, T, "linear:1e-4,0.02", err) ||
           ddpm_chain_respace(chain, &about, steps, spacing, err);
}

static void expect(int T, const char *steps, const char *spacing, const char *list)
{
    char found[256] = "";
    ddpm_chain *chain = NULL;
    REQUIRE(!respace(&chain, T, steps, spacing, NULL));
    const ddpm_tables *c = ddpm_chain_tables(chain);
    for (int i = 0; i < c->K; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), i ? " %g" : "%g", c->t[i]);
    CHECK_TEXT(found, list);
    ddpm_chain_free(chain);
}

TEST(unit, step_lists)
{
    expect(7, "4", NULL, "0 2 4 6");
    expect(7, "all", "quad", "0 1 2 3 4 5 6");
    expect(1000, "1", "leading", "999");
    expect(1000, "iddpm:1", NULL, "999");
    expect(1000, "0,10,20,999", NULL, "0 10 20 999");
    expect(1000, "3,999", "logsnr", "3 999");
    expect(1000, "3,999,", NULL, "3 999");
    expect(1000, "500,", NULL, "500");
    expect(300, "iddpm:2,3,1", NULL, "0 99 100 150 199 200"); /* 149.5 rounds to even */
    expect(10, "5", "leading", "0 2 4 6 8");
    expect(10, "4", "linspace", "0 3 6 9");
    expect(10, "4", "trailing", "1 4 7 9"); /* 2.5, 5, 7.5 round to 2, 5, 8 */
    expect(10, "9", "leading", "0 1 2 3 4 5 6 7 8");
    expect(10, "5", "quad", "0 1 2 4 8"); /* from 0 0.5 2 4.5 8 */
}

TEST(unit, step_lists_refused)
{
    static const struct {
        const char *steps, *spacing, *mentions;
    } bad[] = {
        { "0", NULL, "\"0\" is not a number from 1 to 1000" },
        { "-5", NULL, "\"-5\" is not a number from 1 to 1000" },
        { "1001", NULL, "\"1001\" is not a number from 1 to 1000" },
        { "99999999999999999999", NULL, "is not a number from 1 to 1000" },
        { "", NULL, "\"\" is not a number" },
        { "fifty", NULL, "\"fifty\" is not a number" },
        { "5.5", NULL, "\"5.5\" is not a number" },
        { " 5", NULL, "is not a number" },
        { "0,10,10", NULL, "10 follows 10" },
        { "0,20,10,999", NULL, "10 follows 20" },
        { "0,1000", NULL, "\"1000\" is not a number from 0 to 999" },
        { "0,,5", NULL, "\"\" is not a number" },
        { "0,5,,", NULL, "\"\" is not a number" },
        { ",", NULL, "\"\" is not a number" },
        { "iddpm:", NULL, "section 1 of 1" },
        { "iddpm:400,700", NULL,
          "section 2 of 2: steps \"iddpm:400,700\": \"700\" is not a number from 1 to 500" },
        { "quad:5", NULL, "iddpm:10,15,20" },
        { "50", "even", "iddpm, leading, linspace, trailing, quad, logsnr, optimal" },
        { "50", "optimal", "make a model that has them with `ddpm eval DATA --statistics -o NEW`" },
        { "50", "", "no such spacing" },
    };

    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        ddpm_error err = { 0 };
        ddpm_chain *chain = NULL;
        CHECK(respace(&chain, 1000, bad[k].steps, bad[k].spacing, &err) == DDPM_EUSAGE &&
              err.code == DDPM_EUSAGE && !chain);
        if (!strstr(err.text, bad[k].mentions))
            check_fail(__FILE__, __LINE__, "steps \"%s\": \"%s\" does not mention \"%s\"", bad[k].steps,
                       err.text, bad[k].mentions);
        CHECK(respace(&chain, 1000, bad[k].steps, bad[k].spacing, NULL) == DDPM_EUSAGE);
    }
    char many[4096] = "0";
    for (int i = 1; i <= 1000; i++)
        memcpy(many + 2 * i - 1, ",9", 3);
    ddpm_chain *chain = NULL;
    CHECK(respace(&chain, 1000, many, NULL, NULL) == DDPM_EUSAGE);
}

TEST(unit, step_lists_warn)
{
    ddpm_chain *chain = NULL;
    REQUIRE(!respace(&chain, 1000, "0,100,200", NULL, NULL));
    CHECK(strstr(ddpm_chain_tables(chain)->warning, "t = 200"));
    ddpm_chain_free(chain);
    REQUIRE(!respace(&chain, 1000, "0,100,999", NULL, NULL));
    CHECK(!ddpm_chain_tables(chain)->warning);
    ddpm_chain_free(chain);
}

TEST(unit, schedules_refused)
{
    static const struct {
        const char *spec;
        int T;
        const char *mentions;
    } bad[] = {
        { "linea", 1000, "no such schedule; it is one of linear, openai-linear" },
        { "", 1000, "no such schedule" },
        { "f32:", 1000, "no such schedule" },
        { ":1", 1000, "no such schedule" },
        { "linear:", 1000, "not a list of numbers" },
        { "linear:0.1", 1000, "linear takes 2 numbers, 1 given" },
        { "linear:1,2,3,4,5", 1000, "linear takes 2 numbers, 5 given" },
        { "cosine:1", 1000, "cosine takes 0 numbers, 1 given" },
        { "linear:0.1,nan", 1000, "not a list of numbers" },
        { "linear:0.1,0.2x", 1000, "not a list of numbers" },
        { "linear:0.1,0.2+zero", 1000, "not a list of numbers" },
        { "linear:0.1,2", 1000, "beta lies between 0 and 1" },
        { "linear:0,0.02", 1000, "beta = 0 at t = 0" },
        { "quad:-1,0.02", 1000, "beta lies between 0 and 1" },
        { "f32:linear:1e-9,1e-8", 1000, "alpha_bar does not fall at t = 0" },
        { "cosine", 0, "choose 1 to 65535" },
        { "cosine", 65536, "choose 1 to 65535" },
        { "cosine+zero-snr", 1, "needs at least 2 steps" },
    };

    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        ddpm_error err = { 0 };
        CHECK(ddpm_betas(beta, alpha_bar, bad[k].T, bad[k].spec, &err) == DDPM_EUSAGE);
        if (!strstr(err.text, bad[k].mentions))
            check_fail(__FILE__, __LINE__, "betas \"%s\": \"%s\" does not mention \"%s\"", bad[k].spec,
                       err.text, bad[k].mentions);
    }
}

TEST(unit, chains_refused)
{
    static const struct {
        int K;
        double t[3], alpha_bar[3];
    } bad[] = {
        { 0, { 0 }, { 0.5 } },
        { 1, { -1 }, { 0.5 } },
        { 1, { NAN }, { 0.5 } },
        { 1, { 65536 }, { 0.5 } },
        { 1, { 0 }, { 1 } },
        { 1, { 0 }, { NAN } },
        { 1, { 0 }, { -0.1 } },
        { 2, { 1, 1 }, { 0.5, 0.4 } },
        { 2, { 0, 1 }, { 0.5, 0.5 } },
        { 3, { 0, 1, 2 }, { 0.5, 0, -0.5 } },
        { 3, { 0, 1, 2 }, { 0.5, 0, 0 } },
        { 2, { 3, 3 + 0x1p-18 }, { 0.5, 0.4 } },
        { 1, { 65535 + 0x1p-10 }, { 0.5 } },
    };

    ddpm_chain *chain = NULL;
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        CHECK(ddpm_chain_create(&chain, bad[k].K, bad[k].t, bad[k].alpha_bar, NULL) != DDPM_OK && !chain);
    REQUIRE(!ddpm_chain_create(&chain, 2, (double[]){ 0.5, 7.25 }, (double[]){ 0.9, 0 }, NULL));
    CHECK(ddpm_chain_tables(chain)->beta[1] == 1 && ddpm_chain_tables(chain)->log_snr[1] == -INFINITY);
    ddpm_chain_free(chain);
}

/* The counter has 32 bits for t in units of 2^-16, where all ones stand for x_T, and 24 bits for the
   draw. No two places may share their noise. */
TEST(unit, noise_never_repeats)
{
    uint64_t seed = 5;
    double a[4], b[4];

    static const struct {
        double t;
        int draw;
    } none[] = {
        { 65536, 0 }, { 65536 - 0x1p-18, 0 }, { 1e300, 0 }, { -1, 0 }, { -INFINITY, 0 }, { NAN, 0 },
        { 3, -1 },    { 3, 1 << 24 },
    };

    for (size_t k = 0; k < sizeof none / sizeof none[0]; k++) {
        ddpm_noise(&seed, a, 4, 0, none[k].t, none[k].draw);
        CHECK(isnan(a[0]) && isnan(a[3]));
    }
    ddpm_noise(&seed, a, 4, 0, 65535.99, (1 << 24) - 1);
    ddpm_noise(&seed, b, 4, 0, INFINITY, (1 << 24) - 1);
    CHECK(isfinite(a[0]) && isfinite(b[3]) && memcmp(a, b, sizeof a));

    ddpm_chain *chain = NULL;
    REQUIRE(!ddpm_chain_create(&chain, 2, (double[]){ 3, 3 + 0x1p-16 }, (double[]){ 0.5, 0.4 }, NULL));
    ddpm_noise(&seed, a, 4, 0, 3, 0);
    ddpm_noise(&seed, b, 4, 0, 3 + 0x1p-16, 0);
    CHECK(memcmp(a, b, sizeof a));
    ddpm_chain_free(chain);
}
