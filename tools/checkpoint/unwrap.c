/* Finds which of a file's tensors are the U-Net (checkpoint-families.md 5.5, 7.5).  A U-Net is known by two
   names, for instance P"conv_in.weight" and P"down_blocks."...; P is its prefix ("module.",
   "model.diffusion_model.",
                                                              ...).  Every
   (state, prefix) so found is a candidate, and where its path and prefix speak of an average,
       the averaged one.
   Every tensor of the state is then accounted for. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"

static const struct {
    const char *first, *second;
    int buffers;
} signatures[] = {
    { "conv_in.weight", "down_blocks.", 0 },
    { "time_embed.0.weight", "input_blocks.", 0 },
    { "temb.dense.0.weight", "down.0.block.", 0 },
    { "init_conv.weight", "downs.",
      1 }, /* lucidrains keeps the schedule's buffers one level above the U-Net */
};

struct candidate {
    const struct state *state;
    const char *prefix;
    int average, copy, buffers; /* copy: the second raw set that lucidrains' EMA class keeps */
    const char *dotless;        /* LitEma: how each name begins, its dots removed; else NULL */
    size_t skip;                /* LitEma: bytes of the raw name that are left out */
};

enum { CANDIDATES = 16 };

struct search {
    const struct source *s;
    struct dd_arena *arena;
    struct candidate list[CANDIDATES];
    size_t count;
    ddpm_error *err;
};

static int no_memory(ddpm_error *err)
{
    return dd_error(err, DDPM_ENOMEM, "out of memory");
}

static int begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static size_t segment(const char *name)
{
    return strcspn(name, ".");
}

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

/* torch's AveragedModel holds the average as "module." and counts in n_averaged beside it. */
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

/* Lightning's WeightAveraging puts the average into state_dict, and the raw weights into
   current_model_state. */
static int replaces_current(const struct search *f, const struct state *state)
{
    int current = 0;
    for (size_t i = 0; i < f->s->states; i++)
        current |= !strcmp(f->s->state[i].path, "current_model_state");
    return current && !strcmp(state->path, "state_dict");
}

static int add_candidate(struct search *f, const struct state *state, const char *name, size_t length,
                         size_t signature)
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
    const char *online = strstr(prefix, "online_model.");
    c->copy = online && (online == prefix || online[-1] == '.');
    c->average = !c->copy && (names_average(state->path, strlen(state->path)) ||
                              names_average(prefix, length) || !strcmp(state->path, "[4]") ||
                              is_averaged_module(state, prefix) || replaces_current(f, state));
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
            if (length < n || strcmp(name + length - n, signatures[k].first) ||
                (length > n && name[length - n - 1] != '.'))
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

/* Where a candidate lies, "ema.ema_model": the path of its table and the prefix in it; "." is the table at
   the file's top. */
static const char *full_name(char text[160], const struct candidate *c)
{
    size_t length = strlen(c->prefix);
    int inner = length ? (int)length - 1 : 0;
    snprintf(text, 160, "%.70s%s%.*s", c->state->path, *c->state->path && inner ? "." : "",
             inner > 70 ? 70 : inner, c->prefix);
    if (c->dotless)
        snprintf(text, 160, "model_ema");
    if (!*text)
        snprintf(text, 160, ".");
    return text;
}

static int ambiguous(const struct search *f, const struct candidate *a, const struct candidate *b)
{
    char one[160], two[160];
    return dd_error(f->err, DDPM_EDATA, "%s: holds two U-Nets of one kind, %s and %s: choose with --part",
                    f->s->name, full_name(one, a), full_name(two, b));
}

/* Is part the name of a candidate or of the prefix of its tensors?  exact: the whole of it, else what it
   begins with. */
static int is_meant(const struct candidate *c, const char *part, int exact)
{
    char name[160];
    size_t n = strlen(part);
    n -= n > 1 && part[n - 1] == '.';
    const char *full = full_name(name, c), *names[] = { full, c->prefix };
    for (int k = 0; k < 2; k++)
        if (!strncmp(names[k], part, n) && (names[k][n] == '.' || !names[k][n]) &&
            (!exact || strlen(names[k] + n) < 2))
            return n > 0;
    return 0;
}

/* Leaves only those candidates that the user means. */
static int keep_part(struct search *f)
{
    const char *part = f->s->part;
    char name[160], all[400] = "";
    size_t kept = 0;
    for (int exact = 1; part && exact >= 0 && !kept; exact--)
        for (size_t i = 0; i < f->count; i++)
            if (is_meant(&f->list[i], part, exact))
                f->list[kept++] = f->list[i];
    for (size_t i = 0; part && !kept && i < f->count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "",
                 full_name(name, &f->list[i]));
    if (part && !kept)
        return dd_error(f->err, DDPM_EDATA, "%s: holds no U-Net %.80s: there is %s", f->s->name, part,
                        *all ? all : "none of a known family");
    f->count = part ? kept : f->count;
    return DDPM_OK;
}

/* The one candidate that is (is not) an average; a copy counts only where there is no other.  any: the first
   of several will do. */
static int single(const struct candidate **one, const struct search *f, int average, int any)
{
    *one = NULL;
    for (size_t i = 0; i < f->count; i++) {
        const struct candidate *c = &f->list[i];
        if (c->average != average)
            continue;
        if (*one && (*one)->copy == c->copy && !any)
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
    if (begins(base, "model") && strspn(base + 5, "0123456789") >= 6 &&
        !strcmp(base + 5 + strspn(base + 5, "0123456789"), ".pt"))
        return "raw";
    return "";
}

/* Returns where an average lies that has no names, or none of a known U-Net's: a table of its own or a part
   of that of the raw weights, of at least half as many tensors; NULL where there is none. */
static const char *unknown_average(const struct search *f, const struct candidate *raw)
{
    size_t inner = 0;
    const char *name = NULL;
    if (f->s->nameless)
        return f->s->nameless;
    for (size_t k = 0; k < f->s->states; k++) {
        const struct state *other = &f->s->state[k];
        size_t known = other == raw->state;
        for (size_t i = 0; i < f->count; i++)
            known |= f->list[i].state == other;
        if (!known && names_average(other->path, strlen(other->path)) &&
            2 * other->tensors >= raw->state->tensors)
            return other->path;
    }
    for (size_t i = 0; i < raw->state->tensors; i++) {
        const char *at = raw->state->tensor[i].name;
        if (!strchr(at, '.') || !names_average(at, segment(at)) || begins(at, "online_model."))
            continue;
        name = at;
        inner++;
    }
    return 3 * inner >= raw->state->tensors ? name : NULL;
}

/* One set of weights, not marked as an average: what it is follows from what lies beside it, from the file's
   name, or is not known.  unknown: where an average lies that cannot be used, or NULL. */
static int label_lonely(struct choice *out, const struct search *f, const char *want, int average_left,
                        const char *unknown)
{
    const struct source *s = f->s;
    const char *label = s->optimizer || unknown || average_left ? "raw" : said_by_name(s->name);
    if (unknown && !average_left && (!want || !strcmp(want, "ema")))
        return dd_error(f->err, DDPM_EDATA,
                        "%s: its average has %s names (%.100s) and cannot be used; take the raw weights "
                        "(--weights raw), or save the model with the average copied into it",
                        s->name, s->nameless ? "no" : "other", unknown);
    if (want && *label && strcmp(label, want))
        return dd_error(f->err, DDPM_EDATA, "%s: holds %s weights only, not the %s ones asked for%s%s",
                        s->name, !strcmp(label, "ema") ? "averaged (ema)" : "raw", want,
                        s->beside && *want == 'e' ? ": those are beside it, in " : "",
                        s->beside && *want == 'e' ? s->beside : "");
    out->weights = label;
    out->has_ema = !strcmp(label, "ema");
    out->has_raw = !strcmp(label, "raw");
    return DDPM_OK;
}

static int choose(struct choice *out, const struct candidate **chosen, const struct candidate **other,
                  const struct search *f, const char *want, int average_left)
{
    const struct candidate *average, *raw;
    int code, raw_alone = want && !strcmp(want, "raw");
    if ((code = single(&average, f, 1, raw_alone)) != DDPM_OK || (code = single(&raw, f, 0, 0)) != DDPM_OK)
        return code;
    *chosen = raw_alone ? raw : average;
    *other = raw;
    if (!average) {
        *chosen = raw;
        return label_lonely(out, f, want, average_left, raw ? unknown_average(f, raw) : f->s->nameless);
    }
    if (!*chosen)
        return dd_error(f->err, DDPM_EDATA,
                        "%s: holds averaged (ema) weights only, not the raw ones asked for", f->s->name);
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
    return begins(name, c->prefix) && (*c->prefix || !names_average(name, segment(name)));
}

/* What may lie beside a U-Net in the same state: single tensors, averages, the EMA class's copy, another candidate. */
static int beside(const struct search *f, const struct candidate *c, const char *name)
{
    const char *last = strrchr(name, '.');
    if (!last || names_average(name, segment(name)) || begins(name, "online_model.") ||
        !strcmp(last, ".n_averaged"))
        return 1;
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].state == c->state && inside(&f->list[i], name))
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

/* Is this a network that a training measures with, not one that makes images? */
static int measures(const char *name)
{
    static const char *const words[] = { "metric",    "metrics",       "fid",  "kid",  "inception",
                                         "lpips",     "perceptual",    "vgg",  "loss", "loss_fn",
                                         "criterion", "discriminator", "psnr", "ssim" };
    for (const char *at = name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strchr(at, '.') && names_word(at, segment(at), words[i]))
                return 1;
    return 0;
}

static int lacks(const struct search *f, size_t missing, const char *name)
{
    return !missing ? DDPM_OK
                    : dd_error(f->err, DDPM_EDATA,
                               "%s: the averaged (ema) weights lack %zu tensors, for instance %.120s; "
                               "--weights raw takes the others",
                               f->s->name, missing, name);
}

static int outside(const struct search *f, const struct candidate *c, const char *name)
{
    char part[160];
    return dd_error(f->err, DDPM_EDATA,
                    "%s: tensor %.120s lies outside the U-Net: this is no model in pixel space, or holds "
                    "other networks too; --part %s takes the U-Net alone",
                    f->s->name, name, full_name(part, c));
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
            if (!f->s->part && !measures(n.name))
                return outside(f, c, n.name);
            out->left++;
            out->left_name = n.name;
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
        return dd_error(f->err, DDPM_EDATA,
                        "%s: holds %zu tables of tensors (%.60s, %.60s, ...) and no known U-Net in any",
                        f->s->name, f->s->states, state[0].path, state[1].path);
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
    return label_lonely(out, f, want, 0, f->s->nameless);
}

static int named_order(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

int unwrap(struct choice *out, struct dd_arena *arena, const struct source *s, const char *want,
           ddpm_error *err)
{
    struct search f = { .s = s, .arena = arena, .err = err };
    const struct candidate *chosen = NULL, *raw = NULL;
    int code = DDPM_OK, averages = 0, averages_kept = 0;
    *out = (struct choice){ 0 };
    for (size_t i = 0; !code && i < s->states; i++)
        code = search_state(&f, &s->state[i]);
    for (size_t i = 0; i < f.count; i++)
        averages |= f.list[i].average;
    if (!code)
        code = keep_part(&f);
    for (size_t i = 0; i < f.count; i++)
        averages_kept |= f.list[i].average;
    if (!code && f.count)
        code = choose(out, &chosen, &raw, &f, want, averages && !averages_kept);
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
            return dd_error(err, DDPM_EDATA, "%s: tensor %.120s is there twice", s->name,
                            out->tensor[i].name);
    return DDPM_OK;
}
