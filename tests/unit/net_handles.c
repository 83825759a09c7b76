/* Networks as handles: options, classes, images that are lost, and the adapter for samplers. */
#include "net/net.h"
#include "tests/check.h"
#include "tests/process_memory.h"
#include "tests/small_nets.h"

static void refused(const ddpm_model *m, ddpm_net_options o, int code, const char *says)
{
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    CHECK(ddpm_net_create(&net, m, &o, &err) == code && err.code == code && !net);
    if (!strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, says);
}

TEST(net_handles, options)
{
    ddpm_model *m = small_net_create("plain");
    ddpm_net *net;
    ddpm_error err;
    REQUIRE(m);

    refused(m, (ddpm_net_options){ .batch = -1 }, DDPM_EUSAGE, "batch is -1");
    refused(m, (ddpm_net_options){ .batch = 1 << 20 }, DDPM_EUSAGE, "batch is 1048576, expected 1 to 4096");
    refused(m, (ddpm_net_options){ .threads = 5000 }, DDPM_EUSAGE, "threads is 5000");
    refused(m, (ddpm_net_options){ .cpu = "mmx" }, DDPM_EUSAGE, "mmx");
    refused(m, (ddpm_net_options){ .conv = "fft" }, DDPM_EUSAGE, "choose auto, dnnl, winograd, gemm or ref");
#if !HAVE_DNNL
    refused(m, (ddpm_net_options){ .conv = "dnnl" }, DDPM_EUNSUPPORTED, "this build");
#endif

    CHECK(ddpm_net_create(&net, m,
                          &(ddpm_net_options){ .batch = 3, .threads = 2, .cpu = "ref", .conv = "ref" },
                          &err) == DDPM_OK);
    const ddpm_net_about *a = ddpm_net_describe(net);
    CHECK(a->batch == 3 && a->threads == 2 && a->parameters == 11767 && a->weights == 4 * 11767);
    CHECK_TEXT(a->cpu, "ref");
    CHECK(strstr(a->engine_class, "ddpm " DDPM_VERSION ", ref, conv ref"));
    ddpm_net_free(net);

    CHECK(ddpm_net_create(&net, m, NULL, &err) == DDPM_OK && ddpm_net_describe(net)->batch == 1 &&
          ddpm_net_describe(net)->threads >= 1);
    ddpm_net_free(net);

    ddpm_net_free(NULL);
    ddpm_model_close(m);
}

TEST(net_handles, outlive_their_model)
{
    ddpm_model *m = small_net_create("turns");
    ddpm_net *net;
    ddpm_error err;
    REQUIRE(m && ddpm_net_create(&net, m, NULL, &err) == DDPM_OK);
    struct small_batch a = small_batch_create(m, 1), b = small_batch_create(m, 1);
    CHECK(ddpm_net_run(net, a.out, a.x, a.t, a.classes, 1, &err) == DDPM_OK);
    ddpm_model_close(m);
    CHECK(ddpm_net_run(net, b.out, b.x, b.t, b.classes, 1, &err) == DDPM_OK &&
          !memcmp(a.out, b.out, a.outs * sizeof *a.out));
    small_batch_free(&a);
    small_batch_free(&b);
    ddpm_net_free(net);
}

static void run_refused(ddpm_net *net, struct small_batch *b, const int32_t *classes, const char *says)
{
    ddpm_error err = { 0, "" };
    b->out[0] = 7;
    CHECK(ddpm_net_run(net, b->out, b->x, b->t, classes, b->n, &err) == DDPM_EUSAGE &&
          err.code == DDPM_EUSAGE);
    CHECK_TEXT(err.text, says);
    CHECK(b->out[0] == 7); /* it fails before any work */
}

TEST(net_handles, classes)
{
    ddpm_model *m = small_net_create("turns"), *plain = small_net_create("plain");
    ddpm_net *net;
    ddpm_error err;
    REQUIRE(m && plain && ddpm_net_create(&net, m, NULL, &err) == DDPM_OK);

    struct small_batch b = small_batch_create(m, 2), c = small_batch_create(plain, 2);
    run_refused(net, &b, NULL, "the model has 5 classes: a class is needed for every image");
    run_refused(net, &b, (int32_t[]){ 0, 5 }, "the class of image 1 is 5, expected 0 to 4");
    run_refused(net, &b, (int32_t[]){ -1, 0 }, "the class of image 0 is -1, expected 0 to 4");

    ddpm_net_free(net);
    REQUIRE(ddpm_net_create(&net, plain, NULL, &err) == DDPM_OK);
    run_refused(net, &c, (int32_t[]){ 0, 0 }, "classes are given to a model that has none");
    ddpm_net_free(net);

    small_batch_free(&b);
    small_batch_free(&c);
    ddpm_model_close(m);
    ddpm_model_close(plain);
}

/* Image 2 of 5, in slices of 2, is lost, in the first half of a slice. The others keep their bits. */
TEST(net_handles, a_lost_image_spoils_no_other)
{
    ddpm_model *m = small_net_create("turns");
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    REQUIRE(m && ddpm_net_create(&net, m, &(ddpm_net_options){ .batch = 2 }, &err) == DDPM_OK);

    struct small_batch a = small_batch_create(m, 5), b = small_batch_create(m, 5);
    CHECK(ddpm_net_run(net, a.out, a.x, a.t, a.classes, 5, &err) == DDPM_OK);

    b.x[2 * b.in + 11] = NAN;
    CHECK(ddpm_net_run(net, b.out, b.x, b.t, b.classes, 5, &err) == DDPM_ENAN);
    CHECK(strstr(err.text, "NaN or infinity, first in the input, then after center (copy), in image 2 of the "
                           "batch; 1 of 5 images"));

    for (size_t i = 0; i < 5; i++)
        CHECK((i == 2) == !!memcmp(a.out + i * a.outs, b.out + i * b.outs, a.outs * sizeof *a.out));

    small_batch_free(&a);
    small_batch_free(&b);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

/* A weight of 3e38 overflows in its own layer. */
TEST(net_handles, the_layer_that_overflows_is_named)
{
    ddpm_model *m = small_net_create("plain");
    const ddpm_tensor *list;
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    REQUIRE(m);

    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, "down_blocks.1.resnets.0.conv2.weight"))
            for (int k = 0; k < 8 * 8 * 9; k++)
                ((float *)list[i].data)[k] = 3e38f;

    REQUIRE(ddpm_net_create(&net, m, NULL, &err) == DDPM_OK);
    struct small_batch b = small_batch_create(m, 1);

    CHECK(ddpm_net_run(net, b.out, b.x, b.t, NULL, 1, &err) == DDPM_ENAN);
    CHECK(strstr(err.text, "NaN or infinity, first after down_blocks.1.resnets.0.conv2 (conv), in image 0 of "
                           "the batch; 1 of 1"));

    small_batch_free(&b);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

/* ddpm_net_eps is ddpm_net_run at (float)t * (float)t_scale, with the learned variance split off behind
   the prediction. */
TEST(net_handles, eps_of_samplers)
{
    enum { N = 3, D = 20 * 12 };

    ddpm_model *m = small_net_create("turns");
    ddpm_net *net;
    ddpm_error err;
    REQUIRE(m && ddpm_net_create(&net, m, &(ddpm_net_options){ .batch = 2 }, &err) == DDPM_OK);
    struct small_batch b = small_batch_create(m, N);
    double x[N * D], out[N * 2 * D];
    for (int i = 0; i < N * D; i++)
        x[i] = b.x[i];
    for (int i = 0; i < N; i++)
        b.t[i] = 333.0f * 0.5f;
    CHECK(ddpm_net_run(net, b.out, b.x, b.t, b.classes, N, &err) == DDPM_OK);
    CHECK(ddpm_net_eps(net, out, x, 333, b.classes, N, &err) == DDPM_OK);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++)
            for (int part = 0; part < 2; part++)
                CHECK((float)out[(i * 2 + part) * D + k] == b.out[(i * D + k) * 2 + part]);
    small_batch_free(&b);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

/* Values that live at the same time have homes that do not overlap. Lives are found here by searching
   all nodes. */
TEST(net_handles, plan_keeps_living_values_apart)
{
    for (const struct small_net *s = small_nets; s->name; s++) {
        ddpm_model *m = small_net_create(s->name);
        struct dd_plan plan;
        ddpm_error err;

        REQUIRE(m && dd_plan_create(&plan, &m->program, 3, &err) == DDPM_OK);
        const struct dd_program *p = &m->program;
        int *first = malloc((size_t)p->homes * sizeof *first),
            *last = malloc((size_t)p->homes * sizeof *last);

        /* A home lives from the first to the last node that names it. */
        for (int h = 0; h < p->homes; h++) {
            first[h] = p->nodes;
            last[h] = -1;
            for (int i = 0; i < p->nodes; i++) {
                const struct dd_node *n = &p->node[i];
                const int v[] = { n->y, n->x, n->norm, n->add, n->residual, n->emb };
                for (int k = 0; k < 6; k++)
                    if (v[k] && p->value[v[k]].home == h) {
                        first[h] = i < first[h] ? i : first[h];
                        last[h] = i;
                    }
            }
        }

        for (int a = 0; a < p->homes; a++)
            for (int b = 0; b < a; b++) {
                const struct dd_home *x = &p->home[a], *y = &p->home[b];
                size_t size_a = 3 * (size_t)(x->h * x->w * x->c), size_b = 3 * (size_t)(y->h * y->w * y->c);
                if (x->place || y->place || last[a] < first[b] || last[b] < first[a])
                    continue;
                CHECK(plan.offset[a] + size_a <= plan.offset[b] || plan.offset[b] + size_b <= plan.offset[a]);
                CHECK(plan.offset[a] + size_a <= plan.floats);
            }

        free(first);
        free(last);
        dd_plan_free(&plan);
        ddpm_model_close(m);
    }
}

/* Returns the bytes that are in memory. The address sanitizer keeps freed memory, so there it returns
   those that are not freed. */
#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);

static double memory_held(void)
{
    return (double)__sanitizer_get_current_allocated_bytes();
}
#else
static double memory_held(void)
{
    return process_memory("VmRSS");
}
#endif

/* The first of ten chains of a thousand steps touches all the memory that the others touch. The slack is
   what the C library keeps. */
TEST(net_handles, memory_is_flat_over_10000_steps)
{
    enum { CHAINS = 10, D = 8 * 8 * 3, SLACK = 256 << 10 };

    uint64_t seed = 1;
    ddpm_sampler_options o;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;
    ddpm_net *net = NULL;
    ddpm_error err = { 0, "" };
    ddpm_model *m = small_net_create("plain");
    REQUIRE(m && !ddpm_net_create(&net, m, &(ddpm_net_options){ .threads = 1 }, &err));
    REQUIRE(!ddpm_chain_respace(&chain, ddpm_model_about(m), "all", NULL, &err));
    ddpm_sampler_defaults(&o, ddpm_model_about(m));
    o.eps = ddpm_net_eps, o.eps_user = net, o.noise = ddpm_noise, o.noise_user = &seed;
    REQUIRE(!ddpm_sampler_create(&s, chain, &o, D, 1, NULL, &err));
    double first = 0;
    for (uint32_t i = 0; i < CHAINS; i++) {
        REQUIRE(!ddpm_sampler_start(s, &i, NULL, 1, NULL, 1, &err));
        while (ddpm_sampler_left(s) > 0)
            REQUIRE(!ddpm_sampler_step(s, &err));
        first = i ? first : memory_held();
    }
    CHECK(memory_held() <= first + SLACK);
    ddpm_sampler_free(s);
    ddpm_chain_free(chain);
    ddpm_net_free(net);
    ddpm_model_close(m);
}
