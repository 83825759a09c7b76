/* Lists the trials of a bench from --sampler and --steps. */
#include "trial/trial_list.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

static const char default_steps[] = "4,6,8,10,20,50,250,1000", default_samplers[] = "ddpm,dpmpp";

/* Takes the next word from a comma-separated list.  Returns false if no word is left. */
static bool next_word(char word[64], const char **list)
{
    size_t length = strcspn(*list, ",");

    if (!**list)
        return false;
    snprintf(word, 64, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

/* Sets *sampler to the library's own text for a name, so that samplers are compared by their
   pointers. */
static int parse_sampler(const char **sampler, const char *word, ddpm_error *err)
{
    const char *const *names = ddpm_sampler_names(), *near = nearest_name(word, names);

    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], word)) {
            *sampler = names[i];
            return DDPM_OK;
        }
    return dd_error(err, DDPM_EUSAGE, "--sampler %.60s: no sampler has this name%s%s; see ddpm sample --help",
                    word, near ? "; did you mean " : "", near ? near : "");
}

static int parse_steps(int *K, const char *word, int T, ddpm_error *err)
{
    char *end;
    long v = strcmp(word, "all") ? strtol(word, &end, 10) : T;

    if (strcmp(word, "all") && (*word < '0' || *word > '9' || *end || v < 1 || v > T))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps %.40s: expected numbers of steps from 1 to %d, such as 10,50,all", word, T);
    *K = (int)v;
    return DDPM_OK;
}

static int add_trial(struct trials *t, const char *sampler, int K, ddpm_error *err)
{
    if (t->count == TRIALS_MAX)
        return dd_error(err, DDPM_EUSAGE, "more than %d pairs of sampler and steps: leave some out",
                        TRIALS_MAX);
    for (int i = 0; i < t->count; i++)
        if (t->trial[i].sampler == sampler && t->trial[i].K == K)
            return dd_error(err, DDPM_EUSAGE, "%s with %d steps is asked for twice", sampler, K);
    t->trial[t->count++] = (struct trial){ .sampler = sampler, .K = K };
    return DDPM_OK;
}

/* Returns whether the comma-separated list asks for K steps; NULL asks for every number. */
static bool asks_for(const char *list, int K, int T)
{
    char word[64];

    if (!list)
        return true;
    while (next_word(word, &list))
        if ((strcmp(word, "all") ? atoi(word) : T) == K)
            return true;
    return false;
}

/* Adds the solvers that were tuned for the model, at their own numbers of steps, of which
   --steps may choose some. */
static int add_tuned(struct trials *t, const char *sampler, const char *steps, ddpm_error *err)
{
    int code = DDPM_OK;

    for (int i = 0; i < t->about->tuned_count && !code; i++)
        if (asks_for(steps, t->about->tuned[i].K, t->about->steps))
            code = add_trial(t, sampler, t->about->tuned[i].K, err);
    return code;
}

/* Lists the pairs of one sampler and all steps.  A default number of steps is left out if the
   model has fewer steps. */
static int list_steps(struct trials *t, const char *sampler, const char *steps, ddpm_error *err)
{
    char word[64];
    const char *rest = steps ? steps : default_steps;
    int T = t->about->steps, K = 0, code = DDPM_OK;

    while (!code && next_word(word, &rest)) {
        if (!steps && atoi(word) > T)
            continue;
        code = parse_steps(&K, word, T, err);
        if (!code)
            code = add_trial(t, sampler, K, err);
    }
    return code;
}

int trial_list(struct trials *t, const char *samplers, const char *steps, ddpm_error *err)
{
    char word[64];
    const char *sampler = NULL, *rest = samplers ? samplers : default_samplers;
    int code = DDPM_OK;

    while (!code && next_word(word, &rest)) {
        code = parse_sampler(&sampler, word, err);
        if (code)
            break;
        bool own = ddpm_sampler_traits_of(sampler)->own_steps && !steps;
        code = own ? add_tuned(t, sampler, steps, err) : list_steps(t, sampler, steps, err);
    }

    if (!code && !samplers) {
        code = parse_sampler(&sampler, "tuned", err);
        if (!code)
            code = add_tuned(t, sampler, steps, err);
    }

    if (!code && !t->count && samplers && !steps)
        code = dd_error(err, DDPM_EUSAGE,
                        "--sampler %.60s: the model has no tuned solver; ddpm tune makes one", samplers);
    else if (!code && !t->count)
        code = dd_error(err, DDPM_EUSAGE, "--steps, --sampler: expected at least one of each");
    return code;
}
