/* Whatever allocation fails first, and all after it, the code is DDPM_ENOMEM, nothing is half made, and
   the same call then works. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/safetensors.h"
#include "tests/check.h"
#include "tests/unit/alloc.h"

static int read_tensors(void *context, ddpm_error *err)
{
    static const char header[] = "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},\"t\":{\"dtype\":\"U8\","
                                 "\"shape\":[1],\"data_offsets\":[0,1]}}";
    unsigned char file[8 + sizeof header] = { sizeof header - 1 };
    struct dd_safetensors s;
    (void)context;
    memcpy(file + 8, header, sizeof header);
    int code = dd_safetensors_read(&s, file, sizeof file, "F", err);
    CHECK(code || (s.entries == 1 && s.metas == 2));
    if (!code)
        dd_safetensors_free(&s);
    CHECK(!s.entry && !s.meta && !s.owned);
    return code;
}

static int parse_json(void *context, ddpm_error *err)
{
    static const char text[] = "{\"a\": [1, 2, {\"b\": \"text\"}], \"c\": {\"d\": null}}";
    cJSON *root;
    (void)context;
    int code = dd_json_parse(&root, text, sizeof text - 1, "text", err);
    CHECK(!code == !!root);
    cJSON_Delete(root);
    return code;
}

static int write_tensors(void *context, ddpm_error *err)
{
    struct dd_entry e = {
        .name = "t", .dtype = DD_U8, .rank = 0, .count = 1, .size = 1, .data = (const unsigned char *)"x"
    };
    struct dd_output o;
    int code = dd_output_create(&o, check_path(context, "out"), 0, err);
    if (!code && (code = dd_safetensors_write(o.stream, &e, 1, NULL, err)))
        dd_output_abandon(&o);
    else if (!code)
        code = dd_output_commit(&o, err);
    CHECK(!o.path && !o.stream && !o.temporary);
    CHECK(check_entries(context) == !code);
    return code;
}

static int fill_arena(void *context, ddpm_error *err)
{
    struct dd_arena a = { 0 };
    (void)context;
    int good = dd_arena(&a, 3, 5) && dd_arena(&a, 1, 100000) && dd_arena_text(&a, "%d", 7);
    dd_arena_free(&a);
    void *block = good ? dd_memory(10, 10) : NULL;
    dd_memory_free(block);
    return block ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory");
}

TEST(no_memory, base)
{
    const char *folder = check_folder();
    CHECK(alloc_survive(read_tensors, NULL) == 3); /* names, tensors, metadata */
    CHECK(alloc_survive(parse_json, NULL) > 10);   /* cJSON's nodes and strings among them */
    CHECK(alloc_survive(write_tensors, (void *)(uintptr_t)folder) == 3); /* two names, and the order */
    CHECK(alloc_survive(fill_arena, NULL) == 4);
}

TEST(no_memory, hooks_count)
{
    alloc_fail_at(2);
    void *volatile a = malloc(1), *volatile b = calloc(1, 1), *volatile c = realloc(NULL, 1);
    char *volatile d = strdup("x");
    CHECK(alloc_count() == 4);
    alloc_fail_never();
    CHECK(a && !b && !c && !d);
    free(a);
}
