/* Finds the U-Nets of an opened file (unet_candidates.h): searches every state for the first tensor
   of each known kind of U-Net, and tells averages from raw weights by their names. */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/tensor_names.h"
#include "checkpoint/unet_candidates.h"

/* Each kind of U-Net is known by the name of one tensor (first) and the beginning of another name
   (second).  buffers: the module around it keeps a noise schedule. */
static const struct {
    const char *first, *second;
    int buffers;
} signatures[] = {
    { "conv_in.weight", "down_blocks.", 0 },
    { "time_embed.0.weight", "input_blocks.", 0 },
    { "temb.dense.0.weight", "down.0.block.", 0 },
    { "init_conv.weight", "downs.", 1 },
};

/* The names of LitEma's copies begin with this. */
#define DOTLESS "model_ema."

/* Returns whether the state, whose names are sorted, has a name that begins with `prefix` followed by
   `with`. */
static int any_begins(const struct state *state, const char *prefix, const char *with)
{
    /* The range low ..  high - 1 is halved until a name in its middle fits. */
    size_t low = 0, high = state->tensors, n = strlen(prefix);
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *name = state->tensor[middle].name;
        int order = strncmp(name, prefix, n);
        if (!order)
            order = strncmp(name + n, with, strlen(with));
        if (!order)
            return 1;

        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static int add(struct candidates *all, const struct candidate *c)
{
    if (all->count == CANDIDATES_MAX)
        return dd_error(all->err, DDPM_EDATA, "%s: holds more than %d U-Nets", all->s->name, CANDIDATES_MAX);
    all->list[all->count++] = *c;
    return DDPM_OK;
}

/* ---- averages ---- */

/* Returns whether prefix belongs to torch's AveragedModel.  It holds the average under "module.", and a
   counter n_averaged beside it. */
static int is_averaged_module(const struct state *state, const char *prefix)
{
    static const char module[] = "module.", counter[] = "n_averaged";
    char name[512];
    const char *at = strstr(prefix, module);
    if (!at || (at > prefix && at[-1] != '.') || (size_t)(at - prefix) + sizeof counter > sizeof name)
        return 0;

    snprintf(name, sizeof name, "%.*s%s", (int)(at - prefix), prefix, counter);
    return source_find(state, name) != NULL;
}

/* Returns whether the state holds the average of Lightning's WeightAveraging, which puts it into
   state_dict, and the raw weights into current_model_state. */
static int replaces_current(const struct candidates *all, const struct state *state)
{
    int current = 0;
    for (size_t i = 0; i < all->s->states; i++)
        current |= !strcmp(all->s->state[i].path, "current_model_state");
    return current && !strcmp(state->path, "state_dict");
}

static int is_average(const struct candidates *all, const struct state *state, const char *prefix)
{
    /* The training code of DDIM saves a list: model, optimizer, epoch, step, average. */
    return name_says_average(state->path, strlen(state->path)) || name_says_average(prefix, strlen(prefix)) ||
           !strcmp(state->path, "[4]") || is_averaged_module(state, prefix) || replaces_current(all, state);
}

/* ---- LitEma ---- */

/* Returns the name under which LitEma registers its copy of a tensor; NULL when out of memory. */
static char *dotless(struct dd_arena *arena, const char *name)
{
    char *text = dd_arena_text(arena, DOTLESS "%s", name), *to = text ? text + strlen(DOTLESS) : NULL;
    for (const char *from = name; to && *from; from++)
        if (*from != '.')
            *to++ = *from;
    if (to)
        *to = 0;
    return text;
}

/* Adds LitEma's average of a raw candidate, if there is one.  LitEma names its copies after the module
   that it averages.  That module may begin at any segment of the prefix, so each is tried. */
static int add_dotless(struct candidates *all, const struct candidate *raw, const char *first)
{
    size_t length = strlen(raw->prefix);
    char *full = dd_arena_text(all->arena, "%s%s", raw->prefix, first);
    if (!full)
        return dd_error_memory(all->err, "the names of the tensors");

    for (size_t skip = 0; skip <= length; skip += name_segment(full + skip) + 1) {
        char *name = dotless(all->arena, full + skip);
        if (!name)
            return dd_error_memory(all->err, "the names of the tensors");
        if (!source_find(raw->state, name))
            continue;

        struct candidate c = *raw;
        c.average = 1;
        c.dotless = DOTLESS;
        c.skip = skip;
        return add(all, &c);
    }
    return DDPM_OK;
}

/* ---- the search ---- */

/* Adds the candidate whose first tensor is name [length] + the signature's first name, if the second is
   there too.  Also adds the average that LitEma may have made of it. */
static int add_candidate(struct candidates *all, const struct state *state, const char *name, size_t length,
                         size_t signature)
{
    char *prefix = dd_arena_text(all->arena, "%.*s", (int)length, name);
    if (!prefix)
        return dd_error_memory(all->err, "the names of the tensors");
    if (!any_begins(state, prefix, signatures[signature].second))
        return DDPM_OK;

    struct candidate c = { .state = state, .prefix = prefix, .buffers = signatures[signature].buffers };
    const char *online = strstr(prefix, "online_model.");
    c.copy = online && (online == prefix || online[-1] == '.');
    c.average = !c.copy && is_average(all, state, prefix);

    int code = add(all, &c);
    if (code == DDPM_OK && !c.average)
        code = add_dotless(all, &c, signatures[signature].first);
    return code;
}

/* Adds every candidate in the state. */
static int search_state(struct candidates *all, const struct state *state)
{
    for (size_t k = 0; k < sizeof signatures / sizeof *signatures; k++) {
        size_t n = strlen(signatures[k].first);
        for (size_t i = 0; i < state->tensors; i++) {
            const char *name = state->tensor[i].name;
            size_t length = strlen(name);

            /* The name has to end with the signature's first name, behind a dot or alone. */
            if (length < n || strcmp(name + length - n, signatures[k].first) ||
                (length > n && name[length - n - 1] != '.'))
                continue;

            int code = add_candidate(all, state, name, length - n, k);
            if (code)
                return code;
        }
    }
    return DDPM_OK;
}

int candidates_find(struct candidates *all)
{
    int code = DDPM_OK;
    for (size_t i = 0; !code && i < all->s->states; i++)
        code = search_state(all, &all->s->state[i]);
    return code;
}

/* ---- questions to a candidate ---- */

const struct named *candidate_tensor(const struct candidate *c, struct dd_arena *arena, const char *name)
{
    char *full = dd_arena_text(arena, "%s%s", c->prefix, name);
    if (full && c->dotless)
        full = dotless(arena, full + c->skip);
    return full ? source_find(c->state, full) : NULL;
}

const char *candidate_path(char text[CANDIDATE_PATH], const struct candidate *c)
{
    size_t length = strlen(c->prefix);
    int inner = length ? (int)length - 1 : 0;

    snprintf(text, CANDIDATE_PATH, "%.70s%s%.*s", c->state->path, *c->state->path && inner ? "." : "",
             inner > 70 ? 70 : inner, c->prefix);
    if (c->dotless)
        snprintf(text, CANDIDATE_PATH, "model_ema");
    if (!*text)
        snprintf(text, CANDIDATE_PATH, ".");
    return text;
}
