/* The contract of design.md 6: an image is the same, bit for bit, whatever the number of threads, the batch and its neighbours. */
#include "layer/conv.h"
#include "tests/check.h"
#include "tests/small_nets.h"

enum { IMAGES = 8 };

static int run(struct small_batch *b, const ddpm_model *m, int batch, int threads, const char *conv)
{
    ddpm_net_options o = { .batch = batch, .threads = threads, .conv = conv };
    ddpm_net *net;
    ddpm_error err = { 0, "" };
    int code = ddpm_net_create(&net, m, &o, &err);
    if (!code) {
        code = ddpm_net_run(net, b->out, b->x, b->t, b->y, b->n, &err);
        ddpm_net_free(net);
    }
    if (code)
        check_fail(__FILE__, __LINE__, "batch %d, %d threads, %s: %s", batch, threads, conv, err.text);
    return code;
}

static void same_bits(const char *name, const char *conv)
{
    static const struct { int threads, batch; } way[] = { { 1, 8 }, { 2, 1 }, { 2, 8 }, { 3, 3 }, { 7, 1 }, { 7, 3 } };
    ddpm_model *m = small_net_create(name);
    REQUIRE(m);
    struct small_batch one = small_batch_create(m, IMAGES), other = small_batch_create(m, IMAGES);
    if (run(&one, m, 1, 1, conv) == DDPM_OK)
        for (int i = 0; i < 6; i++) {
            memset(other.out, 0, IMAGES * other.outs * sizeof *other.out);
            if (run(&other, m, way[i].batch, way[i].threads, conv) == DDPM_OK &&
                memcmp(one.out, other.out, IMAGES * one.outs * sizeof *one.out))
                check_fail(__FILE__, __LINE__, "%s, %s: other bits with %d threads, batch %d", name, conv, way[i].threads,
                           way[i].batch);
        }
    small_batch_free(&one);
    small_batch_free(&other);
    ddpm_model_close(m);
}

TEST(property, same_bits_of_the_rule_whatever_threads_and_batch)
{
    for (const struct small_net *s = small_nets; s->name; s++)
        same_bits(s->name, "auto");
}

TEST(property, same_bits_of_every_engine_whatever_threads_and_batch)
{
    for (const struct small_net *s = small_nets; s->name; s++)
        for (const char *const *e = dd_conv_engines(); *e; e++)
            same_bits(s->name, *e);
}
