/* A recipe comes back from its text as it went in. Noise from a file reaches the image, step and element
   that it is for. */
#include <limits.h>
#include "base/file.h"
#include "base/safetensors.h"
#include "tests/check.h"
#include "tools/sample/given_noise.h"
#include "tools/sample/recipe.h"

TEST(recipe, comes_back)
{
    const struct recipe r = { .model = "0123",
                              .engine_class = "ddpm \"x\"",
                              .seed = UINT64_MAX,
                              .sampler = "ddim",
                              .variance = "auto",
                              .spacing = "iddpm",
                              .steps = "0,999",
                              .eta = 0.1,
                              .clip = 1,
                              .class = 7,
                              .keep_steps = 3,
                              .noise = "",
                              .format = "png",
                              .order = 3,
                              .corrector = 2,
                              .snr = 0.16,
                              .from = "ab",
                              .noise_to = 500,
                              .encode = true };
    const uint32_t index[3] = { 5, 0, INT_MAX };
    struct stored_recipe stored;
    const struct recipe *q = &stored.recipe;
    ddpm_error err;

    char *text = recipe_text(&r, index, 3);
    REQUIRE(text && recipe_read(&stored, text, "text", &err) == DDPM_OK);

    CHECK(stored.n == 3 && !memcmp(stored.index, index, sizeof index));
    CHECK(q->seed == UINT64_MAX && q->eta == 0.1 && q->clip == 1 && q->class == 7 && q->keep_steps == 3);
    CHECK(q->order == 3 && q->corrector == 2 && q->snr == 0.16 && q->noise_to == 500 && q->encode);
    CHECK_TEXT(q->engine_class, r.engine_class);
    CHECK_TEXT(q->steps, r.steps);

    char *again = recipe_text(q, stored.index, stored.n);
    CHECK_TEXT(again, text);

    free(again);
    free(text);
    recipe_free(&stored);
}

TEST(recipe, several_classes)
{
    static const int classes[3] = { 4, 0, 4 };
    const struct recipe r = { .model = "",
                              .engine_class = "",
                              .sampler = "",
                              .variance = "",
                              .spacing = "",
                              .steps = "",
                              .noise = "",
                              .from = "",
                              .format = "png",
                              .keep_steps = 1,
                              .guidance = 1,
                              .class = CLASS_LIST,
                              .classes = classes,
                              .class_count = 3 };
    struct stored_recipe stored;
    char *text = recipe_text(&r, (const uint32_t[]){ 0 }, 1);
    REQUIRE(text && strstr(text, "\"class\":[4,0,4]") && !recipe_read(&stored, text, "text", NULL));
    CHECK(stored.recipe.class == CLASS_LIST && stored.recipe.class_count == 3);
    CHECK(!memcmp(stored.recipe.classes, classes, sizeof classes));
    free(text);
    recipe_free(&stored);
}

TEST(recipe, differences)
{
    ddpm_error err;
    const char *const a =
        "{\"x\":1,\"class\":\"the same words for more than forty letters, version 2.6\",\"z\":0}";
    const char *const b = "{\"x\":2,\"class\":\"the same words for more than forty letters, version 3.1\"}";
    CHECK(recipe_compare(a, a, "file", &err) == DDPM_OK);
    CHECK(recipe_compare(a, b, "file", &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "x is 1 there and 2 here") && strstr(err.text, "version 2.6\" there") &&
          strstr(err.text, "version 3.1\" here"));
    CHECK(strstr(err.text, "z is 0 there and not here"));
    CHECK(recipe_compare("rubbish", b, "file", &err) == DDPM_EDATA && strstr(err.text, "file"));
}

/* A scale of 1 is not written, since no version before --scale wrote it. */
TEST(recipe, scale)
{
    for (int scale = 0; scale < 3; scale++) {
        const struct recipe r = { "m",           "e",        .sampler = "", .variance = "", .spacing = "",
                                  .steps = "",   .from = "", .noise = "",   .format = "",   .keep_steps = 1,
                                  .scale = scale };
        const uint32_t index = 0;
        struct stored_recipe stored;
        ddpm_error err;

        char *text = recipe_text(&r, &index, 1);
        REQUIRE(text && recipe_read(&stored, text, "text", &err) == DDPM_OK);
        CHECK(!strstr(text, "scale") == (scale < 2) && stored.recipe.scale == (scale < 2 ? 1 : scale));

        free(text);
        recipe_free(&stored);
    }
}

TEST(recipe, key_of_earlier_versions)
{
    const char *const now = "{\"seed\":\"7\",\"spacing\":\"quad\"}";
    const char *const both = "{\"seed\":\"7\",\"spacing\":\"quad\",\"schedule\":\"quad\"}";
    ddpm_error err;
    CHECK(recipe_same(now, now) && recipe_same("{\"seed\":\"7\",\"schedule\":\"quad\"}", now));
    CHECK(!recipe_same("{\"seed\":\"7\",\"schedule\":\"iddpm\"}", now) && !recipe_same(both, now));
    CHECK(!recipe_same("", now));
    CHECK(recipe_compare("{\"seed\":\"7\",\"schedule\":\"iddpm\"}", now, "file", &err) == DDPM_EUSAGE);
    CHECK(strstr(err.text, "spacing is \"iddpm\" there and \"quad\" here"));
}

/* A mask, a way to fit or an encoding without a picture is refused, and so is an encoding with a mask. */
TEST(recipe, picture_of_the_start)
{
    static const struct {
        const char *from, *fit, *mask;
        bool encode, right;
    } cases[] = {
        { "ab", "pad", "cd", false, true }, { "ab", NULL, NULL, true, true }, { "", NULL, NULL, false, true },
        { "ab", NULL, "cd", true, false },  { "", NULL, "cd", false, false }, { "", NULL, NULL, true, false },
        { "", "pad", NULL, false, false },
    };

    const uint32_t index = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct recipe r = { "m",
                                  "e",
                                  .sampler = "",
                                  .variance = "",
                                  .spacing = "",
                                  .steps = "",
                                  .noise = "",
                                  .format = "",
                                  .keep_steps = 1,
                                  .resample = 2,
                                  .jump = 2,
                                  .guidance = 1,
                                  .from = cases[i].from,
                                  .fit = cases[i].fit,
                                  .mask = cases[i].mask,
                                  .encode = cases[i].encode };
        struct stored_recipe stored;
        ddpm_error err;

        char *text = recipe_text(&r, &index, 1);
        REQUIRE(text);
        int code = recipe_read(&stored, text, "text", &err);
        CHECK(code == (cases[i].right ? DDPM_OK : DDPM_EDATA));
        CHECK(!code || strstr(err.text, "text.from is empty") || strstr(err.text, "text.encode is true"));
        free(text);
        recipe_free(&stored);
    }
}

TEST(recipe, wrong_ones)
{
    static const char seed_below_0[] = "{\"program\":\"\",\"model\":\"\",\"engine_class\":\"\",\"seed\":\"-"
                                       "1\",\"sampler\":\"\",\"variance\":\"\",\"eta\":0,\"clip\":0,"
                                       "\"spacing\":\"\",\"steps\":\"\",\"class\":\"none\",\"keep_steps\":1,"
                                       "\"noise\":\"\",\"format\":\"\",\"indices\":[0]}";
    static const char *const wrong[] = {
        "", "{}", "[]", "{\"indices\":[0]}", "{\"indices\":[-1]}", "{\"indices\":{}}", seed_below_0
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stored_recipe stored;
        ddpm_error err;

        CHECK(recipe_read(&stored, wrong[i], "text", &err) == DDPM_EDATA && strstr(err.text, "text"));
        CHECK(!stored.index);
        recipe_free(&stored);
    }
}

enum { N = 3, K = 2, C = 2, H = 2, W = 3, SIZE = C * H * W };

/* Writes x_T [N, C, H, W] = 1000 n + 100 c + 10 y + x, and z [K, N, C, H, W], the same + 10000 j for the
   j-th executed step, j = 1, 2. */
static int write_noise(const char *path, size_t tensors)
{
    static double x_T[N * SIZE], z[K * N * SIZE];
    struct dd_output o;
    ddpm_error err;
    const char *const meta[] = { NULL };

    for (int i = 0; i < N * SIZE; i++) {
        /* Each value tells its image, channel, row and column. */
        x_T[i] = 1000 * (i / SIZE) + 100 * (i / (H * W) % C) + 10 * (i / W % H) + i % W;
        for (int j = 0; j < K; j++)
            z[j * N * SIZE + i] = 10000 * (j + 1) + x_T[i];
    }

    struct dd_entry e[2] = {
        { .name = "x_T",
          .dtype = DD_F64,
          .rank = 4,
          .dim = { N, C, H, W },
          .count = N * SIZE,
          .size = sizeof x_T,
          .data = (void *)x_T },
        { .name = "z",
          .dtype = DD_F64,
          .rank = 5,
          .dim = { K, N, C, H, W },
          .count = K * N * SIZE,
          .size = sizeof z,
          .data = (void *)z },
    };

    return !dd_output_create(&o, path, 0, &err) && !dd_safetensors_write(o.stream, e, tensors, meta, &err) &&
           !dd_output_commit(&o, &err);
}

TEST(recipe, given_noise)
{
    const double t[K] = { 3, 8 }, alpha_bar[K] = { 0.5, 0.001 };
    const ddpm_about a = { .height = H, .width = W, .channels = C };
    const char *path = check_path(check_folder(), "noise.safetensors");
    struct given_noise g;
    ddpm_chain *chain;
    ddpm_error err;
    double z[SIZE];

    REQUIRE(write_noise(path, 2) && ddpm_chain_create(&chain, K, t, alpha_bar, &err) == DDPM_OK);
    REQUIRE(given_noise_open(&g, path, &(struct given_noise_needs){ &a, chain, N - 1, true }, &err) ==
            DDPM_OK);

    for (uint32_t n = 0; n < N; n++)
        for (int j = 0; j <= K; j++) {
            given_noise_draw(&g, z, SIZE, n, j ? t[K - j] : INFINITY, 0);
            for (int i = 0; i < SIZE; i++)
                CHECK(z[i] == 10000 * j + 1000.0 * n + 100 * (i % C) + 10 * (i / C / W) + i / C % W);
        }

    given_noise_close(&g);
    for (int draws = 0; draws < 2; draws++)
        CHECK(given_noise_open(&g, path, &(struct given_noise_needs){ &a, chain, N, draws }, &err) ==
                  DDPM_EDATA &&
              strstr(err.text, path));

    ddpm_chain_free(chain);
}

/* Where no step draws noise, x_T is enough: a missing z is no fault, nor is a z of too few steps. */
TEST(recipe, given_start_alone)
{
    const double t[K + 1] = { 3, 8, 9 }, alpha_bar[K + 1] = { 0.5, 0.01, 0.001 };
    const ddpm_about a = { .height = H, .width = W, .channels = C };
    const char *folder = check_folder();
    ddpm_chain *chain;
    ddpm_error err = { 0 };
    double x[SIZE];

    REQUIRE(ddpm_chain_create(&chain, K + 1, t, alpha_bar, &err) == DDPM_OK);
    for (size_t tensors = 1; tensors <= 2; tensors++) {
        const char *path = check_path(folder, "%zu", tensors);
        struct given_noise g;

        REQUIRE(write_noise(path, tensors));
        CHECK(given_noise_open(&g, path, &(struct given_noise_needs){ &a, chain, N - 1, true }, &err) ==
              DDPM_EDATA);
        CHECK(strstr(err.text, tensors == 1 ? "no tensor z" : "z has 2 steps"));
        REQUIRE(given_noise_open(&g, path, &(struct given_noise_needs){ &a, chain, N - 1, false }, &err) ==
                DDPM_OK);

        given_noise_draw(&g, x, SIZE, 2, INFINITY, 0);
        CHECK(x[0] == 2000 && x[1] == 2100);
        given_noise_close(&g);
    }

    ddpm_chain_free(chain);
}
