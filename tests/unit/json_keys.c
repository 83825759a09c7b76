/* JSON: what the grammar refuses, and reading objects by their keys. */
#include "base/json.h"
#include "base/scan.h"
#include "tests/check.h"

static int parse_code(const char *text, size_t size, char said[508])
{
    cJSON *root;
    ddpm_error err = { 0 };
    int code = dd_json_parse(&root, text, size, "file.json", &err);
    CHECK(!code == !!root && (!code || !strncmp(err.text, "file.json: ", 11)));
    cJSON_Delete(root);
    strcpy(said, err.text);
    return code;
}

TEST(json, accepted)
{
    static const char *const good[] = {
        "{}",
        " \t\r\n[ ]\n",
        "0",
        "-0",
        "-1.5e-7",
        "1E+2",
        "true",
        "null",
        "\"\"",
        "[1,[2,[]],{\"a\":{}}]",
        "{\"\":1,\"a\":{\"\":1}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
        "{\"a\":1,\"A\":2}",
    };

    char said[508];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (parse_code(good[i], strlen(good[i]), said))
            check_fail(__FILE__, __LINE__, "%s: %s", good[i], said);
}

static const char *const not_json[] = {
    "",
    " ",
    "{",
    "[",
    "\"",
    "\"\\",
    "\"\\u12",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "[1",
    "[1,",
    "tru",
    "-",
    "nul",
    "[1,]",
    "{\"a\":1,}",
    "{,}",
    "[,]",
    "{1:2}",
    "{\"a\" 1}",
    "{\"a\",1}",
    "[1 2]",
    "{}{}",
    "[]]",
    "[}",
    "{]",
    "1 2",
    "{} x",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "--1",
    "'a'",
    "True",
    "\"\n\"",
    "\"\t\"",
    "\"\x01\"",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\xff\"",
    "\"\xc3\"",
    "\"\xc3(\"",
    "\"\xc0\xaf\"",
    "\"\xe0\x80\xaf\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf0\x80\x80\xaf\"",
    "\xef\xbb\xbf{}",
    "/**/{}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "[{\"b\":{\"x\":1,\"y\":2,\"x\":3}}]",
};

TEST(json, refused)
{
    char said[508];
    for (size_t i = 0; i < sizeof not_json / sizeof not_json[0]; i++)
        if (parse_code(not_json[i], strlen(not_json[i]), said) != DDPM_EDATA || strlen(said) < 20)
            check_fail(__FILE__, __LINE__, "%s: accepted, or without a reason: %s", not_json[i], said);
    CHECK(parse_code("{}\0", 3, said) == DDPM_EDATA && parse_code("\"a\0b\"", 5, said) == DDPM_EDATA);
    parse_code("[1, 2, x]", 9, said);
    CHECK_TEXT(said, "file.json: not valid JSON at byte 7: a value is expected");
    parse_code("{\"k\": 1, \"k\": 1}", 16, said);
    CHECK_TEXT(said, "file.json: k: the key occurs twice");
    parse_code("{\"a\":[0,{\"b\":{\"k\":1,\"k\":1}}]}", 29, said);
    CHECK_TEXT(said, "file.json: a[1].b.k: the key occurs twice");
    parse_code("{\"a\":[0,-1e999]}", 16, said);
    CHECK_TEXT(said, "file.json: a[1]: the number is too large");
}

TEST(json, long_numbers)
{
    char text[80], said[508];
    memset(text, '7', sizeof text);
    CHECK(parse_code(text, 63, said) == DDPM_OK);
    CHECK(parse_code(text, 64, said) == DDPM_EDATA && strstr(said, "63 characters"));
}

TEST(json, nesting)
{
    enum { DEEP = 100000 };

    char *text = malloc(DEEP), said[508];
    REQUIRE(text);
    memset(text, '[', DEEP);
    CHECK(parse_code(text, DEEP, said) == DDPM_EDATA && strstr(said, "64 deep"));
    for (int deep = 63; deep <= 65; deep++) {
        memset(text + deep, ']', (size_t)deep);
        CHECK(parse_code(text, 2 * (size_t)deep, said) == (deep <= 64 ? DDPM_OK : DDPM_EDATA));
        memset(text, '[', 200);
    }
    free(text);
}

TEST(json, size_is_limited)
{
    size_t size = 5 << 20;
    char *text = malloc(size), said[508];
    REQUIRE(text);
    memset(text, ' ', size);
    text[0] = '1';
    CHECK(parse_code(text, size, said) == DDPM_EDATA && strstr(said, "bytes of JSON"));
    CHECK(parse_code(text, 4 << 20, said) == DDPM_OK);
    free(text);
}

static const char sample[] = "{\"number\": 1.5, \"int\": -3, \"yes\": true, \"text\": \"a\", \"list\": [1, "
                             "2, 3], \"names\": [\"x\", \"y\"],"
                             " \"nothing\": null, \"sub\": {\"list\": [0, 1, 7.5]}}";

TEST(json, reads)
{
    static const char *const choices[] = { "b", "a", NULL };
    cJSON *root;
    struct dd_json j, sub;
    ddpm_error err = { 0 };
    int list[3];
    const char *names[2];

    REQUIRE(dd_json_parse(&root, sample, sizeof sample - 1, "sample", &err) == DDPM_OK);

    dd_json_begin(&j, root, "", &err);
    CHECK(dd_json_number(&j, "number", 0, 2) == 1.5 && dd_json_int(&j, "int", -3, 3) == -3 &&
          dd_json_bool(&j, "yes"));
    CHECK_TEXT(dd_json_text(&j, "text"), "a");
    CHECK(dd_json_choice(&j, "text", choices) == 1);
    CHECK(dd_json_ints(&j, "list", list, 3, 1, 3) == 3 && list[0] == 1 && list[2] == 3);
    CHECK(dd_json_texts(&j, "names", names, 2) == 2 && !strcmp(names[1], "y"));
    CHECK(dd_json_has(&j, "nothing") && !dd_json_has(&j, "Nothing") && !dd_json_has(&j, "none"));

    dd_json_begin(&sub, dd_json_object(&j, "sub"), "sub", &err);
    CHECK(dd_json_ints(&sub, "list", list, 3, 0, 10) == 0 && dd_json_end(&sub) == DDPM_EDATA);
    CHECK_TEXT(err.text, "sub.list[2]: 7.5 found, a whole number between 0 and 10 is expected");

    CHECK(dd_json_end(&j) == DDPM_EDATA);
    CHECK_TEXT(err.text, "nothing: unknown key");

    cJSON_Delete(root);
}

/* Makes one wrong read of the sample, then others; the first error stays. */
static void wrong(void (*read)(struct dd_json *), const char *expected)
{
    cJSON *root;
    struct dd_json j;
    ddpm_error err = { 0 };
    if (dd_json_parse(&root, sample, sizeof sample - 1, "sample", &err))
        return;
    dd_json_begin(&j, root, "net", &err);
    read(&j);
    CHECK(dd_json_number(&j, "number", 0, 2) == 0 && dd_json_int(&j, "int", -3, 3) == 0 &&
          !dd_json_bool(&j, "yes") && !dd_json_has(&j, "int"));
    CHECK(!*dd_json_text(&j, "none") && !dd_json_object(&j, "sub") && dd_json_end(&j) == DDPM_EDATA);
    CHECK_TEXT(err.text, expected);
    cJSON_Delete(root);
}

static int ints[2];
static const char *texts[4];
static const char *const letters[] = { "b", "c", NULL };

static void missing(struct dd_json *j)
{
    dd_json_int(j, "none", 0, 1);
}

static void null(struct dd_json *j)
{
    dd_json_bool(j, "nothing");
}

static void fraction(struct dd_json *j)
{
    dd_json_int(j, "number", 0, 9);
}

static void too_small(struct dd_json *j)
{
    dd_json_int(j, "int", 0, 9);
}

static void outside(struct dd_json *j)
{
    dd_json_number(j, "number", 0, 1);
}

static void no_choice(struct dd_json *j)
{
    dd_json_choice(j, "text", letters);
}

static void too_long(struct dd_json *j)
{
    dd_json_ints(j, "list", ints, 2, 0, 9);
}

static void not_texts(struct dd_json *j)
{
    dd_json_texts(j, "list", texts, 4);
}

static void not_list(struct dd_json *j)
{
    dd_json_texts(j, "sub", texts, 4);
}

static void not_object(struct dd_json *j)
{
    dd_json_object(j, "list");
}

static void not_text(struct dd_json *j)
{
    dd_json_text(j, "yes");
}

static void other_case(struct dd_json *j)
{
    dd_json_text(j, "Text");
}

TEST(json, wrong_reads)
{
    wrong(missing, "net.none: missing: a whole number is expected");
    wrong(null, "net.nothing: true or false is expected, found null");
    wrong(fraction, "net.number: 1.5 found, a whole number between 0 and 9 is expected");
    wrong(too_small, "net.int: -3 found, a whole number between 0 and 9 is expected");
    wrong(outside, "net.number: 1.5 found, a number between 0 and 1 is expected");
    wrong(no_choice, "net.text: \"a\" found, one of these is expected: b, c");
    wrong(too_long, "net.list: 3 values found, at most 2 are expected");
    wrong(not_texts, "net.list[0]: a string is expected, found a number");
    wrong(not_list, "net.sub: a list is expected, found an object");
    wrong(not_object, "net.list: an object is expected, found a list");
    wrong(not_text, "net.yes: a string is expected, found true or false");
    wrong(other_case, "net.Text: missing: a string is expected");
}

TEST(json, what_is_no_object)
{
    cJSON *root;
    struct dd_json j;
    ddpm_error err = { 0 };
    REQUIRE(dd_json_parse(&root, "[]", 2, "list", &err) == DDPM_OK);
    dd_json_begin(&j, root, "", &err);
    CHECK(dd_json_end(&j) == DDPM_EDATA);
    CHECK_TEXT(err.text, "the top level: an object is expected, found a list");
    err.text[0] = 0;
    dd_json_begin(&j, NULL, "net", &err);
    CHECK(dd_json_int(&j, "a", 0, 1) == 0 && dd_json_end(&j) == DDPM_EDATA && !err.text[0]);
    cJSON_Delete(root);
}

TEST(json, many_keys)
{
    cJSON *root;
    struct dd_json j;
    ddpm_error err = { 0 };
    char text[6000] = "{", key[16];
    size_t n = 1;

    for (int i = 0; i < 256; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"k%d\":%d", i ? "," : "", i, i);
    for (int extra = 0; extra < 2; extra++) {
        strcpy(text + n, extra ? ",\"z\":0}" : "}");
        REQUIRE(dd_json_parse(&root, text, strlen(text), "text", &err) == DDPM_OK);
        dd_json_begin(&j, root, "", &err);

        for (int i = 0; i < 256 && !extra; i++) {
            snprintf(key, sizeof key, "k%d", i);
            CHECK(dd_json_int(&j, key, 0, 255) == i);
        }

        CHECK(dd_json_end(&j) == (extra ? DDPM_EDATA : DDPM_OK));
        cJSON_Delete(root);
    }
}
