/* Corrupt and hostile files (../shared/reference/checkpoints/bad, listed in bad.json), every beginning
   of small good files, and allocations that fail. Each ends in one sentence, with bounded memory, and
   nothing is executed. */
#include <cjson/cJSON.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json.h"
#include "tests/check.h"
#include "tests/process_memory.h"
#include "tests/unit/alloc.h"
#include "tools/checkpoint/checkpoint.h"

/* Reads all values of all tensors. Returns 0 or the code of the first error. */
static int read_everything(const struct checkpoint *c, ddpm_error *err)
{
    int code = DDPM_OK;
    for (size_t i = 0; !code && i < c->tensors; i++) {
        uint64_t n = 1;
        for (int k = 0; k < c->tensor[i].rank; k++)
            n *= (uint64_t)c->tensor[i].dim[k];
        float *v = malloc(n * sizeof *v + 1);
        code = v ? checkpoint_floats(c, &c->tensor[i], v, err) : DDPM_ENOMEM;
        free(v);
    }
    return code;
}

static int open_everything(const char *path, ddpm_error *err)
{
    struct checkpoint c;
    int code = checkpoint_open(&c, path, NULL, NULL, err);
    if (code)
        return code;
    code = read_everything(&c, err);
    checkpoint_close(&c);
    return code;
}

/* Returns whether only a configuration can tell that a file is bad: its tensors are well formed, but are
   not those of the network that it describes. */
static int is_for_the_converter(const char *name)
{
    static const char *const names[] = { "st_missing_tensor", "st_extra_tensor", "st_wrong_shape",
                                         "cfg_negative",      "cfg_huge",        "cfg_groups",
                                         "cfg_groups_zero",   "cfg_lengths",     "cfg_block_type",
                                         "cfg_types" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return 1;
    return 0;
}

static void check_entry(const char *folder, const cJSON *entry)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "path"));
    const char *expect = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "expect"));
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(entry, "must_mention"), *word;
    ddpm_error err = { 0 };
    int code = open_everything(check_path(folder, "%s", name), &err);

    /* bad.json expects what a converter does; the readers alone accept some of these files. */
    if (is_for_the_converter(name) || strstr(expect, "ignoring the foreign entry is also right"))
        expect = "accept";

    if (!code != !strncmp(expect, "accept", 6)) {
        check_fail(__FILE__, __LINE__, "%s: %s, but it should %s", name, code ? err.text : "accepted",
                   expect);
        return;
    }

    if (!code)
        return;

    CHECK(code == err.code && (code == DDPM_EDATA || code == DDPM_EMISSING));
    CHECK(strstr(err.text, name) || strstr(err.text, "diffusion_pytorch_model"));

    cJSON_ArrayForEach(word, words)
        if (!strstr(err.text, word->valuestring))
            check_fail(__FILE__, __LINE__, "%s: \"%s\" does not mention %s", name, err.text,
                       word->valuestring);
}

TEST(checkpoint, bad)
{
    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);
    char folder[4096];
    struct dd_file file;
    cJSON *root;

    snprintf(folder, sizeof folder, "%s/reference/checkpoints/bad", check_shared());
    REQUIRE(dd_file_map(&file, check_path(folder, "bad.json"), NULL) == DDPM_OK);
    int code = dd_json_parse(&root, (const char *)file.data, file.size, "bad.json", NULL), n = 0;
    dd_file_unmap(&file);
    REQUIRE(code == DDPM_OK);

    double before = process_memory("VmHWM");
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(root, "files")) {
        check_entry(folder, entry);
        n++;
    }

    CHECK(n >= 71);
    /* The largest file has 0.2 MB. Nodes and stack take 16 bytes for each byte of it, and a sanitizer
       takes its share. */
    CHECK(process_memory("VmHWM") - before < 64 << 20);

    /* The hostile pickles would make this file. */
    CHECK(access("/tmp/ddpm_pwned", F_OK) != 0);
    cJSON_Delete(root);
}

static const char *const seeds[] = { "ok_zip.bin", "ok_legacy.bin", "ok.safetensors" };

static const char *seed_path(size_t i)
{
    return check_path(check_source(), "tests/unit/seeds/%s", seeds[i]);
}

/* No proper beginning of a file is a file. Each lies at the end of a block of its own, where a sanitizer
   sees a read of the next byte. */
TEST(checkpoint, truncated)
{
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct dd_file file;
        REQUIRE(dd_file_map(&file, seed_path(i), NULL) == DDPM_OK);

        for (size_t size = 0; size < file.size; size += size < 2048 || file.size - size < 512 ? 1 : 7) {
            struct checkpoint c;
            ddpm_error err = { 0 };
            unsigned char *copy = malloc(size + !size);
            memcpy(copy, file.data, size);
            int code = checkpoint_open_memory(&c, copy, size, "CUT", NULL, &err);
            if (code != DDPM_EDATA || strncmp(err.text, "CUT: ", 5))
                check_fail(__FILE__, __LINE__, "%s cut to %zu bytes: %s", seeds[i], size,
                           code ? err.text : "accepted");

            free(copy);
        }

        dd_file_unmap(&file);
    }
}

static void survive(const char *path)
{
    for (long n = 1;; n++) {
        ddpm_error err = { 0 };
        struct checkpoint c;
        alloc_fail_at(n);
        int code = checkpoint_open(&c, path, NULL, NULL, &err);
        alloc_fail_never();
        if (code == DDPM_OK) {
            CHECK(n > 3 && read_everything(&c, &err) == DDPM_OK);
            checkpoint_close(&c);
            return;
        }
        CHECK(code == DDPM_ENOMEM && err.code == code && strstr(err.text, "memory"));
    }
}

TEST(checkpoint, out_of_memory)
{
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        survive(seed_path(i));
    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE ": no folder is tried");
    survive(check_path(check_shared(), "reference/checkpoints/A8_sharded"));
    survive(check_path(check_shared(), "reference/checkpoints/bad/ok_bin_zip"));
}
