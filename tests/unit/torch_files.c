/* Containers and tensors of torch.save, written here opcode by opcode: places, strides, views, byte
   orders, and refusals. Element (i0, i1, ...) of a tensor is storage[offset + sum i_k stride_k]. The
   storages count 0, 1, 2, ..., so the expected values follow from that rule alone. */
#include "tests/unit/torch_opened.h"

TEST(torch, strides)
{
    struct tensor t = { .type = "FloatStorage",
                        .key = "0",
                        .count = STORED,
                        .offset = 1,
                        .rank = 2,
                        .dim = { 2, 3 },
                        .stride = { 3, 1 } };
    CHECK(open_one(&t) == DDPM_OK && values_are((float[]){ 1, 2, 3, 4, 5, 6 }, 6));

    /* The transpose of a tensor [3, 2]. */
    t.stride[0] = 1;
    t.stride[1] = 2;
    CHECK(open_one(&t) == DDPM_OK && values_are((float[]){ 1, 3, 5, 2, 4, 6 }, 6));

    t.stride[0] = 10;
    CHECK(open_one(&t) == DDPM_OK && values_are((float[]){ 1, 3, 5, 11, 13, 15 }, 6));

    struct tensor scalar = { .type = "FloatStorage", .key = "0", .count = STORED, .offset = 23 };
    CHECK(open_one(&scalar) == DDPM_OK && opened.tensor[0].rank == 0 && values_are((float[]){ 23 }, 1));

    struct tensor empty = { .type = "FloatStorage",
                            .key = "0",
                            .count = STORED,
                            .offset = 24,
                            .rank = 2,
                            .dim = { 0, INT64_MAX },
                            .stride = { 7, 7 } };
    CHECK(open_one(&empty) == DDPM_OK && opened.tensor[0].dim[0] == 0 && values_are((float[]){ 0 }, 0));

    struct tensor eight = { .type = "FloatStorage",
                            .key = "0",
                            .count = STORED,
                            .rank = 8,
                            .dim = { 1, 1, 1, 2, 1, 1, 1, 2 },
                            .stride = { 9, 9, 9, 1, 9, 9, 9, 4 } };
    CHECK(open_one(&eight) == DDPM_OK && values_are((float[]){ 0, 4, 1, 5 }, 4));
    checkpoint_close(&opened);
}

TEST(torch, tensors_out_of_place)
{
    static const struct {
        struct tensor t;
        const char *says;
    } bad[] = {
        { { .offset = 19, .rank = 2, .dim = { 2, 3 }, .stride = { 3, 1 } }, "beyond its storage" },
        { { .offset = 25 }, "beyond its storage" },
        { { .offset = -1, .rank = 1, .dim = { 1 }, .stride = { 1 } }, "other arguments" },
        { { .offset = INT64_MAX, .rank = 1, .dim = { 2 }, .stride = { INT64_MAX } }, "beyond its storage" },
        { { .rank = 2, .dim = { 2, 2 }, .stride = { INT64_MAX, INT64_MAX } }, "beyond its storage" },
        { { .rank = 3, .dim = { 2, 2, 2 }, .stride = { INT64_MAX, INT64_MAX, INT64_MAX } }, "overflows" },
        { { .rank = 2, .dim = { INT64_MAX, 4 }, .stride = { 0, 0 } }, "overflows" },
        { { .rank = 1, .dim = { 1000000 }, .stride = { 0 } }, "share the 24" },
        { { .rank = 1, .dim = { -1 }, .stride = { 1 } }, "dimension 0" },
        { { .rank = 1, .dim = { 1 }, .stride = { -1 } }, "dimension 0" },
        { { .rank = 9, .dim = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, .stride = { 1, 1, 1, 1, 1, 1, 1, 1, 1 } },
          "at most 8" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tensor t = bad[i].t;
        t.type = "FloatStorage";
        t.key = "0";
        t.count = STORED;
        CHECK(open_one(&t) == DDPM_EDATA);
        error_says(__FILE__, __LINE__, i, bad[i].says);
        error_says(__FILE__, __LINE__, i, "tensor t");
    }
    struct tensor t = {
        .type = "FloatStorage", .key = "0", .count = STORED + 1, .rank = 1, .dim = { 2 }, .stride = { 1 }
    };
    CHECK(open_one(&t) == DDPM_EDATA && strstr(open_error.text, "96 bytes where 25 elements"));
    t.count = INT64_MAX;
    CHECK(open_one(&t) == DDPM_EDATA && strstr(open_error.text, "96 bytes where"));
    t.key = "1";
    CHECK(open_one(&t) == DDPM_EDATA && strstr(open_error.text, "archive/data/1 is not in the archive"));
}

TEST(torch, element_types)
{
    /* The values are 1 and -2 as half, then 1 and -2 as bfloat16. */
    static const unsigned char bytes[] = { 0, 0x3c, 0, 0xc0, 0x80, 0x3f, 0, 0xc0 };
    struct tensor t = {
        .type = "HalfStorage", .key = "h", .count = 4, .rank = 1, .dim = { 2 }, .stride = { 1 }
    };
    struct member h[] = { { "archive/data/h", bytes, sizeof bytes, 0 }, { 0 } };
    struct writer w = { .size = 0 };

    put_state(&w, &(const char *){ "t" }, &t, 1, 0);
    CHECK(open_zip(&w, h) == DDPM_OK && values_are((float[]){ 1, -2 }, 2));

    t.type = "BFloat16Storage";
    t.offset = 2;
    w.size = 0;
    put_state(&w, &(const char *){ "t" }, &t, 1, 0);
    CHECK(open_zip(&w, h) == DDPM_OK && values_are((float[]){ 1, -2 }, 2));

    t = (struct tensor){ .type = "LongStorage", .key = "h", .count = 1, .rank = 0 };
    w.size = 0;
    put_state(&w, &(const char *){ "t" }, &t, 1, 0);
    CHECK(open_zip(&w, h) == DDPM_OK && !values_are((float[]){ 0 }, 0) &&
          strstr(open_error.text, "tensor t is stored as I64"));

    checkpoint_close(&opened);
}

TEST(torch, byte_order)
{
    static const unsigned char big[] = { 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0 }; /* 1 and -2 */
    struct tensor t = {
        .type = "FloatStorage", .key = "b", .count = 2, .rank = 1, .dim = { 2 }, .stride = { 1 }
    };
    struct writer w = { .size = 0 };
    put_state(&w, &(const char *){ "t" }, &t, 1, 0);
    struct member more[] = { { "archive/data/b", big, sizeof big, 0 },
                             { "archive/byteorder", "big", 3, 0 },
                             { 0 } };
    CHECK(open_zip(&w, more) == DDPM_OK && values_are((float[]){ 1, -2 }, 2));
    more[1] = (struct member){ "archive/byteorder", "little", 6, 0 };
    CHECK(open_zip(&w, more) == DDPM_OK && !values_are((float[]){ 1, -2 }, 2));
    more[1] = (struct member){ "archive/byteorder", "middle", 6, 0 };
    CHECK(open_zip(&w, more) == DDPM_EDATA && strstr(open_error.text, "byteorder"));
}

/* _rebuild_parameter around _rebuild_tensor_v3 with an untyped storage, which counts bytes. */
TEST(torch, parameters_and_untyped_storages)
{
    struct writer w = { .size = 0 };
    put_ops(&w, "\x80\x02}");
    put_text(&w, "t");

    /* A parameter is a call around that of its tensor. */
    put_global(&w, "torch._utils", "_rebuild_parameter");
    put_ops(&w, "(");
    put_global(&w, "torch._utils", "_rebuild_tensor_v3");
    put_ops(&w, "((");
    put_text(&w, "storage");
    put_global(&w, "torch.storage", "UntypedStorage");
    put_text(&w, "0");
    put_text(&w, "cpu");
    put_int(&w, STORED * 4);
    /* The offset in elements is 0x15 = 21. */
    put_ops(&w, "tQK\x15");
    put_tuple(&w, (int64_t[]){ 3 }, 1);
    put_tuple(&w, (int64_t[]){ 1 }, 1);
    put_ops(&w, "\x89}");
    put_global(&w, "torch", "float32");
    put_ops(&w, "tR\x88}tRs.");

    CHECK(open_zip(&w, NULL) == DDPM_OK && values_are((float[]){ 21, 22, 23 }, 3));
    checkpoint_close(&opened);
}

TEST(torch, zip_members)
{
    struct tensor t = {
        .type = "FloatStorage", .key = "z", .count = STORED, .rank = 1, .dim = { 1 }, .stride = { 1 }
    };
    struct writer w = { .size = 0 };

    put_state(&w, &(const char *){ "t" }, &t, 1, 0);
    struct member more[] = { { "archive/data/z", counting(), STORED * sizeof(float), 1 }, { 0 }, { 0 } };
    CHECK(open_zip(&w, more) == DDPM_EDATA && strstr(open_error.text, "archive/data/z is compressed"));

    more[0].compressed = 0;
    more[1] = (struct member){ "archive/constants.pkl", "N.", 2, 0 };
    CHECK(open_zip(&w, more) == DDPM_EDATA && strstr(open_error.text, "TorchScript"));

    size_t size;
    unsigned char *zip = write_zip(&size, (struct member[]){ { "a/b.txt", "x", 1, 0 } }, 1);
    CHECK(checkpoint_open_memory(&opened, zip, size, "T", NULL, &open_error) == DDPM_EDATA &&
          strstr(open_error.text, "a/data.pkl"));
    free(zip);

    zip = write_zip(&size, (struct member[]){ { "data.pkl", "N.", 2, 0 } }, 1);
    CHECK(checkpoint_open_memory(&opened, zip, size, "T", NULL, &open_error) == DDPM_EDATA &&
          strstr(open_error.text, "no folder"));
    free(zip);
}

/* ---- the legacy container ---- */

static void put_storage(struct writer *w, uint64_t count)
{
    for (int i = 0; i < 8; i++)
        put(w, &(unsigned char){ (unsigned char)(count >> 8 * i) }, 1);
    put(w, counting(), STORED * sizeof(float));
}

TEST(torch, legacy_views)
{
    struct tensor t = { .type = "FloatStorage",
                        .key = "7",
                        .count = STORED,
                        .offset = 1,
                        .rank = 1,
                        .dim = { 3 },
                        .stride = { 1 },
                        .view_offset = 10,
                        .view_count = 4 };

    static struct writer w;
    for (int reach = 0; reach < 2; reach++, t.offset++) {
        w.size = 0;
        put_legacy_head(&w, 1001, 1);
        put_state(&w, &(const char *){ "t" }, &t, 1, 1);
        put_keys(&w, &(const char *){ "7" }, 1);
        put_storage(&w, STORED);
        if (!reach)
            CHECK(open_written(&w) == DDPM_OK && values_are((float[]){ 11, 12, 13 }, 3));
        else
            CHECK(open_written(&w) == DDPM_EDATA &&
                  strstr(open_error.text, "beyond its storage 7 of 4 elements"));
    }

    t.view_offset = 21;
    w.size = 0;
    put_legacy_head(&w, 1001, 1);
    put_state(&w, &(const char *){ "t" }, &t, 1, 1);
    put_keys(&w, &(const char *){ "7" }, 1);
    put_storage(&w, STORED);
    CHECK(open_written(&w) == DDPM_EDATA && strstr(open_error.text, "view of storage 7 lies outside"));
}

TEST(torch, legacy_damage)
{
    static const struct {
        int protocol, little, keys;
        const char *key[2];
        uint64_t count;
        int extra;
        const char *says;
    } bad[] = {
        { 1002, 1, 1, { "7" }, STORED, 0, "1002" },
        { 1001, 0, 1, { "7" }, STORED, 0, "big-endian" },
        { 1001, 1, 0, { 0 }, STORED, 0, "0 entries" },
        { 1001, 1, 1, { "8" }, STORED, 0, "no tensor refers to" },
        { 1001, 1, 2, { "7", "7" }, STORED, 0, "2 entries" },
        { 1001, 1, 1, { "7" }, 23, 0, "23 elements where the pickle says 24" },
        { 1001, 1, 1, { "7" }, 1ull << 62, 0, "elements where" },
        { 1001, 1, 1, { "7" }, STORED, 1, "1 bytes are left" },
    };
    struct tensor t = {
        .type = "FloatStorage", .key = "7", .count = STORED, .rank = 1, .dim = { 3 }, .stride = { 1 }
    };

    static struct writer w;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        w.size = 0;
        put_legacy_head(&w, bad[i].protocol, bad[i].little);
        put_state(&w, &(const char *){ "t" }, &t, 1, 1);
        put_keys(&w, bad[i].key, bad[i].keys);
        put_storage(&w, bad[i].count);
        put(&w, "x", (size_t)bad[i].extra);

        CHECK(open_written(&w) == DDPM_EDATA);
        error_says(__FILE__, __LINE__, i, bad[i].says);
    }
}

TEST(torch, strangers)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } files[] = {
        { "", 0, "is empty" },
        { "version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull" },
        { "\x89PNG\r\n\x1a\n", 8, "PNG picture" },
        { "\x1f\x8b\x08\0\0\0\0\0", 8, "gzip" },
        { "PYTORCH1xxxx", 12, "preview" },
        { "<!DOCTYPE html>", 15, "web page" },
        { "\x80\2}q\0.aaa", 8, "no file of torch.save" },
        { "abc", 3, "a text file" },
        { "\1\2\3", 3, "3 bytes, too few" },
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CHECK(checkpoint_open_memory(&opened, (const unsigned char *)files[i].bytes, files[i].size, "T", NULL,
                                     &open_error) == DDPM_EDATA);
        error_says(__FILE__, __LINE__, i, files[i].says);
    }
    unsigned char tar[512] = { 0 };
    memcpy(tar + 257, "ustar", 5);
    CHECK(checkpoint_open_memory(&opened, tar, sizeof tar, "T", NULL, &open_error) == DDPM_EDATA &&
          strstr(open_error.text, "tar archive"));
}

/* A safetensors file begins with the length of its header. 640 is 80 02, as pickles begin, and 35615 is
   1f 8b, as gzip does. The bytes behind them tell the kind of file. */
TEST(torch, safetensors_that_begin_like_others)
{
    static const size_t headers[] = { 640, 896, 1152, 35615 };
    static const char text[] = "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        size_t n = headers[i], size = 8 + n + 2 * sizeof(float);
        unsigned char *file = malloc(size);
        memset(file, ' ', size);
        for (int k = 0; k < 8; k++)
            file[k] = (unsigned char)(n >> 8 * k);
        memcpy(file + 8, text, sizeof text - 1);
        memcpy(file + 8 + n, (float[]){ 1, -2 }, 2 * sizeof(float));

        checkpoint_close(&opened);
        CHECK(checkpoint_open_memory(&opened, file, size, "T", NULL, &open_error) == DDPM_OK &&
              values_are((float[]){ 1, -2 }, 2));
        checkpoint_close(&opened);
        CHECK(checkpoint_open_memory(&opened, file, 300, "T", NULL, &open_error) == DDPM_EDATA &&
              strstr(open_error.text, "cut off"));

        free(file);
    }
}
