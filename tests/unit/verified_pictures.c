/* ddpm verify sees one changed pixel; for another engine class it sees a pixel that is off by more than
   two levels. */
#include "tests/check.h"
#include "tools/cli/options.h"
#include "tools/image/picture.h"

/* Returns the exit code of a command that is given words, which end with NULL. */
static int command(const struct command *c, const char *const *words)
{
    char *argv[16];
    int argc = 0, arguments;
    ddpm_error err;
    void *settings = malloc(c->size);

    while (words[argc]) {
        argv[argc] = (char *)words[argc];
        argc++;
    }

    if (!settings)
        return -1;

    memcpy(settings, c->defaults, c->size);
    int code = options_parse(c, settings, argc, argv, &arguments, &err);
    if (!code)
        code = c->run(settings, argv, arguments);

    free(settings);
    return code;
}

/* Returns the exit code of verify for p with the value at place `at` changed by levels. */
static int verify_changed(const struct picture *p, const char *text, size_t at, int levels)
{
    const char *path = check_path(check_folder(), "changed.png");
    unsigned char was = p->pixel[at];
    ddpm_error err;
    FILE *f = fopen(path, "wb");
    p->pixel[at] = (unsigned char)(was < 128 ? was + levels : was - levels);
    int code = f ? picture_write(f, p, text, &err) : -1;
    p->pixel[at] = was;
    if (!f || fclose(f) || code)
        return -1;
    return command(&command_verify, (const char *const[]){ "-q", path, NULL });
}

TEST(verify, one_pixel)
{
    const char *path = check_path(check_folder(), "picture.png");
    static const char class[] = "\"engine_class\":\"";
    struct picture p;
    char *text;
    ddpm_error err;

    REQUIRE(command(&command_sample,
                    (const char *const[]){ "-q", "-n", "1", "--steps", "1", "-o", path, NULL }) == 0);
    REQUIRE(picture_read(&p, &text, path, &err) == DDPM_OK);
    size_t last = (size_t)(p.width * p.height * p.channels) - 1;

    CHECK(verify_changed(&p, text, 0, 0) == 0);
    CHECK(verify_changed(&p, text, 0, 1) == 1 && verify_changed(&p, text, last, 1) == 1 &&
          verify_changed(&p, text, last / 2, 100) == 1);

    /* Another engine class may be off by two levels. */
    char *other = strstr(text, class);
    REQUIRE(other);
    other[sizeof class - 1] ^= 1;
    CHECK(verify_changed(&p, text, last, 1) == 0 && verify_changed(&p, text, last, 2) == 0);
    CHECK(verify_changed(&p, text, last, 3) == 1);

    free(text);
    picture_free(&p);
}

/* Every pixel of an enlarged picture counts, also those beside the one that they were copied from. */
TEST(verify, enlarged_pixels)
{
    const char *path = check_path(check_folder(), "picture.png");
    struct picture p;
    char *text;
    ddpm_error err;
    REQUIRE(command(&command_sample, (const char *const[]){ "-q", "-n", "2", "--steps", "1", "--scale", "3",
                                                            "-o", path, NULL }) == 0);
    REQUIRE(picture_read(&p, &text, path, &err) == DDPM_OK);
    CHECK(p.width == 3 * 2 * 32 && p.height == 3 * 32);
    size_t last = (size_t)(p.width * p.height * p.channels) - 1;
    CHECK(verify_changed(&p, text, 0, 0) == 0);
    CHECK(verify_changed(&p, text, 0, 1) == 1 && verify_changed(&p, text, 1, 1) == 1 &&
          verify_changed(&p, text, (size_t)p.width, 1) == 1 && verify_changed(&p, text, last, 1) == 1);
    free(text);
    picture_free(&p);
}
