/* The order of an epoch is a permutation that depends on seed, epoch and number of images alone, and all
   permutations are equally likely. */
#include "tests/check.h"
#include "tools/training/epoch.h"

TEST(epoch, is_a_permutation)
{
    static const size_t sizes[] = { 1, 2, 255, 256, 257, 1000, 4096 };
    static uint32_t order[4096], again[4096], other[4096];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k], moved = 0;
        static int seen[4096];

        memset(seen, 0, sizeof seen);
        epoch_order(order, n, 3, 7);
        epoch_order(again, n, 3, 7);
        epoch_order(other, n, 3, 8);

        for (size_t i = 0; i < n; i++) {
            REQUIRE(order[i] < n);
            seen[order[i]]++;
            moved += order[i] != other[i];
        }

        for (size_t i = 0; i < n; i++)
            CHECK(seen[i] == 1);
        /* Another epoch has another order, almost surely where the set is large. */
        CHECK(!memcmp(order, again, n * sizeof *order) && (n < 255 || moved > n / 2));

        epoch_order(other, n, 4, 7);
        CHECK(n < 255 || memcmp(order, other, n * sizeof *order));
    }
}

/* In 24,000 epochs of 5 images each of the 120 permutations comes about 200 times. Chi-square with 119
   degrees of freedom has mean 119 and variance 238, and is above 119 + 5 sqrt(238) = 196 once in 10^5. */
TEST(epoch, every_permutation_is_as_likely)
{
    enum { N = 5, EPOCHS = 24000, ALL = 120 };

    int count[ALL] = { 0 };
    uint32_t order[N];
    double chi = 0;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        int rank = 0;
        epoch_order(order, N, 1, epoch);
        for (int i = 0; i < N; i++) {
            int smaller = 0;
            for (int k = i + 1; k < N; k++)
                smaller += order[k] < order[i];
            rank = rank * (N - i) + smaller;
        }
        count[rank]++;
    }
    for (int i = 0; i < ALL; i++)
        chi += pow(count[i] - EPOCHS / ALL, 2) / (EPOCHS / ALL);
    CHECK(chi > 40 && chi < 196);
}

/* Half of 40,000 flips, within 5 standard deviations of 100. */
TEST(epoch, half_are_mirrored)
{
    int mirrored = 0;
    for (uint32_t epoch = 0; epoch < 40; epoch++)
        for (size_t place = 0; place < 1000; place++)
            mirrored += epoch_flip(1, epoch, place);
    CHECK(abs(mirrored - 20000) < 500);
    CHECK(epoch_flip(1, 2, 3) == epoch_flip(1, 2, 3));
}

/* A stream read in pieces is the stream read at once. Every image comes once an epoch, as it is or
   mirrored. */
TEST(epoch, stream_goes_on_anywhere)
{
    enum { N = 7, D = 6, ALL = 3 * N };

    static unsigned char idx[16 + N * D] = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 2, 0, 0, 0, 3 };
    const char *path = check_path(check_folder(), "x.idx");
    ddpm_about a = { .height = 2, .width = 3, .channels = 1 };
    struct dataset d;
    struct stream s;
    float whole[ALL * D], piece[ALL * D];
    int32_t classes[ALL];
    int mirrored = 0;
    for (int i = 0; i < N * D; i++)
        idx[16 + i] = (unsigned char)(6 * i);
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    fwrite(idx, 1, sizeof idx, f);
    fclose(f);
    REQUIRE(!dataset_open(&d, path, &a, &view_exact, 0, NULL) && !stream_open(&s, &d, NULL, 5, true, NULL));
    REQUIRE(!stream_read(&s, whole, classes, 0, ALL, NULL));
    for (size_t at = 0, n = 1; at < ALL; at += n, n = n % 4 + 1)
        REQUIRE(!stream_read(&s, piece + at * D, classes + at, at, at + n > ALL ? ALL - at : n, NULL));
    CHECK(!memcmp(whole, piece, sizeof whole));
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[N] = { 0 };
        for (int k = 0; k < N; k++) {
            const float *x = whole + (epoch * N + k) * D;
            int first = (int)rint(127.5 * ((double)fminf(x[0], x[2]) + 1)) / 6, flip = x[0] > x[2];
            REQUIRE(first % D == 0 && first / D < N);
            seen[first / D]++;
            mirrored += flip;
            for (int i = 0; i < D; i++)
                CHECK(x[i] == (float)(6 * (first + i / 3 * 3 + (flip ? 2 - i % 3 : i % 3)) / 127.5 - 1));
        }
        for (int i = 0; i < N; i++)
            CHECK(seen[i] == 1);
    }
    CHECK(mirrored > 0 && mirrored < ALL);
    stream_close(&s);
    dataset_close(&d);
}
