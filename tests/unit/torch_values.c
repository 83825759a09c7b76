/* The meaning of the tree of values in a file of torch.save: the object at its top, averages without
   names beside named weights, names that many tables share. */
#include "tests/unit/torch_opened.h"
#include "tests/unit/alloc.h"

TEST(torch, top_objects)
{
    static const struct {
        const char *ops, *says;
    } tops[] = {
        { "\x80\2N.", "its top object is None" },
        { "\x80\2}.", "is a dict" },
        { "\x80\2}(U\5state}U\14param_groups]u.", "an optimizer's state" },
        { "\x80\2}U\15shadow_params]s.", "shadow_params" },
        { "\x80\2U\6moduleNN\x87Q.", "\"module\"" },
        { "\x80\2NQ.", "persistent id" },
    };

    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        struct writer w = { .size = 0 };
        put_ops(&w, tops[i].ops);
        CHECK(open_zip(&w, NULL) == DDPM_EDATA);
        error_says(__FILE__, __LINE__, i, tops[i].says);
    }
}

/* "model" has names. The average beside it has none, or lies deeper, or is an object of its program. */
TEST(torch, averages_beside_named_weights)
{
    static const struct {
        const char *before, *after, *says;
    } files[] = {
        { "}U\15shadow_params](", "es", "ema.shadow_params" },
        { "}U\3abc}U\15shadow_params](", "ess", "ema.abc.shadow_params" },
        { "](", "e", "(ema)" },
        { "(", "t", "(ema)" },
        { "}(K\0", "u", "(ema)" },
        { "}U\7weights](", "es", "ema.weights" },
        { "ctorch_ema\nExponentialMovingAverage\n)\x81}U\6params](", "esb", "(ema)" },
    };
    struct tensor t = { .type = "FloatStorage", .key = "0", .count = STORED };
    static struct writer w;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        w.size = 0;

        put_ops(&w, "\x80\2}(");
        put_text(&w, "model");
        put_ops(&w, "}(");
        put_text(&w, "conv_in.weight");
        put_tensor(&w, &t, 0);
        put_text(&w, "down_blocks.0.x");
        put_tensor(&w, &t, 0);
        put_ops(&w, "u");

        put_text(&w, "ema");
        /* The texts are opcodes; the one that ends with u has a byte 0 at its end, the key 0. */
        put(&w, files[i].before, strlen(files[i].before) + (files[i].after[0] == 'u'));
        put_tensor(&w, &t, 0);
        put_ops(&w, files[i].after);
        put_ops(&w, "u.");

        CHECK(open_zip(&w, NULL) == DDPM_EDATA);
        error_says(__FILE__, __LINE__, i, files[i].says);
        error_says(__FILE__, __LINE__, i, "its average has no names");
    }
}

/* A list of as many tensors, with the same shapes in the same order, is the average of the named ones. */
TEST(torch, averages_named_by_order)
{
    static struct writer w;
    struct tensor a = { .type = "FloatStorage",
                        .key = "0",
                        .count = STORED,
                        .rank = 1,
                        .dim = { 2 },
                        .stride = { 1 } },
                  b = a;

    b.dim[0] = 3;
    for (int other = 0; other < 2; other++) {
        w.size = 0;
        put_ops(&w, "\x80\2}(U\5model}(U\17down_blocks.0.x");
        put_tensor(&w, &a, 0);
        put_ops(&w, "U\16conv_in.weight");
        put_tensor(&w, &b, 0);
        put_ops(&w, "uU\3ema}U\15shadow_params](");

        a.offset = 4;
        b.offset = 7;
        put_tensor(&w, other ? &b : &a, 0);
        put_tensor(&w, other ? &a : &b, 0);
        put_ops(&w, "esu.");

        CHECK(open_zip(&w, NULL) == (other ? DDPM_EDATA : DDPM_OK));
        a.offset = b.offset = 0;
    }

    CHECK(strstr(open_error.text, "its average has no names (ema.shadow_params)"));
    w.size = 0;
}

/* Nothing says which of two lists is the average, unless one is shadow_params, beside which torch_ema
   keeps another list. */
TEST(torch, several_averages_without_names)
{
    static const struct {
        const char *first, *second;
        int code;
    } files[] = {
        { "U\15shadow_params](", "eU\20collected_params](", DDPM_OK },
        { "U\20collected_params](", "eU\15shadow_params](", DDPM_OK },
        { "U\3one](", "eU\3two](", DDPM_EDATA },
    };
    static struct writer w;
    struct tensor a = {
        .type = "FloatStorage", .key = "0", .count = STORED, .rank = 1, .dim = { 2 }, .stride = { 1 }
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        w.size = 0;
        put_ops(&w, "\x80\2}(U\5model}(U\17down_blocks.0.x");
        put_tensor(&w, &a, 0);
        put_ops(&w, "U\16conv_in.weight");
        put_tensor(&w, &a, 0);
        put_ops(&w, "uU\3ema}(");

        for (int k = 0; k < 2; k++) {
            put_ops(&w, k ? files[i].second : files[i].first);
            put_tensor(&w, &a, 0);
            put_tensor(&w, &a, 0);
        }

        put_ops(&w, "euu.");
        int code = open_zip(&w, NULL);
        if (code != files[i].code || (code && !strstr(open_error.text, "its average has no names (ema.one)")))
            check_fail(__FILE__, __LINE__, "%zu: %d, \"%s\"", i, code, open_error.text);
    }
    w.size = 0;
}

/* A name of 30,000 bytes is written once, and 250 tables refer to it: it is copied once. 300 tables are
   refused. */
TEST(torch, shared_names)
{
    static struct writer w;
    static char name[30001];
    struct tensor t = { .type = "FloatStorage", .key = "0", .count = STORED };

    memset(name, 'n', sizeof name - 1);
    for (int tables = 250; tables <= 300; tables += 50) {
        w.size = 0;
        put_ops(&w, "\x80\2}(");
        put_text(&w, "first");
        put_ops(&w, "}");
        put_text(&w, name);
        put_ops(&w, "q\1");
        put_tensor(&w, &t, 0);
        put_ops(&w, "q\2s");

        for (int i = 1; i < tables; i++) {
            put_text(&w, "k");
            put_ops(&w, "}h\1h\2s");
        }

        put_ops(&w, "u.");
        alloc_fail_never();
        CHECK(open_zip(&w, NULL) == DDPM_EDATA && alloc_count() < 100);
        CHECK(strstr(open_error.text, tables < 256 ? "250 tables of tensors" : "more than 256 tables"));
    }
}
