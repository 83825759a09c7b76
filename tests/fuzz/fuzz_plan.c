/* Fuzzes what `ddpm train` is told: settings KEY=VALUE, a line each, a line "%%", and the file of
   --config. Either it is refused with a sentence, or it makes metadata of a model whose network is
   understood or is refused by the reader of model files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/config.h"
#include "tests/fuzz/scratch.h"
#include "tools/training/training_plan.h"

/* Takes the lines of text as options. */
static void take_lines(struct option_texts *set, char *text)
{
    char *place;
    for (char *line = strtok_r(text, "\n", &place); line && set->count < OPTION_TEXTS_MAX;
         line = strtok_r(NULL, "\n", &place))
        set->text[set->count++] = line;
}

static void read_model(const struct training_plan *p, ddpm_error *err)
{
    struct dd_config c;
    struct dd_diffusion d;
    cJSON *root;
    char *text = training_plan_model(p, "data", "", "crop", NULL);
    require(text != NULL);
    int code = dd_json_parse(&root, text, strlen(text), "model", err);
    refused(code, err);
    if (!code) {
        code = dd_config_net(&c, cJSON_GetObjectItemCaseSensitive(root, "net"), err);
        if (!code)
            code = dd_config_diffusion(&d, cJSON_GetObjectItemCaseSensitive(root, "diffusion"), &c, err);
        refused(code, err);
    }
    cJSON_Delete(root);
    cJSON_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    struct training_plan p;
    struct option_texts config = { .count = 0 }, set = { .count = 0 };
    ddpm_error err = { 0, "" };

    size_t n = scratch_part(&part, &data, &size);
    char *lines = strndup((const char *)part, n);
    require(lines != NULL);
    take_lines(&set, lines);

    scratch_write("config.json", data, size);
    if (size)
        config.text[config.count++] = scratch_path("config.json");

    /* The length of the settings chooses the preset. */
    const struct training_plan_sources from = { training_presets()[n % 3], NULL, &config, &set, { 8, 8, 1 } };
    int code = training_plan_read(&p, &from, &err);
    refused(code, &err);

    if (!code) {
        read_model(&p, &err);
        training_plan_free(&p);
    }

    free(lines);
    return 0;
}
