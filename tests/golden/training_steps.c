/* Ten steps of a small network against the same steps in PyTorch and diffusers in float64
   (make_training.py): losses, norms, weights and the average. The tolerance is ten times PyTorch's own
   error in float32. */
#include "golden/training_data.h"
#include "known_nets.h"
#include "small_nets.h"

static void net_json(char *text, size_t size, int outputs, const char *prediction)
{
    char net[2048], diffusion[512];
    const struct small_net *plain = small_net_find("plain");
    char *at;
    snprintf(net, sizeof net, "%s", plain->net);
    if ((at = strstr(net, "\"outputs\": 3")))
        at[11] = (char)('0' + outputs);
    snprintf(diffusion, sizeof diffusion,
             "\"steps\": 1000, \"name\": \"linear:1e-4,0.02\", \"prediction\": \"%s\", \"variance\": \"%s\", "
             "\"clip\": 1, "
             "\"t_scale\": 0.5",
             prediction, outputs > 3 ? "learned-range" : "beta");
    known_net_json(text, size, net, diffusion);
}

/* Makes the script's initial weights: z over the root of the fan-in, gains around 1. */
static ddpm_model *net_model(int outputs, const char *prediction)
{
    char json[4096];
    ddpm_model *m = NULL;

    net_json(json, sizeof json, outputs, prediction);
    if (ddpm_model_create(&m, json, NULL))
        return NULL;

    training_weights(m);
    return m;
}

/* Compares every third of the tensors with this prefix ("" for none), in order of names, with wanted. */
static void compare_weights(const ddpm_model *m, const char *prefix, const struct dd_entry *wanted,
                            double tolerance)
{
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list), at = 0, compared = 0;
    const float *value = (const float *)(const void *)wanted->data;

    for (size_t i = 0; i < n; i++) {
        int64_t count = 1;
        int other = !prefix[0] && (!strncmp(list[i].name, "raw.", 4) || !strncmp(list[i].name, "adam.", 5) ||
                                   !strncmp(list[i].name, "average.", 8));
        if (strncmp(list[i].name, prefix, strlen(prefix)) || list[i].dtype != DDPM_F32 ||
            !strcmp(list[i].name, "time.freq") || other)
            continue;

        for (int r = 0; r < list[i].rank; r++)
            count *= list[i].dim[r];

        for (int64_t k = 0; k < count; k++, at++)
            if (at % 3 == 0 && compared < wanted->count &&
                !(fabs(((const float *)list[i].data)[k] - value[compared++]) <= tolerance))
                check_fail(__FILE__, __LINE__, "%s, element %lld: %.9g, expected %.9g, tolerance %.3g",
                           list[i].name, (long long)k, ((const float *)list[i].data)[k], value[compared - 1],
                           tolerance);
    }

    CHECK(compared == wanted->count);
}

struct net_run {
    const char *name, *prediction;
    int outputs;
    ddpm_trainer_options o;
};

static void net_compare(const struct training_data *g, const struct net_run *r)
{
    enum { BATCH = 4, ALL = 192 };

    ddpm_model *m = net_model(r->outputs, r->prediction), *after;
    ddpm_trainer *t;
    ddpm_error err = { 0, "" };
    static float x0[BATCH * ALL];
    const double *spread =
        (const double *)(const void *)training_data_find(g, "net.%s.%s", r->name, "spread")->data;
    const double *loss =
        (const double *)(const void *)training_data_find(g, "net.%s.%s", r->name, "loss")->data;
    const double *norm =
        (const double *)(const void *)training_data_find(g, "net.%s.%s", r->name, "norm")->data;
    if (!m || ddpm_trainer_create(&t, m, &r->o, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", r->name, err.text);
        return;
    }
    for (int n = 0; n < 10; n++) {
        ddpm_trainer_report report = { 0 };
        for (int i = 0; i < BATCH * ALL; i++)
            x0[i] = (float)image_value(2000 + (uint64_t)(n * BATCH + i / ALL), i % ALL);
        CHECK(!ddpm_trainer_step(t, x0, NULL, &report, NULL));
        CHECK_NEAR(report.loss, loss[n], 10 * spread[0]);
        CHECK_NEAR(report.norm, norm[n], 10 * spread[1]);
    }
    REQUIRE(!ddpm_trainer_model(t, &after, 1, NULL, NULL));
    compare_weights(after, "raw.", training_data_find(g, "net.%s.%s", r->name, "weights"), 10 * spread[2]);
    compare_weights(after, "", training_data_find(g, "net.%s.%s", r->name, "average"), 10 * spread[3]);
    ddpm_model_close(m);
    ddpm_model_close(after);
    ddpm_trainer_free(t);
}

/* `spread` is the difference of PyTorch's own float32. This program sums in another order and may differ
   by ten times that, as in runs.c. */
TEST(golden, training_steps)
{
    ddpm_trainer_options o;
    struct training_data g;

    REQUIRE(!training_data_open(&g, "training"));
    ddpm_trainer_defaults(&o);
    o.batch = 4, o.threads = 2, o.rate = 0.01, o.epsilon = 1e-3, o.ema = 0.995, o.seed = 5, o.clip = 0;

    struct net_run run = { "simple", "eps", 3, o };
    net_compare(&g, &run);

    run = (struct net_run){ "vlb", "x0", 6, o };
    run.o.loss = DDPM_VLB, run.o.warmup = 2, run.o.clip = 1;
    net_compare(&g, &run);

    o.beta1 = 0.8, o.beta2 = 0.99, o.decay = 0.5;
    run = (struct net_run){ "snr", "v", 3, o };
    run.o.min_snr = 5, run.o.batch = 2, run.o.accumulate = 2;
    net_compare(&g, &run);

    run = (struct net_run){ "hybrid", "eps", 6, o };
    run.o.loss = DDPM_HYBRID, run.o.warmup = 3, run.o.steps = 12, run.o.clip = 1;
    net_compare(&g, &run);

    training_data_close(&g);
}
