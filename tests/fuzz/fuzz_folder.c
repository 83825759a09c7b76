/* A diffusers folder, its files one after the other, each up to a line "%%": model_index.json, scheduler_config.json, config.json, an index of
   shards (empty: none), and the weights.  Opened and taken for what its family says, or refused with a line that names a file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/checkpoint.h"
#include "tools/family.h"
#include "tools/settings.h"

static const char *const names[] = { "model_index.json", "scheduler/scheduler_config.json", "unet/config.json",
                                     "unet/diffusion_pytorch_model.safetensors.index.json", "unet/diffusion_pytorch_model.safetensors" };
enum { FILES = sizeof names / sizeof *names };
static char folder[64];

static const char *path_of(int i)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, i < FILES ? names[i] : "");
    return path;
}

static void remove_all(void)
{
    for (int i = 0; i < FILES; i++)
        unlink(path_of(i));
    char path[128];
    rmdir((snprintf(path, sizeof path, "%s/unet", folder), path));
    rmdir((snprintf(path, sizeof path, "%s/scheduler", folder), path));
    rmdir(folder);
}

static void begin(void)
{
    char path[128];
    if (folder[0])
        return;
    snprintf(folder, sizeof folder, "%s/fuzz-folder-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder) || mkdir((snprintf(path, sizeof path, "%s/unet", folder), path), 0700) ||
        mkdir((snprintf(path, sizeof path, "%s/scheduler", folder), path), 0700))
        abort();
    atexit(remove_all);
}

static void write_files(const uint8_t *data, size_t size)
{
    for (int i = 0; i < FILES; i++) {
        const uint8_t *end = i + 1 < FILES ? memmem(data, size, "\n%%\n", 4) : NULL;
        size_t n = end ? (size_t)(end - data) : size;
        unlink(path_of(i));
        FILE *f = n ? fopen(path_of(i), "wb") : NULL;
        if (f && (fwrite(data, 1, n, f) != n || fclose(f)))
            abort();
        data += end ? n + 4 : n;
        size -= end ? n + 4 : n;
    }
}

static void refused(int code, const ddpm_error *err)
{
    if (code && (!err->text[0] || strchr(err->text, '\n') || code == DDPM_ENOMEM))
        abort();
}

static void read_family(const struct checkpoint *in)
{
    const struct family *f;
    struct settings say;
    ddpm_error err = { 0, "" };
    settings_begin(&say, &err);
    struct conversion v = { .in = in, .say = &say, .err = &err };
    int code = settings_add_object(&say, in->config, "unet", "config.json");
    if (!code && in->scheduler)
        code = settings_add_object(&say, in->scheduler, "scheduler", "scheduler_config.json");
    if (!code && (code = family_find(&f, "auto", in, &err)) == DDPM_OK)
        code = family_read(&v, f);
    refused(code, &err);
    conversion_free(&v);
    settings_free(&say);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    ddpm_error err = { 0, "" };
    begin();
    write_files(data, size);
    int code = checkpoint_open(&c, folder, NULL, &err);
    refused(code, &err);
    if (!code) {
        read_family(&c);
        checkpoint_close(&c);
    }
    return 0;
}
