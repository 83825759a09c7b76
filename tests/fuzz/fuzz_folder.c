/* Fuzzes a diffusers folder. The input holds its files one after the other, each up to a line "%%":
   model_index.json, scheduler_config.json, config.json, an index of shards, and the weights, in one file
   where the index is empty, else in two shards. Either the folder opens as its family says, or a line
   that names a file refuses it. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/scratch.h"
#include "tools/checkpoint/checkpoint.h"
#include "tools/family/converted_model.h"
#include "tools/family/settings.h"

#define WEIGHTS "unet/diffusion_pytorch_model"
static const char *const names[] = { "model_index.json",
                                     "scheduler/scheduler_config.json",
                                     "unet/config.json",
                                     WEIGHTS ".safetensors.index.json",
                                     WEIGHTS "-00001-of-00002.safetensors",
                                     WEIGHTS "-00002-of-00002.safetensors",
                                     WEIGHTS ".safetensors" };

enum { FILES = sizeof names / sizeof *names, INDEX = 3 };

static void write_files(const uint8_t *data, size_t size)
{
    bool sharded = false;
    for (int i = 0; i < FILES; i++) {
        const uint8_t *part = data;
        bool is_there = i <= INDEX || sharded == (i + 1 < FILES);
        size_t n = !is_there ? 0 : i + 1 < FILES ? scratch_part(&part, &data, &size) : size;
        scratch_write(names[i], part, n);
        sharded |= i == INDEX && n > 0;
    }
}

static void one_line(int code, const ddpm_error *err)
{
    if (code && (!err->text[0] || strchr(err->text, '\n') || code == DDPM_ENOMEM))
        abort();
}

static void read_family(const struct checkpoint *in)
{
    const struct family *f;
    ddpm_model *m = NULL;
    struct settings say;
    ddpm_error err = { 0, "" };

    settings_begin(&say, &err);
    struct conversion v = { .in = in, .say = &say, .err = &err };

    int code = settings_add_object(&say, in->config, "unet", "config.json");
    if (!code && in->scheduler)
        code = settings_add_object(&say, in->scheduler, "scheduler", "scheduler_config.json");
    if (!code && (code = family_find(&f, "auto", in, &err)) == DDPM_OK)
        code = family_read(&v, f);

    if (!code)
        code = converted_model(&m, &v, f);

    ddpm_model_close(m);
    one_line(code, &err);
    conversion_free(&v);
    settings_free(&say);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    ddpm_error err = { 0, "" };
    scratch_folder("scheduler");
    scratch_folder("unet");
    write_files(data, size);
    int code = checkpoint_open(&c, scratch_path(""), NULL, NULL, &err);
    one_line(code, &err);
    if (!code) {
        read_family(&c);
        checkpoint_close(&c);
    }
    return 0;
}
