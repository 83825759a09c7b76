/* One file of weights: what it is, by its first bytes (formats.md 6, 7.1), and the tables of tensors in it. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "source.h"

static const unsigned char legacy_magic[15] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e };

/* What is often given for a checkpoint and is none. */
static const struct { size_t at; const char *magic, *what; } strangers[] = {
    { 0, "version https://git-lfs", "is a git-lfs pointer, not the file itself; fetch it with git lfs pull" },
    { 0, "\x89PNG", "is a PNG picture" },
    { 0, "\xff\xd8\xff", "is a JPEG picture" },
    { 0, "GIF8", "is a GIF picture" },
    { 0, "\x1f\x8b", "is compressed with gzip; unpack it first" },
    { 0, "\x89HDF", "is an HDF5 file; only torch and safetensors files are read" },
    { 0, "PYTORCH1", "is a preview of torch's zip format, which is not read; save it again with torch 1.6 or later" },
    { 0, "PK\5\6", "is an empty zip archive" },
    { 0, "<!DOCTYPE", "is a web page; the download went wrong" },
    { 0, "<html", "is a web page; the download went wrong" },
    { 257, "ustar", "is a tar archive (or a checkpoint of torch before 0.2), which is not read; save it again with a newer torch" },
    { 0, "\x80\2", "is a pickle but no file of torch.save" },
    { 0, "\x80\3", "is a pickle but no file of torch.save" },
    { 0, "\x80\4", "is a pickle but no file of torch.save" },
};

static int begins(const unsigned char *data, size_t size, size_t at, const char *magic)
{
    size_t n = strlen(magic);
    return size >= at + n && !memcmp(data + at, magic, n);
}

/* The length of a header that fits into the file, and its first brace: no length, of which two bytes may be those of a stranger, looks otherwise. */
static int is_safetensors(const unsigned char *data, size_t size)
{
    uint64_t header = 0;
    for (int i = 8; i-- && size > 8;)
        header = header << 8 | data[i];
    return size > 8 && header <= size - 8 && data[8] == '{';
}

static int named_order(const void *a, const void *b) { return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name); }

int source_add(struct source *s, const char *path, struct named *tensor, size_t tensors, ddpm_error *err)
{
    qsort(tensor, tensors, sizeof *tensor, named_order);
    for (size_t i = 1; i < tensors; i++)
        if (!strcmp(tensor[i - 1].name, tensor[i].name))
            return dd_error(err, DDPM_EDATA, "tensor %.120s is there twice", tensor[i].name);
    if (s->states == s->room) {
        size_t room = s->room ? 2 * s->room : 8;
        struct state *list = dd_arena(&s->arena, room, sizeof *list);
        if (!list)
            return dd_error(err, DDPM_ENOMEM, "out of memory");
        if (s->states)
            memcpy(list, s->state, s->states * sizeof *list);
        s->state = list;
        s->room = room;
    }
    s->state[s->states++] = (struct state){ path, tensor, tensors };
    return DDPM_OK;
}

const struct named *source_find(const struct state *state, const char *name)
{
    struct named key = { name, NULL, NULL };
    return bsearch(&key, state->tensor, state->tensors, sizeof key, named_order);
}

static int read_safetensors(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    int code = dd_safetensors_read(&s->safetensors, data, size, s->name, err);
    if (code)
        return code;
    size_t n = s->safetensors.entries;
    if (dd_safetensors_meta(&s->safetensors, "ddpm"))
        return dd_error(err, DDPM_EDATA, "%s: is a model file of this program already; --to says what it is to become", s->name);
    if (!n)
        return dd_error(err, DDPM_EDATA, "%s: holds no tensors", s->name);
    struct named *list = dd_arena(&s->arena, n, sizeof *list);
    if (!list)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        list[i] = (struct named){ s->safetensors.entry[i].name, s, &s->safetensors.entry[i] };
    return source_add(s, "", list, n, err);
}

int source_read(struct source *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err)
{
    int code;
    s->name = dd_arena_text(&s->arena, "%s", name);
    if (!s->name)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    if (!size)
        return dd_error(err, DDPM_EDATA, "%s: is empty", s->name);
    if (begins(data, size, 0, "PK\3\4")) {
        code = torch_zip_read(s, data, size, err);
        if (code)
            dd_error_context(err, "%s", s->name);
        return code;
    }
    if (size >= sizeof legacy_magic && !memcmp(data, legacy_magic, sizeof legacy_magic)) {
        code = torch_legacy_read(s, data, size, err);
        if (code)
            dd_error_context(err, "%s", s->name);
        return code;
    }
    if (is_safetensors(data, size))
        return read_safetensors(s, data, size, err);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (begins(data, size, strangers[i].at, strangers[i].magic))
            return dd_error(err, DDPM_EDATA, "%s: %s", s->name, strangers[i].what);
    if (size < 8)
        return dd_error(err, DDPM_EDATA, "%s: has %zu bytes, too few for any checkpoint", s->name, size);
    return read_safetensors(s, data, size, err);
}

int source_open(struct source *s, const char *path, ddpm_error *err)
{
    int code = dd_file_map(&s->file, path, err);
    return code ? code : source_read(s, s->file.data, s->file.size, path, err);
}

void source_close(struct source *s)
{
    torch_zip_close(s);
    dd_safetensors_free(&s->safetensors);
    if (s->file.data)
        dd_file_unmap(&s->file);
    dd_arena_free(&s->arena);
}

int source_tensor(struct checkpoint_tensor *t, const struct named *n, ddpm_error *err)
{
    const struct dd_entry *e = n->item;
    t->name = n->name;
    if (!n->source->safetensors.entries) {
        int code = torch_tensor(t, n->source, n->item, err);
        if (code)
            dd_error_context(err, "%s: tensor %.120s", n->source->name, n->name);
        return code;
    }
    t->dtype = e->dtype;
    t->rank = e->rank;
    t->data = e->data;
    int64_t stride = 1;
    for (int i = e->rank; i--;) {
        t->dim[i] = (int64_t)e->dim[i];
        t->stride[i] = stride;
        stride *= t->dim[i];
    }
    return DDPM_OK;
}
