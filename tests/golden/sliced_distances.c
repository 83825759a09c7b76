/* The sliced Wasserstein distance against scipy's assignments on a line, closed forms and properties that a
   distance of samples must have.  data/sliced.json is made by make_sliced.py. */
#include "base/rng.h"
#include "check.h"
#include "golden/reference.h"
#include "tools/measure/sliced.h"

static void draw(double *x, size_t n, uint64_t seed)
{
    dd_rng_normal(&(struct dd_rng){ .seed = seed }, x, n);
}

static struct set_distance distance_of(const struct point_sets *sets, uint64_t seed)
{
    struct sliced s;
    struct set_distance f = { .plain = NAN };

    CHECK(!sliced_measure(&s, sets, seed, NULL));
    sliced_distance(&f, &s);
    return f;
}

/* On a line all directions are the same but for their sign.  A sum of at most 96 terms has a relative error
   of some 1e-14, and so has scipy's. */
TEST(golden, sliced_lines)
{
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/sliced.json"));
    const cJSON *it;
    int n, m, seen = 0;

    REQUIRE(root);
    cJSON_ArrayForEach(it, reference_get(root, "lines")) {
        double *a = reference_numbers(it, "a", &n), *b = reference_numbers(it, "b", &m);
        double expected = reference_number(it, "distance");
        struct point_sets there = { a, b, (size_t)n, (size_t)m, 1 }, back = { b, a, (size_t)m, (size_t)n, 1 };

        CHECK_NEAR(distance_of(&there, 3).plain, expected, 1e-12 * expected);
        CHECK_NEAR(distance_of(&back, 4).plain, expected, 1e-12 * expected);
        free(a), free(b);
        seen++;
    }
    CHECK(seen == 4);
    cJSON_Delete(root);
}

/* A set that is moved by c is at (v.c)^2 from itself in direction v, |c|^2 / d on average.  The variance over
   directions is 2 (d - 1) / (d^2 (d + 2)) |c|^4; 128 directions are within four standard errors. */
TEST(unit, sliced_of_a_moved_set)
{
    enum { N = 20, D = 6, DIRECTIONS = 128 };

    double a[N * D], b[N * D], square = 0;
    draw(a, N * D, 1);
    for (int e = 0; e < N * D; e++)
        b[e] = a[e] + e % D;
    for (int e = 0; e < D; e++)
        square += e * e;

    double error = square * sqrt(2.0 * (D - 1) / (D * D * (D + 2)) / DIRECTIONS);
    const struct point_sets same = { a, a, N, N, D }, moved = { a, b, N, N, D };
    struct set_distance f = distance_of(&same, 5);
    CHECK(f.plain == 0 && f.distance == 0 && f.low == 0);
    f = distance_of(&moved, 5);
    CHECK_NEAR(f.plain, square / D, 4 * error);
    CHECK(f.plain != distance_of(&moved, 6).plain);
}

TEST(unit, sliced_refuses)
{
    double a[4] = { 1, 2, 3, 4 }, bad[2] = { 0, INFINITY };
    ddpm_error err = { 0 };
    struct sliced s;

    CHECK(sliced_measure(&s, &(struct point_sets){ a, a, 4, 1, 1 }, 0, &err) == DDPM_EUSAGE &&
          strstr(err.text, "at least 2"));
    CHECK(sliced_measure(&s, &(struct point_sets){ a, bad, 4, 2, 1 }, 0, &err) == DDPM_ENAN &&
          strstr(err.text, "image 1"));
}

/* The value of small samples from one distribution is 0 on average, whatever their sizes.  The plain distance
   is far above 0.  The mean of TIMES values lies within four of its standard errors. */
TEST(property, sliced_is_unbiased)
{
    enum { N = 7, M = 10, D = 3, TIMES = 60 };

    double a[N * D], b[M * D], sum = 0, squares = 0, plain = 0;
    struct sliced s;

    for (uint64_t k = 0; k < TIMES; k++) {
        draw(a, N * D, 100 + k);
        draw(b, M * D, 9000 + k);
        REQUIRE(!sliced_measure(&s, &(struct point_sets){ a, b, N, M, D }, k, NULL));
        sum += s.value / TIMES;
        squares += s.value * s.value / TIMES;
        plain += s.plain / TIMES;
    }
    double error = sqrt((squares - sum * sum) / (TIMES - 1));
    CHECK_NEAR(sum, 0, 4 * error);
    CHECK(plain > 8 * error);
}

/* Two normal distributions N(0, s^2 I) and N(c, t^2 I) are at |c|^2 / d + (s - t)^2.  Both halves of one
   sample are at 0.  More noise, more blur (less spread of all axes but one) and fewer of two classes, which
   lie at -3 and 3, give growing distances. */
TEST(property, sliced_of_samples)
{
    enum { N = 150, D = 8, KINDS = 3, LEVELS = 4 };

    static double a[N * D], b[N * D], noise[N * D], moved[N * D];
    const struct point_sets halves = { a, b, N, N, D }, changed = { a, moved, N, N, D };

    draw(a, N * D, 1);
    draw(b, N * D, 2);
    draw(noise, N * D, 3);
    for (int e = 0; e < N * D; e++) {
        a[e] += e / D % 2 && e % D == 0 ? 3 : -3 * (e % D == 0);
        b[e] += e / D % 2 && e % D == 0 ? 3 : -3 * (e % D == 0);
    }
    struct set_distance f = distance_of(&halves, 7);
    CHECK(f.low == 0 && f.distance < f.plain);

    for (int kind = 0; kind < KINDS; kind++) {
        double before = f.distance;
        for (int level = 1; level < LEVELS; level++) {
            for (int e = 0; e < N * D; e++) {
                double x = b[e];
                if (kind == 0)
                    x += 0.7 * level * noise[e];
                if (kind == 1 && e % D)
                    x *= 1 - 0.3 * level;
                if (kind == 2 && e % D == 0 && e / D % (2 * LEVELS) < 2 * level)
                    x = -fabs(x);
                moved[e] = x;
            }
            struct set_distance g = distance_of(&changed, 7);
            CHECK(g.distance > before && g.low <= g.distance && g.distance <= g.high);
            before = g.distance;
        }
        CHECK(distance_of(&changed, 7).low > 0);
    }
}

/* The closed form of two normal distributions lies in the interval, and the value is near it. */
TEST(property, sliced_of_two_normals)
{
    enum { N = 400, D = 4 };

    static double a[N * D], b[N * D];
    double truth = 0.25 + 0.25; /* c = (0.5, ..., 0.5), s = 1, t = 1.5 */
    draw(a, N * D, 21);
    draw(b, N * D, 22);
    for (int e = 0; e < N * D; e++)
        b[e] = 0.5 + 1.5 * b[e];

    struct set_distance f = distance_of(&(struct point_sets){ a, b, N, N, D }, 1);
    CHECK(f.low < truth && truth < f.high && f.high < 2 * truth);
}

/* Two sets that share their noise are told apart, though the intervals of their distances overlap.  Order is
   antisymmetric.  Two samples that are equally near are seldom told apart: in 5 % of cases, and in at most 6
   of 30 with a probability of 99.9 %. */
TEST(property, sliced_pairs)
{
    enum { N = 60, D = 3, TIMES = 30 };

    static double a[N * D], b[N * D], c[N * D];
    struct sliced near, far;
    struct set_distance f, g;
    struct sliced_order o, back;
    int told = 0;

    draw(a, N * D, 31);
    draw(c, N * D, 32);
    for (int e = 0; e < N * D; e++) {
        a[e] += 0.5;
        b[e] = a[e] + 0.15;
    }
    REQUIRE(!sliced_measure(&near, &(struct point_sets){ a, c, N, N, D }, 1, NULL) &&
            !sliced_measure(&far, &(struct point_sets){ b, c, N, N, D }, 1, NULL));
    sliced_distance(&f, &near);
    sliced_distance(&g, &far);
    sliced_compare(&o, &near, &far);
    sliced_compare(&back, &far, &near);
    CHECK(f.high > g.low && o.high < 0 && o.share == 1 && o.low < o.difference && o.difference < o.high);
    CHECK(back.difference == -o.difference && back.share == 0 && back.low > 0);

    for (uint64_t k = 0; k < TIMES; k++) {
        draw(a, N, 300 + k);
        draw(b, N, 600 + k);
        draw(c, N, 900 + k);
        REQUIRE(!sliced_measure(&near, &(struct point_sets){ a, c, N, N, 1 }, k, NULL) &&
                !sliced_measure(&far, &(struct point_sets){ b, c, N, N, 1 }, k, NULL));
        sliced_compare(&o, &near, &far);
        told += o.low > 0 || o.high < 0;
    }
    CHECK(told <= 6);
}
