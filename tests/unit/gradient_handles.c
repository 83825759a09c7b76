/* The handle of a network in training: its refusals, where a NaN comes from, and its memory. */
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/known_nets.h"
#include "tests/small_nets.h"

TEST(gradient, refuses_full_dropout)
{
    struct dd_gradient *g;
    ddpm_error err;
    ddpm_model *m = small_net_create("plain");
    REQUIRE(m);
    CHECK(dd_gradient_create(&g, m, NULL, 1, &err) == DDPM_EUSAGE && !g);
    CHECK_TEXT(err.text, "dropout is 1, expected less than 1");
    CHECK(dd_gradient_create(&g, m, NULL, NAN, &err) == DDPM_EUSAGE && !g);
    ddpm_model_close(m);
}

static int param_called(const ddpm_model *m, const char *name)
{
    for (int i = 0; i < m->program.params; i++)
        if (!strcmp(m->program.param[i].name, name))
            return i;
    return -1;
}

static void check_bad(const ddpm_node *n, const char *name, const char *op)
{
    REQUIRE(n);
    CHECK_TEXT(n->name, name);
    CHECK_TEXT(n->op, op);
}

/* A NaN in a weight, a NaN in dout, and a weight so large that only its gradient leaves the range of
   float. */
TEST(gradient, names_the_node_that_is_not_finite)
{
    struct dd_gradient *g = NULL;
    ddpm_error err;
    ddpm_model *m = small_net_create("plain");
    REQUIRE(m && dd_gradient_create(&g, m, &(ddpm_net_options){ .batch = 2 }, -1, &err) == DDPM_OK);
    struct small_batch b = small_batch_create(m, 2);
    float *dout = calloc(2 * b.outs, sizeof *dout),
          *w = dd_gradient_weights(g) +
               dd_gradient_offset(g, param_called(m, "mid_block.resnets.1.conv2.weight"));
    struct dd_slice s = { .out = b.out, .x = b.x, .t = b.t, .n = 2, .dout = dout };

    dout[3] = 1;
    CHECK(!dd_gradient_bad(g, &s));

    /* The last output of image 1 makes the gradient infinite. */
    dout[2 * b.outs - 1] = INFINITY;
    check_bad(dd_gradient_bad(g, &s), "conv_out", "conv backward");

    dout[2 * b.outs - 1] = 0;
    w[1] = NAN;
    dd_gradient_pack(g);
    check_bad(dd_gradient_bad(g, &s), "mid_block.resnets.1.conv2", "conv");

    small_batch_free(&b);
    free(dout);
    dd_gradient_free(g);
    ddpm_model_close(m);
}

/* Vectors follow the tensors of the model, whose values they begin with. */
TEST(gradient, holds_every_parameter_once)
{
    for (const struct small_net *n = small_nets; n->name; n++) {
        struct dd_gradient *g = NULL;
        ddpm_error err;
        ddpm_model *m = small_net_create(n->name);
        REQUIRE(m && dd_gradient_create(&g, m, NULL, -1, &err) == DDPM_OK);

        char *taken = calloc(dd_gradient_count(g), 1);
        for (int i = 0; i < m->program.params; i++) {
            const struct dd_param *p = &m->program.param[i];
            size_t at = dd_gradient_offset(g, i);
            if (at == SIZE_MAX) {
                CHECK_TEXT(p->name, "time.freq");
                continue;
            }

            CHECK(at + (size_t)p->count <= dd_gradient_count(g) && !memchr(taken + at, 1, (size_t)p->count));
            CHECK(!memcmp(dd_gradient_weights(g) + at, dd_model_find(m, p->name)->data,
                          (size_t)p->count * sizeof(float)));
            memset(taken + at, 1, (size_t)p->count);
        }

        CHECK(!memchr(taken, 0, dd_gradient_count(g)));
        free(taken);
        dd_gradient_free(g);
        ddpm_model_close(m);
    }
}

/* A value that goes into a concatenation and, behind it, elsewhere too would have a gradient for half of
   its channels. Such a list is refused. */
TEST(gradient, parts_that_do_not_fit_are_refused)
{
    const struct known_net *k = known_net_find("cifar10");
    char json[4096];
    ddpm_error err;
    ddpm_model *m;

    known_net_json(json, sizeof json, k->net, k->diffusion);
    REQUIRE(ddpm_model_create(&m, json, &err) == DDPM_OK);

    /* Value b is read by the join and, behind it, by the convolution d. */
    struct dd_program *p = &m->program;
    int x = dd_program_value(p, 4, 4, 2), a = dd_program_conv(p, 3, (struct dd_node){ .name = "a", .x = x });
    int b = dd_program_conv(p, 3, (struct dd_node){ .name = "b", .x = x }), both = dd_program_join(p, a, b);
    int c = dd_program_conv(p, 6, (struct dd_node){ .name = "c", .x = both });
    int y = dd_program_conv(p, 6, (struct dd_node){ .name = "d", .x = b });
    y = dd_program_conv(p, 6, (struct dd_node){ .name = "e", .x = c, .residual = y });
    p->home[p->value[y].home].place = DD_PLACE_OUTPUT;

    CHECK(dd_differentiate(p, &err) == DDPM_EUNSUPPORTED);
    CHECK_TEXT(err.text,
               "c: the gradients of what it reads or writes come in parts that do not fit together");

    ddpm_model_close(m);
}

/* The 35.7 M network at batch 16 trains in 6 GB. That holds activations and gradients as planned, the
   packed weights of two runs (forward and by input, up to four times as many numbers under Winograd),
   and the vectors of weights, gradients, Adam and the average. */
TEST(gradient, cifar10_at_batch_16_fits)
{
    const struct known_net *k = known_net_find("cifar10");
    char json[4096];
    ddpm_error err;
    ddpm_model *m;
    struct dd_program p;
    struct dd_plan plan;
    known_net_json(json, sizeof json, k->net, k->diffusion);
    REQUIRE(ddpm_model_create(&m, json, &err) == DDPM_OK);
    REQUIRE(dd_program_create(&p, &m->config, DD_BY_PARAMETERS, &err) == DDPM_OK &&
            dd_plan_create(&plan, &p, 16, &err) == DDPM_OK);
    double weights = 4.0 * (double)p.parameters, planned = 4.0 * (double)plan.floats;
    CHECK(planned + (8 + 5) * weights < 6e9);
    dd_plan_free(&plan);
    dd_program_free(&p);
    ddpm_model_close(m);
}
