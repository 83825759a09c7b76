/* Opens one file of weights (source.h).  Its first bytes tell what it is (checkpoint-families.md 6,
   7.1): "PK" begins a zip archive of torch, 0x80 a pickle, and a file of safetensors has the length
   of a JSON header (int64), the header and the numbers. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/kind.h"
#include "checkpoint/source.h"

/* Adds the tensors of a safetensors file as the only state of s. */
static int read_safetensors(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    int code = dd_safetensors_read(&s->safetensors, data, size, s->name, err);
    if (code)
        return code;

    size_t n = s->safetensors.entries;
    if (dd_safetensors_meta(&s->safetensors, "ddpm"))
        return dd_error(err, DDPM_EDATA,
                        "%s: is a model file of this program already; ddpm export makes other files of it",
                        s->name);
    if (!n)
        return dd_error(err, DDPM_EDATA, "%s: holds no tensors", s->name);

    struct named *list = dd_arena(&s->arena, n, sizeof *list);
    if (!list)
        return dd_error_memory(err, "the tensors of a checkpoint");
    for (size_t i = 0; i < n; i++)
        list[i] = (struct named){ s->safetensors.entry[i].name, s, &s->safetensors.entry[i] };
    return source_add(s, "", list, n, err);
}

int source_read(struct source *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err)
{
    s->name = dd_arena_text(&s->arena, "%s", name);
    if (!s->name)
        return dd_error_memory(err, "the tensors of a checkpoint");

    struct dd_kind kind = dd_kind(data, size);
    if (kind.torch) {
        /* A zip archive begins with "PK", a pickle with 0x80. */
        int code = *data == 'P' ? torch_zip_read(s, data, size, err) : torch_legacy_read(s, data, size, err);
        return code ? dd_error_context(err, "%s", s->name) : DDPM_OK;
    }
    if (kind.is)
        return dd_kind_error(err, s->name, kind, "no checkpoint");
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
    t->name = n->name;
    if (!n->source->safetensors.entries) {
        int code = torch_tensor(t, n->source, n->item, err);
        if (code)
            dd_error_context(err, "%s: tensor %.120s", n->source->name, n->name);
        return code;
    }

    const struct dd_entry *e = n->item;
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
