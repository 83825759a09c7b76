/* Names of Windows that are no files. */
#include <errno.h>
#include "base/file.h"
#include "base/system_windows.h"
#include "base/target.h"
#include "tests/check.h"

/* Names of devices count in every folder, in upper and lower case, and with any ending. */
TEST(system, names_of_devices)
{
    static const char *const devices[] = { "con",      "CON.png", "a/con.png", "a\\Nul.txt", "C:aux",
                                           "com1.x.y", "LPT9",    "nul .png",  "prn",        "conout$" };
    static const char *const files[] = { "com0", "com10", "console", "con-1.png", "lpt", "a.con", "nul/b" };

    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (!dd_system_is_device(devices[i]) || dd_target_kind(devices[i]) != DD_TARGET_STREAM)
            check_fail(__FILE__, __LINE__, "%s is taken for a file", devices[i]);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (dd_system_is_device(files[i]))
            check_fail(__FILE__, __LINE__, "%s is taken for a device", files[i]);
}

TEST(system, names_that_are_refused)
{
    const char *folder = check_folder();
    struct dd_output o;
    ddpm_error err;

    CHECK(dd_system_open(check_path(folder, "con.png"), DD_SYSTEM_WRITE | DD_SYSTEM_NEW) < 0);
    CHECK(errno == ENXIO);
    CHECK(dd_system_open(check_path(folder, "a:b"), DD_SYSTEM_WRITE | DD_SYSTEM_NEW) < 0);
    CHECK(errno == EINVAL);
    CHECK(dd_output_create(&o, check_path(folder, "con.png"), 1, &err) == DDPM_ECREATE);
    CHECK(strstr(err.text, "is a device"));
    CHECK(dd_output_create(&o, check_path(folder, "a:b.png"), 1, &err) == DDPM_ECREATE);
    CHECK(dd_output_create(&o, check_path(folder, "a?.png"), 1, &err) == DDPM_ECREATE);
    CHECK(strstr(err.text, "can have this name"));
    CHECK(check_entries(folder) == 0);
}

/* A file that somebody maps or holds open is not replaced, and the error says so; the temporary is gone. */
TEST(system, files_that_others_hold)
{
    const char *folder = check_folder(), *path = check_path(folder, "held");
    struct dd_output o;
    ddpm_error err;

    FILE *f = fopen(path, "wb");
    REQUIRE(f && fputs("old", f) >= 0 && fflush(f) == 0);
    REQUIRE(dd_output_create(&o, path, 1, &err) == DDPM_OK);
    fputs("new", o.stream);
    CHECK(dd_output_commit(&o, &err) == DDPM_EIO);
    CHECK(strstr(err.text, "another program has it open"));
    CHECK(check_entries(folder) == 1);
    fclose(f);
}

/* A backslash ends the name of a folder too. */
TEST(system, backslashes)
{
    const char *folder = check_folder(), *path = check_path(folder, "a\\b");
    struct dd_output o;
    REQUIRE(dd_system_make_folder(check_path(folder, "a")));
    REQUIRE(dd_output_create(&o, path, 0, NULL) == DDPM_OK);
    fputs("x", o.stream);
    CHECK(dd_output_commit(&o, NULL) == DDPM_OK);
    CHECK(dd_system_is_file(check_path(folder, "a/b")) && check_entries(folder) == 1);
    CHECK_TEXT(dd_system_name("C:b"), "b");
    CHECK_TEXT(dd_system_name("\\\\server\\share\\b"), "b");
}
