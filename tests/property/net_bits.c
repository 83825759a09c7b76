/* The contract of reproducibility.md: an image is the same, bit for bit, whatever the number of threads,
   the batch and its neighbours.

   Up-sampling folded into a convolution (net/program_fold.c) leaves every product and the order of every
   sum as they are. It saves only copies, and products with numbers that are exactly 0. So the folded
   network has the bits of the unfolded one. */
#include "base/cpu.h"
#include "layer/conv.h"
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/known_nets.h"
#include "tests/small_nets.h"

enum { IMAGES = 16 };

/* Families that small_nets has with few channels, here with enough for Winograd. The network "wide" of
   small_nets covers Ho's and diffusers'. */
static const struct small_net families[] = {
    { "openai",
      "\"arch\": \"ddpm\", \"height\": 16, \"width\": 16, \"channels\": 3, \"outputs\": 6, \"classes\": 7, "
      "\"init\": 32, \"widths\": [32,64], "
      "\"blocks\": 1, \"mid\": true, \"act\": \"silu\", \"heads\": {\"down\": [0,2], \"mid\": 2, \"up\": "
      "[0,2], \"dim\": 32}, "
      "\"norm\": {\"groups\": 32, \"eps\": 1e-5, \"mid_attention\": 32}, \"time\": {\"dim\": 32, \"hidden\": "
      "128, \"order\": \"cos,sin\"}, "
      "\"scale_shift\": true, \"pad\": \"both\", \"down\": [\"res\"], \"up\": [\"res\"], \"mid_scale\": 1, "
      "\"center\": false, \"dropout\": 0",
      "\"steps\": 1000, \"name\": \"cosine\", \"prediction\": \"eps\", \"variance\": \"learned-range\", "
      "\"clip\": 1, \"t_scale\": 1" },
    { "lucidrains",
      "\"arch\": \"lucid\", \"height\": 16, \"width\": 16, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
      "\"init\": 32, \"widths\": [32,64], "
      "\"full\": [0,1], \"heads\": 2, \"dim\": 16, \"memory\": 4, \"time\": {\"dim\": 32, \"hidden\": 128, "
      "\"order\": \"sin,cos\"}",
      "\"steps\": 1000, \"name\": \"lucid-sigmoid\", \"prediction\": \"v\", \"variance\": \"beta-tilde\", "
      "\"clip\": 1, \"t_scale\": 1" },
    { NULL, NULL, NULL }
};

/* Attention with one head over all channels. */
static const struct small_net single_head[] = {
    { "single head",
      "\"arch\": \"ddpm\", \"height\": 12, \"width\": 20, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
      "\"init\": 24, \"widths\": [24,40], "
      "\"blocks\": 1, \"mid\": true, \"act\": \"silu\", \"heads\": {\"down\": [1,1], \"mid\": 1, \"up\": "
      "[1,2], \"dim\": 0}, "
      "\"norm\": {\"groups\": 8, \"eps\": 1e-6, \"mid_attention\": 0}, \"time\": {\"dim\": 24, \"hidden\": "
      "96, \"order\": \"sin,cos\"}, "
      "\"scale_shift\": false, \"pad\": \"right\", \"down\": [\"conv\"], \"up\": [\"conv\"], \"mid_scale\": "
      "1, \"center\": false, \"dropout\": 0",
      "\"steps\": 1000, \"name\": \"cosine\", \"prediction\": \"eps\", \"variance\": \"beta\", \"clip\": 1, "
      "\"t_scale\": 1" },
    { NULL, NULL, NULL }
};

static ddpm_model *model_create(const char *net, const char *diffusion)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    known_net_json(json, sizeof json, net, diffusion);
    if (ddpm_model_create(&m, json, &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return NULL;
    }
    ddpm_model_init(m, 1);
    return m;
}

static int run(struct small_batch *b, int n, const ddpm_model *m, int batch, int threads, const char *conv)
{
    ddpm_net_options o = { .batch = batch, .threads = threads, .conv = conv };
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    int code = ddpm_net_create(&net, m, &o, &err);
    if (!code) {
        code = ddpm_net_run(net, b->out, b->x, b->t, b->classes, n, &err);
        ddpm_net_free(net);
    }
    if (code)
        check_fail(__FILE__, __LINE__, "batch %d, %d threads, %s: %s", batch, threads, conv, err.text);
    return code;
}

/* Compares runs with other threads and batches with one image at a time on one thread. At small batches
   a few images suffice for two slices, one of them not full. */
static void same_bits(const ddpm_model *m, const char *name, const char *conv)
{
    static const struct {
        int batch, images;
    } slices[] = { { 1, 2 }, { 2, 3 }, { 16, 16 } };

    static const int threads[] = { 1, 2, 3, 7 };
    REQUIRE(m);
    struct small_batch one = small_batch_create(m, IMAGES), other = small_batch_create(m, IMAGES);
    int code = run(&one, IMAGES, m, 1, 1, conv);
    for (int i = 0; i < 12 && code == DDPM_OK; i++) {
        int batch = slices[i % 3].batch, n = slices[i % 3].images;
        memset(other.out, 0, IMAGES * other.outs * sizeof *other.out);
        code = run(&other, n, m, batch, threads[i / 3], conv);
        if (code == DDPM_OK && memcmp(one.out, other.out, (size_t)n * one.outs * sizeof *one.out))
            check_fail(__FILE__, __LINE__, "%s, %s: other bits with %d threads, batch %d", name, conv,
                       threads[i / 3], batch);
    }
    small_batch_free(&one);
    small_batch_free(&other);
}

static void same_bits_of(const struct small_net *list, const char *conv)
{
    for (const struct small_net *s = list; s->name; s++) {
        ddpm_model *m = model_create(s->net, s->diffusion);
        same_bits(m, s->name, conv);
        ddpm_model_close(m);
    }
}

TEST(property, same_bits_of_the_rule_whatever_threads_and_batch)
{
    same_bits_of(small_nets, "auto");
    same_bits_of(families, "auto");
    same_bits_of(single_head, "auto");
}

TEST(property, same_bits_of_every_engine_whatever_threads_and_batch)
{
    for (const char *const *e = dd_conv_engines(); *e; e++)
        same_bits_of(small_nets, *e);
}

TEST(property, same_bits_of_the_cifar10_network)
{
    struct dd_kernels kernels;
    dd_kernels_init(&kernels, dd_cpu_detect());
    if (!strcmp(kernels.name, "ref"))
        SKIP("without vector kernels 100 images would take minutes");
    const struct known_net *known = known_net_find("cifar10");
    ddpm_model *m = model_create(known->net, known->diffusion);
    same_bits(m, known->name, "auto");
    ddpm_model_close(m);
}

static int count_nodes(const ddpm_net *net, const char *op)
{
    const ddpm_node *list;
    int count = 0;
    size_t n = ddpm_net_nodes(net, &list);
    for (size_t i = 0; i < n; i++)
        count += !strcmp(list[i].op, op);
    return count;
}

/* Fills b->out by a network in training, which is never folded. Returns an error code. */
static int unfolded(struct small_batch *b, const ddpm_model *m, const ddpm_net_options *o)
{
    struct dd_gradient *g;
    ddpm_error err = { 0, "" };
    int code = dd_gradient_create(&g, m, o, 0, &err);
    if (code) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return code;
    }
    dd_gradient_forward(g, &(struct dd_slice){
                               .out = b->out, .x = b->x, .t = b->t, .classes = b->classes, .n = b->n });
    dd_gradient_free(g);
    return DDPM_OK;
}

/* Returns how many of the network's up-samplings were folded. */
static int folded_has_the_same_bits(const struct small_net *s, const char *conv)
{
    ddpm_model *m = model_create(s->net, s->diffusion);
    ddpm_net_options o = { .batch = 2, .threads = 2, .conv = conv };
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    if (!m || ddpm_net_create(&net, m, &o, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", s->name, err.text);
        return 0;
    }

    struct small_batch a = small_batch_create(m, 2), b = small_batch_create(m, 2);
    CHECK(ddpm_net_run(net, a.out, a.x, a.t, a.classes, 2, &err) == DDPM_OK);
    if (unfolded(&b, m, &o) == DDPM_OK && memcmp(a.out, b.out, 2 * a.outs * sizeof *a.out))
        check_fail(__FILE__, __LINE__, "%s, %s: the folded network has other bits", s->name, conv);

    /* A folded up-sampling is no node any more. */
    int left = count_nodes(net, "upsample");
    ddpm_net_free(net);
    small_batch_free(&a);
    small_batch_free(&b);
    ddpm_model_close(m);
    return !left;
}

/* The dnnl engine does not read doubled images, so a folded layer has another engine there, and other
   roundings. Up-sampling within a residual block is read twice and is not folded; "turns" and "openai"
   have such. */
TEST(property, folded_up_sampling_has_the_same_bits)
{
    for (const char *const *e = dd_conv_engines(); *e; e++) {
        if (!strcmp(*e, "dnnl"))
            continue;
        CHECK(folded_has_the_same_bits(small_net_find("wide"), *e));
        CHECK(folded_has_the_same_bits(small_net_find("lucid"), *e));
        folded_has_the_same_bits(small_net_find("turns"), *e);
        folded_has_the_same_bits(&families[0], *e);
        CHECK(folded_has_the_same_bits(&families[1], *e));
    }
}

/* Two of the seven attentions have two heads and are left as they are. The others get a copy of their
   tokens, the middle one without a norm. The folded network is the same function with other roundings.
   The tolerance 2e-5 is that of the golden networks. */
TEST(property, folded_attention_is_the_same_function)
{
    ddpm_model *m = model_create(single_head->net, single_head->diffusion);
    REQUIRE(m);

    for (const char *const *e = dd_conv_engines(); *e; e++) {
        ddpm_net_options o = { .batch = 2, .threads = 2, .conv = *e };
        ddpm_net *net;
        ddpm_error err = { 0, "" };
        struct small_batch a = small_batch_create(m, 2), b = small_batch_create(m, 2);
        if (ddpm_net_create(&net, m, &o, &err)) {
            check_fail(__FILE__, __LINE__, "%s: %s", *e, err.text);
            continue;
        }

        CHECK(ddpm_net_run(net, a.out, a.x, a.t, a.classes, 2, &err) == DDPM_OK &&
              unfolded(&b, m, &o) == DDPM_OK);
        for (size_t i = 0; i < 2 * a.outs; i++)
            CHECK_NEAR(a.out[i], b.out[i], 2e-5);
        /* Other roundings show that the attentions were folded at all. */
        CHECK(memcmp(a.out, b.out, 2 * a.outs * sizeof *a.out));
        CHECK(count_nodes(net, "copy") == 5);

        ddpm_net_free(net);
        small_batch_free(&a);
        small_batch_free(&b);
    }
    ddpm_model_close(m);
}
