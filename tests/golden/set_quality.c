/* RMSE, PSNR and SSIM against the formulas in numpy (data/ssim.json is made by make_ssim.py). Fronts,
   knees and choices are checked on examples whose answers can be seen. */
#include "check.h"
#include "golden/reference.h"
#include "tools/trial/bench_quality.h"

static unsigned char *bytes_of(const cJSON *o, const char *name, int *n)
{
    double *v = reference_numbers(o, name, n);
    unsigned char *bytes = malloc((size_t)*n);
    for (int i = 0; i < *n; i++)
        bytes[i] = (unsigned char)v[i];
    free(v);
    return bytes;
}

/* Sums of 121 terms up to 255^2 cancel in the variances. The error is 121 * 2^-53 * 255^2, over C2 =
   58.5 where the variances vanish: below 1.5e-11. */
TEST(golden, ssim)
{
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/ssim.json"));
    const cJSON *it;
    int n, seen = 0;

    REQUIRE(root);
    cJSON_ArrayForEach(it, root) {
        unsigned char *a = bytes_of(it, "a", &n), *b = bytes_of(it, "b", &n);
        int h = (int)reference_number(it, "h"), w = (int)reference_number(it, "w"),
            c = (int)reference_number(it, "c");
        double found = NAN, rmse = quality_rmse(a, b, (size_t)n), expected = reference_number(it, "rmse");

        CHECK(!quality_ssim(&found, a, b, &(struct quality_shape){ 1, h, w, c }, NULL));
        CHECK_NEAR(found, reference_number(it, "ssim"), 2e-11);
        CHECK_NEAR(rmse, expected, 1e-12 * expected);

        if (expected > 0)
            CHECK_NEAR(quality_psnr(rmse), reference_number(it, "psnr"), 1e-11);
        else
            CHECK(isinf(quality_psnr(rmse)) && found == 1);

        free(a), free(b);
        seen++;
    }

    CHECK(seen == 4);
    cJSON_Delete(root);
}

/* The value of two images is the mean of both. Below eleven pixels there is no window. */
TEST(unit, ssim_of_sets)
{
    static unsigned char a[2 * 121], b[2 * 121];
    double first, second = NAN, both, small;
    for (int i = 0; i < 242; i++)
        a[i] = (unsigned char)(i * 37), b[i] = (unsigned char)(i < 121 ? i * 37 + i % 3 : i * 91);
    const struct quality_shape one = { 1, 11, 11, 1 }, two = { 2, 11, 11, 1 }, low = { 1, 10, 12, 1 };
    CHECK(!quality_ssim(&first, a, b, &one, NULL) && !quality_ssim(&second, a + 121, b + 121, &one, NULL));
    CHECK(!quality_ssim(&both, a, b, &two, NULL) && !quality_ssim(&small, a, b, &low, NULL));
    CHECK_NEAR(both, (first + second) / 2, 1e-15);
    CHECK(first > second && isnan(small));
}

TEST(unit, medians)
{
    const double v[] = { 3, NAN, 1, 2, 2 }, even[] = { 4, 1, 2, 8 }, none[] = { NAN, NAN },
                 one[] = { NAN, 5 };
    CHECK(quality_median(v, 5) == 2 && quality_median(even, 4) == 3 && quality_median(one, 2) == 5 &&
          isnan(quality_median(none, 2)));
    CHECK(quality_spread(v, 5) == 1 && quality_spread(even, 4) == 7.0 / 3 && isnan(quality_spread(one, 2)));
}

enum { POINTS_MAX = 6 };

/* Fills over [n, n] for distances that are independent: the interval of distance i reaches below[i] below it
   and above[i] above it, and that of a difference as far as both. */
static struct quality_points points(double *over, const double *seconds, const double *distance,
                                    const double *below, const double *above, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            over[i * n + k] = above[i] + below[k];
    return (struct quality_points){ seconds, distance, over, n };
}

/* For times 1, 10, 100, 1000 and distances 8, 1, 1, 0 the third is no better than the second, which
   bends the most. An unknown distance is never chosen. */
TEST(unit, front_and_knee)
{
    const double seconds[] = { 100, 1, 10, 1000, 5, 2 }, distance[] = { 1, 8, 1, 0, NAN, 9 };
    const bool expected[] = { false, true, true, true, false, false };
    const double none[6] = { 0 };
    double over[POINTS_MAX * POINTS_MAX];
    const struct quality_points p = points(over, seconds, distance, none, none, 6);
    bool front[6];
    CHECK(quality_front(front, &p) == 3);
    for (int i = 0; i < 6; i++)
        CHECK(front[i] == expected[i]);
    CHECK(quality_knee(front, seconds, distance, 6) == 2);
    front[2] = false;
    CHECK(quality_knee(front, seconds, distance, 6) == -1);
}

/* Overlapping intervals are not ranked. The intervals of 4 images reach 16 and 16 into a gap of 4, so
   they overlap until there are 8 squared times as many. */
TEST(unit, front_of_intervals)
{
    const double seconds[] = { 1, 10, 100 }, distance[] = { 8, 4, 0 };
    const double wide[] = { 16, 16, 16 }, half[] = { 2.5, 1, 1 }, sharp[] = { 1, 1, 1 };
    const double farther[] = { 4, 1, 1 }, above[] = { 1, 4, 1 };
    double over[POINTS_MAX * POINTS_MAX];
    bool front[3];
    int first;

    struct quality_points p = points(over, seconds, distance, wide, wide, 3);
    CHECK(quality_front(front, &p) == 0 && !front[0] && !front[1] && !front[2]);
    CHECK(quality_needed(&p, 4, &first) == 256 && first == 1);

    p = points(over, seconds, distance, wide, wide, 1);
    CHECK(quality_front(front, &p) == 0 && isinf(quality_needed(&p, 4, &first)));

    p = points(over, seconds, distance, half, half, 3);
    CHECK(quality_front(front, &p) == 3);

    p = points(over, seconds, distance, farther, sharp, 3);
    CHECK(quality_front(front, &p) == 2 && front[0] && !front[1] && front[2]);

    p = points(over, seconds, distance, sharp, above, 3);
    CHECK(quality_front(front, &p) == 2 && front[0] && !front[1] && front[2]);

    p = points(over, seconds, distance, sharp, sharp, 3);
    CHECK(quality_front(front, &p) == 3);
}

/* Wide intervals of single distances do not matter where the interval of the difference is narrow. */
TEST(unit, front_of_pairs)
{
    const double seconds[] = { 1, 10, 100 }, distance[] = { 8, 4, 3.5 };
    const double over[] = { 0, 9, 9, 1, 0, 9, 1, 1, 0 };
    const struct quality_points p = { seconds, distance, over, 3 };
    bool front[3];

    CHECK(quality_front(front, &p) == 2 && front[0] && front[1] && !front[2]);
    CHECK(quality_nearest(&p, 1000) == 2 && quality_nearest(&p, 10) == 1 && quality_nearest(&p, 0.5) == -1);
}

/* Three speeds of two samplers. With sharp intervals the choice is the least distance that the time
   allows. With wide ones it is the most steps that may be as near, and not a nearer set of fewer steps.
   A set that is surely farther is not taken for its steps, nor is an unknown one. */
TEST(unit, best_within_a_time)
{
    const int K[] = { 10, 50, 250, 10, 50, 250 };
    const double seconds[] = { 1, 5, 25, 1.1, 5.5, 27 }, distance[] = { 8, 3, 1, 6, 2.5, 4 };
    const double sharp[] = { 7.9, 2.9, 0.9, 5.9, 2.4, 3.9 }, wide[] = { 6, 2, 0.5, 0, 2, 3 },
                 unknown[] = { 8, 3, NAN, 6, 2.5, 4 };
    const double none[POINTS_MAX] = { 0 };
    double below[POINTS_MAX], over[POINTS_MAX * POINTS_MAX];

    for (int i = 0; i < 6; i++)
        below[i] = distance[i] - sharp[i];
    struct quality_points p = points(over, seconds, distance, below, none, 6);
    CHECK(quality_best(&p, K, 0.5) == -1 && quality_best(&p, K, 1) == 0);
    CHECK(quality_best(&p, K, 2) == 3 && quality_best(&p, K, 6) == 4 && quality_best(&p, K, 100) == 2);

    for (int i = 0; i < 6; i++)
        below[i] = distance[i] - wide[i];
    p = points(over, seconds, distance, below, none, 6);
    CHECK(quality_best(&p, K, 2) == 3 && quality_best(&p, K, 5) == 1);
    CHECK(quality_best(&p, K, 6) == 4 && quality_best(&p, K, 100) == 2);

    p = points(over, seconds, unknown, below, none, 6);
    CHECK(quality_best(&p, K, 26) == 4);
}
