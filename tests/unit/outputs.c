/* Mapped inputs, and outputs that are seen whole or not at all. */
#include "tests/unit/outputs.h"
#include "base/system.h"
#include "tests/check.h"
#include "tests/host.h"
#include "tools/cli/command_model.h"

/* In nanoseconds since 1970. */
static const int64_t LONG_AGO = 1000000000000000000;

void output_put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        check_fail(__FILE__, __LINE__, "cannot write %s", path);
}

int output_holds(const char *path, const char *text)
{
    struct dd_file f;
    int same =
        dd_file_map(&f, path, NULL) == DDPM_OK && f.size == strlen(text) && !memcmp(f.data, text, f.size);
    dd_file_unmap(&f);
    return same;
}

int output_map_code(const char *path)
{
    struct dd_file f;
    ddpm_error err = { 0 };
    int code = dd_file_map(&f, path, &err);
    if (!code)
        dd_file_unmap(&f);
    else
        CHECK(strstr(err.text, path) && err.code == code);
    return code;
}

TEST(file, map)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");

    output_put(path, "");
    CHECK(output_holds(path, ""));
    output_put(path, "some text");
    CHECK(output_holds(path, "some text"));

    CHECK(output_map_code(folder) == DDPM_EDATA);
    CHECK(output_map_code(check_path(folder, "b")) == DDPM_EMISSING);
    CHECK(output_map_code(check_path(path, "b")) == DDPM_EMISSING);
}

TEST(file, written_to_while_it_is_read)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"), *other = check_path(folder, "b");
    struct dd_file f;
    ddpm_error err = { 0 };
    output_put(path, "some text");
    CHECK(host_set_written(path, LONG_AGO));
    REQUIRE(dd_file_map(&f, path, &err) == DDPM_OK);
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_OK);
    CHECK(host_set_written(path, -1));
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_EDATA && strstr(err.text, path));
    CHECK(strstr(err.text, "written to"));
    output_put(other, "another");
    /* The mapping is that of the old file. */
    CHECK(dd_system_replace(other, path) && dd_file_unchanged(&f, path, &err) == DDPM_OK);
    dd_file_unmap(&f);
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_OK);
}

/* A model whose file is written to after it was opened makes no network, since half of its weights may
   be another's. */
TEST(file, model_written_to_while_it_is_read)
{
    const char *path = check_path(check_folder(), "model");
    ddpm_model *m, *read, *with;
    ddpm_net *net = NULL;
    ddpm_error err = { 0 };

    REQUIRE(ddpm_model_open_memory(&m, embedded_model, embedded_size(), &err) == DDPM_OK);
    REQUIRE(ddpm_model_save(m, path, 0, &err) == DDPM_OK);
    CHECK(host_set_written(path, LONG_AGO));
    REQUIRE(ddpm_model_open(&read, path, &err) == DDPM_OK);
    CHECK(host_set_written(path, -1));

    CHECK(ddpm_net_create(&net, read, NULL, &err) == DDPM_EDATA && strstr(err.text, path) && !net);
    CHECK(ddpm_model_check(read, &err) == DDPM_EDATA && strstr(err.text, path));
    CHECK(model_check(read, path, &err) == DDPM_EDATA && !strstr(strstr(err.text, path) + 1, path));
    CHECK(ddpm_model_save(read, check_path(check_folder(), "copy"), 0, &err) == DDPM_EDATA);
    const ddpm_about *a = ddpm_model_about(read);
    CHECK(ddpm_model_add_statistics(&with, read, a->gamma, a->mse, 1, NAN, &err) == DDPM_EDATA);

    ddpm_model_close(read);
    ddpm_model_close(m);
}

int output_write(const char *path, const char *text, int replace, int abandon)
{
    struct dd_output o;
    ddpm_error err = { 0 };
    int code = dd_output_create(&o, path, replace, &err);
    if (!code) {
        fputs(text, o.stream);
        if (abandon)
            dd_output_abandon(&o);
        else
            code = dd_output_commit(&o, &err);
    }
    CHECK(!o.stream && !o.path && !o.temporary);
    dd_output_abandon(&o); /* does nothing to an ended output */
    if (code)
        CHECK(strstr(err.text, path) && err.code == code);
    return code;
}

TEST(output, commit_and_abandon)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");
    CHECK(output_write(path, "one", 0, 0) == DDPM_OK && output_holds(path, "one"));
    CHECK(output_write(path, "two", 0, 0) == DDPM_ECREATE && output_holds(path, "one"));
    CHECK(output_write(path, "two", 1, 1) == DDPM_OK && output_holds(path, "one"));
    CHECK(output_write(path, "two", 1, 0) == DDPM_OK && output_holds(path, "two"));
    CHECK(check_entries(folder) == 1);
}

TEST(output, nothing_is_seen_before_commit)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");
    struct dd_output o, second;
    ddpm_error err;
    REQUIRE(dd_output_create(&o, path, 0, &err) == DDPM_OK);
    CHECK(!dd_system_exists(path) && check_entries(folder) == 1);
    REQUIRE(dd_output_create(&second, path, 0, &err) == DDPM_OK); /* each has a temporary file of its own */
    CHECK(check_entries(folder) == 2);
    fputs("first", o.stream);
    CHECK(dd_output_commit(&o, &err) == DDPM_OK);
    CHECK(dd_output_commit(&second, &err) == DDPM_ECREATE && output_holds(path, "first"));
    CHECK(check_entries(folder) == 1);
}

TEST(output, places_that_cannot_be_written)
{
    const char *folder = check_folder(), *file = check_path(folder, "file");

    output_put(file, "x");
    CHECK(output_write(check_path(folder, "no/such"), "x", 0, 0) == DDPM_ECREATE);
    CHECK(output_write(check_path(file, "below"), "x", 0, 0) == DDPM_ECREATE);
    CHECK(output_write(folder, "x", 1, 0) == DDPM_ECREATE);
    CHECK(output_write(check_path(folder, ""), "x", 1, 0) == DDPM_ECREATE);
    CHECK(output_write("", "x", 1, 0) == DDPM_ECREATE);
    CHECK(check_entries(folder) == 1);
}
