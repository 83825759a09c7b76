/* Chooses among the U-Nets of an opened file (unet_candidates.h), and labels the chosen weights as an
   average (ema) or raw.  A label is never guessed: it follows from what lies beside the weights or from
   the name of the file, and is "" otherwise. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "checkpoint/tensor_names.h"
#include "checkpoint/unet_candidates.h"

/* ---- the part that the user names ---- */

/* Returns whether part is the path of a candidate or the prefix of its tensors.  exact: part has to be all
   of it; otherwise its first segments suffice. */
static int is_meant(const struct candidate *c, const char *part, int exact)
{
    char path[CANDIDATE_PATH];
    const char *names[] = { candidate_path(path, c), c->prefix };
    size_t n = strlen(part);
    if (n > 1 && part[n - 1] == '.')
        n--;

    /* An exact match may be followed by the dot that ends a prefix. */
    for (int k = 0; k < 2; k++)
        if (!strncmp(names[k], part, n) && (names[k][n] == '.' || !names[k][n]) &&
            (!exact || strlen(names[k] + n) < 2))
            return n > 0;
    return 0;
}

/* Keeps only the candidates that the user means: the exact matches, or else those that begin with the
   part. */
static int keep_part(struct candidates *all)
{
    const char *part = all->s->part;
    if (!part)
        return DDPM_OK;

    /* Without an exact match, the first pass leaves the list as it was for the second. */
    size_t kept = 0;
    for (int exact = 1; exact >= 0 && !kept; exact--)
        for (size_t i = 0; i < all->count; i++)
            if (is_meant(&all->list[i], part, exact))
                all->list[kept++] = all->list[i];

    if (!kept) {
        char path[CANDIDATE_PATH], there[400] = "";
        for (size_t i = 0; i < all->count; i++)
            dd_names_join(there, sizeof there, candidate_path(path, &all->list[i]));
        return dd_error(all->err, DDPM_EDATA, "%s: holds no U-Net %.80s: there is %s", all->s->name, part,
                        *there ? there : "none of a known family");
    }
    all->count = kept;
    return DDPM_OK;
}

/* ---- averages and raw weights ---- */

static int any_average(const struct candidates *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].average)
            return 1;
    return 0;
}

static int ambiguous(const struct candidates *all, const struct candidate *a, const struct candidate *b)
{
    char one[CANDIDATE_PATH], two[CANDIDATE_PATH];
    return dd_error(all->err, DDPM_EDATA, "%s: holds two U-Nets of one kind, %s and %s: choose with --part",
                    all->s->name, candidate_path(one, a), candidate_path(two, b));
}

/* Finds the candidate that is an average, or is raw, as `average` says; NULL: there is none.  lucidrains'
   second copy of raw weights counts only if it is alone.  Two candidates are an error, unless `any` says
   that either will do. */
static int single(const struct candidate **one, const struct candidates *all, int average, int any)
{
    *one = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct candidate *c = &all->list[i];
        if (c->average != average)
            continue;
        if (*one && (*one)->copy == c->copy && !any)
            return ambiguous(all, *one, c);
        if (!*one || (*one)->copy)
            *one = c;
    }
    return DDPM_OK;
}

/* Returns what the name of a file says about its weights: "ema", "raw" or "".  OpenAI's training writes
   ema_0.9999_000100.pt and model000100.pt. */
static const char *said_by_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (name_begins(base, "ema_") && isdigit((unsigned char)base[4]))
        return "ema";

    size_t digits = name_begins(base, "model") ? strspn(base + 5, "0123456789") : 0;
    return digits >= 6 && !strcmp(base + 5 + digits, ".pt") ? "raw" : "";
}

/* Returns the path of another state, without a U-Net, whose name speaks of an average and which has at
   least half as many tensors as the raw weights; NULL: there is none. */
static const char *average_state(const struct candidates *all, const struct candidate *raw)
{
    for (size_t k = 0; k < all->s->states; k++) {
        const struct state *other = &all->s->state[k];
        int known = other == raw->state;
        for (size_t i = 0; i < all->count; i++)
            known |= all->list[i].state == other;
        if (!known && name_says_average(other->path, strlen(other->path)) &&
            2 * other->tensors >= raw->state->tensors)
            return other->path;
    }
    return NULL;
}

/* Returns a name from an average inside the state of the raw weights, if at least a third of the state's
   tensors belong to averages; NULL otherwise.  lucidrains' online_model is not an average. */
static const char *average_within(const struct state *state)
{
    size_t inner = 0;
    const char *found = NULL;
    for (size_t i = 0; i < state->tensors; i++) {
        const char *name = state->tensor[i].name;
        if (!strchr(name, '.') || !name_says_average(name, name_segment(name)) ||
            name_begins(name, "online_model."))
            continue;
        found = name;
        inner++;
    }
    return 3 * inner >= state->tensors ? found : NULL;
}

/* Returns where an average lies that cannot be used, because its tensors have no names, or names of no
   known U-Net; NULL: there is none. */
static const char *unknown_average(const struct candidates *all, const struct candidate *raw)
{
    const char *path = all->s->nameless;
    if (!path && raw)
        path = average_state(all, raw);
    if (!path && raw)
        path = average_within(raw->state);
    return path;
}

/* Labels a set of weights that nothing marks as an average.  raw: the set, NULL where no U-Net is known.
   average_left: the file also has an average, which the user's --part excludes; so these weights are raw. */
static int label_unmarked(struct choice *out, const struct candidates *all, const struct candidate *raw,
                          const char *want, int average_left)
{
    const struct source *s = all->s;
    const char *unknown = unknown_average(all, raw);
    const char *label = s->optimizer || unknown || average_left ? "raw" : said_by_name(s->name);

    if (unknown && !average_left && (!want || !strcmp(want, "ema")))
        return dd_error(all->err, DDPM_EDATA,
                        "%s: its average has %s names (%.100s) and cannot be used; take the raw weights "
                        "(--weights raw), or save the model with the average copied into it",
                        s->name, s->nameless ? "no" : "other", unknown);
    if (want && *label && strcmp(label, want))
        return dd_error(all->err, DDPM_EDATA, "%s: holds %s weights only, not the %s ones asked for%s%s",
                        s->name, !strcmp(label, "ema") ? "averaged (ema)" : "raw", want,
                        s->beside && *want == 'e' ? ": those are beside it, in " : "",
                        s->beside && *want == 'e' ? s->beside : "");

    out->weights = label;
    out->has_ema = !strcmp(label, "ema");
    out->has_raw = !strcmp(label, "raw");
    return DDPM_OK;
}

/* Labels the only state of a file without a known U-Net.  With several states, the choice would be a
   guess. */
static int label_unknown(struct choice *out, const struct candidates *all, const char *want)
{
    const struct state *state = all->s->state;
    if (all->s->states > 1)
        return dd_error(all->err, DDPM_EDATA,
                        "%s: holds %zu tables of tensors (%.60s, %.60s, ...) and no known U-Net in any",
                        all->s->name, all->s->states, state[0].path, state[1].path);
    return label_unmarked(out, all, NULL, want, 0);
}

/* unet_candidates.h describes it.  The cases follow in this order: no known U-Net, no average, an average. */
int candidates_choose(struct choice *out, const struct candidate **chosen, const struct candidate **raw,
                      struct candidates *all, const char *want)
{
    int averages = any_average(all), raw_alone = want && !strcmp(want, "raw");
    const struct candidate *average;
    *chosen = *raw = NULL;

    int code = keep_part(all);
    if (code)
        return code;
    if (!all->count)
        return label_unknown(out, all, want);

    /* Weights count as raw only if the same file also has an average, which --part may have excluded. */
    int average_left = averages && !any_average(all);

    /* If only raw weights are wanted, any average will do to label them.  The raw weights must be one set
       in every case: they are the result, or the average is compared with them (unwrap.c). */
    if ((code = single(&average, all, 1, raw_alone)) != DDPM_OK || (code = single(raw, all, 0, 0)) != DDPM_OK)
        return code;
    if (!average) {
        *chosen = *raw;
        return label_unmarked(out, all, *raw, want, average_left);
    }

    *chosen = raw_alone ? *raw : average;
    if (!*chosen)
        return dd_error(all->err, DDPM_EDATA,
                        "%s: holds averaged (ema) weights only, not the raw ones asked for", all->s->name);
    out->has_ema = 1;
    out->has_raw = *raw != NULL;
    out->weights = *chosen == average ? "ema" : "raw";
    return DDPM_OK;
}
