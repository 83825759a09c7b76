/* The loss of a tuned solver with four steps, and its gradient by everything that is learned, against
   torch in double (make_tuning.py), for networks that predict eps, x0 and v.

   data/tuning.safetensors holds for each row of the gradient the largest error that torch makes in
   float32. Ours may be TIMES that, as in golden/gradients.c, whose gradients these are made of; up to 17
   times were measured (AVX-512). The loss of torch in float32 is off by 3.7e-7. */
#include "base/file.h"
#include "base/safetensors.h"
#include "tests/check.h"
#include "tests/converted.h"
#include "train/tuner.h"

enum { IMAGES = 4, K = 4, ROWS = 6, TIMES = 30 };

static const void *find(const struct dd_safetensors *s, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const struct dd_entry *e = dd_safetensors_find(s, full);
    return e ? e->data : NULL;
}

static void check_prediction(ddpm_model *m, const struct dd_safetensors *s, const char *name, int prediction)
{
    static const double times[K] = { 1, 300, 600, 999 };
    ddpm_tuner_options o = { .K = K, .t = times, .batch = IMAGES, .steps = 100, .threads = 2 };
    const double *loss = find(s, name, ".loss"), *slope = find(s, name, ".slope"),
                 *spread = find(s, name, ".spread");
    ddpm_tuner *t = NULL;
    ddpm_error err = { 0 };
    size_t count;
    double found;
    REQUIRE(loss && slope && spread);
    m->about.prediction = prediction;
    REQUIRE(ddpm_tuner_create(&t, m, &o, &err) == DDPM_OK);
    memcpy(ddpm_tuner_state(t, &count), find(s, "", "state"), ROWS * K * sizeof(double));

    CHECK(ddpm_tuner_step(t, find(s, "", "x"), find(s, name, ".x0"), find(s, "", "classes"), &found, &err) ==
          DDPM_OK);
    CHECK_NEAR(found, *loss, TIMES * 3.7e-7);
    for (int row = 0; row < ROWS; row++)
        for (int i = 0; i < K; i++) {
            double off = fabs(dd_tuner_slope(t)[row * K + i] - slope[row * K + i]);
            if (!(off <= TIMES * spread[row]))
                check_fail(__FILE__, __LINE__,
                           "%s, row %d, position %d: %g, expected %g; float32 is off by %g", name, row, i,
                           dd_tuner_slope(t)[row * K + i], slope[row * K + i], spread[row]);
        }
    ddpm_tuner_free(t);
}

TEST(golden, slopes_of_a_tuned_solver)
{
    static const char *const flags[CONVERTED_FLAGS] = { NULL };
    const char *path = check_path(check_folder(), "model.ddpm"),
               *from = check_path(check_source(), "tests/golden/cases/A3_scale_shift_classes");
    struct dd_file file;
    struct dd_safetensors s;
    ddpm_model *m = NULL;
    REQUIRE(dd_file_map(&file, check_path(check_source(), "tests/golden/data/tuning.safetensors"), NULL) ==
            DDPM_OK);
    REQUIRE(dd_safetensors_read(&s, file.data, file.size, "tuning", NULL) == DDPM_OK);
    REQUIRE(converted(from, flags, path) == 0 && ddpm_model_open(&m, path, NULL) == DDPM_OK);

    check_prediction(m, &s, "eps", DDPM_EPS);
    check_prediction(m, &s, "x0", DDPM_X0);
    check_prediction(m, &s, "v", DDPM_V);

    ddpm_model_close(m);
    dd_safetensors_free(&s);
    dd_file_unmap(&file);
}
