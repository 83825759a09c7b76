/* Which of a file's tensors are the U-Net (formats.md 5.5, 7.5).  A U-Net is known by two names, for instance P"conv_in.weight" and
   P"down_blocks."...; P is its prefix ("module.", "model.diffusion_model.", ...).  Every (state, prefix) so found is a candidate,
   and where its path and prefix speak of an average, the averaged one.  Every tensor of the state is then accounted for. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "source.h"

static const struct { const char *first, *second; int buffers; } signatures[] = {
    { "conv_in.weight", "down_blocks.", 0 }, { "time_embed.0.weight", "input_blocks.", 0 }, { "temb.dense.0.weight", "down.0.block.", 0 },
    { "init_conv.weight", "downs.", 1 },     /* lucidrains keeps the schedule's buffers one level above the U-Net */
};

struct candidate {
    const struct state *state;
    const char *prefix;
    int average, copy, buffers;              /* copy: the second raw set that lucidrains' EMA class keeps */
    const char *dotless;                     /* LitEma: how each name begins, its dots removed; else NULL */
    size_t skip;                             /* LitEma: bytes of the raw name that are left out */
};
enum { CANDIDATES = 16 };
struct search { const struct source *s; struct dd_arena *arena; struct candidate list[CANDIDATES]; size_t count; ddpm_error *err; };

static int no_memory(ddpm_error *err) { return dd_error(err, DDPM_ENOMEM, "out of memory"); }

static int begins(const char *text, const char *with) { return !strncmp(text, with, strlen(with)); }

/* Does text, up to length, hold this word between what is neither letter nor digit? */
static int has_word(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= length; i++)
        if (!strncmp(text + i, word, n) && (!i || !isalnum((unsigned char)text[i - 1])) &&
            (i + n == length || !isalnum((unsigned char)text[i + n])))
            return 1;
    return 0;
}

static size_t segment(const char *name) { return strcspn(name, "."); }

static int any_begins(const struct state *state, const char *prefix, const char *with)
{
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

/* ---- candidates ---- */

static int add_candidate(struct search *f, const struct state *state, const char *name, size_t length, size_t signature)
{
    char *prefix = dd_arena_text(f->arena, "%.*s", (int)length, name);
    if (!prefix)
        return no_memory(f->err);
    if (!any_begins(state, prefix, signatures[signature].second))
        return DDPM_OK;
    if (f->count == CANDIDATES)
        return dd_error(f->err, DDPM_EDATA, "%s: holds more than %d U-Nets", f->s->name, CANDIDATES);
    struct candidate *c = &f->list[f->count++];
    *c = (struct candidate){ .state = state, .prefix = prefix, .buffers = signatures[signature].buffers };
    c->copy = begins(prefix, "online_model.");
    c->average = !c->copy && (has_word(state->path, strlen(state->path), "ema") || has_word(prefix, length, "ema") ||
                              !strcmp(state->path, "[4]"));
    return DDPM_OK;
}

static char *dotless(struct dd_arena *arena, const char *name)
{
    char *text = dd_arena_text(arena, "model_ema.%s", name), *to = text ? text + 10 : NULL;
    for (const char *from = name; to && *from; from++)
        if (*from != '.')
            *to++ = *from;
    if (to)
        *to = 0;
    return text;
}

/* LitEma names its copies after the module it averages, which may be any outer part of the prefix. */
static int add_dotless(struct search *f, const struct candidate *raw, const char *first)
{
    size_t length = strlen(raw->prefix);
    char *full = dd_arena_text(f->arena, "%s%s", raw->prefix, first);
    if (!full)
        return no_memory(f->err);
    for (size_t skip = 0; skip <= length && f->count < CANDIDATES; skip += segment(full + skip) + 1) {
        char *name = dotless(f->arena, full + skip);
        if (!name)
            return no_memory(f->err);
        if (source_find(raw->state, name)) {
            f->list[f->count] = *raw;
            f->list[f->count].average = 1;
            f->list[f->count].dotless = "model_ema.";
            f->list[f->count++].skip = skip;
            return DDPM_OK;
        }
    }
    return DDPM_OK;
}

static int search_state(struct search *f, const struct state *state)
{
    for (size_t k = 0; k < sizeof signatures / sizeof *signatures; k++) {
        size_t n = strlen(signatures[k].first);
        for (size_t i = 0; i < state->tensors; i++) {
            const char *name = state->tensor[i].name;
            size_t length = strlen(name), before = f->count;
            if (length < n || strcmp(name + length - n, signatures[k].first) || (length > n && name[length - n - 1] != '.'))
                continue;
            int code = add_candidate(f, state, name, length - n, k);
            if (!code && f->count > before && !f->list[before].average)
                code = add_dotless(f, &f->list[before], signatures[k].first);
            if (code)
                return code;
        }
    }
    return DDPM_OK;
}

/* ---- the choice among them ---- */

static int ambiguous(const struct search *f, const struct candidate *a, const struct candidate *b)
{
    return dd_error(f->err, DDPM_EDATA, "%s: holds two U-Nets, %s%s%.80s... and %s%s%.80s...; save the one you mean alone", f->s->name,
                    a->state->path, *a->state->path ? ": " : "", a->prefix, b->state->path, *b->state->path ? ": " : "", b->prefix);
}

/* The one candidate that is (is not) an average; a copy counts only where there is no other. */
static int single(const struct candidate **one, const struct search *f, int average)
{
    *one = NULL;
    for (size_t i = 0; i < f->count; i++) {
        const struct candidate *c = &f->list[i];
        if (c->average != average)
            continue;
        if (*one && (*one)->copy == c->copy)
            return ambiguous(f, *one, c);
        if (!*one || (*one)->copy)
            *one = c;
    }
    return DDPM_OK;
}

/* OpenAI's files say by their names what they hold: ema_0.9999_000100.pt, model000100.pt. */
static const char *said_by_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (begins(base, "ema_") && isdigit((unsigned char)base[4]))
        return "ema";
    if (begins(base, "model") && strspn(base + 5, "0123456789") >= 6 && !strcmp(base + 5 + strspn(base + 5, "0123456789"), ".pt"))
        return "raw";
    return "";
}

/* One set of weights, not marked as an average: what it is follows from what lies beside it, from the file's name, or is not known,
   and then the user's word is taken. */
static int label_lonely(struct choice *out, const struct search *f, const char *want)
{
    const struct source *s = f->s;
    const char *label = s->optimizer || s->shadow ? "raw" : said_by_name(s->name);
    if (s->shadow && (!want || !strcmp(want, "ema")))
        return dd_error(f->err, DDPM_EDATA, "%s: its average has no names (shadow_params) and cannot be used; take the raw weights "
                        "(--weights raw), or save the model with the average copied into it", s->name);
    if (want && *label && strcmp(label, want))
        return dd_error(f->err, DDPM_EDATA, "%s: holds %s weights only, not the %s ones asked for", s->name,
                        !strcmp(label, "ema") ? "averaged (ema)" : "raw", want);
    out->weights = want ? want : label;
    out->has_ema = !strcmp(label, "ema");
    out->has_raw = !strcmp(label, "raw");
    return DDPM_OK;
}

static int choose(struct choice *out, const struct candidate **chosen, const struct candidate **other, const struct search *f,
                  const char *want)
{
    const struct candidate *average, *raw;
    int code;
    if ((code = single(&average, f, 1)) != DDPM_OK || (code = single(&raw, f, 0)) != DDPM_OK)
        return code;
    *chosen = want && !strcmp(want, "raw") ? raw : average;
    *other = raw;
    if (!average) {
        *chosen = raw;
        return label_lonely(out, f, want);
    }
    if (!*chosen)
        return dd_error(f->err, DDPM_EDATA, "%s: holds averaged (ema) weights only, not the raw ones asked for", f->s->name);
    out->has_ema = 1;
    out->has_raw = raw != NULL;
    out->weights = *chosen == average ? "ema" : "raw";
    return DDPM_OK;
}

/* ---- the tensors of the chosen one ---- */

/* The tensor of candidate c that stands for NAME of the U-Net; NULL when there is none. */
static const struct named *find_in(const struct candidate *c, struct dd_arena *arena, const char *name)
{
    char *full = dd_arena_text(arena, "%s%s", c->prefix, name);
    if (full && c->dotless)
        full = dotless(arena, full + c->skip);
    return full ? source_find(c->state, full) : NULL;
}

static int inside(const struct candidate *c, const char *name)
{
    return begins(name, c->prefix) && (*c->prefix || !has_word(name, segment(name), "ema"));
}

/* What may lie beside a U-Net in the same state: single tensors, averages, the EMA class's copy, another candidate. */
static int beside(const struct search *f, const struct candidate *c, const char *name)
{
    if (!strchr(name, '.') || has_word(name, segment(name), "ema") || begins(name, "online_model."))
        return 1;
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].state == c->state && *f->list[i].prefix && begins(name, f->list[i].prefix))
            return 1;
    return 0;
}

/* The part of a name below the module that holds the U-Net, if it is one of that module's own buffers; else NULL. */
static const char *own_buffer(const struct candidate *c, const char *name)
{
    size_t parent = strlen(c->prefix);
    if (!parent)
        return NULL;
    while (--parent && c->prefix[parent - 1] != '.')
        ;
    return !strncmp(name, c->prefix, parent) && !strchr(name + parent, '.') ? name + parent : NULL;
}

static int lacks(const struct search *f, size_t missing, const char *name)
{
    return !missing ? DDPM_OK :
           dd_error(f->err, DDPM_EDATA,
                    "%s: the averaged (ema) weights lack %zu tensors, for instance %.120s; --weights raw takes the others",
                    f->s->name, missing, name);
}

static int gather(struct choice *out, const struct search *f, const struct candidate *c)
{
    size_t length = strlen(c->prefix), missing = 0;
    const char *lost = NULL;
    for (size_t i = 0; i < c->state->tensors; i++) {
        struct named n = c->state->tensor[i];
        const char *buffer = own_buffer(c, n.name);
        if (inside(c, n.name)) {
            n.name += length;
            const struct named *from = c->dotless ? find_in(c, f->arena, n.name) : &n;
            lost = from ? lost : n.name;
            missing += !from;
            out->tensor[out->tensors++] = (struct named){ n.name, n.source, from ? from->item : NULL };
        } else if (buffer && c->buffers) {
            n.name = buffer;
            out->tensor[out->tensors++] = n;
        } else if (!buffer && !beside(f, c, n.name)) {
            return dd_error(f->err, DDPM_EDATA,
                            "%s: tensor %.120s lies outside the U-Net (prefix \"%.64s\"): this is no model in pixel space, "
                            "or holds other networks too", f->s->name, n.name, c->prefix);
        }
    }
    return lacks(f, missing, lost);
}

/* Both sets must have the same names: what only the raw one has would be missing from the average. */
static int compare(const struct search *f, const struct candidate *average, const struct candidate *raw)
{
    size_t length = strlen(raw->prefix), missing = 0;
    const char *lost = NULL;
    for (size_t i = 0; i < raw->state->tensors; i++) {
        const char *name = raw->state->tensor[i].name;
        if (!inside(raw, name) || find_in(average, f->arena, name + length))
            continue;
        lost = name + length;
        missing++;
    }
    return lacks(f, missing, lost);
}

/* No known U-Net: the one table of tensors as it is, for the caller to say what is wrong with it. */
static int take_all(struct choice *out, const struct search *f, const char *want)
{
    static const char *const wrappers[] = { "module.", "_orig_mod.", "_forward_module.", "model." };
    const struct state *state = f->s->state;
    size_t strip = 0;
    if (f->s->states > 1)
        return dd_error(f->err, DDPM_EDATA, "%s: holds %zu tables of tensors (%.60s, %.60s, ...) and no known U-Net in any", f->s->name,
                        f->s->states, state[0].path, state[1].path);
    for (size_t k = 0; k < sizeof wrappers / sizeof *wrappers; k++) {
        size_t i = 0;
        while (i < state->tensors && begins(state->tensor[i].name + strip, wrappers[k]))
            i++;
        if (i == state->tensors) {
            strip += strlen(wrappers[k]);
            k = (size_t)-1;
        }
    }
    for (size_t i = 0; i < state->tensors; i++) {
        out->tensor[i] = state->tensor[i];
        out->tensor[i].name += strip;
    }
    out->tensors = state->tensors;
    return label_lonely(out, f, want);
}

static int named_order(const void *a, const void *b) { return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name); }

int unwrap(struct choice *out, struct dd_arena *arena, const struct source *s, const char *want, ddpm_error *err)
{
    struct search f = { .s = s, .arena = arena, .err = err };
    const struct candidate *chosen = NULL, *raw = NULL;
    int code = DDPM_OK;
    *out = (struct choice){ 0 };
    for (size_t i = 0; !code && i < s->states; i++)
        code = search_state(&f, &s->state[i]);
    if (!code && f.count)
        code = choose(out, &chosen, &raw, &f, want);
    if (code)
        return code;
    out->tensor = dd_arena(arena, f.count ? chosen->state->tensors : s->state->tensors, sizeof *out->tensor);
    if (!out->tensor)
        return no_memory(err);
    if (!f.count)
        return take_all(out, &f, want);
    if (chosen->average && raw && !chosen->dotless && (code = compare(&f, chosen, raw)) != DDPM_OK)
        return code;
    if ((code = gather(out, &f, chosen)) != DDPM_OK)
        return code;
    qsort(out->tensor, out->tensors, sizeof *out->tensor, named_order);
    for (size_t i = 1; i < out->tensors; i++)
        if (!strcmp(out->tensor[i - 1].name, out->tensor[i].name))
            return dd_error(err, DDPM_EDATA, "%s: tensor %.120s is there twice", s->name, out->tensor[i].name);
    return DDPM_OK;
}
