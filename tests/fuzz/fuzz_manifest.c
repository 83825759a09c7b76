/* Fuzzes manifest.jsonl of a folder of images, as a start finds it, and that of a shard. Either it is
   refused with a sentence that names it, or it is a list of images that can be mended and, with one more
   line, is read back as it was. */
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/scratch.h"
#include "tools/outdir/manifest.h"
#include "tools/sample/recipe.h"

static const char recipe[] =
    "{\"model\":\"m\",\"engine_class\":\"e\",\"seed\":\"7\",\"sampler\":\"ddpm\",\"steps\":\"0,9\"}";

static void check_list(const struct manifest *l, size_t size)
{
    require(l->size + l->torn == size && (l->header || !l->lines));
    for (size_t i = 0; i < l->lines; i++) {
        const struct manifest_line *line = &l->line[i];
        require(i == 0 || l->line[i - 1].index < line->index);
        require(manifest_find(l, line->index) == line && line->file[0] && !strchr(line->file, '/') &&
                strlen(line->sha256) < sizeof line->sha256);
    }
}

/* Adds one more line behind those of l, and checks that all of them are then in the file. */
static void append(struct manifest *l, const char *part, ddpm_error *err)
{
    char name[] = "image-2147483647.png";
    const struct manifest_line image = {
        .index = INT32_MAX,
        .ok = true,
        .file = name,
        .seconds = 1,
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    };
    struct manifest again;
    /* A line for an image that is listed already replaces it. */
    size_t more = !manifest_find(l, image.index), lines = l->lines;

    require(!manifest_open(l, l->header ? l->header : recipe, false, err) && !manifest_add(l, &image, err));
    require(!manifest_read(&again, scratch_path(""), part, err) && !again.torn && again.size == l->size &&
            again.lines == lines + more);

    for (size_t i = 0; i + 1 < again.lines; i++)
        require(again.line[i].index == l->line[i].index && again.line[i].ok == l->line[i].ok &&
                !strcmp(again.line[i].file, l->line[i].file));
    require(!strcmp(manifest_find(&again, image.index)->file, name));

    manifest_free(&again);
}

static void read_as(const char *name, const char *part, const uint8_t *data, size_t size)
{
    struct manifest l;
    ddpm_error err = { 0, "" };
    scratch_write(name, data, size);
    int code = manifest_read(&l, scratch_path(""), part, &err);
    refused(code, &err);
    require(!code || strstr(err.text, name));
    if (!code) {
        check_list(&l, size);
        if (l.header)
            refused(recipe_compare(l.header, recipe, name, &err), &err);
        if (!*part || size) /* a shard locks its manifest, so that file is there */
            append(&l, part, &err);
    }
    manifest_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as("manifest.jsonl", "", data, size);
    read_as("manifest-0-of-2.jsonl", "-0-of-2", data, size);
    return 0;
}
