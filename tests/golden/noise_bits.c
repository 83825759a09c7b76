/* The noise of model-file.md "Noise", against values from outside.

   Words are the published known answers of Random123 (kat_vectors, philox 4x32 10), and those of Philox
   written a second time in Python, which gives these answers too. Normals are sqrt(2) erfinv(2 p - 1)
   and, for p < 1e-6, Newton's method on erfc, with 40 digits in mpmath 1.3. Bits are AS241 and its
   logarithm in Python's doubles, which round as IEEE 754 says.

   The tolerance of a normal, u = 2^-53: Horner's rule with 7 steps and positive terms is off by at most
   14 u, twice. The quotient and the last product or square root add 3 u, the formula itself 1 u (1e-16),
   and the argument 2 u: near a quarter of it is cancelled at p = 0.075, and ln p, within 1 u, moves its
   square root by half of that. In the tails z ~ sqrt(2) r, so an error of r counts once. Together that
   is 34 u; the largest of 6,000 random points was 5.6 u. */
#include <stdint.h>
#include "base/hash.h"
#include "base/rng.h"
#include "diffusion/noise.h"
#include "tests/check.h"

static const double bound = 34 * 0x1p-53;

TEST(noise, known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        dd_rng_philox(out, known[i].counter, known[i].key);
        CHECK(!memcmp(out, known[i].out, sizeof out));
    }
}

static const double quantile[][2] = {
    /* Each row has p and Phi^-1(p). */
    { 0x1p-33, -6.3379577545537892525 },
    { 0x1.8p-32, -6.166429517819750247 },
    { 0x1.4p-31, -6.0851045457830309837 },
    { 0x1.cp-31, -6.030967019118252128 },
    { 0x1.fffffffep-2, -2.9180993729166226723e-10 },
    { 0x1.00000001p-1, 2.9180993729166226723e-10 },
    { 0x1.00000003p-1, 8.7542981187498680179e-10 },
    { 0x1.ffffffffp-1, 6.3379577545537892525 },
    { 0x1.fffffffdp-1, 6.166429517819750247 },
    { 0x1.33333338p-4, -1.4395314704450153116 },
    { 0x1.33333328p-4, -1.4395314720898173254 },
    { 0x1.d9999999p-1, 1.4395314704450153116 },
    { 0x1.d999999bp-1, 1.4395314720898173254 },
    { 0x1.00000002p-2, -0.67448974982973843215 },
    { 0x1.00008p-16, -4.1695675844665830128 },
    { 0x1.238p-24, -5.2709218442343997194 },
    { 0x1.bd5b7ddfp-1, 1.1256287403742191158 },
    { 0x1.13579bdfp-1, 0.094836814736882942805 },
    { 0x1.56e1fc2f8f359p-997, -37.047096299361199237 },
    { 0x1.bff2ee48e053p-333, -21.273453560965324294 },
    { 0x1.79ca10c924223p-67, -9.2623400897984075796 },
    { 0x1.c965971ea9c5cp-37, -6.6676114565107408347 },
    { 0x1.07e1fe91b0b7p-36, -6.6465708874771128614 },
    { 0x1.19799812dea11p-40, -7.0344838253011319326 },
    { 0x1.3333333333333p-4, -1.4395314709384559349 },
    { 0x1.d99999999999ap-1, 1.4395314709384562291 },
    { 0x1p-1, 0.0 },
    { 0x1p-2, -0.6744897501960817432 },
};

TEST(noise, quantile)
{
    for (size_t i = 0; i < sizeof quantile / sizeof quantile[0]; i++)
        CHECK_NEAR(dd_rng_quantile(quantile[i][0]), quantile[i][1], bound * fabs(quantile[i][1]));
}

static const struct {
    uint64_t seed;
    uint32_t index, t;
    int purpose;
    uint32_t draw;
    size_t element;
    uint32_t word;
    double normal;
} stream[] = {
    { 0x0000000000000000, 0x00000000, 0xffffffff, 0, 0x000000, 0, 0x7bfa44e7, -0.039395448627460908022 },
    { 0x0000000000000000, 0x00000000, 0xffffffff, 0, 0x000000, 1, 0x273d2ed9, -1.0224781327384979687 },
    { 0x0000000000000000, 0x00000000, 0xffffffff, 0, 0x000000, 3, 0xb919770a, 0.59191072774018309669 },
    { 0x0000000000000000, 0x00000000, 0xffffffff, 0, 0x000000, 4, 0xed512d71, 1.4539500364498202816 },
    { 0x0000000000000000, 0x00000000, 0xffffffff, 0, 0x000000, 3071, 0x4d095fda, -0.52174400000187439984 },
    { 0x0000000000000000, 0x00000001, 0xffffffff, 0, 0x000000, 0, 0x74891e70, -0.11249045581397352104 },
    { 0x0000000000000000, 0x00000000, 0x03e70000, 0, 0x000000, 0, 0xc612d237, 0.75116954898645854702 },
    { 0x0000000000000000, 0x00000000, 0x03e70000, 0, 0x000001, 0, 0x68aa4d5e, -0.23050778937163042644 },
    { 0x0000000000000000, 0x00000000, 0x03e70000, 1, 0x000000, 0, 0x2b633d81, -0.95621015130493041222 },
    { 0x0000000100000000, 0x00000000, 0x00000000, 0, 0x000000, 0, 0xfdde3e0b, 2.3942321939304458213 },
    { 0xfedcba9876543210, 0xffffffff, 0x01f48000, 5, 0xffffff, 1048578, 0x6115286f, -0.30750608850858700356 },
};

TEST(noise, streams)
{
    for (size_t i = 0; i < sizeof stream / sizeof stream[0]; i++) {
        struct dd_rng r = { stream[i].seed, stream[i].index, stream[i].t,
                            (uint32_t)stream[i].purpose << 24 | stream[i].draw };
        uint32_t w;
        dd_rng_words(&r, &w, stream[i].element, 1);
        CHECK(w == stream[i].word);
        CHECK_NEAR(dd_rng_quantile((w + 0.5) * 0x1p-32), stream[i].normal, bound * fabs(stream[i].normal));
    }
}

/* Seed, image, step (with fractions of 1 / 65536), purpose and draw are words of the counter, as the
   model file's contract says. */
TEST(noise, what_a_step_draws)
{
    static const struct {
        double t;
        uint32_t word;
    } step[] = { { 0, 0 }, { 999, 999u << 16 }, { 0.5, 1u << 15 }, { INFINITY, UINT32_MAX } };

    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t draw = 0; draw < 3; draw++) {
            struct dd_rng r = { 1ull << 40 | 7, 5, step[k].word, 2u << 24 | draw };
            double z[6], expected[6];
            dd_noise(z, 6, (struct dd_draw){ r.seed, r.index, step[k].t, 2, (int)draw });
            dd_rng_normal(&r, expected, 6);
            CHECK(!memcmp(z, expected, sizeof z));
        }
}

TEST(noise, words_from_anywhere)
{
    struct dd_rng r = { 5, 6, 7, 8 };
    uint32_t all[40], part[40];
    double u[40];
    dd_rng_words(&r, all, 0, 40);
    dd_rng_uniform(&r, u, 40);
    for (size_t first = 0; first < 12; first++)
        for (size_t n = 0; n < 20; n++) {
            dd_rng_words(&r, part, first, n);
            CHECK(!memcmp(part, all + first, n * sizeof *part));
        }
    for (size_t i = 0; i < 40; i++)
        CHECK(u[i] == (all[i] + 0.5) / 4294967296.0);
}

TEST(noise, same_bits_everywhere)
{
    enum { N = 16384 };
    struct dd_rng r = { 2026, 7, dd_rng_t(500), DD_RNG_SAMPLE << 24 };
    double *z = malloc(N * sizeof *z), sum = 0, square = 0;
    struct dd_hash h;
    char hex[65];

    REQUIRE(z && !dd_hash_begin(&h));
    dd_rng_normal(&r, z, N);
    dd_hash_add(&h, z, N * sizeof *z);
    dd_hash_end(&h, hex);
    CHECK_TEXT(hex, "973ed3471fac0bb3e189c30d958ca6ed2247e68446f038115180e2c4467f0c02");

    for (size_t i = 0; i < N; i++) {
        sum += z[i];
        square += z[i] * z[i];
    }

    CHECK_NEAR(sum / N, 0, 5 / sqrt(N)); /* five standard errors: Var z = 1, Var z^2 = 2 */
    CHECK_NEAR(square / N, 1, 5 * sqrt(2.0 / N));

    free(z);
}

TEST(noise, word_of_a_step)
{
    CHECK(dd_rng_t(0) == 0 && dd_rng_t(1) == 65536 && dd_rng_t(999) == 999 * 65536);
    CHECK(dd_rng_t(0.5) == 32768 && dd_rng_t(1.0 / 131072) == 1 && dd_rng_t(0.9 / 131072) == 0);
    CHECK(dd_rng_t(INFINITY) == 0xffffffff);
}
