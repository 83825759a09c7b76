/* Bits per dimension by the ODE against PyTorch in float64 (make_likelihood.py): the whole way from the noise
   of the levels over our backward pass to the sum. */
#include "golden/training_data.h"
#include "known_nets.h"
#include "small_nets.h"

enum { IMAGES = 2, D = 192 };

static ddpm_model *model_create(void)
{
    char json[4096];
    ddpm_model *m = NULL;

    known_net_json(json, sizeof json, small_net_find("plain")->net,
                   "\"steps\": 40, \"name\": \"linear:0.0025,0.5\", \"prediction\": \"eps\", \"variance\": "
                   "\"beta\", \"clip\": 1, \"t_scale\": 0.5");
    if (!ddpm_model_create(&m, json, NULL))
        training_weights(m);
    return m;
}

/* Measures the images by the options. */
static void measure(ddpm_likelihood_image *found, const ddpm_model *m, ddpm_likelihood_options *o)
{
    static const uint32_t index[IMAGES] = { 0, 1 };
    double x0[IMAGES * D];
    ddpm_chain *c = NULL;
    ddpm_vjp *v = NULL;
    ddpm_likelihood *l = NULL;
    ddpm_error err = { 0 };

    for (int i = 0; i < IMAGES; i++)
        for (int e = 0; e < D; e++)
            x0[i * D + e] = image_value(2000 + (uint64_t)i, e);

    int code = ddpm_chain_respace(&c, ddpm_model_about(m), "all", NULL, &err);
    if (!code)
        code = ddpm_vjp_create(&v, m, &(ddpm_net_options){ .batch = IMAGES }, &err);
    o->vjp = ddpm_vjp_run;
    o->vjp_user = v;
    if (!code)
        code = ddpm_likelihood_create(&l, c, o, D, IMAGES, &err);
    if (!code)
        code = ddpm_likelihood_start(l, x0, index, NULL, IMAGES, &err);
    while (!code && ddpm_likelihood_left(l) > 0)
        code = ddpm_likelihood_step(l, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    for (int i = 0; i < IMAGES && !code; i++)
        found[i] = *ddpm_likelihood_read(l, i);

    ddpm_likelihood_free(l);
    ddpm_vjp_free(v);
    ddpm_chain_free(c);
}

/* The script's own error is 1.1e-5, a fifteenth of what half of its steps change, and float32 moves its
   result by 5.3e-7; ten times that is allowed.  Our steps are off by less than what twice as many of them
   change. */
TEST(golden, likelihoods)
{
    static const double wanted[IMAGES][3] = {
        { 1.65904343, 8.703086382, 17.35648325 },
        { 1.576768086, 8.406825739, 16.97794726 },
    };
    ddpm_likelihood_image coarse[IMAGES], found[IMAGES];
    ddpm_likelihood_options o;
    ddpm_model *m = model_create();
    REQUIRE(m);

    ddpm_likelihood_defaults(&o, ddpm_model_about(m));
    o.seed = 5;
    o.steps = 60;
    measure(coarse, m, &o);
    o.steps = 120;
    measure(found, m, &o);
    for (int i = 0; i < IMAGES; i++) {
        double steps = fabs(found[i].total - coarse[i].total), tolerance = 1.1e-5 + 5.3e-6 + steps;
        CHECK(steps < 1e-3);
        CHECK_NEAR(found[i].prior, wanted[i][0], tolerance);
        CHECK_NEAR(found[i].change, wanted[i][1], tolerance);
        CHECK_NEAR(found[i].total, wanted[i][2], tolerance);
    }
    ddpm_model_close(m);
}
