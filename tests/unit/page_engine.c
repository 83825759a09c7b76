/* The page's engine makes the pictures of the program, and every mistake is one line after which it goes
   on. */
#include "tests/check.h"
#include "tools/cli/command_model.h"
#include "tools/page/engine/engine.h"

/* Begins a run with these options, n words that follow each other in text [size]. */
static struct page_run *begin(struct page_model *m, const char *text, size_t size, int n)
{
    char *words = page_allocate(size);
    if (!words)
        return NULL;
    memcpy(words, text, size);
    return page_run_open(m, words, n);
}

#define BEGIN(m, text, n) begin(m, text, sizeof(text), n)

/* Takes all steps; returns the first code that is not 0. */
static int finish(struct page_run *r)
{
    const double *number = page_run_numbers(r);
    int code = 0;
    while (!code && number[PAGE_TAKEN] < number[PAGE_STEPS])
        code = page_run_step(r);
    return code;
}

TEST(page_engine, each_image_by_itself)
{
    struct page_model *m = page_model_open(NULL, 0);
    REQUIRE(m);
    struct page_run *two = BEGIN(m, "--images=2\0--seed=7\0--steps=3", 3),
                    *one = BEGIN(m, "--index=1\0--seed=7\0--steps=3", 3);
    REQUIRE(two && one);
    CHECK(finish(two) == 0 && finish(one) == 0);

    const double *number = page_run_numbers(two);
    CHECK(number[PAGE_STEPS] == 3 && number[PAGE_CALLS] == 3 && number[PAGE_T] == 0 &&
          number[PAGE_LOST] == 0);
    CHECK(number[PAGE_WIDTH] == 64 && number[PAGE_HEIGHT] == 32 && number[PAGE_COLUMNS] == 2);

    /* The second image is the right half of the picture of both. */
    const unsigned char *both = page_run_picture(two), *second = page_run_picture(one);
    for (int y = 0; y < 32; y++)
        CHECK(!memcmp(both + (y * 64 + 32) * 4, second + y * 32 * 4, 32 * 4));
    CHECK(both[3] == 255);

    /* A step after the last does nothing. */
    CHECK(page_run_step(two) == 0 && number[PAGE_TAKEN] == 3);
    page_run_close(one);
    page_run_close(two);
    page_model_close(m);
}

TEST(page_engine, refuses_and_goes_on)
{
    static const char made[] =
        "{\"program\":\"ddpm "
        "0.1.0\",\"model\":\"0123\",\"engine_class\":\"\",\"seed\":\"7\",\"sampler\":\"ddim\","
        "\"variance\":\"auto\",\"eta\":0,\"clip\":1,\"order\":0,\"corrector\":0,\"snr\":0.16,\"from\":\"\","
        "\"noise_to\":0,\"encode\":false,\"spacing\":\"iddpm\",\"steps\":\"0,999\",\"class\":\"none\","
        "\"keep_steps\":1,\"noise\":\"\",\"format\":\"png\",\"indices\":[0]}";
    struct page_model *m = page_model_open(NULL, 0);
    REQUIRE(m);

    CHECK(!BEGIN(m, "--steps=1001", 1) && page_error_code() == DDPM_EUSAGE);
    CHECK(!BEGIN(m, "--sampler=none", 1) && strstr(page_error(), "--sampler none: choose from ddpm"));
    CHECK(!BEGIN(m, "--class=3", 1) && strstr(page_error(), "no classes"));
    CHECK(!BEGIN(m, "--images=257", 1) && strstr(page_error(), "257 images"));
    CHECK(!BEGIN(m, "--output=x.png", 1) && strstr(page_error(), "--output: a page"));
    CHECK(!BEGIN(m, "--size=33x32", 1) && page_error_code() == DDPM_EUSAGE);
    CHECK(!page_run_again(m, "{}") && page_error_code() == DDPM_EDATA);
    CHECK(!page_run_again(m, made) && strstr(page_error(), "made by model 0123"));

    struct page_run *r = BEGIN(m, "--images=1\0--steps=1\0--size=32x64", 3);
    REQUIRE(r);
    CHECK(!BEGIN(m, "--images=1", 1) && strstr(page_error(), "another run"));
    CHECK(finish(r) == 0 && page_run_numbers(r)[PAGE_HEIGHT] == 64);
    page_run_close(r);
    page_model_close(m);
}

TEST(page_engine, damaged_models)
{
    size_t size = embedded_size();
    for (size_t at = 3; at < size; at += size / 16) {
        unsigned char *data = page_allocate(size);
        REQUIRE(data);
        memcpy(data, embedded_model, size);
        data[at] ^= 0x40;
        CHECK(!page_model_open(data, size) && page_error_code() == DDPM_EDATA);
    }
}
