/* Takes the U-Net out of an opened file (unwrap.h).  It finds the candidates, chooses one (unet_choice.c),
   and accounts for every tensor of its state.  A tensor is part of the U-Net, or known to lie beside one,
   or a reason to refuse the file: it may show that this is a model of latents, or of several networks. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/tensor_names.h"
#include "checkpoint/unet_candidates.h"

/* ---- the owner of a tensor ---- */

/* Returns whether a tensor is inside the U-Net of a candidate.  Without a prefix, averages beside it are
   not. */
static int inside(const struct candidate *c, const char *name)
{
    return name_begins(name, c->prefix) && (*c->prefix || !name_says_average(name, name_segment(name)));
}

/* Returns whether a tensor may lie beside a U-Net in the same state.  It is a single tensor without a
   module, or belongs to an average, to the copy or the counter of an EMA class, or to another candidate. */
static int beside(const struct candidates *all, const struct candidate *c, const char *name)
{
    const char *last = strrchr(name, '.');
    if (!last || name_says_average(name, name_segment(name)) || name_begins(name, "online_model.") ||
        !strcmp(last, ".n_averaged"))
        return 1;

    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].state == c->state && inside(&all->list[i], name))
            return 1;
    return 0;
}

/* Returns the last segment of a name that is a buffer of the module around the U-Net; NULL otherwise.
   With the prefix "a.model.", "a.betas" is such a buffer. */
static const char *own_buffer(const struct candidate *c, const char *name)
{
    size_t parent = strlen(c->prefix);
    if (!parent)
        return NULL;

    /* The prefix ends in a dot.  The module around the U-Net ends at the dot before that. */
    while (--parent && c->prefix[parent - 1] != '.')
        ;
    return !strncmp(name, c->prefix, parent) && !strchr(name + parent, '.') ? name + parent : NULL;
}

/* Returns whether a tensor belongs to a network that measures during training, and makes no images. */
static int measures(const char *name)
{
    static const char *const words[] = { "metric",    "metrics",       "fid",  "kid",  "inception",
                                         "lpips",     "perceptual",    "vgg",  "loss", "loss_fn",
                                         "criterion", "discriminator", "psnr", "ssim" };

    /* The last segment is the name of the tensor itself, so it is not compared. */
    for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (name_has_word(name, (size_t)(dot - name), words[i]))
                return 1;
    return 0;
}

/* ---- the tensors of the chosen candidate ---- */

static int lacks(const struct candidates *all, size_t missing, const char *name)
{
    return dd_error(all->err, DDPM_EDATA,
                    "%s: the averaged (ema) weights lack %zu tensors, for instance %.120s; "
                    "--weights raw takes the others",
                    all->s->name, missing, name);
}

static int outside(const struct candidates *all, const struct candidate *c, const char *name)
{
    char part[CANDIDATE_PATH];
    return dd_error(all->err, DDPM_EDATA,
                    "%s: tensor %.120s lies outside the U-Net: this is no model in pixel space, or holds "
                    "other networks too; --part %s takes the U-Net alone",
                    all->s->name, name, candidate_path(part, c));
}

/* Puts the tensors of c into *out, under their names inside the U-Net. */
static int gather(struct choice *out, const struct candidates *all, const struct candidate *c)
{
    size_t length = strlen(c->prefix), missing = 0;
    const char *lost = NULL;

    for (size_t i = 0; i < c->state->tensors; i++) {
        struct named n = c->state->tensor[i];
        const char *buffer = own_buffer(c, n.name);

        if (inside(c, n.name)) {
            /* A LitEma average has its names from the raw weights, and its values from the copy. */
            n.name += length;
            const struct named *from = c->dotless ? candidate_tensor(c, all->arena, n.name) : &n;
            if (!from) {
                lost = n.name;
                missing++;
                continue;
            }

            n.item = from->item;
            out->tensor[out->tensors++] = n;
        } else if (buffer && c->buffers) {
            /* lucidrains' noise schedule belongs to the model. */
            n.name = buffer;
            out->tensor[out->tensors++] = n;
        } else if (!buffer && !beside(all, c, n.name)) {
            /* This belongs to another network.  It is left out when the user named a part, or when it only
               measures. */
            if (!all->s->part && !measures(n.name))
                return outside(all, c, n.name);
            out->left++;
            out->left_name = n.name;
        }
    }

    return missing ? lacks(all, missing, lost) : DDPM_OK;
}

/* Compares the names of both sets.  A tensor that only the raw set has is missing in the average, which is
   an error. */
static int compare(const struct candidates *all, const struct candidate *average, const struct candidate *raw)
{
    size_t length = strlen(raw->prefix), missing = 0;
    const char *lost = NULL;
    for (size_t i = 0; i < raw->state->tensors; i++) {
        const char *name = raw->state->tensor[i].name;
        if (!inside(raw, name) || candidate_tensor(average, all->arena, name + length))
            continue;
        lost = name + length;
        missing++;
    }
    return missing ? lacks(all, missing, lost) : DDPM_OK;
}

/* ---- a file without a known U-Net ---- */

/* Returns the length of the wrapper that all names of the state have at byte `at`; 0: they have none in
   common. */
static size_t common_wrapper(const struct state *state, size_t at)
{
    static const char *const wrappers[] = { "module.", "_orig_mod.", "_forward_module.", "model." };
    for (size_t k = 0; k < sizeof wrappers / sizeof *wrappers; k++) {
        size_t i = 0;
        while (i < state->tensors && name_begins(state->tensor[i].name + at, wrappers[k]))
            i++;
        if (i == state->tensors)
            return strlen(wrappers[k]);
    }
    return 0;
}

/* Puts all tensors of the file's one state into *out, without wrappers, so that the caller can tell what
   is wrong with them. */
static void take_all(struct choice *out, const struct state *state)
{
    size_t strip = 0, wrapper;
    while (state->tensors && (wrapper = common_wrapper(state, strip)) != 0)
        strip += wrapper;

    for (size_t i = 0; i < state->tensors; i++) {
        out->tensor[i] = state->tensor[i];
        out->tensor[i].name += strip;
    }
    out->tensors = state->tensors;
}

/* ---- the whole ---- */

int unwrap(struct choice *out, struct dd_arena *arena, const struct source *s, const char *want,
           ddpm_error *err)
{
    struct candidates all = { .s = s, .arena = arena, .err = err };
    const struct candidate *chosen, *raw;
    *out = (struct choice){ 0 };

    int code = candidates_find(&all);
    if (code == DDPM_OK)
        code = candidates_choose(out, &chosen, &raw, &all, want);
    if (code)
        return code;

    const struct state *state = chosen ? chosen->state : s->state;
    out->tensor = dd_arena(arena, state->tensors, sizeof *out->tensor);
    if (!out->tensor)
        return dd_error_memory(err, "the tensors of a checkpoint");
    if (!chosen) {
        take_all(out, state);
        return DDPM_OK;
    }

    if (chosen->average && raw && !chosen->dotless)
        code = compare(&all, chosen, raw);
    if (code == DDPM_OK)
        code = gather(out, &all, chosen);
    if (code)
        return code;

    /* A buffer of the module around the U-Net may have the same name as a tensor inside of it. */
    qsort(out->tensor, out->tensors, sizeof *out->tensor, source_order);
    for (size_t i = 1; i < out->tensors; i++)
        if (!strcmp(out->tensor[i - 1].name, out->tensor[i].name))
            return dd_error(err, DDPM_EDATA, "%s: tensor %.120s is there twice", s->name,
                            out->tensor[i].name);
    return DDPM_OK;
}
