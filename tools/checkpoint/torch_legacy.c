/* Reads the container of torch.save before 1.6 (checkpoint-families.md 7.4; _legacy_load of
   torch.serialization):

     pickle   a magic number
     pickle   the version of the protocol, 1001
     pickle   what machine wrote the file, a dict with little_endian
     pickle   the object
     pickle   the list of storage keys
     for each key: the count of elements (int64), then the elements

   There is no index, and everything is little-endian. */
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"

struct stream {
    const unsigned char *data;
    size_t size, at;
};

/* Reads the pickle that begins here.  `what` names it in errors. */
static int next_pickle(struct source *s, struct pickle *p, struct stream *f, const char *what,
                       ddpm_error *err)
{
    size_t used = 0;
    int code = pickle_read(p, &s->arena, f->data + f->at, f->size - f->at, &used, err);
    f->at += used;
    if (code)
        dd_error_context(err, "%s", what);
    return code;
}

/* Reads and checks the three pickles before the object. */
static int check_head(struct source *s, struct stream *f, ddpm_error *err)
{
    struct pickle magic, protocol, machine;
    int code;
    if ((code = next_pickle(s, &magic, f, "magic number", err)) != DDPM_OK ||
        (code = next_pickle(s, &protocol, f, "protocol", err)) != DDPM_OK ||
        (code = next_pickle(s, &machine, f, "system information", err)) != DDPM_OK)
        return code;

    if (protocol.root->kind != PICKLE_INT || protocol.root->integer != 1001)
        return dd_error(err, DDPM_EDATA, "torch protocol version %lld; only 1001 is known",
                        protocol.root->kind == PICKLE_INT ? (long long)protocol.root->integer : -1LL);
    const struct pickle_node *little = pickle_get(machine.root, "little_endian");
    if (!little || little->kind != PICKLE_BOOL || !little->integer)
        return dd_error(
            err, DDPM_EDATA,
            "was written by a big-endian machine, or does not say; save it again with torch 1.6 or later");
    return DDPM_OK;
}

/* Points the storage of this key at the elements that begin here. */
static int take_storage(struct source *s, struct stream *f, const struct pickle_node *key, ddpm_error *err)
{
    char shown[64] = "";
    struct torch_storage *storage = NULL;
    if (key->kind == PICKLE_TEXT) {
        storage = torch_storage_find(&s->torch, key->text, key->count);
        pickle_show(shown, sizeof shown, key->text, key->count);
    }
    if (!storage)
        return dd_error(err, DDPM_EDATA, "the list of storages names \"%s\", which no tensor refers to",
                        shown);
    if (storage->data)
        return dd_error(err, DDPM_EDATA, "the list of storages names \"%s\" twice", shown);
    if (f->size - f->at < 8)
        return dd_error(err, DDPM_EDATA, "ends before storage \"%s\"", shown);

    uint64_t count = 0;
    /* The count is an int64, little-endian. */
    for (int i = 7; i >= 0; i--)
        count = count << 8 | f->data[f->at + (size_t)i];
    f->at += 8;

    size_t bytes = dd_dtype_bits(storage->dtype) / 8;
    if (count != storage->count)
        return dd_error(err, DDPM_EDATA, "storage \"%s\" has %llu elements where the pickle says %llu", shown,
                        (unsigned long long)count, (unsigned long long)storage->count);
    if (count > (f->size - f->at) / bytes)
        return dd_error(err, DDPM_EDATA,
                        "storage \"%s\" has %llu elements of %zu bytes, but %zu bytes are left", shown,
                        (unsigned long long)count, bytes, f->size - f->at);

    storage->data = f->data + f->at;
    f->at += (size_t)count * bytes;
    return DDPM_OK;
}

int torch_legacy_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err)
{
    struct stream f = { data, size, 0 };
    struct pickle keys;
    int code;
    if ((code = check_head(s, &f, err)) != DDPM_OK ||
        (code = next_pickle(s, &s->torch.pickle, &f, "object", err)) != DDPM_OK ||
        (code = torch_storages(s, 1, err)) != DDPM_OK ||
        (code = next_pickle(s, &keys, &f, "list of storages", err)) != DDPM_OK)
        return code;

    if (keys.root->kind != PICKLE_LIST || keys.root->count != s->torch.storages)
        return dd_error(err, DDPM_EDATA, "the list of storages has %u entries where the tensors refer to %zu",
                        keys.root->kind == PICKLE_LIST ? keys.root->count : 0, s->torch.storages);
    for (uint32_t i = 0; i < keys.root->count; i++)
        if ((code = take_storage(s, &f, keys.root->item[i], err)) != DDPM_OK)
            return code;
    if (f.at != size)
        return dd_error(err, DDPM_EDATA, "%zu bytes are left after the last storage", size - f.at);
    return torch_states(s, err);
}
