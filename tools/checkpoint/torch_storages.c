/* Lists the storages of a torch file: arrays of numbers of one type, to which the pickle refers by
   persistent ids.  An id is the tuple ("storage", type, key, location, count); in the legacy container it
   also has a view (torch.serialization's persistent_id). */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"

static int storage_order(const void *a, const void *b)
{
    return strcmp(((const struct torch_storage *)a)->key, ((const struct torch_storage *)b)->key);
}

/* Reads one id, a tuple of this length. */
static int read_storage(struct torch_storage *out, struct dd_arena *arena, const struct pickle_node *id,
                        size_t length, ddpm_error *err)
{
    char shown[64];

    if (id->kind != PICKLE_TUPLE || !id->count || id->item[0]->kind != PICKLE_TEXT)
        return dd_error(err, DDPM_EDATA, "a persistent id that is no tuple beginning with \"storage\"");
    if (!pickle_is(id->item[0], "storage"))
        return dd_error(err, DDPM_EDATA,
                        "a persistent id \"%s\" where only \"storage\" is known; was a whole module saved? "
                        "(save its state_dict())",
                        pickle_show(shown, sizeof shown, id->item[0]->text, id->item[0]->count));
    if (id->count != length || id->item[1]->kind != PICKLE_GLOBAL || id->item[2]->kind != PICKLE_TEXT ||
        !torch_is_count(id->item[4]))
        return dd_error(err, DDPM_EDATA,
                        "a storage id that is not (\"storage\", type, key, location, count%s)",
                        length > 5 ? ", view" : "");

    struct pickle_node *type = id->item[1], *key = id->item[2];
    if (type->global != PICKLE_STORAGE && type->global != PICKLE_UNTYPED)
        return dd_error(err, DDPM_EDATA, "a storage of type %s", type->text);
    if (memchr(key->text, 0, key->count))
        return dd_error(err, DDPM_EDATA, "a storage key with a zero byte");

    out->key = pickle_text(key, arena);
    out->dtype = (enum dd_dtype)type->dtype;
    out->count = (uint64_t)id->item[4]->integer;
    return out->key ? DDPM_OK : dd_error_memory(err, "the tensors of a checkpoint");
}

int torch_storages(struct source *s, int legacy, ddpm_error *err)
{
    struct torch *t = &s->torch;
    size_t n = t->pickle.persistents, kept = 0;
    struct torch_storage *list = dd_arena(&s->arena, n + 1, sizeof *list);
    if (!list)
        return dd_error_memory(err, "the tensors of a checkpoint");

    for (size_t i = 0; i < n; i++) {
        int code = read_storage(&list[i], &s->arena, t->pickle.persistent[i]->item[0], legacy ? 6 : 5, err);
        if (code)
            return code;
    }

    /* Every tensor has an id of its own for its storage.  Equal ids are merged. */
    qsort(list, n, sizeof *list, storage_order);
    for (size_t i = 0; i < n; i++) {
        if (kept && !strcmp(list[kept - 1].key, list[i].key)) {
            if (list[kept - 1].dtype != list[i].dtype || list[kept - 1].count != list[i].count)
                return dd_error(err, DDPM_EDATA, "storage %.64s is described twice, differently",
                                list[i].key);
        } else {
            list[kept++] = list[i];
        }
    }

    t->storage = list;
    t->storages = kept;
    return DDPM_OK;
}

struct torch_storage *torch_storage_find(const struct torch *t, const char *key, size_t length)
{
    /* No storage has a key with a zero byte. */
    size_t low = 0, high = memchr(key, 0, length) ? 0 : t->storages;
    /* The key is between low and high - 1, in a table sorted by key. */
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *k = t->storage[middle].key;
        int order = strncmp(k, key, length);
        if (!order && !k[length])
            return &t->storage[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
