/* The Frechet distance against scipy's matrix root, closed forms and properties that a distance of
   samples must have; mid-block activations against the original networks. data/frechet.json is made by
   make_frechet.py. */
#include "base/file.h"
#include "base/rng.h"
#include "base/safetensors.h"
#include "check.h"
#include "converted.h"
#include "golden/reference.h"
#include "tools/measure/frechet.h"

static cJSON *read_expected(void)
{
    return reference_read(check_path(check_source(), "tests/golden/data/frechet.json"));
}

/* Eigenvalues are right to some d 2^-53 of the largest, 1e4 times the smallest here. So their roots are
   right to some 1e-14 times 1e2 d; scipy's likewise. */
TEST(golden, frechet_distances)
{
    cJSON *root = read_expected();
    const cJSON *it;
    REQUIRE(root);
    cJSON_ArrayForEach(it, reference_get(root, "sets")) {
        double *a = reference_numbers(it, "a", NULL), *b = reference_numbers(it, "b", NULL), found = NAN,
               expected = reference_number(it, "distance");
        size_t n = (size_t)reference_number(it, "n"), m = (size_t)reference_number(it, "m"),
               d = (size_t)reference_number(it, "d");
        CHECK(!frechet_plain(&found, &(struct point_sets){ a, b, n, m, d }, NULL));
        CHECK_NEAR(found, expected, 1e-11 * expected);
        CHECK(!frechet_plain(&found, &(struct point_sets){ b, a, m, n, d }, NULL));
        CHECK_NEAR(found, expected, 1e-11 * expected);
        free(a), free(b);
    }
    cJSON_Delete(root);
}

/* On a line the distance is (mu_a - mu_b)^2 + (s_a - s_b)^2. A set with more dimensions than points is
   at 0 from itself, up to the roots of rounding errors. */
TEST(unit, frechet_closed_forms)
{
    const double a[3] = { 1, 2, 3 }, b[2] = { 5, 9 };
    double flat[3 * 8], found, s = sqrt(8.0);
    for (int e = 0; e < 24; e++)
        flat[e] = sin(e);
    CHECK(!frechet_plain(&found, &(struct point_sets){ a, b, 3, 2, 1 }, NULL));
    CHECK_NEAR(found, 25 + (s - 1) * (s - 1), 1e-13);
    CHECK(!frechet_plain(&found, &(struct point_sets){ flat, flat, 3, 3, 8 }, NULL));
    CHECK_NEAR(found, 0, 1e-6);
    ddpm_error err = { 0 };
    struct set_distance f;
    CHECK(frechet_plain(&found, &(struct point_sets){ a, b, 3, 1, 1 }, &err) == DDPM_EUSAGE &&
          strstr(err.text, "at least 2"));
    CHECK(frechet_distance(&f, &(struct point_sets){ a, b, 1, 2, 1 }, 0, &err) == DDPM_EUSAGE);
}

/* For two samples of one distribution, in as many dimensions as the embedded model's, 0 lies in the
   interval. A distance without the correction would be d^2 / n too large (tr S / n from each mean, more
   from the covariances). Noise of a growing size on one sample gives growing distances. */
TEST(property, frechet_of_samples)
{
    enum { N = 300, D = 16 };

    static double a[N * D], b[N * D], noise[N * D], moved[N * D];
    static const double sizes[] = { 0, 0.5, 1, 1.5, 2 };
    struct set_distance f, again;
    double before = -1;
    dd_rng_normal(&(struct dd_rng){ .seed = 1 }, a, N * D);
    dd_rng_normal(&(struct dd_rng){ .seed = 2 }, b, N * D);
    dd_rng_normal(&(struct dd_rng){ .seed = 3 }, noise, N * D);
    REQUIRE(!frechet_distance(&f, &(struct point_sets){ a, a, N, N, D }, 7, NULL));
    CHECK_NEAR(f.plain, 0, 1e-6);
    CHECK(f.distance == 0 && f.low == 0 && f.high == 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (int e = 0; e < N * D; e++)
            moved[e] = b[e] + sizes[k] * noise[e];
        REQUIRE(!frechet_distance(&f, &(struct point_sets){ a, moved, N, N, D }, 7, NULL) &&
                !frechet_distance(&again, &(struct point_sets){ a, moved, N, N, D }, 7, NULL));
        CHECK(f.plain == again.plain && f.low == again.low && f.high == again.high);
        CHECK(f.low <= f.distance && f.distance <= f.high && f.distance < f.plain);
        CHECK(k ? f.distance > before : f.low == 0);
        double truth = D * pow(sqrt(1 + sizes[k] * sizes[k]) - 1, 2);
        CHECK(f.low <= truth && truth <= f.high);
        before = f.distance;
    }
    CHECK(f.low > 0);
}

/* The distance 4 of two normal distributions on a line lies in the interval from five points each in 90
   % of cases, and in 79 % without Student's quantile. 400 cases have a standard error of 2 %. */
TEST(property, frechet_interval_of_few_points)
{
    enum { N = 5, TIMES = 400 };

    double a[N], b[N];
    struct set_distance f;
    int held = 0;
    for (int k = 0; k < TIMES; k++) {
        dd_rng_normal(&(struct dd_rng){ .seed = 100 + (uint64_t)k }, a, N);
        dd_rng_normal(&(struct dd_rng){ .seed = 9000 + (uint64_t)k }, b, N);
        for (int e = 0; e < N; e++)
            b[e] += 2;
        REQUIRE(!frechet_distance(&f, &(struct point_sets){ a, b, N, N, 1 }, (uint64_t)k, NULL));
        held += f.low <= 4 && 4 <= f.high;
    }
    CHECK(held >= 0.85 * TIMES);
}

/* Compares features, one image and its t at a time, through the command and through the library. The
   tolerance is ten times the difference of the original's own float32. */
static void check_features(const cJSON *expected, const char *file, const char *const *flags)
{
    const char *name = reference_text(expected, "case"), *path = check_path(check_folder(), "model.ddpm");
    struct dd_file map;
    struct dd_safetensors io;
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    ddpm_error err = { 0 };

    REQUIRE(!converted(check_path(check_source(), "tests/golden/cases/%s%s", name, file), flags, path));
    REQUIRE(!ddpm_model_open(&m, path, &err) &&
            !ddpm_net_create(&net, m, &(ddpm_net_options){ .batch = 2 }, &err));
    REQUIRE(
        !dd_file_map(&map, check_path(check_source(), "tests/golden/cases/%s/io.safetensors", name), &err));
    REQUIRE(!dd_safetensors_read(&io, map.data, map.size, "io", &err));

    const ddpm_about *a = ddpm_model_about(m);
    size_t c = (size_t)a->channels, pixels = (size_t)a->height * (size_t)a->width,
           features = (size_t)ddpm_net_describe(net)->features;
    const float *from = (const float *)(const void *)dd_safetensors_find(&io, "x")->data;
    const int64_t *t = (const int64_t *)(const void *)dd_safetensors_find(&io, "t")->data;
    const struct dd_entry *classes = dd_safetensors_find(&io, "y");

    int n, images = (int)reference_number(expected, "n");
    double *values = reference_numbers(expected, "values", &n), *x = calloc(pixels * c, sizeof *x),
           *found = calloc(features, sizeof *found);
    REQUIRE(n == images * (int)features);

    for (int i = 0; i < images; i++) {
        int32_t class = classes ? (int32_t)((const int64_t *)(const void *)classes->data)[i] : 0;
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++)
                x[p * c + k] = (double)from[((size_t)i * c + k) * pixels + p];

        CHECK(!ddpm_net_features(net, found, x, (double)t[i], classes ? &class : NULL, 1, &err));
        for (size_t k = 0; k < features; k++)
            CHECK_NEAR(found[k], values[(size_t)i * features + k], 10 * reference_number(expected, "spread"));
    }

    /* It refuses a NaN, missing classes, classes for a model without them, and a negative number of
       images. */
    x[3] = NAN;
    CHECK(ddpm_net_features(net, found, x, 5, classes ? &(int32_t){ 0 } : NULL, 1, &err) == DDPM_ENAN &&
          strstr(err.text, "image 0"));
    CHECK(ddpm_net_features(net, found, x, 5, classes ? NULL : &(int32_t){ 0 }, 1, &err) == DDPM_EUSAGE);
    CHECK(ddpm_net_features(net, found, x, 5, NULL, -1, &err) == DDPM_EUSAGE);

    free(values), free(x), free(found);
    dd_safetensors_free(&io);
    dd_file_unmap(&map);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

TEST(golden, features)
{
    static const char *const none[] = { NULL };
    static const char *const lucid[] = { "--set", "image_size=32",         "--set", "objective=pred_v",
                                         "--set", "beta_schedule=sigmoid", "--set", "timesteps=1000",
                                         NULL };
    cJSON *root = read_expected();
    REQUIRE(root);
    check_features(cJSON_GetArrayItem(reference_get(root, "features"), 0), "", none);
    check_features(cJSON_GetArrayItem(reference_get(root, "features"), 1), "/unet.pt", lucid);
    cJSON_Delete(root);
}
