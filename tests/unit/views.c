/* An image becomes one of another size. Scaling is compared with the sum that defines it: value i of n
   is the mean of the N stored ones, weighted by a triangle of half-width max(1, N / n) around (i + 1/2)
   N / n. The outermost values are repeated beyond the edges. */
#include "tests/check.h"
#include "tests/host.h"
#include "tools/image/dataset.h"

static const struct view_number single = { 'f', 4, false, 0 };

static double triangle(const double *v, int step, int N, int n, int i)
{
    double scale = (double)N / n, wide = scale > 1 ? scale : 1, centre = (i + 0.5) * scale, sum = 0,
           weights = 0;
    for (int k = (int)floor(centre - wide) - 1; k <= (int)ceil(centre + wide); k++) {
        double w = 1 - fabs(k + 0.5 - centre) / wide;
        if (w <= 0)
            continue;
        sum += w * v[(k < 0 ? 0 : k >= N ? N - 1 : k) * step];
        weights += w;
    }
    return sum / weights;
}

/* Scales v [H, W] to out [h, w], columns first. */
static void scale(double *out, const double *v, int H, int W, int h, int w)
{
    static double half[64 * 64];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < w; x++)
            half[y * w + x] = triangle(v + y * W, 1, W, w, x);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            out[y * w + x] = triangle(half + x, w, H, h, y);
}

TEST(view, scaled)
{
    static const int sizes[][4] = { { 40, 40, 16, 16 }, { 31, 47, 16, 16 }, { 47, 31, 16, 16 },
                                    { 9, 7, 16, 16 },   { 33, 64, 8, 16 },  { 17, 16, 16, 16 } };
    static unsigned char byte[64 * 64 * 3];
    static float number[64 * 64];
    static double plane[64 * 64], wanted[64 * 64], x[16 * 16 * 3];

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int H = sizes[k][0], W = sizes[k][1], h = sizes[k][2], w = sizes[k][3];
        double s = fmax((double)h / H, (double)w / W);
        int h2 = (int)rint(s * H), w2 = (int)rint(s * W), top = (h2 - h) / 2, left = (w2 - w) / 2;
        size_t w1 = (size_t)W;
        ddpm_about a = { .height = h, .width = w, .channels = 3 };

        for (int i = 0; i < H * W * 3; i++)
            byte[i] = (unsigned char)((i * 2654435761u) >> 24);

        for (int planar = 0; planar < 2; planar++) {
            REQUIRE(view_read(x,
                              &(struct view){
                                  byte,
                                  H,
                                  W,
                                  3,
                                  { planar ? w1 : 3 * w1, planar ? 1 : 3, planar ? w1 * (size_t)H : 1 },
                                  view_byte,
                                  false },
                              &a, &(struct view_how){ .fit = VIEW_RESIZE }, "x", NULL) == DDPM_OK);
            for (int c = 0; c < 3; c++) {
                for (int i = 0; i < H * W; i++)
                    plane[i] = byte[planar ? c * H * W + i : 3 * i + c] / 127.5 - 1;
                scale(wanted, plane, H, W, h2, w2);
                /* The tolerance is half a level for rounding, and the error of float32. */
                for (int i = 0; i < h * w; i++)
                    CHECK_NEAR(x[i * 3 + c], wanted[(top + i / w) * w2 + left + i % w], (0.5 + 1e-3) / 127.5);
            }
        }

        a.channels = 1;
        for (int i = 0; i < H * W; i++)
            plane[i] = (double)(number[i] = (float)(byte[i] / 127.5 - 1));
        REQUIRE(view_read(x, &(struct view){ (unsigned char *)number, H, W, 1, { w1, 1, 1 }, single, false },
                          &a, &(struct view_how){ .fit = VIEW_RESIZE }, "x", NULL) == DDPM_OK);

        scale(wanted, plane, H, W, h2, w2);
        for (int i = 0; i < h * w; i++)
            CHECK_NEAR(x[i], wanted[(top + i / w) * w2 + left + i % w], 64 * 6e-8);
    }
}

/* An image of one colour keeps that colour, also white and black in float32. */
TEST(view, of_one_colour)
{
    static float number[30 * 23];
    double x[64];
    ddpm_about a = { .height = 8, .width = 8, .channels = 1 };
    for (int sign = -1; sign < 2; sign += 2) {
        for (int i = 0; i < 30 * 23; i++)
            number[i] = (float)sign;
        REQUIRE(view_read(x,
                          &(struct view){ (unsigned char *)number, 30, 23, 1, { 23, 1, 1 }, single, false },
                          &a, &(struct view_how){ .fit = VIEW_RESIZE }, "x", NULL) == DDPM_OK);
        for (int i = 0; i < 64; i++)
            CHECK_NEAR(x[i], sign, 1e-6);
    }
}

static void write_bytes(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    fwrite(data, 1, n, f);
    fclose(f);
}

/* An array that was written to in place is no longer the data that was hashed. */
TEST(dataset, written_to)
{
    static unsigned char idx[16 + 2 * 4] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,
                                             0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 };
    const char *path = check_path(check_folder(), "images-idx3-ubyte");
    ddpm_about a = { .height = 2, .width = 2, .channels = 1 };
    struct dataset d;
    ddpm_error err;
    double x[4];

    write_bytes(path, idx, sizeof idx);
    REQUIRE(dataset_open(&d, path, &a, &view_exact, 0, &err) == DDPM_OK);
    CHECK(dataset_read(&d, x, 1, &err) == DDPM_OK && x[0] == 5 / 127.5 - 1);

    idx[20] = 99;
    write_bytes(path, idx, sizeof idx);
    REQUIRE(host_set_written(path, 1000000000000000005));
    CHECK(dataset_read(&d, x, 1, &err) == DDPM_EDATA && strstr(err.text, "was written to"));

    dataset_close(&d);
}

/* Images that are kept are not read again. The others are missed when the file becomes shorter. */
TEST(dataset, kept_and_cut_off)
{
    static unsigned char idx[16 + 5 * 4] = { 0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 2 };
    const char *folder = check_folder(), *path = check_path(folder, "t-images-idx3-ubyte"),
               *labels = check_path(folder, "t-labels-idx1-ubyte");
    ddpm_about a = { .height = 2, .width = 2, .channels = 1, .classes = 3 };
    struct dataset d;
    ddpm_error err;
    double x[4];

    for (int i = 0; i < 20; i++)
        idx[16 + i] = (unsigned char)(i * 13);
    write_bytes(path, idx, sizeof idx);
    write_bytes(labels, "\0\0\010\1\0\0\0\5\2\1\0\2\1", 13);

    REQUIRE(dataset_open(&d, path, &a, &view_exact, 0, &err) == DDPM_OK);
    CHECK(dataset_class(&d, 0) == 2 && dataset_class(&d, 4) == 1 &&
          dataset_check_classes(&d, -1, "", &err) == DDPM_OK);
    a.classes = 2;
    CHECK(dataset_check_classes(&d, -1, "", &err) == DDPM_EUSAGE);

    /* Memory of 15 bytes holds three images of 4 bytes. */
    REQUIRE(dataset_keep(&d, 3 * 4 + 3, &err) == DDPM_OK &&
            dataset_check(&d, NULL, NULL, NULL, &err) == DDPM_OK && d.count == 5);

    CHECK(host_truncate(path, 30));
    for (size_t k = 0; k < 3; k++) {
        CHECK(dataset_read(&d, x, k, &err) == DDPM_OK);
        for (int e = 0; e < 4; e++)
            CHECK(x[e] == idx[16 + 4 * (int)k + e] / 127.5 - 1);
    }

    CHECK(dataset_read(&d, x, 3, &err) == DDPM_EDATA && strstr(err.text, "shorter") &&
          strstr(err.text, "image 3"));

    dataset_close(&d);
    write_bytes(path, idx, sizeof idx);
    write_bytes(labels, "\0\0\010\1\0\0\0\4\2\1\0\2", 12);
    CHECK(dataset_open(&d, path, &a, &view_exact, 0, &err) == DDPM_EDATA &&
          strstr(err.text, "4 labels for 5 images"));
}
