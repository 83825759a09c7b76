/* The safetensors container against checkpoint-families.md section 6: its byte vectors, every check, and
   files of the reference writer. */
#include "base/safetensors.h"
#include "base/system.h"
#include "tests/check.h"
#include "tests/host.h"

/* Returns a file of this header and so many bytes of data, in a block of exactly its size; the caller
   frees it. */
static unsigned char *make(const char *header, size_t length, size_t bytes, size_t *size)
{
    *size = 8 + length + bytes;
    unsigned char *file = calloc(1, *size);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, header, length);
    return file;
}

static int read_code(const char *header, size_t length, size_t bytes, char said[508])
{
    struct dd_safetensors s;
    ddpm_error err = { 0 };
    size_t size;
    unsigned char *file = make(header, length, bytes, &size);
    int code = dd_safetensors_read(&s, file, size, "FILE", &err);
    if (!code)
        dd_safetensors_free(&s);
    CHECK(!s.entry && !s.meta && !s.owned && (!code || !strncmp(err.text, "FILE: ", 6)));
    strcpy(said, err.text);
    free(file);
    return code;
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

TEST(safetensors, accepted)
{
    static const struct {
        const char *header;
        size_t bytes;
    } good[] = {
        { "{}      ", 0 },
        { "\t\n {} \r\n", 0 },
        { "{" T("attn0", "F32", "[1,1,2,3]", "[0,24]") "}", 24 },
        { "{\"__metadata__\":{}," T("a", "U8", "[]", "[0,1]") "}", 1 },
        { "{" T("a", "F32", "[0,5]", "[0,0]") "," T("b", "U8", "[2]", "[0,2]") "," T("c", "F64", "[0]",
                                                                                     "[2,2]") "}",
          2 },
        { "{" T("b", "U8", "[2]", "[3,5]") "," T("a", "U8", "[3]", "[0,3]") "}", 5 }, /* in any order */
        { "{" T("a", "F4", "[3,2]", "[0,3]") "," T("b", "F6_E2M3", "[4]", "[3,6]") "}", 6 }, /* whole bytes */
        { "{\"a\":{\"x\":[{}],\"data_offsets\":[0,1],\"shape\":[1],\"x\":null,\"dtype\":\"I8\"}}", 1 },
        { "{" T("", "U8", "[1,1,1,1,1,1,1,1]", "[0,1]") "}", 1 },
        { "{" T("\\u00e9\\n", "BOOL", "[1]", "[0,1]") "}", 1 },
        { "{" T("a", "U8", "[18446744073709551615,0]", "[0,0]") "}", 0 },
    };

    char said[508];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (read_code(good[i].header, strlen(good[i].header), good[i].bytes, said))
            check_fail(__FILE__, __LINE__, "%s: %s", good[i].header, said);
}

static const struct {
    const char *header;
    size_t bytes;
    const char *says;
} not_safetensors[] = {
    { "", 0, "an object is expected" },
    { "[]", 0, "an object is expected" },
    { "{", 0, "string" },
    { "{}x", 0, "follows the end" },
    { "{} {}", 0, "follows the end" },
    { "{}", 1, "the tensors end at byte 0 of 1" },
    { "{" T("a", "F31", "[1]", "[0,4]") "}", 4, "unknown dtype" },
    { "{" T("a", "f32", "[1]", "[0,4]") "}", 4, "unknown dtype" },
    { "{" T("a", "F32", "[1]", "[0,2]") "}", 2,
      "tensor a: its shape and dtype F32 need 4 bytes, its data_offsets span 2" },
    { "{" T("a", "F32", "[2]", "[0,4]") "}", 4, "need 8 bytes" },
    { "{" T("a", "F4", "[3]", "[0,2]") "}", 2, "shape is too large, or" },
    { "{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, "shape is too large, or" },
    { "{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "shape is too large, or" },
    { "{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, "shape is too large, or" },
    { "{" T("a", "U8", "[18446744073709551616]", "[0,0]") "}", 0, "whole number" },
    { "{" T("a", "U8", "[-1]", "[0,0]") "}", 0, "whole number" },
    { "{" T("a", "U8", "[-0]", "[0,0]") "}", 0, "whole number" },
    { "{" T("a", "U8", "[1.0]", "[0,1]") "}", 1, "whole number" },
    { "{" T("a", "U8", "[1e0]", "[0,1]") "}", 1, "whole number" },
    { "{" T("a", "U8", "[01]", "[0,1]") "}", 1, "a value is expected" },
    { "{" T("a", "U8", "[\"1\"]", "[0,1]") "}", 1, "a value is expected" },
    { "{" T("a", "U8", "1", "[0,1]") "}", 1, "a list is expected" },
    { "{" T("a", "U8", "[1 2]", "[0,1]") "}", 1, "comma" },
    { "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, "more than 8 dimensions" },
    { "{" T("a", "U8", "[1]", "[0]") "}", 1, "two data_offsets" },
    { "{" T("a", "U8", "[1]", "[0,1,2]") "}", 1, "two data_offsets" },
    { "{" T("a", "U8", "[1]", "[]") "}", 1, "two data_offsets" },
    { "{" T("a", "U8", "[1]", "[-4,-3]") "}", 1, "whole number" },
    { "{" T("a", "U8", "[1]", "[2,1]") "}", 2, "tensor a: data_offsets 2 to 1 do not lie in" },
    { "{" T("a", "U8", "[1]", "[1,2]") "}", 1, "tensor a: data_offsets 1 to 2 do not lie in" },
    { "{" T("a", "U8", "[1]", "[18446744073709551615,18446744073709551615]") "}", 1, "do not lie in" },
    { "{" T("a", "U8", "[1]", "[1,2]") "}", 2,
      "tensor a: its data begin at byte 1, the tensor before ends at 0" },
    { "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", 3,
      "tensor b: its data begin at byte 1" },
    { "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[3,5]") "}", 5,
      "tensor b: its data begin at byte 3" },
    { "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[0]", "[1,1]") "}", 2, "begin at byte 1" },
    { "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[0,2]") "}", 2, "begin at byte 0" },
    { "{" T("a", "U8", "[2]", "[0,2]") "}", 3, "the tensors end at byte 2 of 3" },
    { "{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}", 2, "tensor a occurs twice" },
    { "{" T("a", "U8", "[1]", "[0,1]") "," T("\\u0061", "U8", "[1]", "[1,2]") "}", 2,
      "tensor a occurs twice" },
    { "{" T("a\\u0000b", "U8", "[1]", "[0,1]") "}", 1, "escape" },
    { "{" T("a\xff", "U8", "[1]", "[0,1]") "}", 1, "UTF-8" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "without" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "twice" },
    { "{\"a\":{}}", 0, "string" },
    { "{\"a\":null}", 0, "an object" },
    { "{\"a\":[1]}", 0, "an object" },
    { "{" T("a", "U8", "[1]", "[0,1]") ",}", 1, "string" },
    { "{\"__metadata__\":[]}", 0, "must be an object of strings" },
    { "{\"__metadata__\":null}", 0, "must be an object of strings" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "string" },
    { "{\"__metadata__\":{\"a\":\"1\",\"b\":\"1\",\"a\":\"2\"}}", 0, "key a occurs twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ occurs twice" },
};

TEST(safetensors, refused)
{
    char said[508];
    for (size_t i = 0; i < sizeof not_safetensors / sizeof not_safetensors[0]; i++)
        if (read_code(not_safetensors[i].header, strlen(not_safetensors[i].header), not_safetensors[i].bytes,
                      said) != DDPM_EDATA ||
            !strstr(said, not_safetensors[i].says))
            check_fail(__FILE__, __LINE__, "%s: accepted, or for another reason: %s",
                       not_safetensors[i].header, said);
}

TEST(safetensors, lengths)
{
    static const struct {
        unsigned char file[12];
        size_t size;
        const char *says;
    } bad[] = {
        { { 0 }, 0, "is empty" },
        { { 'h', 'i', '\n' }, 3, "is a text file" },
        { { 2 }, 7, "7 bytes" },
        { { 2 }, 8, "cut off" },
        { { 2, 0, 0, 0, 0, 0, 0, 0, '{' }, 9, "cut off" },
        { { 1, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{', '}' }, 10, "100000001 bytes" },
        { { 0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}' }, 10, "9223372036854775808" },
        { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}' }, 10, "18446744073709551615" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dd_safetensors s;
        ddpm_error err = { 0 };
        CHECK(dd_safetensors_read(&s, bad[i].file, bad[i].size, "FILE", &err) == DDPM_EDATA &&
              strstr(err.text, bad[i].says));
    }
}

TEST(safetensors, every_cut_is_refused)
{
    static const char header[] =
        "{\"__metadata__\":{\"k\":\"v\"}," T("a", "F16", "[2]", "[0,4]") "," T("b", "U8", "[]", "[4,5]") "}";
    size_t size;
    unsigned char *file = make(header, sizeof header - 1, 5, &size);
    for (size_t cut = 0; cut <= size; cut++) {
        struct dd_safetensors s;
        ddpm_error err;
        unsigned char *part = malloc(cut ? cut : 1);
        memcpy(part, file, cut);
        CHECK(dd_safetensors_read(&s, part, cut, "FILE", &err) == (cut == size ? DDPM_OK : DDPM_EDATA));
        dd_safetensors_free(&s);
        free(part);
    }
    free(file);
}

TEST(safetensors, contents)
{
    static const char header[] =
        "{" T("b", "F32", "[1]",
              "[4,8]") ",\"__metadata__\":{\"z\":\"1\",\"format\":\"a\\\"\\u20ac\"}," T("a", "F16", "[2,1]",
                                                                                        "[0,4]") "}";
    struct dd_safetensors s;
    size_t size;
    unsigned char *file = make(header, sizeof header - 1, 8, &size);
    REQUIRE(dd_safetensors_read(&s, file, size, "FILE", NULL) == DDPM_OK && s.entries == 2 && s.metas == 2);
    const struct dd_entry *a = dd_safetensors_find(&s, "a"), *b = dd_safetensors_find(&s, "b");
    CHECK(a == &s.entry[0] && a->dtype == DD_F16 && a->rank == 2 && a->dim[0] == 2 && a->dim[1] == 1 &&
          a->count == 2 && a->size == 4);
    CHECK(b == &s.entry[1] && b->dtype == DD_F32 && b->data == a->data + 4 && b->data + 4 == file + size);
    CHECK(!dd_safetensors_find(&s, "c") && !dd_safetensors_meta(&s, "a"));
    CHECK_TEXT(dd_safetensors_meta(&s, "format"), "a\"\xe2\x82\xac");
    CHECK_TEXT(s.meta[1].key, "z");
    dd_safetensors_free(&s);
    free(file);
}

/* Checks that a header of size bytes that begins with head and repeats unit is refused within a second
   or two of the CPU. */
static void bomb(const char *head, const char *unit, size_t size)
{
    size_t n = strlen(head), step = strlen(unit);
    char *text = malloc(size), said[508];
    memcpy(text, head, n);
    for (; n + step <= size; n += step)
        memcpy(text + n, unit, step);
    double start = host_cpu_time();
    CHECK(read_code(text, n, 0, said) == DDPM_EDATA);
    CHECK(host_cpu_time() - start < 10);
    free(text);
}

TEST(safetensors, bombs)
{
    bomb("", "[", 100000000);
    bomb("{\"a\":{\"x\":", "[", 1000000);
    bomb("{\"a\":{\"x\":[", "1,", 1000000);
    bomb("{\"a\":", "{\"a\":", 1000000);
    bomb("{\"", "a", 1000000);
    bomb("{\"__metadata__\":{", "\"\":\"\",", 10000000);
    bomb("{", T("a", "U8", "[0]", "[0,0]") ",", 10000000);
}

/* Many tensors in an unlucky order take the time of two sorts, not of a search for each. */
TEST(safetensors, hundred_thousand_tensors)
{
    enum { N = 100000, ROOM = 80 };

    char *header = malloc(N * ROOM);
    size_t n = 0, size;
    struct dd_safetensors s;
    header[n++] = '{';
    for (int i = 0; i < N; i++) {
        int k = (int)((long)i * 7919 % N);
        n += (size_t)snprintf(header + n, ROOM,
                              "%s\"t%05d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                              i ? "," : "", k, N - 1 - k, N - k);
    }
    header[n++] = '}';
    unsigned char *file = make(header, n, N, &size);
    REQUIRE(dd_safetensors_read(&s, file, size, "FILE", NULL) == DDPM_OK && s.entries == N);
    CHECK(dd_safetensors_find(&s, "t00007")->data == file + size - 8);
    dd_safetensors_free(&s);
    free(file);
    free(header);
}

typedef int writer(FILE *f, const struct dd_entry *entry, size_t entries, const char *const *meta,
                   ddpm_error *err);

/* Writes to a temporary file and returns what it holds; the caller frees it. */
static unsigned char *written_by(writer *writes, const struct dd_entry *entry, size_t entries,
                                 const char *const *meta, size_t *size)
{
    FILE *f = tmpfile();
    ddpm_error err;
    CHECK(f && writes(f, entry, entries, meta, &err) == DDPM_OK);
    *size = (size_t)ftell(f);
    unsigned char *data = calloc(1, *size + 1);
    rewind(f);
    CHECK(fread(data, 1, *size, f) == *size);
    fclose(f);
    return data;
}

static unsigned char *written(const struct dd_entry *entry, size_t entries, const char *const *meta,
                              size_t *size)
{
    return written_by(dd_safetensors_write, entry, entries, meta, size);
}

TEST(safetensors, published_bytes)
{
    static const unsigned char six[24] = { 0 };
    struct dd_entry e = { .name = "attn0",
                          .dtype = DD_F32,
                          .rank = 4,
                          .dim = { 1, 1, 2, 3 },
                          .count = 6,
                          .size = 24,
                          .data = six };
    size_t size;
    unsigned char *file = written(NULL, 0, NULL, &size);
    CHECK(size == 16 && !memcmp(file, "\x08\0\0\0\0\0\0\0{}      ", 16));
    free(file);
    file = written(&e, 1, NULL, &size);
    CHECK(size == 8 + 72 + 24 && !memcmp(file,
                                         "\x48\0\0\0\0\0\0\0{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3]"
                                         ",\"data_offsets\":[0,24]}}       ",
                                         80));
    free(file);
}

TEST(safetensors, write_then_read)
{
    static const unsigned char data[16] = "0123456789abcdef";
    static const struct dd_entry in[] = {
        { .name = "z\n\"\xe2\x82\xac",
          .dtype = DD_F16,
          .rank = 1,
          .dim = { 1 },
          .count = 1,
          .size = 2,
          .data = data },
        { .name = "y", .dtype = DD_F64, .rank = 0, .count = 1, .size = 8, .data = data + 2 },
        { .name = "b",
          .dtype = DD_F16,
          .rank = 2,
          .dim = { 2, 1 },
          .count = 2,
          .size = 4,
          .data = data + 10 },
        { .name = "empty", .dtype = DD_F32, .rank = 2, .dim = { 0, 3 }, .count = 0, .size = 0, .data = data },
    };
    static const char *const meta[] = { "format", "ddpm", "ddpm", "{\"a\": \"\\\"\x01\"}", NULL };
    struct dd_safetensors s;
    size_t size;
    unsigned char *file = written(in, 4, meta, &size);
    REQUIRE(dd_safetensors_read(&s, file, size, "FILE", NULL) == DDPM_OK && s.entries == 4 && s.metas == 2);
    for (int i = 0; i < 4; i++) {
        const struct dd_entry *e = dd_safetensors_find(&s, in[i].name);
        REQUIRE(e);
        CHECK(e->dtype == in[i].dtype && e->rank == in[i].rank && !memcmp(e->dim, in[i].dim, sizeof e->dim) &&
              e->count == in[i].count);
        CHECK(e->size == in[i].size && !memcmp(e->data, in[i].data, e->size) &&
              (size_t)(e->data - file) % (e->size ? dd_dtype_bits(e->dtype) / 8 : 1) == 0);
    }
    CHECK_TEXT(dd_safetensors_meta(&s, "ddpm"), meta[3]);
    CHECK(dd_safetensors_find(&s, "y")->data < dd_safetensors_find(&s, "b")->data &&
          dd_safetensors_find(&s, "b")->data < dd_safetensors_find(&s, in[0].name)->data);
    dd_safetensors_free(&s);
    free(file);
}

/* The digits are those of Python's hashlib over the bytes that the format asks for, with zeros as digits:
     h = b'{"__metadata__":{"sha256":"' + b'0' * 64 + b'","key":"value"},'
     h += b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
     h += b' ' * (-len(h) % 8)
     hashlib.sha256(len(h).to_bytes(8, 'little') + h + bytes(range(8))).hexdigest()
   and without metadata and tensors of b'{"__metadata__":{"sha256":"' + b'0' * 64 + b'"}}'. */
TEST(safetensors, a_file_carries_its_hash)
{
    static const unsigned char data[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    static const struct dd_entry e = {
        .name = "a", .dtype = DD_F32, .rank = 1, .dim = { 2 }, .count = 2, .size = 8, .data = data
    };
    static const char *const meta[] = { "key", "value", NULL };
    struct dd_safetensors s;
    size_t size;
    unsigned char *file = written_by(dd_safetensors_write_hashed, &e, 1, meta, &size);
    CHECK(dd_safetensors_check_hash(file, size, "FILE", NULL) == DDPM_OK);
    REQUIRE(dd_safetensors_read(&s, file, size, "FILE", NULL) == DDPM_OK);
    CHECK(s.entries == 1 && s.metas == 2);
    CHECK_TEXT(dd_safetensors_meta(&s, "key"), "value");
    CHECK_TEXT(dd_safetensors_meta(&s, "sha256"),
               "18b39429013a14aee8c976fb05981c8ae75de9e9954427316e2fefda1504a8ec");
    dd_safetensors_free(&s);
    free(file);
    file = written_by(dd_safetensors_write_hashed, NULL, 0, NULL, &size);
    CHECK(dd_safetensors_check_hash(file, size, "FILE", NULL) == DDPM_OK);
    REQUIRE(dd_safetensors_read(&s, file, size, "FILE", NULL) == DDPM_OK);
    CHECK_TEXT(dd_safetensors_meta(&s, "sha256"),
               "70fadacb59bbbd5e62633739746a0dd25065a28698bb54244013fa7f68b98937");
    dd_safetensors_free(&s);
    free(file);
}

/* The hash reveals a change of every single bit and of the length, and a file that was written without a
   hash is recognised. */
TEST(safetensors, every_changed_bit_is_found)
{
    static const unsigned char data[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    static const struct dd_entry e = {
        .name = "a", .dtype = DD_F32, .rank = 1, .dim = { 2 }, .count = 2, .size = 8, .data = data
    };
    static const char *const meta[] = { "sha25", "value", NULL };
    ddpm_error err;
    size_t size;
    unsigned char *file = written_by(dd_safetensors_write_hashed, &e, 1, meta, &size);
    for (size_t i = 0; i < 8 * size; i++) {
        file[i / 8] ^= (unsigned char)(1 << i % 8);
        if (dd_safetensors_check_hash(file, size, "FILE", &err) != DDPM_EDATA ||
            strncmp(err.text, "FILE: is damaged", 16))
            check_fail(__FILE__, __LINE__, "bit %zu of %zu bytes is changed and not found", i, size);
        file[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    for (size_t n = 0; n < size; n++)
        CHECK(dd_safetensors_check_hash(file, n, "FILE", NULL) == DDPM_EDATA);
    CHECK(dd_safetensors_check_hash(file, size, "FILE", NULL) == DDPM_OK);
    free(file);
    file = written(&e, 1, meta, &size);
    CHECK(dd_safetensors_check_hash(file, size, "FILE", NULL) == DDPM_EDATA);
    free(file);
}

TEST(safetensors, a_full_disk)
{
    FILE *f = fopen("/dev/full", "wb");
    if (!f)
        SKIP("/dev/full is not there");
    static unsigned char data[100000];
    struct dd_entry e = { .name = "a",
                          .dtype = DD_U8,
                          .rank = 1,
                          .dim = { sizeof data },
                          .count = sizeof data,
                          .size = sizeof data,
                          .data = data };
    ddpm_error err = { 0 };
    CHECK(dd_safetensors_write(f, &e, 1, NULL, &err) == DDPM_EIO && strstr(err.text, "space"));
    fclose(f);
}

/* The hostile files of the reference, without those whose container is sound. */
TEST(safetensors, bad_files)
{
    static const char *const names[] = { "st_bad_utf8",        "st_beyond",        "st_data_cut",
                                         "st_duplicate_key",   "st_header_cut",    "st_header_len_100M",
                                         "st_header_len_2e63", "st_hole",          "st_negative",
                                         "st_nesting",         "st_overlap",       "st_shape_bytes",
                                         "st_shape_overflow",  "st_unknown_dtype", "ok_safetensors",
                                         "st_int_weights" };
    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path =
            check_path(check_shared(), "reference/checkpoints/bad/%s/diffusion_pytorch_model.safetensors",
                       names[i]);
        struct dd_file f;
        struct dd_safetensors s;
        REQUIRE(dd_file_map(&f, path, NULL) == DDPM_OK);
        if (dd_safetensors_read(&s, f.data, f.size, path, NULL) != (i < 14 ? DDPM_EDATA : DDPM_OK))
            check_fail(__FILE__, __LINE__, "%s", names[i]);
        dd_safetensors_free(&s);
        dd_file_unmap(&f);
    }
}

/* A file of the reference implementation that is read and written again has the same bytes. */
TEST(safetensors, reference_files)
{
    static const char *const names[] = { "A1_google/unet/diffusion_pytorch_model.safetensors",
                                         "A9_float16/unet/diffusion_pytorch_model.safetensors",
                                         "A1_google/io.safetensors",
                                         "A6_bare_old_names/diffusion_pytorch_model.safetensors" };
    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = check_path(check_shared(), "reference/checkpoints/%s", names[i]);
        struct dd_file f;
        struct dd_safetensors s;
        ddpm_error err;
        REQUIRE(dd_file_map(&f, path, &err) == DDPM_OK &&
                dd_safetensors_read(&s, f.data, f.size, path, &err) == DDPM_OK);
        const char *meta[] = { s.metas ? s.meta[0].key : NULL, s.metas ? s.meta[0].value : NULL, NULL };
        size_t size;
        CHECK(s.metas < 2);
        unsigned char *again = written(s.entry, s.entries, meta, &size);
        CHECK(size == f.size && !memcmp(again, f.data, size));
        free(again);
        dd_safetensors_free(&s);
        dd_file_unmap(&f);
    }
}

/* A file is cut off while it is mapped, so the pages behind its new end cannot be read any more. Windows does
   not let anybody cut a file that is mapped. */
TEST(safetensors, written_from_a_file_that_is_cut)
{
    enum { SIZE = 1 << 16 };

    const char *path = check_path(check_folder(), "cut");
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fclose(f) == 0 && host_truncate(path, SIZE));
    int fd = dd_system_open(path, 0);
    const void *data = dd_system_map(fd, SIZE);
    f = dd_system_scratch();
    REQUIRE(data && f && !setvbuf(f, NULL, _IONBF, 0));
    if (!host_truncate(path, 0)) {
        check_skip("this system does not cut a file that is mapped");
    } else {
        const struct dd_entry e = {
            .name = "a", .dtype = DD_U8, .rank = 1, .dim = { SIZE }, .count = SIZE, .size = SIZE, .data = data
        };
        ddpm_error err;
        CHECK(dd_safetensors_write(f, &e, 1, NULL, &err) == DDPM_EDATA && strstr(err.text, "was cut off"));
    }
    dd_system_unmap(data, SIZE);
    fclose(f);
    dd_system_close(fd);
}
