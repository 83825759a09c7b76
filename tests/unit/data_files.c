/* Values in data sets' files made by numpy (tests/golden/make_arrays.py). Pixel v of image n at y, x in
   channel c is (37 n + 11 y + 5 x + 83 c) mod 256, and its value is v / 127.5 - 1. Classes are 3 n mod
   10. */
#include "check.h"
#include "tools/image/dataset.h"

static const char *file_of(const char *name)
{
    return check_path(check_source(), "tests/golden/data/arrays/%s", name);
}

/* float32 rounds a value of at most 1 once, by 2^-25. */
static void check_values(const char *name, int n, int h, int w, int c, int with_classes, double tolerance)
{
    const ddpm_about about = { .height = h, .width = w, .channels = c };
    struct dataset d;
    ddpm_error err = { 0 };
    double *x = calloc((size_t)(h * w * c), sizeof *x);

    if (dataset_open(&d, file_of(name), &about, &view_exact, 0, &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        free(x);
        return;
    }

    CHECK(d.count == (size_t)n);
    for (int i = 0; i < n; i++) {
        CHECK(!dataset_read(&d, x, (size_t)i, &err) &&
              dataset_class(&d, (size_t)i) == (with_classes ? 3 * i % 10 : -1));
        for (int e = 0; e < h * w * c; e++) {
            int v = (37 * i + 11 * (e / c / w) + 5 * (e / c % w) + 83 * (e % c)) % 256;
            CHECK_NEAR(x[e], v / 127.5 - 1, tolerance);
        }
    }

    dataset_close(&d);
    free(x);
}

TEST(unit, data_of_numpy)
{
    check_values("bytes.npy", 3, 5, 4, 3, 0, 0);
    check_values("gray.npy", 3, 5, 4, 1, 0, 0);
    check_values("floats.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("version2.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("doubles.npy", 3, 5, 4, 3, 0, 0x1p-24);
    check_values("columns.npy", 3, 5, 4, 3, 0, 0);
    check_values("rgb.idx", 3, 5, 4, 3, 0, 0);
    check_values("cifar.bin", 2, 32, 32, 3, 1, 0);
}

/* Arrays as torch and others save them, with channels first, other types and byte orders, other ranges.
   A half rounds by 2^-12, and a float in [0, 1] is doubled with its error. */
TEST(unit, data_of_numpy_converted)
{
    check_values("planes.npy", 3, 5, 4, 3, 0, 0);
    check_values("columns_of_planes.npy", 3, 5, 4, 3, 0, 0x1p-24);
    check_values("halves.npy", 3, 5, 4, 3, 0, 0x1p-12);
    check_values("big_endian.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("longs.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("wide.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("unit.npy", 3, 5, 4, 3, 0, 0x1p-23);
    check_values("levels.npy", 3, 5, 4, 3, 0, 0x1p-25);
    check_values("set.npz", 3, 5, 4, 3, 1, 0);
    check_values("named.npz", 3, 5, 4, 3, 0, 0x1p-25);
}

static void take_line(void *user, const char *line)
{
    snprintf(user, 256, "%s", line);
}

TEST(unit, data_of_numpy_says_what_it_concludes)
{
    static const struct {
        const char *name, *says;
    } notes[] = {
        { "planes.npy", "taken as [n, c, h, w]: 3 channels of 5 x 4" },
        { "unit.npy", "taken as 0 (black) to 1 (white)" },
        { "longs.npy", "taken as levels from 0 to 255" },
        { "wide.npy", "taken as levels from 0 to 65535" },
        { "bytes.npy", "" },
        { "floats.npy", "" },
    };

    const ddpm_about about = { .height = 5, .width = 4, .channels = 3 };
    for (size_t k = 0; k < sizeof notes / sizeof *notes; k++) {
        struct dataset d;
        char line[256] = "";
        REQUIRE(!dataset_open(&d, file_of(notes[k].name), &about, &view_exact, 0, NULL) &&
                !dataset_check(&d, NULL, NULL, NULL, NULL));
        dataset_notes(&d, take_line, line);
        if (!strstr(line, notes[k].says) || (!*notes[k].says && *line))
            check_fail(__FILE__, __LINE__, "%s: \"%s\" is not \"%s\"", notes[k].name, line, notes[k].says);
        dataset_close(&d);
    }
}

/* Truth values become black and white. */
TEST(unit, data_of_truth_values)
{
    const ddpm_about about = { .height = 5, .width = 4, .channels = 3 };
    struct dataset d;
    double x[60];
    REQUIRE(!dataset_open(&d, file_of("truth.npy"), &about, &view_exact, 0, NULL) &&
            !dataset_read(&d, x, 1, NULL));
    for (int e = 0; e < 60; e++)
        CHECK_NEAR(x[e], (37 + 11 * (e / 12) + 5 * (e / 3 % 4) + 83 * (e % 3)) % 256 > 127 ? 1 : -1, 0);
    dataset_close(&d);
}

/* Writes a head that says `images` images of 5 x 4 x 3 bytes, then `more` bytes than they have. Returns what
   opening it gives. */
static int open_npy_of(int images, int more, ddpm_error *err)
{
    char head[118];
    const ddpm_about about = { .height = 5, .width = 4, .channels = 3 };
    const char *path = check_path(check_folder(), "a.npy");
    FILE *f = fopen(path, "wb");
    struct dataset d = { .path = NULL };
    fputs("\x93NUMPY\1", f);
    putc(0, f), putc(118, f), putc(0, f);
    snprintf(head, sizeof head, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 5, 4, 3), }", images);
    fprintf(f, "%-117s\n", head);
    for (int i = 0; i < images * 5 * 4 * 3 + more; i++)
        putc(i, f);
    fclose(f);
    int code = dataset_open(&d, path, &about, &view_exact, 0, err);
    if (!code)
        dataset_close(&d);
    return code;
}

TEST(unit, data_of_numpy_cut_off_or_too_long)
{
    ddpm_error err;
    CHECK(open_npy_of(1, 0, &err) == DDPM_OK);
    CHECK(open_npy_of(1, -1, &err) == DDPM_EDATA && strstr(err.text, "a.npy"));
    CHECK(open_npy_of(1, 1, &err) == DDPM_EDATA && strstr(err.text, "61 bytes follow its head, expected 60"));
    CHECK(open_npy_of(0, 0, &err) == DDPM_EDATA && strstr(err.text, "it holds no images"));
}

TEST(unit, data_of_numpy_refused)
{
    static const struct {
        const char *name, *mentions;
    } bad[] = {
        { "large.npy", "lie in [-1, 1]" },
        { "seventeen.npy", "go from 0 to 17:" },
        { "binary.npy", "go from 0 to 1:" },
        { "negative.npy", "go from below 0" },
        { "cube.npy", "can be [n, h, w, c] or [n, c, h, w]" },
        { "one.npy", "can be one image" },
        { "complex.npy", "<c8" },
        { "parts.npz", "x_train.npy, x_test.npy" },
    };

    const ddpm_about about = { .height = 5, .width = 4, .channels = 3 };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct dataset d = { .path = NULL };
        ddpm_error err = { 0 };
        int code = dataset_open(&d, file_of(bad[k].name), &about, &view_exact, 0, &err);
        if (!code) {
            code = dataset_check(&d, NULL, NULL, NULL, &err);
            dataset_close(&d);
        }
        CHECK(code == DDPM_EDATA);
        if (!strstr(err.text, bad[k].mentions) || !strstr(err.text, bad[k].name))
            check_fail(__FILE__, __LINE__, "\"%s\" does not mention \"%s\"", err.text, bad[k].mentions);
    }
}

/* Writes these bytes to a file in the test's own folder and returns what opening it as a data set gives. */
static int open_bytes(const char *name, const unsigned char *data, size_t size, ddpm_error *err)
{
    const ddpm_about about = { .height = 16, .width = 16, .channels = 1 };
    const char *path = check_path(check_folder(), "%s", name);
    FILE *f = fopen(path, "wb");
    struct dataset d;
    fwrite(data, 1, size, f);
    fclose(f);
    int code = dataset_open(&d, path, &about, &view_exact, 0, err);
    if (!code)
        dataset_close(&d);
    return code;
}

/* The CRC of a member of a zip is checked. */
TEST(unit, data_of_a_damaged_npz)
{
    unsigned char data[4096];
    ddpm_error err;
    FILE *f = fopen(file_of("named.npz"), "rb");
    REQUIRE(f);
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    unsigned char *head = check_find(data, size, "\x93NUMPY", 6);
    REQUIRE(size > 400 && size < sizeof data && head);
    CHECK(open_bytes("a.npz", data, size, &err) == DDPM_OK);
    head[128 + 20] ^= 1;
    CHECK(open_bytes("a.npz", data, size, &err) == DDPM_EDATA && strstr(err.text, ".npy is damaged"));
}

/* One picture is not taken for a set of its rows or channels. Three gray pictures can say that they are
   three. */
TEST(unit, data_of_numpy_one_picture)
{
    static const char *const shapes[] = { "(16, 24, 3)", "(24, 16, 4)", "(3, 16, 24)" };
    unsigned char data[128 + 4 * 16 * 24] = "\x93NUMPY\1\0\x76";
    ddpm_error err;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        size_t size = sizeof data - (k == 1 ? 0 : 16 * 24);
        int used = snprintf((char *)data + 10, 118, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }",
                            shapes[k]);
        memset(data + 10 + used, ' ', 117 - (size_t)used);
        data[127] = '\n';
        CHECK(open_bytes("a.npy", data, size, &err) == DDPM_EDATA && strstr(err.text, "can be one image"));
    }
}

/* IDX has its channels last. Other files are refused with their kind in the sentence. */
TEST(unit, data_of_other_files)
{
    unsigned char planes[20 + 3 * 16 * 16] = { 0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 16, 0, 0, 0, 16 };
    static const unsigned char png[] = "\x89PNG\r\n\x1a\n and more than twenty bytes of it";
    static const unsigned char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\0\3"
                                        "\xcb\x48\xcd\xc9\xc9\7\0\x86\xa6\x10\x36\5\0\0";
    ddpm_error err;
    CHECK(open_bytes("a.idx", planes, sizeof planes, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "3 x 16 with 16"));
    CHECK(open_bytes("a", png, sizeof png, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "a PNG picture, no data set"));
    CHECK(open_bytes("a.gz", gzip, sizeof gzip, &err) == DDPM_EDATA && strstr(err.text, "no data set"));
}
