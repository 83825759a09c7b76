/* The tree that a torch pickle builds: its storages, from the persistent ids, and its dictionaries of tensors, which
   become the states of a source (checkpoint-families.md 7.3, 7.5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"
#include "checkpoint/tensor_names.h"

/* ---- storages ---- */

static int storage_order(const void *a, const void *b)
{
    return strcmp(((const struct torch_storage *)a)->key, ((const struct torch_storage *)b)->key);
}

int torch_is_count(const struct pickle_node *n)
{
    return n->kind == PICKLE_INT && n->integer >= 0;
}

/* ("storage", type, key, location, count) and, in legacy files, view metadata. */
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
    return out->key ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory");
}

int torch_storages(struct source *s, int legacy, ddpm_error *err)
{
    struct torch *t = &s->torch;
    size_t n = t->pickle.persistents, kept = 0;
    struct torch_storage *list = dd_arena(&s->arena, n + 1, sizeof *list);
    if (!list)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        int code = read_storage(&list[i], &s->arena, t->pickle.persistent[i]->item[0], legacy ? 6 : 5, err);
        if (code)
            return code;
    }
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
    size_t low = 0, high = memchr(key, 0, length) ? 0 : t->storages;
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

/* ---- dictionaries of tensors ---- */

static int looks_like_tensor(const struct pickle_node *n)
{
    return n->kind == PICKLE_CALL;
}

const struct pickle_node *torch_parameter(const struct pickle_node *n)
{
    for (int i = 0;
         i < 4 && n->kind == PICKLE_CALL && n->item[0]->global == PICKLE_PARAMETER && n->item[1]->count; i++)
        n = n->item[1]->item[0];
    return n;
}

/* Where a container lies in the tree. */
struct place {
    const struct place *outer;
    const char *key;
    size_t length;
    int depth;
};

enum { DEPTH = 12, TABLES = 256 }; /* no training file keeps weights deeper, or more tables of them */

static const char *path_of(struct source *s, const struct place *at)
{
    char shown[64];
    if (!at->outer)
        return "";
    const char *outer = path_of(s, at->outer);
    return outer ? dd_arena_text(&s->arena, "%s%s%s", outer, *outer ? "." : "",
                                 pickle_show(shown, sizeof shown, at->key, at->length))
                 : NULL;
}

static int check_name(const struct pickle_node *key, ddpm_error *err)
{
    char shown[64];
    for (uint32_t i = 0; i < key->count; i++)
        if ((unsigned char)key->text[i] <= ' ' || key->text[i] == 127)
            return dd_error(err, DDPM_EDATA, "tensor name \"%s\" is not printable",
                            pickle_show(shown, sizeof shown, key->text, key->count));
    return DDPM_OK;
}

/* The keys of a dict that stand for tensors, as one state. */
static int add_state(struct source *s, const struct pickle_node *dict, const struct place *at,
                     ddpm_error *err)
{
    size_t n = 0, count = 0;
    for (uint32_t i = 0; i < dict->count; i += 2)
        count += dict->item[i]->kind == PICKLE_TEXT && looks_like_tensor(dict->item[i + 1]);
    if (!count)
        return DDPM_OK;
    if (s->states == TABLES)
        return dd_error(err, DDPM_EDATA, "holds more than %d tables of tensors", TABLES);
    struct named *list = dd_arena(&s->arena, count, sizeof *list);
    const char *path = path_of(s, at);
    if (!list || !path)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < dict->count; i += 2) {
        struct pickle_node *key = dict->item[i];
        if (key->kind != PICKLE_TEXT || !looks_like_tensor(dict->item[i + 1]))
            continue;
        int code = check_name(key, err);
        if (code)
            return code;
        list[n].name = pickle_text(key, &s->arena);
        list[n].source = s;
        list[n].item = dict->item[i + 1];
        if (!list[n++].name)
            return dd_error(err, DDPM_ENOMEM, "out of memory");
    }
    int code = source_add(s, path, list, n, err);
    if (!code)
        s->state[s->states - 1].dict = dict;
    return code;
}

/* Have two tensors the same shape, by what the pickle says of it? */
static int same_shape(const struct pickle_node *a, const struct pickle_node *b)
{
    a = torch_parameter(a);
    b = torch_parameter(b);
    if (a->kind != PICKLE_CALL || b->kind != PICKLE_CALL || a->item[1]->count < 4 || b->item[1]->count < 4)
        return 0;
    const struct pickle_node *x = a->item[1]->item[2], *y = b->item[1]->item[2];
    int same = x->kind == PICKLE_TUPLE && y->kind == PICKLE_TUPLE && x->count == y->count;
    for (uint32_t i = 0; same && i < x->count; i++)
        same = torch_is_count(x->item[i]) && torch_is_count(y->item[i]) &&
               x->item[i]->integer == y->item[i]->integer;
    return same;
}

/* Fills list [list of tensors] with the names of dict, if that holds as many tensors, of the same shapes in
   the same order. */
static int take_names(struct named *list, struct source *s, const struct state *like)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < like->dict->count; i += 2) {
        struct pickle_node *key = like->dict->item[i];
        if (key->kind != PICKLE_TEXT || !looks_like_tensor(like->dict->item[i + 1]))
            continue;
        if (n == s->unnamed->count || !same_shape(like->dict->item[i + 1], s->unnamed->item[n]))
            return 0;
        list[n] = (struct named){ pickle_text(key, &s->arena), s, s->unnamed->item[n] };
        n++;
    }
    return n == s->unnamed->count;
}

/* Gives an average without names those of the weights beside it: both are in the order of the model's
   parameters(). */
static int name_average(struct source *s, ddpm_error *err)
{
    if (!s->unnamed || !s->states)
        return DDPM_OK;
    struct named *list = dd_arena(&s->arena, s->unnamed->count + 1, sizeof *list);
    if (!list)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    for (size_t i = 0; i < s->states; i++)
        if (s->state[i].tensors == s->unnamed->count && take_names(list, s, &s->state[i])) {
            s->named_like = s->state[i].path;
            int code = source_add(s, s->nameless, list, s->unnamed->count, err);
            s->nameless = NULL;
            return code;
        }
    return DDPM_OK;
}

static int visit(struct source *s, struct pickle_node *node, const struct place *at, ddpm_error *err);

/* Remembers an average whose tensors have no names: a list of them, a dict of them under numbers, or an
   object of its program. */
static int note_nameless(struct source *s, const struct pickle_node *node, const struct place *at,
                         ddpm_error *err)
{
    int shadow = at->length == strlen("shadow_params") && !memcmp(at->key, "shadow_params", at->length);
    int bare = shadow || (node->kind == PICKLE_OPAQUE && node->global == PICKLE_FOREIGN);
    for (uint32_t i = 0;
         i < node->count && i < 16 && (node->kind == PICKLE_LIST || node->kind == PICKLE_TUPLE); i++)
        bare |= looks_like_tensor(node->item[i]);
    for (uint32_t i = 0; i + 1 < node->count && i < 16 && node->kind == PICKLE_DICT; i += 2)
        bare |= node->item[i]->kind != PICKLE_TEXT && looks_like_tensor(node->item[i + 1]);
    const char *path = bare ? path_of(s, at) : "";
    if (!path)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    if (!*path || !(shadow || name_says_average(path, strlen(path))))
        return DDPM_OK;
    bool list = node->kind == PICKLE_LIST || node->kind == PICKLE_TUPLE;
    if (!s->nameless || (shadow && !s->shadow)) {
        s->nameless = path;
        s->unnamed = list ? node : NULL;
        s->shadow = shadow;
    } else if (list && shadow == s->shadow) {
        s->unnamed = NULL; /* of several, nothing says which one is meant */
    }
    return DDPM_OK;
}

static int visit_list(struct source *s, const struct pickle_node *list, const struct place *at,
                      ddpm_error *err)
{
    int code = DDPM_OK;
    for (uint32_t i = 0; !code && i < list->count && i < 16; i++) {
        char index[16];
        int length = snprintf(index, sizeof index, "[%u]", i);
        code = visit(s, list->item[i], &(struct place){ at, index, (size_t)length, at->depth + 1 }, err);
    }
    return code;
}

static int visit_dict(struct source *s, const struct pickle_node *dict, const struct place *at,
                      ddpm_error *err)
{
    if (pickle_get(dict, "state") && pickle_get(dict, "param_groups")) {
        s->optimizer = 1;
        return DDPM_OK;
    }
    int code = add_state(s, dict, at, err);
    for (uint32_t i = 0; !code && i < dict->count; i += 2)
        if (dict->item[i]->kind == PICKLE_TEXT)
            code =
                visit(s, dict->item[i + 1],
                      &(struct place){ at, dict->item[i]->text, dict->item[i]->count, at->depth + 1 }, err);
    return code;
}

/* Each container is entered once, so shared and cyclic ones end. */
static int visit(struct source *s, struct pickle_node *node, const struct place *at, ddpm_error *err)
{
    int list = node->kind == PICKLE_LIST || node->kind == PICKLE_TUPLE;
    if ((!list && node->kind != PICKLE_DICT && node->kind != PICKLE_OPAQUE) || node->visited ||
        at->depth > DEPTH)
        return DDPM_OK;
    node->visited = 1;
    int code = note_nameless(s, node, at, err);
    if (code || node->kind == PICKLE_OPAQUE)
        return code;
    return list ? visit_list(s, node, at, err) : visit_dict(s, node, at, err);
}

static const char *kind_name(const struct pickle_node *n)
{
    static const char *const name[] = { "None",       "a bool",
                                        "an integer", "an integer",
                                        "a number",   "a text",
                                        "bytes",      "a tuple",
                                        "a list",     "a dict",
                                        "a class",    "a single tensor",
                                        "a storage",  "an object of another class" };
    return name[n->kind];
}

int torch_states(struct source *s, ddpm_error *err)
{
    struct pickle_node *root = s->torch.pickle.root;
    const struct pickle_node *version = pickle_get(root, "version");
    int code = visit(s, root, &(struct place){ 0 }, err);
    if (!code)
        code = name_average(s, err);
    if (code)
        return code;
    if (!s->states && s->nameless)
        return dd_error(err, DDPM_EDATA,
                        "holds only an average without names (%s); save the model with the average copied "
                        "into it",
                        s->nameless);
    if (!s->states && s->optimizer)
        return dd_error(
            err, DDPM_EDATA,
            "holds an optimizer's state (state, param_groups) and no weights; give the model's file");
    if (!s->states && *s->torch.pickle.foreign)
        return dd_error(err, DDPM_EDATA,
                        "holds no tensors under names but objects of a program's own classes (%.100s): save "
                        "the model's "
                        "state_dict()",
                        s->torch.pickle.foreign);
    if (!s->states)
        return dd_error(err, DDPM_EDATA, "holds no tensors under names: its top object is %s",
                        kind_name(root));
    if (version && version->kind == PICKLE_TEXT) {
        char shown[32];
        s->version =
            dd_arena_text(&s->arena, "%s", pickle_show(shown, sizeof shown, version->text, version->count));
        if (!s->version)
            return dd_error(err, DDPM_ENOMEM, "out of memory");
    }
    return DDPM_OK;
}
