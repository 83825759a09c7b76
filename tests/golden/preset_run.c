/* 200 steps of preset cifar10, with the 35.7 M parameters of Ho et al., against the same run in PyTorch
   and diffusers (make_preset_run.py). Weights are drawn from torch's seed 0; a step has one image, no
   dropout and no flips.

   The tolerance: rounding grows from step to step, so the original's own makes the bound. `spread` is
   how far its run in float32 has got from its run in float64 by then. This program sums in another order
   and may be ten times as far, as in training_steps.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "golden/training_data.h"
#include "tests/process_memory.h"
#include "tests/torch_init.h"
#include "tools/training/training_plan.h"

enum { STEPS = 200, SIDE = 32, PIXELS = SIDE * SIDE };

static void image(float *x, int k)
{
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < 3; c++)
            x[3 * i + c] = (float)(0.9 * sin((k % 7 - 3) * (i / SIDE) / 8.0 +
                                             (k % 5 + 1) * (i % SIDE) / 16.0 + (1 + k % 3) * c));
}

/* Makes a trainer of the preset with the first `count` of these settings. */
static ddpm_trainer *begin(int count, ddpm_error *err)
{
    const char *texts[] = { "batch=1", "accumulate=1", "flip=false", "net.dropout=0" };
    struct option_texts none = { .count = 0 }, set = { .count = count };
    struct training_plan plan;
    ddpm_trainer *t = NULL;
    ddpm_model *m = NULL;

    for (int i = 0; i < set.count; i++)
        set.text[i] = texts[i];
    const struct training_plan_sources from = { "cifar10", NULL, &none, &set, { SIDE, SIDE, 3 } };
    if (training_plan_read(&plan, &from, err))
        return NULL;

    char *json = training_plan_model(&plan, "", "", NULL, NULL);
    int code = ddpm_model_create(&m, json, err);
    if (!code) {
        torch_init(m, 0, 1);
        plan.options.threads = 2;
        plan.options.seed = 5;
        code = ddpm_trainer_create(&t, m, &plan.options, err);
    }

    ddpm_model_close(m);
    cJSON_free(json);
    training_plan_free(&plan);
    return code ? NULL : t;
}

/* The loss falls from 1.1 to about 0.3, and spread ends at 8e-7. */
TEST(golden, preset_cifar10)
{
    const char *night = getenv("NIGHT");
    static float x0[3 * PIXELS];
    struct training_data g;
    ddpm_error err = { 0, "" };

    if (!night || strcmp(night, "long"))
        SKIP("200 steps of 35.7 M parameters take minutes; set NIGHT=long");

    REQUIRE(!training_data_open(&g, "preset_run"));
    const double *loss = (const double *)(const void *)training_data_find(&g, "%s%s", "loss", "")->data;
    const double *spread = (const double *)(const void *)training_data_find(&g, "%s%s", "spread", "")->data;

    ddpm_trainer *t = begin(4, &err);
    if (!t)
        check_fail(__FILE__, __LINE__, "%s", err.text);

    for (int n = 0; n < STEPS && t; n++) {
        ddpm_trainer_report r = { 0 };
        image(x0, n);
        CHECK(!ddpm_trainer_step(t, x0, NULL, &r, NULL));
        CHECK_NEAR(r.loss, loss[n], 10 * spread[n]);
    }

    ddpm_trainer_free(t);
    training_data_close(&g);
}

/* The preset as it stands, with batches of 16, trains in less than 6 GB. All memory that a step needs is
   there before the first. The weights, their gradients, Adam's two moments and the average alone are 5
   floats each. */
TEST(golden, preset_cifar10_memory)
{
    ddpm_error err = { 0, "" };
    double before = process_memory("VmSize");
    ddpm_trainer *t = begin(0, &err);
    double used = process_memory("VmSize") - before;
    if (!t)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_trainer_free(t);
    if (before == 0)
        SKIP("this system does not say what a process holds");
    CHECK(used > 5 * 4 * 35.7e6 && used < 6e9);
}
