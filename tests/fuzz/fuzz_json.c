/* Fuzzes JSON with any bytes. Either they are refused as wrong, or there is a tree whose keys can be
   asked for. A refusal for lack of memory would mean that the scanner lets pass what cJSON does not
   read. */
#include <string.h>
#include "base/json.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void ask(const cJSON *root, ddpm_error *err)
{
    struct dd_json j, norm;
    static const char *const kinds[] = { "one", "two", "three", NULL };
    int widths[2];
    const char *names[2];

    dd_json_begin(&j, root, "top", err);
    int version = dd_json_int(&j, "version", 1, 9), count = dd_json_ints(&j, "widths", widths, 2, 1, 9);
    /* After an error every read gives a value within its bounds, or 0. */
    require(0 <= version && version <= 9 && 0 <= count && count <= 2);

    if (dd_json_has(&j, "norm")) {
        dd_json_begin(&norm, dd_json_object(&j, "norm"), "top.norm", err);
        require(dd_json_number(&norm, "eps", 0, 1) <= 1);
        dd_json_end(&norm);
    }

    dd_json_texts(&j, "names", names, 2);

    if (dd_json_has(&j, "kind")) {
        require(dd_json_choice(&j, "kind", kinds) < 3);
        dd_json_bool(&j, "flag");
        require(strlen(dd_json_text(&j, "name")) < 1 << 20);
    }

    int code = dd_json_end(&j);
    require(!code || (code == DDPM_EDATA && strlen(err->text) > 5));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    cJSON *root;
    ddpm_error err = { 0 };
    int code = dd_json_parse(&root, (const char *)data, size, "input", &err);
    require(code ? !root && code == DDPM_EDATA && !strncmp(err.text, "input: ", 7) : root != NULL);
    if (!code)
        ask(root, &err);
    cJSON_Delete(root);
    return 0;
}
