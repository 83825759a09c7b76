/* Fuzzes what a user says of a checkpoint: files of --config (JSON as Python writes it, YAML, flags with
   a shell around), separated by lines "%%". Either they are refused with a sentence, or every value can
   be asked for. */
#include "tests/fuzz/scratch.h"
#include "tools/family/settings.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void ask(struct settings *s)
{
    static const char *const spare[] = { "note", "optim.*", NULL };
    double list[8];
    int height, width;
    char unused[64];
    settings_int(s, "image_size", 0, 1 << 16, 0);
    settings_number(s, "model.dropout", 0, 1, 0);
    settings_bool(s, "class_cond", false);
    settings_text(s, "noise_schedule", "");
    settings_numbers(s, "channel_mult", list, 8, 0, 1024);
    settings_size(s, "resolution", &height, &width);
    settings_end(s, "checkpoint", spare, unused, sizeof unused);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct settings s;
    const uint8_t *part;
    ddpm_error err = { 0 };
    settings_begin(&s, &err);
    while (size && !s.code) {
        size_t n = scratch_part(&part, &data, &size);
        scratch_write("config", part, n);
        if (n)
            settings_add_file(&s, scratch_path("config"));
    }
    ask(&s);
    refused(s.code, &err);
    settings_free(&s);
    return 0;
}
