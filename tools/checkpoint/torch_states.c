/* Finds the dictionaries of tensors in the tree of a torch pickle, which become the states of a source
   (checkpoint-families.md 7.5), and averages that are a list of tensors without names. */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"
#include "checkpoint/tensor_names.h"

/* Bounds of the search.  No training file keeps weights deeper, in more dictionaries, or further back in a
   list. */
enum { DEPTH_MAX = 12, TABLES_MAX = 256, LIST_MAX = 16 };

/* ---- places in the tree ---- */

/* The place of a container in the tree. */
struct place {
    const struct place *outer;
    const char *key;
    size_t length;
    int depth;
};

/* Returns the path of a container, "model.ema"; NULL when out of memory.  DEPTH_MAX bounds the recursion. */
static const char *path_of(struct source *s, const struct place *at)
{
    char shown[64];
    if (!at->outer)
        return "";

    const char *outer = path_of(s, at->outer);
    if (!outer)
        return NULL;
    return dd_arena_text(&s->arena, "%s%s%s", outer, *outer ? "." : "",
                         pickle_show(shown, sizeof shown, at->key, at->length));
}

/* ---- dictionaries of tensors ---- */

static int looks_like_tensor(const struct pickle_node *n)
{
    return n->kind == PICKLE_CALL;
}

static int is_sequence(const struct pickle_node *n)
{
    return n->kind == PICKLE_LIST || n->kind == PICKLE_TUPLE;
}

/* Refuses names with blanks or control characters. */
static int check_name(const struct pickle_node *key, ddpm_error *err)
{
    char shown[64];
    for (uint32_t i = 0; i < key->count; i++)
        if ((unsigned char)key->text[i] <= ' ' || key->text[i] == 127)
            return dd_error(err, DDPM_EDATA, "tensor name \"%s\" is not printable",
                            pickle_show(shown, sizeof shown, key->text, key->count));
    return DDPM_OK;
}

/* Adds the tensors of a dict as one state, if it has any.  A dict lists keys and values in turn. */
static int add_state(struct source *s, const struct pickle_node *dict, const struct place *at,
                     ddpm_error *err)
{
    size_t n = 0, count = 0;
    for (uint32_t i = 0; i < dict->count; i += 2)
        count += dict->item[i]->kind == PICKLE_TEXT && looks_like_tensor(dict->item[i + 1]);
    if (!count)
        return DDPM_OK;

    if (s->states == TABLES_MAX)
        return dd_error(err, DDPM_EDATA, "holds more than %d tables of tensors", TABLES_MAX);
    struct named *list = dd_arena(&s->arena, count, sizeof *list);
    const char *path = path_of(s, at);
    if (!list || !path)
        return dd_error_memory(err, "the tensors of a checkpoint");

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
            return dd_error_memory(err, "the tensors of a checkpoint");
    }

    int code = source_add(s, path, list, n, err);
    if (!code)
        s->state[s->states - 1].dict = dict;
    return code;
}

/* ---- an average without names ---- */

/* Returns whether two tensors have the same shape.  The third argument of the call that makes a tensor is
   its size. */
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

/* Fills list with the tensors of s->unnamed under the names of a state.  Returns false unless the state
   has as many tensors, of the same shapes in the same order. */
static int take_names(struct named *list, struct source *s, const struct state *like)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < like->dict->count; i += 2) {
        struct pickle_node *key = like->dict->item[i];
        if (key->kind != PICKLE_TEXT || !looks_like_tensor(like->dict->item[i + 1]))
            continue;

        if (n == s->unnamed->count || !same_shape(like->dict->item[i + 1], s->unnamed->item[n]))
            return 0;
        /* The state has copied the name already, so this cannot fail. */
        list[n] = (struct named){ pickle_text(key, &s->arena), s, s->unnamed->item[n] };
        n++;
    }
    return n == s->unnamed->count;
}

/* Gives an average without names the names of the weights beside it.  Both are in the order of the model's
   parameters(), as torch_ema writes them. */
static int name_average(struct source *s, ddpm_error *err)
{
    if (!s->unnamed || !s->states)
        return DDPM_OK;
    struct named *list = dd_arena(&s->arena, s->unnamed->count + 1, sizeof *list);
    if (!list)
        return dd_error_memory(err, "the tensors of a checkpoint");

    for (size_t i = 0; i < s->states; i++) {
        if (s->state[i].tensors != s->unnamed->count || !take_names(list, s, &s->state[i]))
            continue;
        s->named_like = s->state[i].path;
        int code = source_add(s, s->nameless, list, s->unnamed->count, err);
        s->nameless = NULL;
        return code;
    }
    return DDPM_OK;
}

/* Returns whether a container holds tensors without names: in a list, or in a dict under numbers. */
static int holds_nameless(const struct pickle_node *node)
{
    if (is_sequence(node)) {
        for (uint32_t i = 0; i < node->count && i < LIST_MAX; i++)
            if (looks_like_tensor(node->item[i]))
                return 1;
    } else if (node->kind == PICKLE_DICT) {
        for (uint32_t i = 0; i + 1 < node->count && i < LIST_MAX; i += 2)
            if (node->item[i]->kind != PICKLE_TEXT && looks_like_tensor(node->item[i + 1]))
                return 1;
    }
    return 0;
}

/* Remembers an average whose tensors have no names.  An object of a foreign class counts as one if its
   path speaks of an average, because what it holds was not built. */
static int note_nameless(struct source *s, const struct pickle_node *node, const struct place *at,
                         ddpm_error *err)
{
    int shadow = at->length == strlen("shadow_params") && !memcmp(at->key, "shadow_params", at->length);
    int foreign = node->kind == PICKLE_OPAQUE && node->global == PICKLE_FOREIGN;
    if (!shadow && !foreign && !holds_nameless(node))
        return DDPM_OK;

    const char *path = path_of(s, at);
    if (!path)
        return dd_error_memory(err, "the tensors of a checkpoint");
    if (!*path || !(shadow || name_says_average(path, strlen(path))))
        return DDPM_OK;

    /* A list called shadow_params is preferred to any other.  With a second list of the same rank, the
       choice would be a guess, so neither is used. */
    bool list = is_sequence(node);
    if (!s->nameless || (shadow && !s->shadow)) {
        s->nameless = path;
        s->unnamed = list ? node : NULL;
        s->shadow = shadow;
    } else if (list && shadow == s->shadow) {
        s->unnamed = NULL;
    }
    return DDPM_OK;
}

/* ---- the walk ---- */

static int visit(struct source *s, struct pickle_node *node, const struct place *at, ddpm_error *err);

static int visit_list(struct source *s, const struct pickle_node *list, const struct place *at,
                      ddpm_error *err)
{
    int code = DDPM_OK;
    for (uint32_t i = 0; !code && i < list->count && i < LIST_MAX; i++) {
        char index[16];
        int length = snprintf(index, sizeof index, "[%u]", i);
        code = visit(s, list->item[i], &(struct place){ at, index, (size_t)length, at->depth + 1 }, err);
    }
    return code;
}

/* Adds the tensors of a dict as a state, and walks through the values under its names. */
static int visit_dict(struct source *s, const struct pickle_node *dict, const struct place *at,
                      ddpm_error *err)
{
    /* The state of a torch optimizer holds tensors too: its moments, which are no weights. */
    if (pickle_get(dict, "state") && pickle_get(dict, "param_groups")) {
        s->optimizer = 1;
        return DDPM_OK;
    }

    int code = add_state(s, dict, at, err);
    for (uint32_t i = 0; !code && i < dict->count; i += 2) {
        const struct pickle_node *key = dict->item[i];
        if (key->kind != PICKLE_TEXT)
            continue;
        struct place inner = { at, key->text, key->count, at->depth + 1 };
        code = visit(s, dict->item[i + 1], &inner, err);
    }
    return code;
}

/* Walks through a node and everything below it.  Each container is entered once, so shared and cyclic ones
   do not repeat. */
static int visit(struct source *s, struct pickle_node *node, const struct place *at, ddpm_error *err)
{
    int container = is_sequence(node) || node->kind == PICKLE_DICT || node->kind == PICKLE_OPAQUE;
    if (!container || node->visited || at->depth > DEPTH_MAX)
        return DDPM_OK;
    node->visited = 1;

    int code = note_nameless(s, node, at, err);
    if (code || node->kind == PICKLE_OPAQUE)
        return code;
    return is_sequence(node) ? visit_list(s, node, at, err) : visit_dict(s, node, at, err);
}

/* ---- the whole ---- */

/* Returns the kind of a node for a message. */
static const char *kind_name(const struct pickle_node *n)
{
    static const char *const name[] = {
        [PICKLE_NONE] = "None",
        [PICKLE_BOOL] = "a bool",
        [PICKLE_INT] = "an integer",
        [PICKLE_LONG] = "an integer",
        [PICKLE_FLOAT] = "a number",
        [PICKLE_TEXT] = "a text",
        [PICKLE_BYTES] = "bytes",
        [PICKLE_TUPLE] = "a tuple",
        [PICKLE_LIST] = "a list",
        [PICKLE_DICT] = "a dict",
        [PICKLE_GLOBAL] = "a class",
        [PICKLE_CALL] = "a single tensor",
        [PICKLE_PERSISTENT] = "a storage",
        [PICKLE_OPAQUE] = "an object of another class",
    };
    return name[n->kind];
}

/* Fills in the error that tells why a file without states is no checkpoint. */
static int no_states(const struct source *s, ddpm_error *err)
{
    if (s->nameless)
        return dd_error(err, DDPM_EDATA,
                        "holds only an average without names (%s); save the model with the average copied "
                        "into it",
                        s->nameless);
    if (s->optimizer)
        return dd_error(err, DDPM_EDATA,
                        "holds an optimizer's state (state, param_groups) and no weights; give the model's "
                        "file");
    if (*s->torch.pickle.foreign)
        return dd_error(err, DDPM_EDATA,
                        "holds no tensors under names but objects of a program's own classes (%.100s): save "
                        "the model's state_dict()",
                        s->torch.pickle.foreign);
    return dd_error(err, DDPM_EDATA, "holds no tensors under names: its top object is %s",
                    kind_name(s->torch.pickle.root));
}

int torch_states(struct source *s, ddpm_error *err)
{
    struct pickle_node *root = s->torch.pickle.root;
    int code = visit(s, root, &(struct place){ 0 }, err);
    if (!code)
        code = name_average(s, err);
    if (code)
        return code;
    if (!s->states)
        return no_states(s, err);

    const struct pickle_node *version = pickle_get(root, "version");
    if (version && version->kind == PICKLE_TEXT) {
        char shown[32];
        s->version =
            dd_arena_text(&s->arena, "%s", pickle_show(shown, sizeof shown, version->text, version->count));
        if (!s->version)
            return dd_error_memory(err, "the tensors of a checkpoint");
    }
    return DDPM_OK;
}
