/* Error sentences, memory and hashes. */
#include <stdint.h>
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/names.h"
#include "tests/check.h"

TEST(error, sentence_and_context)
{
    ddpm_error err = { 0 };
    CHECK(dd_error(&err, DDPM_EDATA, "%d found, %d expected", 3, 4) == DDPM_EDATA && err.code == DDPM_EDATA);
    CHECK(dd_error_context(&err, "file %s", "a.b") == DDPM_EDATA);
    CHECK_TEXT(err.text, "file a.b: 3 found, 4 expected");
    CHECK(dd_error(NULL, DDPM_EIO, "x") == DDPM_EIO);
    dd_error_context(NULL, "x");
}

TEST(error, one_printable_line)
{
    ddpm_error err;
    dd_error(&err, DDPM_EDATA, "tensor %s", "a\n\x1b[2Jb\x7f\xc3\xa9");
    CHECK_TEXT(err.text, "tensor a??[2Jb?\xc3\xa9");
}

TEST(error, long_texts_end_in_dots)
{
    ddpm_error err;
    char name[2000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    dd_error(&err, DDPM_EDATA, "%s", name);
    CHECK(strlen(err.text) == sizeof err.text - 1 && !strcmp(err.text + sizeof err.text - 4, "..."));
    dd_error(&err, DDPM_EDATA, "%.507s", name);
    CHECK(strlen(err.text) == 507 && err.text[506] == 'n');
    dd_error_context(&err, "%s", name);
    CHECK(strlen(err.text) == 507 && !strcmp(err.text + 504, "..."));
}

TEST(error, a_text_without_end)
{
    ddpm_error err[2];
    memset(err, 'e', sizeof err);
    err->code = DDPM_EDATA;
    dd_error_context(err, "file");
    CHECK(strlen(err->text) == sizeof err->text - 1 && !strncmp(err->text, "file: eee", 9));
}

TEST(memory, blocks)
{
    static const size_t sizes[][2] = { { 0, 4 }, { 1, 1 }, { 63, 1 }, { 64, 1 }, { 1000, 8 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = dd_memory(sizes[i][0], sizes[i][1]);
        REQUIRE(p);
        CHECK((uintptr_t)p % 64 == 0);
        for (size_t k = 0; k < sizes[i][0] * sizes[i][1]; k++)
            CHECK(p[k] == 0);
        dd_memory_free(p);
    }
    CHECK(!dd_memory(SIZE_MAX / 2, 4) && !dd_memory(SIZE_MAX, 1) && !dd_memory(SIZE_MAX / 4 + 1, 4));
}

TEST(memory, an_array_that_grows)
{
    size_t *array = NULL;
    for (size_t n = 0; n < 1000; n++) {
        size_t *more = dd_memory_more(array, n, sizeof *more);
        REQUIRE(more);
        array = more;
        array[n] = n;
    }
    for (size_t n = 0; n < 1000; n++)
        CHECK(array[n] == n);
    CHECK(!dd_memory_more(array, SIZE_MAX / 2 + 1, sizeof *array));
    free(array);
}

TEST(names, of_which_one_is_chosen)
{
    static const char *const names[] = { "ddpm", "ddim", "ode", NULL };
    ddpm_error err;
    char text[16] = "";
    int i = -2;
    CHECK(!dd_names_choose(&i, "sampler", "ode", names, &err) && i == 2);
    CHECK(dd_names_choose(&i, "sampler", "od", names, &err) == DDPM_EUSAGE);
    CHECK_TEXT(err.text, "sampler \"od\": no such sampler; it is one of ddpm, ddim, ode");
    CHECK(dd_names_find(names, "ddim") == 1 && dd_names_find(names, "") == -1);
    for (int n = 0; names[n]; n++)
        dd_names_join(text, 11, names[n]);
    CHECK_TEXT(text, "ddpm, ddim");
}

TEST(memory, arena)
{
    struct dd_arena a = { 0 };
    unsigned char *last = NULL;

    for (size_t n = 0; n < 40000; n = n * 2 + 1) {
        unsigned char *p = dd_arena(&a, n, 1);
        REQUIRE(p && p != last);
        CHECK((uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
        memset(p, 0xff, n);
        last = p;
    }

    CHECK(!dd_arena(&a, SIZE_MAX / 2, 3));
    CHECK_TEXT(dd_arena_text(&a, "down_blocks.%d.%s", 3, "conv1"), "down_blocks.3.conv1");

    dd_arena_free(&a);
    CHECK(!a.chunk);
    dd_arena_free(&a);
}

/* The examples are those of FIPS 180-2, appendix B. */
TEST(hash, published_digests)
{
    struct dd_hash h;
    char hex[65];
    REQUIRE(!dd_hash_begin(&h));
    dd_hash_add(&h, "a", 1);
    dd_hash_add(&h, "bc", 2);
    dd_hash_end(&h, hex);
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    REQUIRE(!dd_hash_begin(&h));
    for (int i = 0; i < 1000; i++) {
        char many[1000];
        memset(many, 'a', sizeof many);
        dd_hash_add(&h, many, sizeof many);
    }
    dd_hash_end(&h, hex);
    CHECK_TEXT(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
