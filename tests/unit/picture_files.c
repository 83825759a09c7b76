/* Pictures of every kind have the values that Pillow reads from them (tests/golden/make_pictures.py). */
#include <stdint.h>
#include "base/file.h"
#include "check.h"
#include "config.h"
#include "tools/image/view.h"

static const char *file_of(const char *name)
{
    return check_path(check_source(), "tests/golden/data/pictures/%s", name);
}

static int value_of(const struct image_file *p, const unsigned char *data, size_t i)
{
    uint16_t wide;
    memcpy(&wide, data + 2 * (p->bytes == 2 ? i : 0), sizeof wide);
    return p->bytes == 2 ? wide : data[i];
}

/* Compares sizes, channels and every value, of plain pictures and of turned ones. */
static void compare(const char *name, int width, int height, int channels, int bytes, int tolerance)
{
    char raw[64];
    struct image_file p, head;
    struct dd_file f;
    ddpm_error err = { 0 };

    snprintf(raw, sizeof raw, "%s.raw", name);
    if (image_file_read(&p, file_of(name), &err) || image_file_head(&head, file_of(name), &err) ||
        dd_file_map(&f, file_of(raw), &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return;
    }

    size_t n = (size_t)(width * height * channels);
    int worst = 0;
    CHECK(p.width == width && p.height == height && p.channels == channels && p.bytes == bytes &&
          f.size == n * (size_t)bytes);
    CHECK(head.width == width && head.height == height && head.channels == channels && head.bytes == bytes);

    for (size_t i = 0; i < n && f.size == n * (size_t)bytes && p.channels == channels; i++) {
        int off = abs(value_of(&p, p.value, i) - value_of(&p, f.data, i));
        worst = off > worst ? off : worst;
    }

    if (worst > tolerance)
        check_fail(__FILE__, __LINE__, "%s: a value is %d off, expected at most %d", name, worst, tolerance);

    dd_file_unmap(&f);
    image_file_free(&p);
}

TEST(image_file, lossless)
{
    compare("gray.png", 9, 6, 1, 1, 0), compare("bits.png", 9, 6, 1, 1, 0), compare("two.png", 9, 6, 2, 1, 0);
    compare("rgb.png", 9, 6, 3, 1, 0), compare("rgba.png", 9, 6, 4, 1, 0),
        compare("palette.png", 9, 6, 3, 1, 0);
    compare("clear.png", 9, 6, 4, 1, 0), compare("gray16.png", 9, 6, 1, 2, 0),
        compare("rgb16.png", 9, 6, 3, 2, 0);
    compare("lossless.webp", 9, 6, 3, 1, 0), compare("alpha.webp", 9, 6, 4, 1, 0);
}

/* Decoders of JPEG may differ by one level in each of Y, Cb and Cr, which makes 1 + 1.772 levels of
   blue, and by a rounding. */
TEST(image_file, lossy)
{
    compare("gray.jpg", 9, 6, 1, 1, 1), compare("rgb.jpg", 9, 6, 3, 1, 3),
        compare("progressive.jpg", 9, 6, 3, 1, 3);
    compare("cmyk.jpg", 9, 6, 3, 1, 3), compare("lossy.webp", 9, 6, 3, 1, 3);
}

TEST(image_file, turned_upright)
{
    char name[16];
    for (int o = 1; o <= 8; o++) {
        snprintf(name, sizeof name, "exif%d.jpg", o);
        compare(name, o < 5 ? 9 : 6, o < 5 ? 6 : 9, 3, 1, 3);
    }
    compare("exif6.png", 6, 9, 3, 1, 0), compare("exif5.webp", 6, 9, 3, 1, 0);
}

#if HAVE_TIFF
TEST(image_file, tiff)
{
    static const struct {
        const char *name;
        int channels, bytes, tolerance;
    } files[] = {
        { "gray.tif", 1, 1, 0 },       { "rgb.tif", 3, 1, 0 },    { "rgba.tif", 4, 1, 0 },
        { "two.tif", 2, 1, 0 },        { "bits.tif", 1, 1, 0 },   { "palette.tif", 3, 1, 0 },
        { "gray16.tif", 1, 2, 0 },     { "rgb16.tif", 3, 2, 0 },  { "rgba16.tif", 4, 2, 0 },
        { "negative.tif", 1, 1, 0 },   { "planes.tif", 3, 1, 0 }, { "tiles.tif", 3, 1, 0 },
        { "multiplied.tif", 4, 1, 0 }, { "cmyk.tif", 3, 1, 1 },   { "jpeg.tif", 3, 1, 3 },
    };

    for (size_t k = 0; k < sizeof files / sizeof *files; k++)
        compare(files[k].name, 9, 6, files[k].channels, files[k].bytes, files[k].tolerance);
    compare("exif6.tif", 6, 9, 3, 1, 0);
}

/* Of less than its first 4 bytes nobody can tell that it is a TIFF file. */
TEST(image_file, tiff_cut_off)
{
    static const char *const names[] = { "rgb16.tif", "rgba16.tif", "gray.tif",
                                         "rgb.tif",   "jpeg.tif",   "bits.tif" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct dd_file f;
        REQUIRE(!dd_file_map(&f, file_of(names[k]), NULL));
        for (size_t cut = 4; cut < f.size; cut++) {
            struct image_file p;
            ddpm_error err = { 0 };
            int code = image_file_read_memory(&p, f.data, cut, "cut", &err);
            if (code != DDPM_EDATA || strchr(err.text, '\n') || !strstr(err.text, "cut"))
                check_fail(__FILE__, __LINE__, "%s cut off at %zu of %zu: %d %s", names[k], cut, f.size, code,
                           err.text);
            image_file_free(&p);
        }
        dd_file_unmap(&f);
    }
}

/* Sizes that no file of this length holds, and too many channels: refused before memory is asked for. */
TEST(image_file, tiff_of_huge_sizes)
{
    static const struct {
        unsigned char tag, value[4];
        const char *mentions;
    } bad[] = {
        { 0, { 0xFF, 0xFF, 0xFF, 0x7F }, "claims" },
        { 0, { 0, 0, 0, 0 }, "head is damaged" },
        { 1, { 0, 0, 0, 0x40 }, "head is damaged" },
        { 21, { 0xFF, 0x7F, 0, 0 }, "channels that no picture has" },
    };

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct dd_file f;
        struct image_file p;
        ddpm_error err = { 0 };
        REQUIRE(!dd_file_map(&f, file_of("gray16.tif"), NULL));
        unsigned char *copy = malloc(f.size);
        REQUIRE(copy);
        memcpy(copy, f.data, f.size);

        /* An entry is a tag, 256 and more, a type, made LONG, a count and a value. */
        for (size_t at = 10; at + 12 <= f.size; at++)
            if (copy[at] == bad[k].tag && copy[at + 1] == 1 && copy[at + 2] == 3 && !copy[at + 3] &&
                copy[at + 4] == 1) {
                copy[at + 2] = bad[k].tag == 21 ? 3 : 4;
                memcpy(copy + at + 8, bad[k].value, 4);
            }
        CHECK(image_file_read_memory(&p, copy, f.size, "x", &err) == DDPM_EDATA);
        if (!strstr(err.text, bad[k].mentions))
            check_fail(__FILE__, __LINE__, "tag %d: %s", 256 + bad[k].tag, err.text);
        image_file_free(&p);
        free(copy);
        dd_file_unmap(&f);
    }
}
#endif

/* A picture that is cut off before its last byte of pixels is refused in a sentence that names it. */
TEST(image_file, cut_off)
{
    static const char *const names[] = { "rgb16.png", "rgb.jpg", "progressive.jpg", "lossy.webp",
                                         "lossless.webp" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct dd_file f;
        REQUIRE(!dd_file_map(&f, file_of(names[k]), NULL));

        for (size_t cut = 0; cut + 16 < f.size; cut += 7) {
            struct image_file p;
            ddpm_error err = { 0 };
            int code = image_file_read_memory(&p, f.data, cut, "cut", &err);
            if (code != DDPM_EDATA || !strstr(err.text, "cut"))
                check_fail(__FILE__, __LINE__, "%s cut off at %zu of %zu: %d %s", names[k], cut, f.size, code,
                           err.text);
            image_file_free(&p);
        }

        dd_file_unmap(&f);
    }
}

TEST(image_file, refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *mentions;
    } bad[] = {
        { "BM", 2, "BMP" },       { "P5\n1 1\n255\n0", 12, "PGM" },
        { "GIF89a", 6, "GIF" },   { "II*\0", 4, HAVE_TIFF ? "head is damaged" : "TIFF" },
        { "abc", 3, "no image" }, { "", 0, "no image" },
    };

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct image_file p;
        ddpm_error err = { 0 };
        CHECK(image_file_read_memory(&p, (const unsigned char *)bad[k].bytes, bad[k].size, "x", &err) ==
                  DDPM_EDATA &&
              strstr(err.text, bad[k].mentions));
    }
}

/* Every model of 1 to 4 channels with every picture of 1 to 4. The gray of colours is Pillow's, (299 R +
   587 G + 114 B) / 1000, rounded. */
TEST(view, channels_of_pictures)
{
    static const unsigned char pixel[5][4] = {
        { 0 }, { 200 }, { 200, 255 }, { 10, 20, 250 }, { 10, 20, 250, 255 }
    };
    static const int wanted[5][5][4] = {
        [1] = { [1] = { 200 }, [2] = { 200, 255 }, [3] = { 200, 200, 200 }, [4] = { 200, 200, 200, 255 } },
        [2] = { [1] = { 200 }, [2] = { 200, 255 }, [3] = { 200, 200, 200 }, [4] = { 200, 200, 200, 255 } },
        [3] = { [1] = { 43 }, [2] = { 43, 255 }, [3] = { 10, 20, 250 }, [4] = { 10, 20, 250, 255 } },
        [4] = { [1] = { 43 }, [2] = { 43, 255 }, [3] = { 10, 20, 250 }, [4] = { 10, 20, 250, 255 } },
    };

    double x[4];
    for (int has = 1; has <= 4; has++)
        for (int wants = 1; wants <= 4; wants++) {
            ddpm_about a = { .height = 1, .width = 1, .channels = wants };
            struct view v = { pixel[has], 1, 1, has, { 4, 4, 1 }, view_byte, true };
            REQUIRE(view_read(x, &v, &a, &view_exact, "x", NULL) == DDPM_OK);

            for (int c = 0; c < wants; c++)
                CHECK_NEAR(x[c], wanted[has][wants][c] / 127.5 - 1, 0);

            /* Only pictures are converted; an array must have the model's channels. */
            v.picture = false;
            CHECK(view_read(x, &v, &a, &view_exact, "x", NULL) == (has == wants ? DDPM_OK : DDPM_EDATA));
        }
}

TEST(view, picture_of_16_bits)
{
    ddpm_about a = { .height = 6, .width = 9, .channels = 1 };
    struct image_file was;
    double x[54];
    REQUIRE(view_picture(x, &was, file_of("gray16.png"), &a, &view_exact, NULL) == DDPM_OK && was.bytes == 2);
    for (int i = 0; i < 54; i++) {
        int v = i % 9 * 17 + i / 9 * 19;
        CHECK_NEAR(x[i], (256 * v + 3 * v % 256) / 32767.5 - 1, 1e-15);
    }
    a.channels = 3;
    ddpm_error err;
    double wide[54 * 3];
    CHECK(view_picture(wide, &was, file_of("rgba.png"), &a, &view_exact, &err) == DDPM_EDATA &&
          strstr(err.text, "transparent"));
}
